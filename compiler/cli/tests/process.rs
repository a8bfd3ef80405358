//! `attnc` as a process: arguments and files in; exit codes, streams and files out.

mod process {
    pub(crate) mod build;
    pub(crate) mod commands;
    pub(crate) mod harness;
    pub(crate) mod object;
    pub(crate) mod run;
}
