//! `attnc run` and `attnc check`.

use super::harness::{ATTENTION, Folder, SCALED, attention, distance, f32s, random};
use safetensors::Dtype;

const TARGETS: [&str; 2] = ["interp", "cranelift"];

/// Writes inputs of the attention kernel and returns them.
fn inputs(folder: &Folder, [b, h, g, p, m, e]: [usize; 6]) -> [Vec<f32>; 3] {
    let q = random(b * h * p * e, 1);
    let (k, v) = (random(b * g * m * e, 2), random(b * g * m * e, 3));
    folder.write("attention.attn", ATTENTION);
    folder.tensors(
        "in.safetensors",
        &[
            ("q", Dtype::F32, &[b, h, p, e], f32s(&q)),
            ("k", Dtype::F32, &[b, g, m, e], f32s(&k)),
            ("v", Dtype::F32, &[b, g, m, e], f32s(&v)),
        ],
    );
    [q, k, v]
}

#[test]
fn attention_on_every_target() {
    // Ragged, more queries than keys (rows without keys), a single query, nothing at all.
    for shape in
        [[2, 4, 2, 37, 70, 24], [1, 2, 1, 9, 5, 8], [1, 3, 3, 1, 130, 16], [1, 1, 1, 3, 0, 4], [0, 2, 1, 3, 3, 4]]
    {
        let folder = Folder::new("attention_on_every_target");
        let [q, k, v] = inputs(&folder, shape);
        let (o, lse) = attention(&q, &k, &v, shape);
        for target in TARGETS {
            let args =
                ["run", "attention.attn", "--target", target, "--in", "in.safetensors", "--out", "out.safetensors"];
            let run = folder.attnc(&args);
            run.succeeded();
            let [b, h, _, p, _, e] = shape;
            let line = format!("o: f32[{b}, {h}, {p}, {e}], lse: f32[{b}, {h}, {p}]; {target} ran in ");
            assert!(run.out.starts_with(&line), "{}", run.out);
            assert_eq!(run.err, "");
            let d = distance(&folder.read_f32("out.safetensors", "o"), &o);
            assert!(d < 1e-6, "{target} {shape:?}: o is off by {d:e}");
            let d = distance(&folder.read_f32("out.safetensors", "lse"), &lse);
            assert!(d < 1e-6, "{target} {shape:?}: lse is off by {d:e}");
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let folder = Folder::new("results_do_not_depend_on_threads");
    inputs(&folder, [1, 4, 2, 150, 150, 16]);
    let run = |threads: &str, out: &str| {
        let args =
            ["run", "attention.attn", "--target=cranelift", "--in=in.safetensors", "--threads", threads, "--out", out];
        folder.attnc(&args).succeeded();
        folder.read(out, "o").2
    };
    assert_eq!(run("1", "one.safetensors"), run("3", "three.safetensors"));
}

fn scaled(folder: &Folder, dtype: Dtype, keep: (Dtype, Vec<u8>)) {
    folder.write("scaled.attn", SCALED);
    let x = if dtype == Dtype::F32 { f32s(&[1.0, 2.0, 3.0]) } else { vec![0x80, 0x3f, 0x00, 0x40, 0x40, 0x40] };
    let idx: Vec<u8> = [10i64, 20, -5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = [
        ("x", dtype, &[3][..], x),
        ("keep", keep.0, &[3], keep.1),
        ("idx", Dtype::I64, &[3], idx),
        ("a", Dtype::F32, &[], f32s(&[0.5])),
        ("other", Dtype::F32, &[1], f32s(&[7.0])),
    ];
    folder.tensors("in.safetensors", &file);
}

const RUN: [&str; 6] = ["run", "scaled.attn", "--in", "in.safetensors", "--out", "out.safetensors"];

#[test]
fn types_params_scalars_and_extents() {
    for target in TARGETS {
        let folder = Folder::new("types_params_scalars_and_extents");
        scaled(&folder, Dtype::F32, (Dtype::U8, vec![1, 0, 1]));
        let run = folder.attnc(&[&RUN[..], &["--target", target, "--set", "reps=2", "-v"]].concat());
        run.succeeded();
        assert_eq!(folder.read_f32("out.safetensors", "y"), [1.0, 0.0, 3.0, 2.0, 0.0, 4.0], "{target}");
        let ints: Vec<u8> = [12i32, 22, -3].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(folder.read("out.safetensors", "z"), (Dtype::I32, vec![3], ints));
        assert!(run.err.contains("`idx` is converted from i64 to i32"), "{}", run.err);
        assert!(run.err.contains("`keep` is converted from u8 to bool"), "{}", run.err);

        // Values on the command line win over those of the file; the file's type chooses the member.
        scaled(&folder, Dtype::BF16, (Dtype::BOOL, vec![1, 1, 1]));
        let set = ["--target", target, "--set", "reps=1", "--set", "a=2", "--set", "W=3"];
        folder.attnc(&[&RUN[..], &set].concat()).succeeded();
        let (dtype, shape, bytes) = folder.read("out.safetensors", "y");
        assert_eq!((dtype, shape), (Dtype::BF16, vec![1, 3]), "{target}");
        assert_eq!(bytes, [0xc0, 0x40, 0x40, 0x41, 0x90, 0x41], "6, 12, 18 as bf16 on {target}");
        let run = folder.attnc(&[&RUN[..], &set, &["--set", "T=f32"]].concat());
        run.succeeded();
        assert_eq!(folder.read_f32("out.safetensors", "y"), [6.0, 12.0, 18.0], "{target}");
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = Folder::new("what_does_not_fit_is_said");
    scaled(&folder, Dtype::F32, (Dtype::U8, vec![1, 0, 2]));
    let with = |more: &[&str]| folder.attnc(&[&RUN[..], more].concat());
    with(&["--set", "reps=2"]).failed("element 2 of `keep` is 2, which bool cannot hold");
    scaled(&folder, Dtype::F32, (Dtype::F32, f32s(&[1.0; 3])));
    with(&["--set", "reps=2"]).failed("`keep` holds f32, its declaration says bool");
    scaled(&folder, Dtype::F32, (Dtype::U8, vec![1, 0, 1]));
    with(&[]).failed("scalar `reps` is not given");
    with(&["--set", "X=2"]).failed("`scaled` has no `X` to set; it has reps, N, T, W, a");
    with(&["--set", "a"]).failed("`--set a` is not NAME=VALUE");
    with(&["--set", "N=4", "--set", "reps=1"]).failed("a dimension of `x` is 3, expected 4");
    with(&["nothing"]).failed("`scaled.attn` has no kernel `nothing`; it has scaled");
    folder
        .attnc(&["run", "lib:nothing", "--in", "in.safetensors", "--out", "o"])
        .failed("the library has no kernel `nothing`; `attnc lib` lists it");
    folder.tensors("in.safetensors", &[("x", Dtype::F32, &[1], f32s(&[1.0]))]);
    with(&["--set", "a=1"]).failed("`in.safetensors` has no tensor `keep`; it has x");
    folder.write("in.safetensors", "no tensors");
    let run = with(&[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.starts_with("error: `in.safetensors` is no safetensors file"), "{}", run.err);
    folder.write("two.attn", &format!("{SCALED}{ATTENTION}"));
    folder
        .attnc(&["run", "two.attn", "--in", "in.safetensors", "--out", "o"])
        .failed("`two.attn` has several kernels, name one of them: scaled, attention");
}

#[test]
fn a_wrong_program_is_refused_with_its_diagnostics() {
    let folder = Folder::new("a_wrong_program_is_refused");
    folder.write("wrong.attn", &ATTENTION.replace("m, f])", "m, x])"));
    let run = folder.attnc(&["run", "wrong.attn", "--in", "in.safetensors", "--out", "out.safetensors"]);
    assert_eq!(run.code, Some(2), "the input file is missing: {}", run.err);
    folder.tensors("in.safetensors", &[("x", Dtype::F32, &[1], f32s(&[1.0]))]);
    let run = folder.attnc(&["run", "wrong.attn", "--in", "in.safetensors", "--out", "out.safetensors"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("error[N-NAME]") && run.err.contains("--> wrong.attn:"), "{}", run.err);
    assert!(!folder.path("out.safetensors").exists(), "nothing is written by a refused run");
}

/// Arguments that make no sense and files that hold anything: an exit code and a message, never a panic.
#[test]
fn no_input_makes_it_panic() {
    let folder = Folder::new("no_input_makes_it_panic");
    scaled(&folder, Dtype::F32, (Dtype::U8, vec![1, 0, 1]));
    let huge = format!("reps={}", i64::MAX);
    for set in
        ["reps=-1", "reps=x", "W=x", "W=1.5", "T=f64", "T=", "=", "reps=99999999999999999999", &huge, "a=nan", "N=0"]
    {
        for target in TARGETS {
            let run = folder.attnc(&[&RUN[..], &["--target", target, "--set", set]].concat());
            assert!(matches!(run.code, Some(0..=2)), "--set {set} on {target}: {:?}\n{}", run.code, run.err);
            assert!(!run.err.contains("panicked"), "--set {set} on {target}: {}", run.err);
        }
    }
}
