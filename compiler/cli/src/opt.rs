//! `attnc opt`: passes on textual intermediate representations.

use crate::{CmdResult, Io};
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["pass", "pipeline"])))]
pub(crate) struct Args {
    /// File with the textual form of a cascade, stream or tile kernel.
    file: PathBuf,
    /// Pass to run; may be repeated.
    #[arg(long)]
    pass: Vec<String>,
    /// Run the ordered pipeline up to and with this pass.
    #[arg(long)]
    pipeline: Option<String>,
    /// Print the form after every pass.
    #[arg(long)]
    print_after_all: bool,
}

/// Runs the passes.
pub(crate) fn run(args: &Args, _io: &mut Io) -> CmdResult {
    let _ = (&args.file, &args.pass, &args.pipeline, args.print_after_all);
    Err("`attnc opt` is not built yet".to_string())
}
