//! The command line as a library: arguments in, text and an exit code out. `main.rs` is its only user besides tests.
//!
//! Exit codes: 0 success, 1 a program was refused (its diagnostics were printed), 2 the command could not be carried out.
//! Where both happen, as with several files, it is 2.

mod build;
mod check;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod data;
mod explain;
pub mod gpu;
mod lib_cmd;
mod opt;
mod ptx;
mod render;
mod run;
mod settings;
mod source;
#[cfg(feature = "wgpu")]
pub mod wgpu;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;

/// Where a command writes.
pub struct Io<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Diagnostics for people, errors, progress.
    pub err: &'a mut dyn Write,
    /// Colours in diagnostics.
    pub styled: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything was done
  1  a program was refused: its errors were printed
  2  the command could not be carried out: wrong arguments, or files that cannot be read or written";

/// An ahead-of-time compiler for attention.
#[derive(Parser)]
#[command(name = "attnc", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check files and report every error of every file.
    Check(check::Args),
    /// Run a kernel on the tensors of a .safetensors file.
    Run(run::Args),
    /// Compile kernels ahead of time: Rust source, object code or PTX.
    Build(build::Args),
    /// Say what the compiler does with a kernel, or what a diagnostic code means.
    Explain(explain::Args),
    /// Run passes on a textual intermediate representation.
    Opt(opt::Args),
    /// List the library, or print the source of one of its names.
    Lib(lib_cmd::Args),
}

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// A program was refused; its diagnostics are printed.
    Refused,
}

/// A command's result. The error is a message for the user about the command, not about a program.
type CmdResult = Result<Outcome, String>;

/// Runs one command. Returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>, io: &mut Io) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => return usage(&e, io),
    };
    let result = match cli.command {
        Command::Check(args) => check::run(&args, io),
        Command::Run(args) => run::run(&args, io),
        Command::Build(args) => build::run(&args, io),
        Command::Explain(args) => explain::run(&args, io),
        Command::Opt(args) => opt::run(&args, io),
        Command::Lib(args) => lib_cmd::run(&args, io),
    };
    match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Refused) => 1,
        Err(message) => {
            // Nothing can be done about a closed standard error.
            let _ = writeln!(io.err, "error: {message}");
            2
        }
    }
}

/// Help and version go to the output, usage errors to the error stream.
fn usage(e: &clap::Error, io: &mut Io) -> u8 {
    let text = e.render().to_string();
    let to = if e.use_stderr() { &mut *io.err } else { &mut *io.out };
    let _ = write!(to, "{text}");
    u8::from(e.use_stderr()) * 2
}

/// A failed write as a message.
fn written(result: std::io::Result<()>) -> Result<(), String> {
    result.map_err(|e| format!("cannot write: {e}"))
}
