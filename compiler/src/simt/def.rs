//! Definition of the SIMT IR, and of the calling convention of GPU kernels.
//!
//! A stage is what every thread of a block does for one item of the stage's grid (linear, last grid axis fastest). A launch
//! runs all items of a stage, in any order and on any number of blocks, before the next stage starts; an emitter wraps the body in
//! a loop over the items of its block, with a barrier between two items.
//!
//! Arguments are those of the lane level: one base pointer a memory tensor, `ints` laid out by `IntLayout` (filled by
//! `prepare`, on the host), `floats`. A stage's scratch bytes in `ints` are for one block.
//!
//! A statement is *uniform* when all threads of a block reach it together. Barriers, and what is said to be collective, are uniform.

use crate::lane::{self, IntLayout, LaneCmp, MemTensor, RankSource};
use crate::types::DType;

/// An SSA value, one a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

/// A mutable register variable, one a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

/// An array of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArrayId(pub u32);

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// 32-bit signed integer, wrapping: coordinates, counts, offsets into arrays.
    I32,
    /// Offset in elements into a tensor: 64 bits where the target addresses so, else 32.
    Off,
    /// 32-bit float.
    F32,
    /// Truth value.
    B,
    /// Two 16-bit floats in one register, the first in the low half.
    Pair,
}

/// A kernel for a GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct SimtKernel {
    /// Kernel name.
    pub name: String,
    /// What this member is specialised for, as text: `E = 64, T = bf16`; empty if nothing.
    pub spec: String,
    /// Memory tensors in the order of the pointers.
    pub tensors: Vec<MemTensor>,
    /// Layout of `ints`.
    pub ints: IntLayout,
    /// Where the extent of each rank comes from, in the order of `ints.ranks`.
    pub sources: Vec<RankSource>,
    /// Names of the float scalars, in the order of `floats`.
    pub floats: Vec<String>,
    /// Fills the derived part of `ints` on the host. Scalar integer code only.
    pub prepare: lane::Func,
    /// Stages in execution order.
    pub stages: Vec<SimtStage>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct SimtStage {
    /// Name.
    pub name: String,
    /// Threads of a block, in one dimension.
    pub threads: u32,
    /// Threads that exchange values by `Op::Shuffle` and work together in a matrix product: consecutive ones, this many.
    /// `None`: the stage does neither.
    pub subgroup: Option<u32>,
    /// Arrays.
    pub arrays: Vec<Array>,
    /// Types of the values.
    pub vals: Vec<Ty>,
    /// Types of the variables.
    pub vars: Vec<Ty>,
    /// Body.
    pub body: Vec<Inst>,
}

/// An array; offsets into it count elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Printed name, unique in the stage.
    pub name: String,
    /// Where it lies.
    pub space: Space,
    /// Element type.
    pub elem: Elem,
    /// Elements.
    pub len: u32,
}

/// Where an array lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Each thread has its own.
    Private,
    /// One a block. Aligned to 1,024 bytes.
    Shared,
}

/// Element type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elem {
    /// f32, read as F32.
    F32,
    /// i32, read as I32; B is kept as 0 and 1 and read back by a comparison.
    I32,
    /// f16, converted from and to F32, or moved as Pair.
    F16,
    /// bf16, likewise.
    Bf16,
}

/// A place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An element of a tensor: index into `SimtKernel::tensors`, offset of type Off. Inside the tensor's buffer.
    Global(usize, Val),
    /// An element of an array: offset of type I32. Inside the array.
    Array(ArrayId, Val),
    /// A 4-byte word of the block's scratch in device memory: offset of type Off.
    Scratch(Val),
}

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    /// Source note for readers of the output.
    Comment(String),
    /// Defines a value. A value is visible in its block and the blocks nested in it.
    Let(Val, Op),
    /// Assigns a variable (the first assignment dominates every use).
    Set(Var, Val),
    /// `for var in (lo..hi).step_by(step)`; `var`, `lo`, `hi` are I32 and may differ between threads.
    Loop {
        /// Loop variable.
        var: Val,
        /// First value.
        lo: Val,
        /// Bound.
        hi: Val,
        /// Positive step.
        step: i32,
        /// Body.
        body: Vec<Inst>,
    },
    /// Branch on a B.
    If {
        /// Condition.
        cond: Val,
        /// Taken when true.
        then: Vec<Inst>,
        /// Taken when false.
        els: Vec<Inst>,
    },
    /// Reads 1, 2, 4 or 8 consecutive elements, 16 bytes at most, into values of one type; the offset is a multiple of the count.
    Load {
        /// Defined values. Their types say how: a 16-bit float element is read as F32, two of them as one Pair.
        dst: Vec<Val>,
        /// First element.
        from: Place,
    },
    /// Writes 1, 2, 4 or 8 consecutive elements, converted to the element type (nearest even; integers wrap); likewise aligned.
    Store {
        /// First element.
        to: Place,
        /// Values: F32, I32 or B; or Pairs, of a 16-bit element type, two elements each.
        values: Vec<Val>,
    },
    /// All threads of the block wait for each other, and see what was written to shared memory, scratch and tensors. Uniform.
    Barrier,
    /// `acc += a · b` of a 16 × 8 tile, by the threads of a subgroup of 32. Collective. Fragments as `MatrixType` says.
    Mma {
        /// Operand type.
        of: MatrixType,
        /// 16 × K operand: 4 values.
        a: [Val; 4],
        /// K × 8 operand: 2 values.
        b: [Val; 2],
        /// Four F32 variables.
        acc: [Var; 4],
    },
    /// `acc += a · b`, or `acc = a · b`, of a 64 × N tile, by the 128 threads of a warpgroup. The accumulators of `Mma` lie side by side, 8 columns
    /// each; warp w of the group has rows 16w to 16w + 15. `a` has fragments for 16 contracted elements each. Complete when it
    /// returns. Collective; shared memory that it reads was written before a barrier.
    GroupMma {
        /// Operand type, of 16 bits.
        of: MatrixType,
        /// Rows.
        a: Vec<[Val; 4]>,
        /// Columns.
        b: SharedMatrix,
        /// Four F32 variables for each 8 columns.
        acc: Vec<Var>,
        /// Add to what `acc` holds.
        accumulate: bool,
    },
    /// Reads 8 × 8 matrices of 16-bit elements from shared memory, one for each of `dst` (1, 2 or 4 Pairs). Thread 8i + r of the
    /// subgroup gives the offset of row r of matrix i (a multiple of 8; 16-byte aligned). Thread t receives elements
    /// 2·(t mod 4) and +1 of row t div 4; transposed: of column t div 4. Collective.
    LoadMatrix {
        /// Defined values.
        dst: Vec<Val>,
        /// Array of 16-bit elements.
        array: ArrayId,
        /// Offset of the row that this thread names.
        offset: Val,
        /// Transposed.
        transposed: bool,
    },
    /// Starts a copy of 16 bytes from a tensor to shared memory (equal element types, both offsets 16-byte aligned), zeros where not `valid`.
    CopyAsync {
        /// Shared array.
        array: ArrayId,
        /// First element written, I32.
        to: Val,
        /// Tensor read.
        tensor: usize,
        /// First element read, Off; in bounds even when not valid.
        from: Val,
        /// B.
        valid: Val,
    },
    /// Ends a group of this thread's copies.
    CopyCommit,
    /// Waits until all but the newest n groups of this thread are complete. A barrier makes them visible to the others.
    CopyWait(u32),
}

/// A matrix operand in shared memory, laid out by `swizzle::offset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMatrix {
    /// Array of 16-bit elements.
    pub array: ArrayId,
    /// Offset of the first element, I32: a multiple of 512, equal in all threads.
    pub first: Val,
    /// Rows of the tile.
    pub rows: u32,
    /// Elements of a row of a panel: 64, 32 or 16.
    pub width: u32,
    /// Rows of the tile are contracted, its columns are those of the product; otherwise the other way round.
    pub across: bool,
}

/// Operand type of a matrix product, with its fragments. g = t div 4 and c = t mod 4 for thread t of the subgroup; the accumulator
/// holds (g, 2c), (g, 2c+1), (g+8, 2c), (g+8, 2c+1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixType {
    /// K = 16, Pairs. a: (g, 2c), (g+8, 2c), (g, 2c+8), (g+8, 2c+8) and the next column each; b: rows 2c, 2c+8 and the next row each, column g.
    F16,
    /// Likewise.
    Bf16,
    /// K = 8, F32 whose low 13 bits are 0. a: (g, c), (g+8, c), (g, c+4), (g+8, c+4); b: rows c, c+4, column g.
    Tf32,
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// I32 constant.
    ConstI(i32),
    /// F32 constant (may be infinite).
    ConstF(f32),
    /// B constant.
    ConstB(bool),
    /// Value of a variable.
    Get(Var),
    /// Slot of `ints`, I32. Uniform.
    Int(usize),
    /// Slot of `ints`, Off. Uniform.
    IntOff(usize),
    /// Slot of `floats`, F32. Uniform.
    FloatArg(usize),
    /// The item, I32. Uniform.
    Item,
    /// The thread's number in its block, I32.
    Thread,
    /// Unary, as operand.
    Un(SimtUn, Val),
    /// Binary, as operand (both the same type).
    Bin(SimtBin, Val, Val),
    /// `a·b + c`, F32, fused where the machine has it.
    Fma(Val, Val, Val),
    /// Comparison of I32 or F32 → B. Float comparisons are ordered: false on NaN, except Ne.
    Cmp(LaneCmp, Val, Val),
    /// `cond ? a : b`. Both sides are evaluated.
    Select(Val, Val, Val),
    /// I32 → Off (sign-extended).
    ToOff(Val),
    /// I32 → F32 (round to nearest even).
    IntToFloat(Val),
    /// F32 → I32, toward zero, saturating; NaN → 0.
    FloatToInt(Val),
    /// B → I32 0/1.
    BoolToInt(Val),
    /// F32 → I32, same bits.
    FloatBits(Val),
    /// I32 → F32, same bits.
    BitsFloat(Val),
    /// Shift of I32 by a constant: left.
    Shl(Val, u32),
    /// Shift of I32 by a constant: arithmetic right.
    Shr(Val, u32),
    /// Semantic rounding of an F32 to a storage type and back.
    RoundTo(DType, Val),
    /// Two F32 → Pair of f16 or bf16 (nearest even), the first in the low half.
    Pack(Elem, Val, Val),
    /// The value of the thread whose number in the subgroup is this thread's xor the mask. F32 or I32. Collective.
    Shuffle(Val, u32),
}

/// Unary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimtUn {
    /// I32, Off, F32.
    Neg,
    /// I32, F32.
    Abs,
    /// B.
    Not,
    /// F32.
    Sqrt,
    /// F32: toward −∞.
    Floor,
    /// F32: toward +∞.
    Ceil,
    /// F32: to nearest, ties to even.
    Round,
    /// F32: 2^x by the machine's unit, about 2 ulp; 0 at −∞; subnormals may be flushed.
    Exp2,
    /// F32: log2 by the machine's unit, 2⁻²¹ absolute near 1; −∞ at 0.
    Log2,
    /// I32.
    Popcount,
    /// I32: floor(log2), −1 for ≤ 0.
    Ilog2,
}

/// Binary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimtBin {
    /// I32, Off, F32.
    Add,
    /// I32, Off, F32.
    Sub,
    /// I32, Off, F32.
    Mul,
    /// F32.
    Div,
    /// I32, F32; on floats `a < b ? a : b`, or IEEE minNum where the machine has it: equal when neither is NaN.
    Min,
    /// I32, F32; likewise.
    Max,
    /// I32: floor division; 0 if the divisor is 0.
    FloorDiv,
    /// I32: modulus with the divisor's sign; 0 if the divisor is 0.
    Mod,
    /// B, I32 (bitwise).
    And,
    /// B, I32 (bitwise).
    Or,
    /// I32 (bitwise).
    Xor,
}
