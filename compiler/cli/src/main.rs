//! `attnc`, the command line of the attention compiler.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut io = attnc::Io { out: &mut stdout(), err: &mut stderr(), styled: stderr().is_terminal() };
    ExitCode::from(attnc::main(std::env::args_os(), &mut io))
}
