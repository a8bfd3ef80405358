//! `attnc run`: one kernel, on the tensors of a file.

use crate::{CmdResult, Io};
use std::path::PathBuf;

/// What executes the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// The reference interpreter, in f64.
    Interp,
    /// Machine code made in this process.
    Cranelift,
}

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Source file.
    file: PathBuf,
    /// Kernel; may be left out if the file has one.
    kernel: Option<String>,
    /// What executes the kernel.
    #[arg(long, value_enum, default_value = "interp")]
    target: Target,
    /// Input tensors, by the names that the kernel gives them.
    #[arg(long = "in", value_name = "IN.safetensors")]
    input: PathBuf,
    /// Where the output tensors go.
    #[arg(long, value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Value of a scalar, param, rank or dtype; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Say what is done, and how long it takes.
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the kernel.
pub(crate) fn run(args: &Args, _io: &mut Io) -> CmdResult {
    let _ = (&args.file, &args.kernel, args.target, &args.input, &args.out, &args.set, args.verbose);
    Err("`attnc run` is not built yet".to_string())
}
