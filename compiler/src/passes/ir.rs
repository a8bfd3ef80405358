//! A kernel at any level, as text and as an argument of passes: what the driver, `attnc opt` and the file tests work on.

use super::{PIPELINE, Pass, PassCx, Report, Run};
use crate::cascade::{self, Cascade, Origin};
use crate::diag::{Code, Refusal};
use crate::lane::{self, LaneKernel};
use crate::simt::{self, SimtKernel};
use crate::stream::{self, Stream};
use crate::tile::{self, TileKernel};
use std::fmt;

/// The levels, from the source to the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// L1: Einsums.
    Cascade,
    /// L2: stages of passes.
    Stream,
    /// L3: loops over tiles.
    Tile,
    /// Below L3, for CPUs: vectors.
    Lane,
    /// Below L3, for GPUs: threads.
    Simt,
}

impl Level {
    /// Name of the level.
    pub fn name(self) -> &'static str {
        match self {
            Level::Cascade => "cascade",
            Level::Stream => "stream",
            Level::Tile => "tile",
            Level::Lane => "lane",
            Level::Simt => "simt",
        }
    }

    /// True on the way to a level. The programs of CPUs and of GPUs are two ends.
    pub fn leads_to(self, to: Level) -> bool {
        self == to || (self < to && self <= Level::Tile)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A kernel at some level. Its text tells which.
#[derive(Clone, Debug, PartialEq)]
pub enum Ir {
    /// L1, `cascade NAME`.
    Cascade(Cascade),
    /// L2, the text of a cascade with `stage` lines.
    Stream(Stream),
    /// L3, the text of a cascade with a `memory` line.
    Tile(TileKernel),
    /// Lane programs, `kernel NAME lanes N`.
    Lane(LaneKernel),
    /// SIMT programs, `simt NAME`.
    Simt(SimtKernel),
}

/// Why a pass has no result.
#[derive(Clone, Debug)]
pub enum PassError {
    /// The pass takes another level.
    Level {
        /// The pass.
        pass: &'static str,
        /// What it takes.
        takes: Level,
        /// What it was given.
        given: Level,
    },
    /// It refuses the kernel.
    Refused(Vec<Refusal>),
    /// A bug of the pass: its result does not verify.
    Broken {
        /// The pass.
        pass: &'static str,
        /// The level of its result.
        level: Level,
        /// What is wrong with it.
        errors: Vec<String>,
    },
}

impl Ir {
    /// Reads a text of any level.
    pub fn parse(text: &str) -> Result<Ir, String> {
        let is_tile = |l: &str| l == "memory" || l.starts_with("memory ");
        match first_word(text) {
            Some("cascade") if text.lines().any(is_tile) => tile::parse(text).map(Ir::Tile),
            Some("cascade") if text.lines().any(|l| l.starts_with("stage ")) => stream::parse(text).map(Ir::Stream),
            Some("cascade") => cascade::parse(text).map(Ir::Cascade),
            Some("kernel") => lane::parse(text).map(Ir::Lane),
            Some("simt") => simt::parse(text).map(Ir::Simt),
            Some(word) => Err(format!(
                "`{word}` begins no text of this compiler; expected `cascade`, `kernel` for lane programs or `simt` for those of threads"
            )),
            None => Err("the text is empty".to_string()),
        }
    }

    /// The text.
    pub fn print(&self) -> String {
        match self {
            Ir::Cascade(c) => cascade::print(c),
            Ir::Stream(s) => stream::print(s),
            Ir::Tile(t) => tile::print(t),
            Ir::Lane(l) => l.to_string(),
            Ir::Simt(k) => k.to_string(),
        }
    }

    /// All violations of the level's rules.
    pub fn verify(&self) -> Result<(), Vec<String>> {
        match self {
            Ir::Cascade(c) => cascade::verify(c),
            Ir::Stream(s) => stream::verify(s),
            Ir::Tile(t) => tile::verify(t.clone()).map(|_| ()),
            Ir::Lane(l) => lane::verify(l),
            Ir::Simt(k) => simt::verify(k),
        }
    }

    /// The level.
    pub fn level(&self) -> Level {
        match self {
            Ir::Cascade(_) => Level::Cascade,
            Ir::Stream(_) => Level::Stream,
            Ir::Tile(_) => Level::Tile,
            Ir::Lane(_) => Level::Lane,
            Ir::Simt(_) => Level::Simt,
        }
    }

    /// The cascade that names ranks, tensors and attributes; programs of the targets have none.
    pub fn cascade(&self) -> Option<&Cascade> {
        match self {
            Ir::Cascade(c) => Some(c),
            Ir::Stream(s) => Some(&s.cascade),
            Ir::Tile(t) => Some(&t.cascade),
            Ir::Lane(_) | Ir::Simt(_) => None,
        }
    }
}

impl Run {
    /// The level that the pass takes.
    pub fn takes(&self) -> Level {
        match self {
            Run::Cascade(_) | Run::Stages(_) => Level::Cascade,
            Run::Stream(_) | Run::Tiles(_) => Level::Stream,
            Run::Tile(_) | Run::Lanes(_) | Run::Threads(_) => Level::Tile,
        }
    }

    /// The level that it gives.
    pub fn gives(&self) -> Level {
        match self {
            Run::Cascade(_) => Level::Cascade,
            Run::Stages(_) | Run::Stream(_) => Level::Stream,
            Run::Tiles(_) | Run::Tile(_) => Level::Tile,
            Run::Lanes(_) => Level::Lane,
            Run::Threads(_) => Level::Simt,
        }
    }
}

/// The first word that is neither documentation nor a comment.
fn first_word(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim_start).filter(|l| !l.starts_with("///") && !l.starts_with('#'));
    lines.flat_map(str::split_whitespace).next()
}

/// Runs one pass and verifies its result.
pub fn apply(pass: &'static Pass, ir: Ir, cx: &PassCx) -> Result<(Ir, Report), PassError> {
    let broken = |level, errors| PassError::Broken { pass: pass.name, level, errors };
    let done = match (pass.run, ir) {
        (Run::Cascade(run), Ir::Cascade(mut c)) => run(&mut c, cx).map(|report| (Ir::Cascade(c), report)),
        (Run::Stages(run), Ir::Cascade(c)) => run(&c, cx).map(|(s, report)| (Ir::Stream(s), report)),
        (Run::Stream(run), Ir::Stream(mut s)) => run(&mut s, cx).map(|report| (Ir::Stream(s), report)),
        (Run::Tiles(run), Ir::Stream(s)) => run(&s, cx).map(|t| (Ir::Tile(t), Report::default())),
        (Run::Tile(run), Ir::Tile(mut t)) => run(&mut t, cx).map(|report| (Ir::Tile(t), report)),
        (Run::Lanes(run), Ir::Tile(t)) => {
            let t = tile::verify(t).map_err(|e| broken(Level::Tile, e))?;
            run(&t, cx).map(|l| (Ir::Lane(l), Report::default()))
        }
        (Run::Threads(run), Ir::Tile(t)) => {
            let t = tile::verify(t).map_err(|e| broken(Level::Tile, e))?;
            run(&t, cx).map(|k| (Ir::Simt(k), Report::default()))
        }
        (run, ir) => return Err(PassError::Level { pass: pass.name, takes: run.takes(), given: ir.level() }),
    };
    let (out, report) = done.map_err(PassError::Refused)?;
    out.verify().map_err(|e| broken(out.level(), e))?;
    Ok((out, report))
}

/// Runs the list from the level of `ir` on, up to the last pass that gives `to`; `observe` sees the result of every pass.
pub fn lower(ir: Ir, to: Level, cx: &PassCx, observe: &mut dyn FnMut(&str, &Ir)) -> Result<Ir, PassError> {
    let from = ir.level();
    let wanted = |p: &&&'static Pass| {
        let rewrites = matches!(p.run, Run::Cascade(_));
        p.run.takes() >= from && p.run.gives().leads_to(to) && (cx.rewrite || !rewrites)
    };
    let mut ir = ir;
    for pass in PIPELINE.iter().filter(wanted) {
        ir = apply(pass, ir, cx)?.0;
        observe(pass.name, &ir);
    }
    Ok(ir)
}

impl PassError {
    /// The refusals; what is no fault of the kernel is a bug of the compiler.
    pub fn refusals(self) -> Vec<Refusal> {
        let (message, notes) = match self {
            PassError::Refused(refusals) => return refusals,
            PassError::Level { .. } => (format!("the order of the passes is wrong: {self}"), vec![]),
            PassError::Broken { pass, level, errors } => (format!("the {level} is not valid after `{pass}`"), errors),
        };
        let origin = Origin { span: u32::MAX, ..Origin::default() };
        let mut bug =
            Refusal::new(Code::INTERNAL, &origin, format!("bug in the compiler, please report it: {message}"));
        bug.notes = notes;
        vec![bug]
    }
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassError::Level { pass, takes, given } => write!(f, "`{pass}` takes a {takes}, not a {given}"),
            PassError::Refused(refusals) => {
                let lines = refusals.iter().map(|r| format!("{}: {}", r.code.0, r.message));
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
            PassError::Broken { errors, .. } => {
                write!(f, "bug in the compiler, the result is not valid: {}", errors.join("; "))
            }
        }
    }
}
