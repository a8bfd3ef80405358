use einattn_compiler::{
    cascade::*,
    driver::*,
    interp::{self, Tensors, Value},
    lane::RankSource,
    lane::exec::Args,
    simt,
    target::*,
    types::*,
};
use std::collections::BTreeMap;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&a[1]).unwrap();
    let (ext, set): (Vec<_>, Vec<_>) = a[2..]
        .iter()
        .map(|s| s.split_once('=').map(|(x, y)| (x.to_string(), y.to_string())).unwrap())
        .partition(|(k, _)| k.starts_with(':'));
    let ext: BTreeMap<String, i64> = ext.into_iter().map(|(k, v)| (k[1..].to_string(), v.parse().unwrap())).collect();
    let (c, d) = check_source(&text, &set);
    for d in &d {
        eprintln!("{d:?}");
    }
    let m = &c.kernels[0].members[0];
    let t0 = std::time::Instant::now();
    let k = match lower_gpu(m, &GpuCaps::SM_80, &Options::default()) {
        Ok(k) => k,
        Err(e) => {
            println!("REFUSED {e:?}");
            return;
        }
    };
    eprintln!("lowered in {:?}; threads {}, arrays {:?}", t0.elapsed(), k.stages[0].threads, k.stages[0].arrays);
    let body = k.to_string();
    std::fs::write("/tmp/simt.txt", &body).unwrap();
    eprintln!("{} lines", body.lines().count());
    let mut x = 88172645463325252u64;
    let mut rnd = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        f64::from(((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0)
    };
    let mut inputs = Tensors::new();
    let scalars: BTreeMap<String, f64> = m.scalars.iter().map(|s| (s.name.clone(), 0.3)).collect();
    let e = |r: &einattn_compiler::cascade::Rank| match r.extent {
        Extent::Const(n) => n,
        _ => ext[&r.name],
    };
    for t in &m.tensors {
        if !matches!(t.kind, TensorKind::In | TensorKind::InOut) {
            continue;
        }
        let shape: Vec<usize> = t
            .dims
            .iter()
            .map(|d| match d {
                Expr::Extent(r) => e(&m.ranks[r.index()]) as usize,
                o => panic!("{o:?}"),
            })
            .collect();
        let n = shape.iter().product();
        let data = (0..n).map(|_| t.dtype.round(rnd())).collect();
        inputs.insert(t.name.clone(), Value { shape, data });
    }
    let want = interp::run_cascade(m, &inputs, &scalars, &ext).unwrap();
    let mut args = Args::default();
    for t in &k.tensors {
        args.tensors.push(match (inputs.get(&t.name), want.get(&t.name)) {
            (Some(v), _) => v.data.clone(),
            (_, Some(v)) => vec![f64::NAN; v.data.len()],
            _ => vec![],
        });
    }
    for (r, s) in m.ranks.iter().zip(&k.sources) {
        args.ranks.push(match s {
            RankSource::Derived => 0,
            _ => e(r),
        });
    }
    for s in &m.scalars {
        if s.dtype.value_type() == ValueType::Float { args.floats.push(0.3) } else { args.scalars.push(0) }
    }
    let t0 = std::time::Instant::now();
    if let Err(e) = simt::exec::run(&k, &mut args) {
        println!("FAILED {e}");
        return;
    }
    eprintln!("ran in {:?}", t0.elapsed());
    for (i, t) in k.tensors.iter().enumerate() {
        if let Some(w) = want.get(&t.name) {
            let (mut d, mut n, mut bad) = (0.0, 0.0, 0);
            for (g, w) in args.tensors[i].iter().zip(&w.data) {
                if g.is_nan() != w.is_nan() {
                    bad += 1;
                    continue;
                }
                if w.is_finite() {
                    d += (g - w).powi(2);
                    n += w * w
                } else if g != w {
                    bad += 1
                }
            }
            println!("{}: rel {:.3e}, {} bad of {}", t.name, (d / f64::max(n, 1e-300)).sqrt(), bad, w.data.len());
        }
    }
}
