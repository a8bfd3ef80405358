//! What the compiler does with a kernel today.

use einattn_compiler::cascade::{Cascade, RankId};
use einattn_compiler::driver::{Options, lower_observed};
use einattn_compiler::library;
use einattn_compiler::passes::Ir;
use einattn_compiler::passes::promise::stream_passes;
use einattn_compiler::stream::Stream;
use einattn_compiler::syntax::ast::Item;
use einattn_compiler::syntax::parse_str;
use einattn_compiler::target::CpuCaps;

/// What became of a kernel on its way to lane code.
#[derive(Clone, Debug)]
pub(super) struct Status {
    /// `M 1, E 2`: the passes that its stages make over the ranks that they stream; empty if there are no stages.
    pub(super) passes: String,
    /// Why it is refused, if it is.
    pub(super) refusal: Option<String>,
}

/// Lowers a kernel for a CPU.
pub(super) fn status(c: &Cascade) -> Status {
    let mut passes = String::new();
    let mut observe = |_: &str, ir: &Ir| {
        if let Ir::Stream(s) = ir {
            passes = counts(s);
        }
    };
    let lowered = lower_observed(c, &CpuCaps::AVX2, &Options::default(), &mut observe);
    let first = |r: Vec<einattn_compiler::diag::Refusal>| {
        r.into_iter().next().map_or_else(String::new, |r| format!("[{}] {}", r.code.0, r.message))
    };
    Status { passes, refusal: lowered.err().map(first) }
}

fn counts(s: &Stream) -> String {
    let mut ranks: Vec<RankId> = s.stages.iter().flat_map(|g| &g.passes).flat_map(|p| p.over.clone()).collect();
    ranks.sort();
    ranks.dedup();
    let name = |r: &RankId| s.cascade.ranks[r.index()].name.clone();
    let mut out: Vec<String> = ranks.iter().map(|r| format!("{} {}", name(r), stream_passes(s, &[*r]).0)).collect();
    let mut scans: Vec<String> = s.stages.iter().filter_map(|g| g.scan.as_ref()).map(|x| name(&x.rank)).collect();
    scans.sort();
    scans.dedup();
    out.extend(scans.into_iter().map(|r| format!("scan {r}")));
    out.join(", ")
}

/// Kernels of the library with their families, in the order of the library.
pub(super) fn kernels() -> Vec<(&'static str, String)> {
    let mut out = vec![];
    for (name, text) in library::FILES {
        let family = name.trim_end_matches(".attn");
        for item in parse_str(text).0.items {
            if let Item::Kernel(k) = item {
                out.push((family, k.name.name));
            }
        }
    }
    out
}

/// The family of a kernel.
pub(super) fn family(kernel: &str) -> Option<&'static str> {
    kernels().into_iter().find(|(_, k)| k == kernel).map(|(family, _)| family)
}
