//! PTX of whole kernels: NVIDIA's assembler takes it, and what it makes of the kernels of `kernels/` is written down.
//!
//! `EINATTN_BLESS=1` writes `gpu/ptxas.txt` anew. There is no GPU here: `gpu_check` runs the kernels.

use einattn_compiler::cascade::Cascade;
use einattn_compiler::driver::{Options, check_source, lower_gpu};
use einattn_target_ptx::{Arch, Module, emit, ptxas};
use einattn_tests::gpu_kernels::{KERNELS, text_for};
use einattn_tests::vectors::{Case, Plan, refusals_text, suite};
use std::fmt::Write;
use std::path::Path;

/// Kernels whose threads keep everything in registers.
const NO_SPILLS: [&str; 5] = ["softmax", "causal_attention", "sliding_window", "key_padding", "sigmoid_attention"];

/// The PTX of a kernel, or why there is none.
fn module(c: &Cascade, arch: Arch) -> Result<Module, String> {
    let kernel = lower_gpu(c, &arch.caps(), &Options::default()).map_err(|r| refusals_text(&r))?;
    Ok(emit(&kernel, arch).expect("what was lowered is emitted"))
}

fn cascade(text: &str, set: &[(String, String)]) -> Cascade {
    let (checked, diags) = check_source(text, set);
    assert!(diags.is_empty(), "{diags:#?}");
    checked.kernels.into_iter().flat_map(|k| k.members).next().expect("a member")
}

/// Registers, spills and memory of every entry, at the head dimension of large models.
fn report() -> String {
    let mut out = String::new();
    for (name, text) in KERNELS {
        for (dtype, arch) in [("f32", Arch::Sm80), ("bf16", Arch::Sm80), ("bf16", Arch::Sm90a)] {
            let (text, set) = text_for(text, dtype, 64);
            let _ = writeln!(out, "{name} {dtype} {}", arch.name());
            match module(&cascade(&text, &set), arch) {
                Err(why) => {
                    let _ = writeln!(out, "  refused: {why}");
                }
                Ok(module) => entries(name, &module, arch, &mut out),
            }
        }
    }
    out
}

fn entries(name: &str, module: &Module, arch: Arch, out: &mut String) {
    let usages = ptxas::assemble(&module.text, arch).unwrap_or_else(|e| panic!("{name}: {e}"));
    for u in usages {
        let entry = module.entries.iter().find(|e| e.name == u.entry).expect("the assembler names the entries");
        let ([stores, loads], threads, shared) = (u.spills, entry.threads, entry.shared_bytes);
        let _ = writeln!(
            out,
            "  {}: {threads} threads, {} registers, {stores}/{loads} bytes spilled, {} stack, {shared} shared",
            u.entry, u.registers, u.stack
        );
    }
}

#[test]
fn what_the_assembler_makes_of_the_kernels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gpu/ptxas.txt");
    let text = report();
    if std::env::var_os("EINATTN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the report can be written");
    }
    for name in NO_SPILLS {
        let lines = text.lines().filter(|l| l.contains(&format!(" {name}_")));
        let spilled: Vec<&str> = lines.filter(|l| !l.contains(" 0/0 bytes spilled")).collect();
        assert!(spilled.is_empty(), "registers of plain attention do not suffice: {spilled:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "EINATTN_BLESS=1 writes it anew");
}

/// What came of a vector in a type.
fn assembled(case: &Case, dtype: &str, arch: Arch) -> Result<bool, String> {
    let launch = case.kernel(&case.tensors()?, dtype)?;
    match module(&launch.cascade, arch) {
        Err(why) => {
            println!("{} {dtype} is refused: {why}", case.name);
            Ok(false)
        }
        Ok(module) => ptxas::check(&module.text, arch).map(|()| true),
    }
}

/// Every vector that is not refused assembles; what is refused is told.
#[test]
fn vectors_assemble() {
    let cases: Vec<Case> = suite().expect("the vectors are there");
    let jobs: Vec<(&Case, &str, Arch)> = cases
        .iter()
        .filter(|c| matches!(c.plan, Plan::Kernel { .. }))
        .flat_map(|c| {
            if c.is_generic() {
                vec![(c, "f32", Arch::Sm80), (c, "bf16", Arch::Sm90a)]
            } else {
                vec![(c, "f32", Arch::Sm80)]
            }
        })
        .collect();
    let one = |(case, dtype, arch): &(&Case, &str, Arch)| {
        assembled(case, dtype, *arch).map_err(|e| format!("{} {dtype} {}: {e}", case.name, arch.name()))
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let results: Vec<Result<bool, String>> = std::thread::scope(|scope| {
        let parts = jobs.chunks(jobs.len().div_ceil(workers).max(1));
        let started: Vec<_> = parts.map(|part| scope.spawn(|| part.iter().map(one).collect::<Vec<_>>())).collect();
        started.into_iter().flat_map(|t| t.join().expect("a worker does not panic")).collect()
    });
    let wrong: Vec<&String> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let taken = results.iter().filter(|r| **r == Ok(true)).count();
    println!("{taken} of {} assembled", results.len());
    assert!(wrong.is_empty(), "{} are wrong: {wrong:#?}", wrong.len());
    assert!(taken * 10 > results.len() * 9, "{taken} of {} were assembled", results.len());
}
