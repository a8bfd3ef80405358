//! The way from source to code, in one place: the macro, the command line and the tests call these functions.
//!
//! Pure. Every level's result is verified; a result that does not verify is refused as a bug of the compiler, never
//! passed on. An observer sees the kernel at every level.

use crate::cascade::{self, Assert, Cascade, Origin};
use crate::check::{Checked, Options as CheckOptions, check};
use crate::diag::{Code, Diagnostic, Refusal, SrcSpan};
use crate::lane::{self, LaneKernel};
use crate::passes::{PIPELINE, PassCx, Run, to_tile};
use crate::stream::{self, Stream};
use crate::syntax::ast::{File, Item, Schedule};
use crate::syntax::parse_str;
use crate::target::CpuCaps;
use crate::tile::{self, TileKernel};
use crate::types::DType;

/// Choices of the caller.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Run the rewrites of L1. Without them the result is the same, only slower; tests compare the two.
    pub rewrite: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { rewrite: true }
    }
}

/// A kernel at one level.
#[derive(Clone, Copy, Debug)]
pub enum Level<'k> {
    /// Einsums.
    Cascade(&'k Cascade),
    /// Stages of passes.
    Stream(&'k Stream),
    /// Tile programs.
    Tile(&'k TileKernel),
    /// Lane programs.
    Lane(&'k LaneKernel),
}

impl Level<'_> {
    /// Name of the level.
    pub fn name(&self) -> &'static str {
        match self {
            Level::Cascade(_) => "cascade",
            Level::Stream(_) => "stream",
            Level::Tile(_) => "tile",
            Level::Lane(_) => "lane",
        }
    }

    /// The kernel as text.
    pub fn text(&self) -> String {
        match self {
            Level::Cascade(c) => cascade::print(c),
            Level::Stream(s) => stream::print(s),
            Level::Tile(t) => tile::print(t),
            Level::Lane(l) => l.to_string(),
        }
    }

    fn verify(&self) -> Result<(), Vec<String>> {
        match self {
            Level::Cascade(c) => cascade::verify(c),
            Level::Stream(s) => stream::verify(s),
            // Verified by value, where the lane lowering takes it.
            Level::Tile(_) => Ok(()),
            Level::Lane(l) => lane::verify(l),
        }
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
    let mut reach =
        |pass: &str, level: Level<'_>| level.verify().map_err(|errors| vec![bug(pass, level.name(), &errors)]);
    let refusals = stream(c, &Options::default(), &mut reach).err().unwrap_or_default();
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
    observe: &mut dyn FnMut(&str, Level<'_>),
) -> Result<LaneKernel, Vec<Refusal>> {
    let mut reach = |pass: &str, level: Level<'_>| {
        observe(pass, level);
        level.verify().map_err(|errors| vec![bug(pass, level.name(), &errors)])
    };
    reach("check", Level::Cascade(c))?;
    let refusals = wider_than_f32(c);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let stream = stream(c, options, &mut reach)?;
    let tile = to_tile(&stream, caps)?;
    reach("tile", Level::Tile(&tile))?;
    let tile = tile::verify(tile).map_err(|errors| vec![bug("tile", "tile", &errors)])?;
    let lane = lane::lower(&tile, caps)?;
    reach("lane", Level::Lane(&lane))?;
    Ok(lane)
}

/// What asks for more precision than CPU targets compute in. They would round it to f32 silently.
fn wider_than_f32(c: &Cascade) -> Vec<Refusal> {
    let mut out: Vec<Refusal> = vec![];
    for n in &c.nodes {
        let (name, kept) = (&c.tensor(n.out).name, c.tensor(n.out).dtype == DType::F64);
        let summed = n.reduce.as_ref().is_some_and(|r| r.acc == DType::F64);
        if !(kept || summed) || out.iter().any(|r| r.origin == n.origin) {
            continue;
        }
        let what = if kept { format!("`{name}` is f64") } else { format!("`acc = f64`: `{name}` accumulates in f64") };
        let message = format!("{what}, and the CPU targets compute in f32");
        let mut refusal = Refusal::new(Code::UNSUPPORTED, &n.origin, message);
        refusal.help = Some("leave it at f32, or run it on the interpreter".to_string());
        out.push(refusal);
    }
    out
}

/// The passes up to L2.
fn stream(
    c: &Cascade,
    options: &Options,
    reach: &mut impl FnMut(&str, Level<'_>) -> Result<(), Vec<Refusal>>,
) -> Result<Stream, Vec<Refusal>> {
    let (cx, mut cascade, mut stream) = (PassCx::of(c), c.clone(), None);
    for pass in PIPELINE {
        match (pass.run, &mut stream) {
            (Run::Cascade(run), None) if options.rewrite => {
                run(&mut cascade, &cx)?;
                reach(pass.name, Level::Cascade(&cascade))?;
            }
            (Run::Stages(run), None) => {
                let (staged, _) = run(&cascade, &cx)?;
                reach(pass.name, Level::Stream(&staged))?;
                stream = Some(staged);
            }
            (Run::Stream(run), Some(s)) => {
                run(s, &cx)?;
                reach(pass.name, Level::Stream(s))?;
            }
            (Run::Cascade(_) | Run::Stages(_), _) | (Run::Stream(_), None) => {}
        }
    }
    stream.ok_or_else(|| vec![bug("stages", "stream", &["the pipeline makes none".to_string()])])
}

/// Schedules that nothing reads: all of them, for now.
pub fn unread_schedules(checked: &Checked) -> Vec<Diagnostic> {
    let all = checked.kernels.iter().flat_map(|k| &k.schedules);
    let warn = |s: &Schedule| {
        let message = format!("no target reads schedules yet: this one for `{}` changes nothing", s.kernel.name);
        Diagnostic::warning(Code::SCHEDULE, s.kernel.span.to(s.target.span), message)
    };
    all.map(warn).collect()
}

fn bug(pass: &str, level: &str, errors: &[String]) -> Refusal {
    let message = format!("bug in the compiler, please report it: the {level} is not valid after `{pass}`");
    let mut refusal = Refusal::new(Code::INTERNAL, &Origin { span: u32::MAX, ..Origin::default() }, message);
    refusal.notes = errors.to_vec();
    refusal
}
