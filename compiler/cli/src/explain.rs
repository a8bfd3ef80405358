//! `attnc explain`: what a diagnostic code means, or what the compiler does with a kernel.

use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::diag::CODES;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A source file, or a diagnostic code such as T-FREE.
    what: String,
    /// Kernel of the file.
    kernel: Option<String>,
}

/// Explains a code or a file.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let code = args.what.to_uppercase();
    if let Some(info) = CODES.iter().find(|c| c.code.0 == code) {
        written(writeln!(io.out, "{}: {}\n\n{}", info.code.0, info.title, info.explain))?;
        return Ok(Outcome::Done);
    }
    if !std::path::Path::new(&args.what).exists() {
        let codes: Vec<&str> = CODES.iter().map(|c| c.code.0).collect();
        return Err(format!("`{}` is neither a file nor a code; the codes are {}", args.what, codes.join(", ")));
    }
    Err("`attnc explain FILE` is not built yet".to_string())
}
