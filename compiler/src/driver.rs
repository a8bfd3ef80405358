//! The way from source to code, in one place: the macro, the command line and the tests call these functions.
//!
//! Pure. Every level's result is verified; a result that does not verify is refused as a bug of the compiler, never
//! passed on. An observer sees the kernel at every level.

use crate::cascade::{Assert, Cascade};
use crate::check::{Checked, CheckedKernel, Options as CheckOptions, check};
use crate::diag::{Code, Diagnostic, Refusal, SrcSpan};
use crate::lane::LaneKernel;
use crate::passes::{Ir, Level, PassCx, PassError, lower_in_plain_terms};
use crate::schedule::{self, Split};
use crate::simt::SimtKernel;
use crate::syntax::ast::{File, Item};
use crate::syntax::parse_str;
use crate::target::{Caps, CpuCaps, GpuCaps};
use crate::types::DType;

/// Choices of the caller.
#[derive(Clone, Debug)]
pub struct Options {
    /// Run the rewrites of L1. Without them the result is the same, only slower; tests compare the two.
    pub rewrite: bool,
    /// Spans of streamed ranks.
    pub splits: Vec<Split>,
}

impl Default for Options {
    fn default() -> Self {
        Options { rewrite: true, splits: vec![] }
    }
}

impl Options {
    /// What the kernel's schedules choose for a target, such as `rust` or `cranelift`.
    pub fn scheduled(kernel: &CheckedKernel, target: &str) -> Options {
        Options { splits: schedule::for_target(&kernel.splits, target), ..Options::default() }
    }

    /// The context of the passes.
    pub fn context(&self, c: &Cascade, caps: Caps) -> PassCx {
        PassCx { splits: self.splits.clone(), rewrite: self.rewrite, caps, ..PassCx::of(c) }
    }
}

/// Parses and checks a text. `set` gives values of params, extents of ranks and types of `dtype` variables.
pub fn check_source(text: &str, set: &[(String, String)]) -> (Checked, Vec<Diagnostic>) {
    let (file, parsed) = parse_str(text);
    let (checked, found) = check(&file, &CheckOptions { set: set.to_vec() });
    (checked, merge(&file, parsed, found))
}

/// The diagnostics of the parser and of the checker, without what follows from statements that were not parsed: their names
/// are missing, and nothing that they define is defined.
pub fn merge(file: &File, parsed: Vec<Diagnostic>, checked: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |span: SrcSpan| (span.start.start(), span.end.end());
    let within = |d: &Diagnostic, item: SrcSpan| {
        let (at, (start, end)) = (d.span.start.start(), place(item));
        start <= at && at <= end
    };
    let items: Vec<SrcSpan> = file.items.iter().map(Item::span).collect();
    let lost_item = parsed.iter().any(|d| !items.iter().any(|i| within(d, *i)));
    let broken: Vec<SrcSpan> = items.into_iter().filter(|i| parsed.iter().any(|d| within(d, *i))).collect();
    let follows = |d: &Diagnostic| match d.code {
        Code::NAME if lost_item => true,
        Code::NAME | Code::OUT | Code::EXT | Code::STATE => broken.iter().any(|i| within(d, *i)),
        _ => false,
    };
    let news = checked.into_iter().filter(|d| !follows(d)).collect::<Vec<_>>();
    parsed.into_iter().chain(news).collect()
}

/// Promises about passes that are not kept. They show only when a kernel is lowered to L2; what else may go wrong on the way is
/// no error of the program.
pub fn check_promises(checked: &Checked) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = vec![];
    for cascade in checked.kernels.iter().flat_map(|k| &k.members) {
        for refusal in broken_promises(cascade) {
            let d = refusal.diagnostic(&checked.spans);
            // Members of one kernel break the same promise.
            if !out.iter().any(|o| o.message == d.message && o.span.start.start() == d.span.start.start()) {
                out.push(d);
            }
        }
    }
    out
}

fn broken_promises(c: &Cascade) -> Vec<Refusal> {
    if !c.asserts.iter().any(|a| matches!(a, Assert::Passes { .. })) {
        return vec![];
    }
    let cx = PassCx::of(c);
    let refusals = lower_in_plain_terms(c, Level::Stream, &cx, &mut |_, _| {}).err().unwrap_or_default();
    refusals.into_iter().filter(|r| [Code::PASS, Code::ESC, Code::EXPAND].contains(&r.code)).collect()
}

/// Lowers one member of a kernel for a CPU.
pub fn lower(c: &Cascade, caps: &CpuCaps, options: &Options) -> Result<LaneKernel, Vec<Refusal>> {
    lower_observed(c, caps, options, &mut |_, _| {})
}

/// Like [`lower`]; `observe` sees the kernel as checked and after every pass, with the name of the pass.
pub fn lower_observed(
    c: &Cascade,
    caps: &CpuCaps,
    options: &Options,
    observe: &mut dyn FnMut(&str, &Ir),
) -> Result<LaneKernel, Vec<Refusal>> {
    match lower_to(Level::Lane, c, Caps::Cpu(caps.clone()), options, observe)? {
        Ir::Lane(lane) => Ok(lane),
        other => Err(PassError::Level { pass: "emit", takes: Level::Lane, given: other.level() }.refusals()),
    }
}

/// Lowers one member of a kernel for a GPU.
pub fn lower_gpu(c: &Cascade, caps: &GpuCaps, options: &Options) -> Result<SimtKernel, Vec<Refusal>> {
    match lower_to(Level::Simt, c, Caps::Gpu(caps.clone()), options, &mut |_, _| {})? {
        Ir::Simt(k) => Ok(k),
        other => Err(PassError::Level { pass: "emit", takes: Level::Simt, given: other.level() }.refusals()),
    }
}

fn lower_to(
    level: Level,
    c: &Cascade,
    caps: Caps,
    options: &Options,
    observe: &mut dyn FnMut(&str, &Ir),
) -> Result<Ir, Vec<Refusal>> {
    let checked = Ir::Cascade(c.clone());
    observe("check", &checked);
    let broken = |errors| PassError::Broken { pass: "check", level: Level::Cascade, errors };
    checked.verify().map_err(|errors| broken(errors).refusals())?;
    let refusals = wider_than_f32(c);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    lower_in_plain_terms(c, level, &options.context(c, caps), observe)
}

/// What asks for more precision than the targets compute in. They would round it to f32 silently.
fn wider_than_f32(c: &Cascade) -> Vec<Refusal> {
    let mut out: Vec<Refusal> = vec![];
    for n in &c.nodes {
        let (name, kept) = (&c.tensor(n.out).name, c.tensor(n.out).dtype == DType::F64);
        let summed = n.reduce.as_ref().is_some_and(|r| r.acc == DType::F64);
        if !(kept || summed) || out.iter().any(|r| r.origin == n.origin) {
            continue;
        }
        let what = if kept { format!("`{name}` is f64") } else { format!("`acc = f64`: `{name}` accumulates in f64") };
        let message = format!("{what}, and the targets compute in f32");
        let mut refusal = Refusal::new(Code::UNSUPPORTED, &n.origin, message);
        refusal.help = Some("leave it at f32, or run it on the interpreter".to_string());
        out.push(refusal);
    }
    out
}

/// Warnings about entries of schedules that nothing reads.
pub fn unread_schedules(checked: &Checked) -> Vec<Diagnostic> {
    checked.kernels.iter().flat_map(|k| schedule::unread(&k.schedules)).collect()
}
