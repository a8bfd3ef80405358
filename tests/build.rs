//! Compiles the examples of the language reference to Rust source, for the test that runs them.

use einattn_compiler::cascade::Cascade;
use einattn_compiler::diag::Refusal;
use einattn_compiler::driver::{Options, check_source, lower};
use einattn_compiler::target::CpuCaps;
use std::fmt::Write;
use std::path::Path;

/// Small heads, windows and blocks where a kernel leaves them open.
const SET: [(&str, &str); 8] =
    [("E", "5"), ("F", "7"), ("W", "3"), ("C", "4"), ("J", "2"), ("N", "4"), ("R", "1"), ("PG", "4")];

/// Source of one kernel, or why some stage refuses it.
fn source(c: &Cascade, options: &Options) -> Result<String, String> {
    let why = |r: &[Refusal]| r.iter().map(|r| r.message.clone()).collect::<Vec<_>>().join("; ");
    let mut member = vec![];
    for caps in [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE] {
        let kernel = lower(c, &caps, options).map_err(|r| why(&r))?;
        member.push((caps, kernel));
    }
    einattn_target_rust::emit(&[member]).map_err(|r| why(&[r]))
}

fn main() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/src/check/tests/examples.attn");
    println!("cargo:rerun-if-changed={}", examples.display());
    let text = std::fs::read_to_string(&examples).expect("the examples exist");
    let set: Vec<_> = SET.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    let (checked, _) = check_source(&text, &set);
    let [mut modules, mut list, mut cascades, mut refused] = [const { String::new() }; 4];
    let members = checked.kernels.iter().flat_map(|k| k.members.iter().map(move |c| (k, c)));
    for (i, (k, c)) in members.enumerate() {
        let source = match source(c, &Options::scheduled(k, "rust")) {
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
        "{modules}\n/// The compiled examples.\npub(crate) static KERNELS: &[einattn::cpu::Kernel<'static>] = &[\n{list}];\n\n\
         /// Their cascades as text.\npub(crate) static CASCADES: &[&str] = &[\n{cascades}];\n\n\
         /// Names of the others, and why they are refused.\npub(crate) static REFUSED: &[(&str, &str)] = &[\n{refused}];\n"
    );
    let path = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("examples.rs");
    std::fs::write(path, out).expect("the file can be written");
}
