//! `attnc explain`: what a diagnostic code means, or what the compiler does with a kernel.

use crate::render::{MessageFormat, diagnostics};
use crate::source::Source;
use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::diag::{CODES, has_errors};
use einattn_compiler::driver::Options;
use std::path::Path;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A source file, or a diagnostic code such as T-FREE.
    what: String,
    /// Kernel of the file.
    kernel: Option<String>,
    /// Value of a param, extent of a rank or type of a `dtype` variable; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Target whose schedules hold.
    #[arg(long, default_value = "rust")]
    target: String,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.trim().to_string(), value.trim().to_string()))
}

/// Explains a code or a file.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let code = args.what.to_uppercase();
    if let Some(info) = CODES.iter().find(|c| c.code.0 == code) {
        written(writeln!(io.out, "{}: {}\n\n{}", info.code.0, info.title, info.explain))?;
        return Ok(Outcome::Done);
    }
    if !Path::new(&args.what).exists() {
        let codes: Vec<&str> = CODES.iter().map(|c| c.code.0).collect();
        return Err(format!("`{}` is neither a file nor a code; the codes are {}", args.what, codes.join(", ")));
    }
    kernels(args, io)
}

/// Explains the kernels of a file, one member of every specialisation set.
fn kernels(args: &Args, io: &mut Io) -> CmdResult {
    let source = Source::read(Path::new(&args.what))?;
    let (checked, all) = source.checked(&args.set);
    diagnostics(&source, &all, MessageFormat::Human, io)?;
    if has_errors(&all) {
        return Ok(Outcome::Refused);
    }
    let wanted = |name: &str| args.kernel.as_ref().is_none_or(|k| k == name);
    let chosen: Vec<_> = checked.kernels.iter().filter(|k| wanted(&k.name.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = checked.kernels.iter().map(|k| k.name.name.as_str()).collect();
        return Err(format!("`{}` has no such kernel; its kernels are {}", source.name, names.join(", ")));
    }
    let mut outcome = Outcome::Done;
    for (i, (k, c)) in chosen.iter().filter_map(|k| Some((k, k.members.first()?))).enumerate() {
        let (text, refusals) = einattn_compiler::explain::explain(c, &Options::scheduled(k, &args.target));
        written(write!(io.out, "{}{text}", if i == 0 { "" } else { "\n" }))?;
        let refused: Vec<_> = refusals.iter().map(|r| r.diagnostic(&checked.spans)).collect();
        diagnostics(&source, &refused, MessageFormat::Human, io)?;
        if !refused.is_empty() {
            outcome = Outcome::Refused;
        }
    }
    Ok(outcome)
}
