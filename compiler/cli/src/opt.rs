//! `attnc opt`: passes on textual intermediate representations.

use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::passes::{self, Ir, PIPELINE, Pass, PassCx, PassError};
use einattn_compiler::target::Caps;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["pass", "pipeline", "list"])))]
pub(crate) struct Args {
    /// File with the textual form of a kernel at any level; what follows a line `# expect:` is not read.
    #[arg(required_unless_present = "list")]
    file: Option<PathBuf>,
    /// Pass to run; may be repeated.
    #[arg(long)]
    pass: Vec<String>,
    /// Run the ordered pipeline up to and with this pass, from the level of the file on.
    #[arg(long, value_name = "UPTO")]
    pipeline: Option<String>,
    /// List the passes in their order.
    #[arg(long)]
    list: bool,
    /// Print the form after every pass.
    #[arg(long)]
    print_after_all: bool,
    /// CPU or GPU that tiles and programs are made for.
    #[arg(long, default_value = "portable", value_parser = caps)]
    arch: Caps,
}

fn caps(name: &str) -> Result<Caps, String> {
    Caps::by_name(name).ok_or_else(|| format!("there are {}", Caps::names().join(", ")))
}

/// Runs the passes.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let Some(file) = args.file.as_ref().filter(|_| !args.list) else { return list(io) };
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| format!("cannot read `{name}`: {e}"))?;
    let program = text.split("# expect:").next().unwrap_or_default();
    let mut ir = Ir::parse(program).map_err(|e| format!("{name}:{e}"))?;
    ir.verify().map_err(|errors| format!("`{name}` is not valid: {}", errors.join("; ")))?;
    let Some(cascade) = ir.cascade() else {
        return Err(format!("`{name}` is a {}; no pass takes one", ir.level()));
    };
    let cx = PassCx { caps: args.arch.clone(), ..PassCx::of(cascade) };
    for pass in selected(args, &ir)? {
        let report = match passes::apply(pass, ir, &cx) {
            Ok((next, report)) => {
                ir = next;
                report
            }
            Err(e @ PassError::Refused(_)) => {
                written(writeln!(io.err, "{e}"))?;
                return Ok(Outcome::Refused);
            }
            Err(e) => return Err(e.to_string()),
        };
        report.notes.iter().try_for_each(|n| written(writeln!(io.err, "{n}")))?;
        if args.print_after_all {
            written(write!(io.out, "# after {}\n{}\n", pass.name, ir.print()))?;
        }
    }
    if !args.print_after_all {
        written(io.out.write_all(ir.print().as_bytes()))?;
    }
    Ok(Outcome::Done)
}

/// The passes that the arguments name.
fn selected(args: &Args, ir: &Ir) -> Result<Vec<&'static Pass>, String> {
    let Some(last) = &args.pipeline else {
        return args.pass.iter().map(|name| passes::find(name).ok_or_else(|| unknown(name))).collect();
    };
    let end = PIPELINE.iter().rposition(|p| p.name == *last).ok_or_else(|| unknown(last))?;
    let gives = PIPELINE[end].run.gives();
    let start = PIPELINE.iter().position(|p| p.run.takes() == ir.level()).unwrap_or(0);
    let between = PIPELINE.get(start..=end).unwrap_or_default();
    Ok(between.iter().copied().filter(|p| p.run.gives().leads_to(gives)).collect())
}

fn unknown(name: &str) -> String {
    format!("there is no pass `{name}`; `attnc opt --list` lists them")
}

fn list(io: &mut Io) -> CmdResult {
    for p in PIPELINE {
        let (level, gives) = (p.run.takes(), p.run.gives());
        let levels = if level == gives { level.to_string() } else { format!("{level} → {gives}") };
        written(writeln!(io.out, "{:<10} {levels:<17} {}\n{:<28} then: {}", p.name, p.summary, "", p.post))?;
    }
    Ok(Outcome::Done)
}
