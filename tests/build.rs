//! Compiles the examples of the language reference, and random kernels, to Rust source for the tests that run them, and
//! restricts the macros to the best instruction set of this machine: code for three would take three times as long.

use einattn_compiler::cascade::Cascade;
use einattn_compiler::check::CheckedKernel;
use einattn_compiler::diag::Refusal;
use einattn_compiler::driver::{Options, check_source, lower};
use einattn_compiler::target::CpuCaps;
use std::fmt::Write;
use std::path::Path;

#[path = "src/generator.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest")]
mod generator;

/// Random kernels that `differential` compares; the lowest seeds.
const RANDOM: u64 = 24;

/// Small heads, windows and blocks where a kernel leaves them open.
const SET: [(&str, &str); 8] =
    [("E", "5"), ("F", "7"), ("W", "3"), ("C", "4"), ("J", "2"), ("N", "4"), ("R", "1"), ("PG", "4")];

/// Source of one kernel, or why some stage refuses it.
fn source(c: &Cascade, options: &Options, isas: &[CpuCaps]) -> Result<String, String> {
    let why = |r: &[Refusal]| r.iter().map(|r| r.message.clone()).collect::<Vec<_>>().join("; ");
    let mut member = vec![];
    for caps in isas {
        let kernel = lower(c, caps, options).map_err(|r| why(&r))?;
        member.push((caps.clone(), kernel));
    }
    einattn_target_rust::emit(&[member]).map_err(|r| why(&[r]))
}

/// The best instruction set of this machine.
fn best() -> CpuCaps {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
        if avx512 && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            return CpuCaps::AVX512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return CpuCaps::AVX2;
        }
    }
    CpuCaps::PORTABLE
}

/// A file with the source of kernels, their cascades as text, and what is refused.
fn write(file: &str, kernels: &[(Cascade, Options)], isas: &[CpuCaps]) {
    let [mut modules, mut list, mut cascades, mut refused] = [const { String::new() }; 4];
    for (i, (c, options)) in kernels.iter().enumerate() {
        let source = match source(c, options, isas) {
            Ok(source) => source,
            Err(why) => {
                let _ = writeln!(refused, "    ({:?}, {why:?}),", c.name);
                continue;
            }
        };
        let _ = write!(modules, "mod kernel_{i} {{\n{source}}}\n");
        let _ = writeln!(list, "    kernel_{i}::KERNEL,");
        let _ = writeln!(cascades, "    {:?},", einattn_compiler::cascade::print(c));
    }
    let out = format!(
        "{modules}\n/// The compiled kernels.\npub(crate) static KERNELS: &[einattn::cpu::Kernel<'static>] = &[\n{list}];\n\n\
         /// Their cascades as text.\npub(crate) static CASCADES: &[&str] = &[\n{cascades}];\n\n\
         /// Names of the others, and why they are refused.\npub(crate) static REFUSED: &[(&str, &str)] = &[\n{refused}];\n"
    );
    let path = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join(file);
    std::fs::write(path, out).expect("the file can be written");
}

/// The examples as their schedules ask for them.
fn examples() -> Vec<(Cascade, Options)> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/src/check/tests/examples.attn");
    println!("cargo:rerun-if-changed={}", examples.display());
    let text = std::fs::read_to_string(&examples).expect("the examples exist");
    let set: Vec<_> = SET.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    let (checked, _) = check_source(&text, &set);
    let scheduled = |k: &CheckedKernel| Options::scheduled(k, "rust");
    checked.kernels.iter().flat_map(|k| k.members.iter().map(move |c| (c.clone(), scheduled(k)))).collect()
}

fn main() {
    println!("cargo:rerun-if-changed=src/generator.rs");
    println!("cargo:rustc-env=EINATTN_ISA={}", best().name);
    let isas = if best() == CpuCaps::PORTABLE { vec![best()] } else { vec![best(), CpuCaps::PORTABLE] };
    write("examples.rs", &examples(), &isas);
    let random: Vec<_> = (0..RANDOM).map(|seed| (generator::cascade(seed), Options::default())).collect();
    write("random.rs", &random, &isas);
}
