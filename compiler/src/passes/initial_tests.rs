//! Initial values at the edges: large and infinite ones, rows and passes without elements, spans; at every level.

use super::split_kv::split_rank;
use super::{to_stream, to_tile};
use crate::cascade::{Cascade, Origin};
use crate::check::{Options, check};
use crate::interp::{Tensors, random_inputs, run_cascade, run_stream, run_tile};
use crate::stream::Stream;
use crate::syntax::parse_str;
use crate::target::CpuCaps;
use crate::tile::TileKernel;
use std::collections::BTreeMap;

const CAPS: CpuCaps = CpuCaps::PORTABLE;
const SIZES: [(i64, i64); 5] = [(5, 0), (3, 4), (20, 9), (2, 70), (0, 3)];

fn cascade(mask: &str) -> Cascade {
    let src = format!(
        "kernel k {{
            rank P, M, E = 4, F = 3;
            in q: f32[P, E]; in k: f32[M, E]; in v: f32[M, F]; in c: f32[P];
            out o: f32[P, F]; out l: f32[P];
            let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / 2.0 where {mask};
            let g[p]: f32 = max(max[m](s[p,m]), c[p]);
            let n[p,m]: f32 = exp(s[p,m] - g[p]);
            let d[p]: f32 = sum[m](n[p,m]) + exp(c[p] - g[p]);
            o[p,f] = sum[m](n[p,m] * v[m,f]) / d[p];
            l[p] = g[p] + log(d[p]);
        }}"
    );
    let (file, diags) = parse_str(&src);
    assert!(diags.is_empty(), "{diags:?}");
    let (checked, diags) = check(&file, &Options::default());
    assert!(diags.is_empty(), "{diags:?}");
    checked.kernels[0].members[0].clone()
}

/// As written, and in spans; the maximum and the denominator have initial values.
fn lowered(c: &Cascade) -> Vec<(Stream, TileKernel)> {
    let whole = to_stream(c).unwrap_or_else(|r| panic!("{r:?}"));
    let mut all = vec![whole.clone()];
    for size in [1, 4, 1000] {
        let mut s = whole.clone();
        split_rank(&mut s, "M", size, &Origin::default()).unwrap_or_else(|r| panic!("{}", r.message));
        all.push(s);
    }
    for s in &all {
        let accs = s.stages.iter().flat_map(|g| &g.passes).flat_map(|p| &p.accs);
        assert_eq!(accs.filter(|a| a.init.is_some()).count(), 2, "{}", crate::stream::print(s));
    }
    let tiles = |s: &Stream| to_tile(s, &CAPS).unwrap_or_else(|r| panic!("{r:?}"));
    all.into_iter().map(|s| (s.clone(), tiles(&s))).collect()
}

#[track_caller]
fn same(got: &Tensors, want: &Tensors, what: &str) {
    for (name, w) in want {
        for (i, (a, b)) in got[name].data.iter().zip(&w.data).enumerate() {
            let equal = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-11 * (1.0 + b.abs());
            assert!(equal, "{what}: {name}[{i}] is {a}, expected {b}");
        }
    }
}

/// The kernel with `start` in every row, or random values, agrees with the interpreter at every level.
fn agrees(c: &Cascade, lowered: &[(Stream, TileKernel)], start: Option<f64>, (p, m): (i64, i64)) {
    let none = BTreeMap::new();
    let extents: BTreeMap<String, i64> = [("P".to_string(), p), ("M".to_string(), m)].into();
    let mut inputs = random_inputs(c, &extents, 3).unwrap_or_else(|e| panic!("{e}"));
    if let (Some(x), Some(c)) = (start, inputs.get_mut("c")) {
        c.data.fill(x);
    }
    let want = run_cascade(c, &inputs, &none, &extents).unwrap_or_else(|e| panic!("{e}"));
    for (s, tiles) in lowered {
        let what = format!("start {start:?}, {extents:?}, {} stages", s.stages.len());
        for block in [1, 3, 1000] {
            let got = run_stream(s, &inputs, &none, &extents, block).unwrap_or_else(|e| panic!("{what}: {e}"));
            same(&got, &want, &what);
        }
        let got = run_tile(tiles, &inputs, &none, &extents).unwrap_or_else(|e| panic!("{what}: {e}"));
        same(&got, &want, &what);
        crate::lane::tests::agrees(tiles, &CAPS, &inputs, &none, &extents, &want);
    }
}

#[test]
fn edges() {
    for mask in ["m <= p", "m > p + 2", "m < 0"] {
        let c = cascade(mask);
        let lowered = lowered(&c);
        for start in [None, Some(0.0), Some(1e30), Some(-1e30), Some(f64::INFINITY), Some(f64::NAN)] {
            SIZES.iter().for_each(|size| agrees(&c, &lowered, start, *size));
        }
    }
}

/// An initial value of -inf is none at all: every row of the first mask has an element.
#[test]
fn starts_at_the_identity() {
    let c = cascade("m <= p");
    let lowered = lowered(&c);
    [(3, 4), (20, 9), (2, 70), (0, 3)].iter().for_each(|s| agrees(&c, &lowered, Some(f64::NEG_INFINITY), *s));
}
