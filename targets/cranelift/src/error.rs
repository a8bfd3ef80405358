//! Why a kernel has no machine code.

use std::any::Any;

/// Why a kernel has no machine code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kernel holds something that this target does not compile.
    #[error("the Cranelift target does not compile {0}")]
    Unsupported(String),
    /// The processor or the operating system is not one that Cranelift knows.
    #[error("no Cranelift backend for {0}")]
    Arch(String),
    /// A bug in this compiler or in Cranelift.
    #[error("internal error of the Cranelift target, please report it: {0}")]
    Bug(String),
}

impl Error {
    /// A bug, from what a panic carried.
    pub(crate) fn from_panic(payload: &(dyn Any + Send)) -> Error {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Error::Bug(text.unwrap_or("panic without a message").to_string())
    }
}
