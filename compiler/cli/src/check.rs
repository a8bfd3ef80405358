//! `attnc check`: every error of every file at once.

use crate::render::{MessageFormat, diagnostics};
use crate::source::Source;
use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::diag::has_errors;
use einattn_compiler::driver::{check_promises, unread_schedules};
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Source files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Form of the diagnostics.
    #[arg(long, value_enum, default_value = "human")]
    message_format: MessageFormat,
}

/// Checks the files.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let mut refused = false;
    let mut unread = vec![];
    let mut kernels = 0;
    for path in &args.files {
        let source = match Source::read(path) {
            Ok(source) => source,
            Err(message) => {
                unread.push(message);
                continue;
            }
        };
        let (checked, mut diags) = source.checked(&[]);
        diags.extend(check_promises(&checked));
        diags.extend(unread_schedules(&checked));
        diags.extend(checked.kernels.iter().flat_map(|k| k.advice.iter().cloned()));
        diagnostics(&source, &diags, args.message_format, io)?;
        refused |= has_errors(&diags);
        kernels += checked.kernels.len();
    }
    if !unread.is_empty() {
        return Err(unread.join("\nerror: "));
    }
    if refused {
        return Ok(Outcome::Refused);
    }
    if args.message_format == MessageFormat::Human {
        written(writeln!(io.err, "{} checked, {}", count(kernels, "kernel"), count(args.files.len(), "file")))?;
    }
    Ok(Outcome::Done)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
