//! A kernel at any level, as text and as an argument of passes: what `attnc opt` and the file tests work on.

use super::{Pass, PassCx, Report, Run};
use crate::cascade::{self, Cascade};
use crate::diag::Refusal;
use crate::stream::{self, Stream};

/// A kernel at some level. The first word of its text tells which.
#[derive(Clone, Debug, PartialEq)]
pub enum Ir {
    /// L1, `cascade NAME`.
    Cascade(Cascade),
    /// L2, the text of a cascade with `stage` lines.
    Stream(Stream),
}

/// Why a pass has no result.
#[derive(Clone, Debug)]
pub enum PassError {
    /// The pass takes another level.
    Level {
        /// The pass.
        pass: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What it was given.
        given: &'static str,
    },
    /// It refuses the kernel.
    Refused(Vec<Refusal>),
    /// A bug of the pass: its result does not verify.
    Broken(Vec<String>),
}

impl Ir {
    /// Reads a text of any level.
    pub fn parse(text: &str) -> Result<Ir, String> {
        match first_word(text) {
            Some("cascade") if text.lines().any(|l| l.starts_with("stage ")) => stream::parse(text).map(Ir::Stream),
            Some("cascade") => cascade::parse(text).map(Ir::Cascade),
            Some(word) => Err(format!("`{word}` begins no text of this compiler; expected `cascade`")),
            None => Err("the text is empty".to_string()),
        }
    }

    /// The text.
    pub fn print(&self) -> String {
        match self {
            Ir::Cascade(c) => cascade::print(c),
            Ir::Stream(s) => stream::print(s),
        }
    }

    /// All violations of the level's rules.
    pub fn verify(&self) -> Result<(), Vec<String>> {
        match self {
            Ir::Cascade(c) => cascade::verify(c),
            Ir::Stream(s) => stream::verify(s),
        }
    }

    /// The level's name.
    pub fn level(&self) -> &'static str {
        match self {
            Ir::Cascade(_) => "cascade",
            Ir::Stream(_) => "stream",
        }
    }

    /// The cascade that names ranks, tensors and attributes.
    pub fn cascade(&self) -> &Cascade {
        match self {
            Ir::Cascade(c) => c,
            Ir::Stream(s) => &s.cascade,
        }
    }
}

impl Run {
    /// The level that the pass takes.
    pub fn takes(&self) -> &'static str {
        match self {
            Run::Cascade(_) | Run::Stages(_) => "cascade",
            Run::Stream(_) => "stream",
        }
    }

    /// The level that it gives.
    pub fn gives(&self) -> &'static str {
        match self {
            Run::Cascade(_) => "cascade",
            Run::Stages(_) | Run::Stream(_) => "stream",
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
    let (out, report) = match (pass.run, ir) {
        (Run::Cascade(run), Ir::Cascade(mut c)) => {
            let report = run(&mut c, cx).map_err(PassError::Refused)?;
            (Ir::Cascade(c), report)
        }
        (Run::Stages(run), Ir::Cascade(c)) => {
            let (s, report) = run(&c, cx).map_err(PassError::Refused)?;
            (Ir::Stream(s), report)
        }
        (Run::Stream(run), Ir::Stream(mut s)) => {
            let report = run(&mut s, cx).map_err(PassError::Refused)?;
            (Ir::Stream(s), report)
        }
        (run, ir) => {
            let takes = run.takes();
            return Err(PassError::Level { pass: pass.name, takes, given: ir.level() });
        }
    };
    out.verify().map_err(PassError::Broken)?;
    Ok((out, report))
}

impl std::fmt::Display for PassError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PassError::Level { pass, takes, given } => write!(f, "`{pass}` takes a {takes}, not a {given}"),
            PassError::Refused(refusals) => {
                let lines = refusals.iter().map(|r| format!("{}: {}", r.code.0, r.message));
                f.write_str(&lines.collect::<Vec<_>>().join("\n"))
            }
            PassError::Broken(errors) => {
                write!(f, "bug in the compiler, the result is not valid: {}", errors.join("; "))
            }
        }
    }
}
