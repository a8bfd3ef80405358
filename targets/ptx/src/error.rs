//! Why a kernel has no PTX.

/// Why a kernel has no PTX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kernel holds something that this target does not emit.
    #[error("the PTX target does not emit {0}")]
    Unsupported(String),
    /// The parameters of an entry are too long.
    #[error("the arguments take {0} bytes, and an entry has at most 4096")]
    Parameters(usize),
    /// The kernel is not well-formed.
    #[error("internal error of the PTX target, please report it: {0}")]
    Bug(String),
}
