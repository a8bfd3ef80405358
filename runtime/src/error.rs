//! Why a launch was refused. Nothing has been written when one of these is returned.

use crate::DType;
use std::fmt;

/// A refused launch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has another number of dimensions than its declaration.
    Dimensions {
        /// Tensor.
        tensor: String,
        /// Declared number.
        expected: usize,
        /// Given number.
        found: usize,
    },
    /// A dimension has the wrong extent.
    Extent {
        /// Tensor.
        tensor: String,
        /// Dimension, from 0.
        dim: usize,
        /// As declared, for example `M` or `2 * R + 1`.
        declared: String,
        /// Required extent.
        expected: i64,
        /// Given extent.
        found: i64,
    },
    /// No specialisation of the kernel has these dtypes.
    DType {
        /// Tensor.
        tensor: String,
        /// Required type.
        expected: DType,
        /// Given type.
        found: DType,
    },
    /// Shape and strides reach beyond the slice.
    OutOfBounds {
        /// Tensor.
        tensor: String,
        /// Elements that shape and strides span.
        needed: u128,
        /// Elements of the slice.
        available: usize,
    },
    /// Distinct elements of an output share memory.
    Overlap {
        /// Tensor.
        tensor: String,
    },
    /// Another number of strides than dimensions.
    Strides {
        /// Tensor.
        tensor: String,
    },
    /// The extent of a rank is not fixed by any input and was not given.
    MissingExtent {
        /// Rank.
        rank: String,
    },
    /// An `assert` of the kernel does not hold for these extents and scalars.
    Assertion {
        /// Source text.
        text: String,
    },
    /// No member of a rank's specialisation set has this extent.
    Specialisation {
        /// Kernel.
        kernel: String,
        /// Members, as text.
        members: String,
    },
    /// The workspace could not be allocated.
    OutOfMemory {
        /// Bytes asked for.
        bytes: u128,
    },
    /// The device has less of something than the launch needs.
    Limit {
        /// What.
        what: String,
        /// Needed amount.
        needed: u128,
        /// Available amount.
        available: u128,
    },
    /// A buffer cannot be bound by kernels: it was made without the usage `STORAGE`.
    Buffer {
        /// Tensor.
        tensor: String,
    },
    /// The thread pool could not be started.
    Threads {
        /// Reason.
        reason: String,
    },
    /// The kernel has no code that this processor runs: `EINATTN_ISA` restricted it when it was compiled.
    Processor {
        /// Instruction sets that it has code for.
        compiled: String,
    },
    /// Another number of tensors than the kernel has.
    Arguments {
        /// Declared number.
        expected: usize,
        /// Given number.
        found: usize,
    },
    /// The first element of a tensor lies at an address that the GPU's instructions do not reach.
    Alignment {
        /// Tensor.
        tensor: String,
        /// Bytes that the address must be a multiple of.
        bytes: u32,
    },
    /// An output shares memory with another tensor.
    Aliased {
        /// Output.
        tensor: String,
        /// The other one.
        other: String,
    },
    /// An extent, count or scalar does not fit in the integers of the GPU.
    TooLarge {
        /// Value.
        value: i64,
    },
    /// The workspace of the caller is too small.
    Workspace {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// There is no GPU that runs the kernel.
    NoDevice {
        /// Reason.
        reason: String,
    },
    /// The GPU or its driver failed. Outputs may have been written.
    Device {
        /// What it says.
        reason: String,
    },
    /// The kernel could not be compiled; `attn!` reported why. Only launchers of refused kernels return this.
    NotCompiled {
        /// Kernel.
        kernel: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Dimensions { tensor, expected, found } => {
                write!(f, "`{tensor}` has {found} dimensions, its declaration has {expected}")
            }
            Error::Extent { tensor, dim, declared, expected, found } => {
                write!(f, "dimension {dim} of `{tensor}` (declared `{declared}`) is {found}, expected {expected}")
            }
            Error::DType { tensor, expected, found } => {
                write!(f, "`{tensor}` holds {found}, the kernel was compiled for {expected}")
            }
            Error::OutOfBounds { tensor, needed, available } => {
                write!(f, "shape and strides of `{tensor}` span {needed} elements, its slice has {available}")
            }
            Error::Overlap { tensor } => write!(f, "elements of the output `{tensor}` share memory"),
            Error::Strides { tensor } => write!(f, "`{tensor}` needs one stride a dimension"),
            Error::MissingExtent { rank } => write!(f, "the extent of rank {rank} is not fixed by any input"),
            Error::Assertion { text } => write!(f, "the kernel's `assert {text}` does not hold"),
            Error::Specialisation { kernel, members } => {
                write!(f, "`{kernel}` has no specialisation for these extents; it was compiled for {members}")
            }
            Error::OutOfMemory { bytes } => write!(f, "{bytes} bytes of workspace could not be allocated"),
            Error::Limit { what, needed, available } => write!(f, "{what}: {needed} needed, {available} available"),
            Error::Buffer { tensor } => write!(f, "the buffer of `{tensor}` was made without the usage STORAGE"),
            Error::Threads { reason } => write!(f, "the thread pool could not be started: {reason}"),
            Error::Processor { compiled } => {
                write!(f, "the kernel was compiled for {compiled} only, which this processor does not have")
            }
            Error::Arguments { expected, found } => {
                write!(f, "{found} tensors were given, the kernel has {expected}")
            }
            Error::Alignment { tensor, bytes } => {
                write!(f, "`{tensor}` must start at an address that is a multiple of {bytes} bytes")
            }
            Error::Aliased { tensor, other } => write!(f, "the output `{tensor}` shares memory with `{other}`"),
            Error::TooLarge { value } => write!(f, "{value} does not fit in the 32-bit integers of the GPU"),
            Error::Workspace { needed, given } => {
                write!(f, "the workspace has {given} bytes, and {needed} are needed")
            }
            Error::NoDevice { reason } => write!(f, "no GPU runs the kernel: {reason}"),
            Error::Device { reason } => write!(f, "the GPU failed: {reason}"),
            Error::NotCompiled { kernel } => write!(f, "`{kernel}` was refused by the compiler"),
        }
    }
}

impl std::error::Error for Error {}
