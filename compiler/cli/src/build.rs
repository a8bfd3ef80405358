//! `attnc build`: kernels to files.

use crate::{CmdResult, Io};
use std::path::PathBuf;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Rust source.
    Rust,
    /// An object file.
    Cranelift,
}

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Source file.
    file: PathBuf,
    /// Kernels; all of the file if none is named.
    kernels: Vec<String>,
    /// What is generated.
    #[arg(long, value_enum)]
    target: Target,
    /// Directory for what is generated.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Processor family, as the target names it; the target's default if left out.
    #[arg(long)]
    arch: Option<String>,
}

/// Builds the kernels.
pub(crate) fn run(args: &Args, _io: &mut Io) -> CmdResult {
    let _ = (&args.file, &args.kernels, args.target, &args.out, &args.arch);
    Err("`attnc build` is not built yet".to_string())
}
