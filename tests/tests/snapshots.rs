//! What every stage of the compiler makes of twelve kernels: `kernels/NN-NAME.attn` with one file a stage in
//! `snapshots/NN-NAME/`. Read the files of a folder in their order: from the source to the code.
//!
//! A snapshot shows the shape of a result and nothing about its truth, so the same test executes what it shows: every
//! level gives what the reference interpreter gives, on random inputs of several shapes.

use einattn_compiler::cascade::{self, Cascade, TensorKind};
use einattn_compiler::driver::{Options, check_source, lower_observed};
use einattn_compiler::interp::{self, Tensors};
use einattn_compiler::lane::{self, LaneKernel};
use einattn_compiler::passes::Ir;
use einattn_compiler::stream::{self, Stream};
use einattn_compiler::target::CpuCaps;
use einattn_compiler::tile::{self, TileKernel};
use einattn_tests::launch::Launch;
use einattn_tests::vectors::compare;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Kernels whose Rust source is shown; it is long.
const WITH_RUST: [&str; 3] = ["01-softmax", "02-causal", "07-sigmoid"];

/// Rounding of f64 in another order, relative to the whole output.
const EXACT: f64 = 1e-12;

/// Rounding of f32.
const SINGLE: f64 = 1e-5;

/// Extents of the free ranks: longer and shorter than tiles, no multiples of them, single and no elements.
const SHAPES: &[&[(&str, i64)]] = &[
    &[("B", 2), ("H", 2), ("G", 1), ("P", 9), ("M", 71), ("Y", 6), ("X", 5)],
    &[("B", 2), ("H", 2), ("G", 2), ("P", 11), ("M", 5), ("Y", 5), ("X", 7)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 67), ("M", 68), ("Y", 5), ("X", 9)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 1), ("M", 1), ("Y", 5), ("X", 5)],
    &[("B", 1), ("H", 1), ("G", 1), ("P", 3), ("M", 0), ("Y", 5), ("X", 0)],
];

/// A kernel at every level.
struct Levels {
    cascade: Cascade,
    rewritten: Cascade,
    stream: Stream,
    tile: TileKernel,
    lane: LaneKernel,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Names and texts of the kernels.
fn kernels() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder("kernels")).expect("the folder of the kernels");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a readable entry").path()).collect();
    files.sort();
    let name = |f: &Path| f.file_stem().expect("a file name").to_string_lossy().into_owned();
    files.iter().map(|f| (name(f), std::fs::read_to_string(f).expect("UTF-8"))).collect()
}

fn cascade_of(text: &str) -> Cascade {
    let (checked, diags) = check_source(text, &[]);
    assert!(diags.is_empty(), "{diags:#?}");
    let members: Vec<Cascade> = checked.kernels.into_iter().flat_map(|k| k.members).collect();
    let [one] = <[Cascade; 1]>::try_from(members).expect("one kernel with one member");
    one
}

fn levels(text: &str, caps: &CpuCaps) -> Levels {
    let cascade = cascade_of(text);
    let (mut rewritten, mut stream, mut tile) = (None, None, None);
    let lane = lower_observed(&cascade, caps, &Options::default(), &mut |_, level| match level {
        Ir::Cascade(c) => rewritten = Some(c.clone()),
        Ir::Stream(s) => stream = Some(s.clone()),
        Ir::Tile(t) => tile = Some(t.clone()),
        Ir::Lane(_) | Ir::Simt(_) => {}
    });
    Levels {
        cascade,
        rewritten: rewritten.expect("a cascade was seen"),
        stream: stream.expect("a stream was seen"),
        tile: tile.expect("a tile kernel was seen"),
        lane: lane.expect("the kernel can be lowered"),
    }
}

fn round_trips(l: &Levels) {
    for c in [&l.cascade, &l.rewritten] {
        assert_eq!(cascade::parse(&cascade::print(c)).as_ref(), Ok(c));
    }
    assert_eq!(stream::parse(&stream::print(&l.stream)).as_ref(), Ok(&l.stream));
    assert_eq!(tile::parse(&tile::print(&l.tile)).as_ref(), Ok(&l.tile));
    assert_eq!(lane::parse(&l.lane.to_string()).as_ref(), Ok(&l.lane));
}

#[test]
fn stages_look_as_stored() {
    let mut shown = BTreeSet::new();
    for (name, text) in kernels() {
        let l = levels(&text, &CpuCaps::PORTABLE);
        round_trips(&l);
        let mut stages = vec![
            ("0-source", text.clone()),
            ("1-cascade", cascade::print(&l.cascade)),
            ("2-rewritten", cascade::print(&l.rewritten)),
            ("3-stream", stream::print(&l.stream)),
            ("4-tile", tile::print(&l.tile)),
            ("5-lane", l.lane.to_string()),
        ];
        if WITH_RUST.contains(&name.as_str()) {
            let member = vec![(CpuCaps::AVX2, levels(&text, &CpuCaps::AVX2).lane)];
            stages.push(("6-rust", einattn_target_rust::emit(&[member]).expect("the kernel can be emitted")));
        }
        for (stage, text) in stages {
            show(&name, stage, &text);
            shown.insert(folder("snapshots").join(&name).join(format!("{stage}.snap")));
        }
    }
    assert_eq!(stored(&folder("snapshots")).difference(&shown).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

fn show(kernel: &str, stage: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder("snapshots").join(kernel));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(stage, text));
}

/// All stored files; those that no kernel refers to any more are defects.
fn stored(folder: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the folder of the snapshots") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            out.extend(stored(&path));
        } else {
            out.insert(path);
        }
    }
    out
}

fn launch(c: &Cascade, shape: &[(&str, i64)], seed: u64) -> Launch {
    let extents = shape.iter().map(|(n, k)| ((*n).to_string(), *k)).collect();
    let inputs = interp::random_inputs(c, &extents, seed).expect("extents fit the kernel");
    let scalars = c.scalars.iter().map(|s| (s.name.clone(), 1.5)).collect();
    Launch { inputs, scalars, extents }
}

/// Asserts that all outputs agree and are finite numbers or the infinities of the reference.
#[track_caller]
fn agree(what: &str, c: &Cascade, want: &Tensors, got: Result<Tensors, String>, bound: f64) {
    let got = got.unwrap_or_else(|e| panic!("{what}: {e}"));
    for out in c.tensors.iter().filter(|t| t.kind == TensorKind::Out) {
        let verdict = compare(&got[&out.name], &want[&out.name]);
        assert!(verdict.accepted(bound), "{what}: `{}`: {verdict:?}", out.name);
    }
}

#[test]
fn stages_compute_the_same() {
    for (name, text) in kernels() {
        let all = [CpuCaps::PORTABLE, CpuCaps::AVX2, CpuCaps::AVX512].map(|caps| (caps.name, levels(&text, &caps)));
        let c = &all[0].1.cascade;
        for (seed, shape) in SHAPES.iter().enumerate() {
            let launch = launch(c, shape, seed as u64);
            // Blocks that most extents are no multiples of.
            let run = |ir: Ir| launch.execute(c, &ir, 3);
            let want = run(Ir::Cascade(c.clone())).unwrap_or_else(|e| panic!("{name}: {e}"));
            let what = |level: &str| format!("{name} {level} {shape:?}");
            agree(&what("rewritten"), c, &want, run(Ir::Cascade(all[0].1.rewritten.clone())), EXACT);
            agree(&what("stream"), c, &want, run(Ir::Stream(all[0].1.stream.clone())), EXACT);
            for (isa, l) in &all {
                agree(&what(&format!("tile {isa}")), c, &want, run(Ir::Tile(l.tile.clone())), EXACT);
                agree(&what(&format!("lane {isa}")), c, &want, run(Ir::Lane(l.lane.clone())), SINGLE);
            }
        }
    }
}
