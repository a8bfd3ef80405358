//! Definition of the lane IR, and of the calling convention of CPU kernels.
//!
//! Every stage is one function
//! `fn(ptrs: *const *mut u8, ints: *mut i64, floats: *const f32, scratch: *mut u8, begin: i64, end: i64)`:
//! it runs the items `begin..end` of the stage's grid (linear, last grid axis fastest). `ptrs` holds one base pointer
//! a memory tensor. `ints` is laid out by `IntLayout`. `scratch` is 64-byte aligned and private to the call.
//! `prepare` has the same signature; it fills the derived part of `ints` from its given part and touches nothing else.

use crate::types::DType;

/// An SSA value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

/// A mutable register variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// 64-bit signed integer.
    I64,
    /// 32-bit float.
    F32,
    /// Truth value.
    B,
    /// Vector of f32 lanes.
    VF,
    /// Vector of i32 lanes.
    VI,
    /// Vector of lane masks.
    VB,
}

/// A kernel for the CPU, for one instruction set.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneKernel {
    /// Kernel name.
    pub name: String,
    /// What this member is specialised for, as text: `E = 64, T = bf16`; empty if nothing.
    pub spec: String,
    /// Lanes of a vector.
    pub lanes: usize,
    /// Memory tensors in the order of `ptrs`: name, dtype, number of dimensions.
    pub tensors: Vec<MemTensor>,
    /// Layout of `ints`.
    pub ints: IntLayout,
    /// Where the extent of each rank comes from, in the order of `ints.ranks`.
    pub sources: Vec<RankSource>,
    /// Names of the float scalars, in the order of `floats`.
    pub floats: Vec<String>,
    /// Fills the derived part of `ints`. Scalar integer code only.
    pub prepare: Func,
    /// Stages in execution order.
    pub stages: Vec<LaneStage>,
}

/// Where the extent of a rank comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankSource {
    /// A dimension of one of the caller's tensors: the first input (or inout) that has the bare rank there.
    Dim {
        /// Index into `LaneKernel::tensors`.
        tensor: usize,
        /// Dimension.
        dim: usize,
    },
    /// No input fixes it: the caller gives it by name.
    Given,
    /// A compile-time constant.
    Const(i64),
    /// `prepare` computes it.
    Derived,
}

/// A tensor in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemTensor {
    /// Name.
    pub name: String,
    /// Storage type.
    pub dtype: DType,
    /// Dimensions as declared, one text each: `M`, `2 * R + 1`.
    pub dims: Vec<String>,
    /// Role.
    pub role: MemRole,
}

/// Who provides a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum MemRole {
    /// The caller; read only.
    In,
    /// The caller; written.
    Out,
    /// The caller; read and written.
    InOut,
    /// The artifact: constant data, row-major.
    Table(Vec<f64>),
    /// The launcher allocates it for the call, row-major.
    Workspace,
}

/// Slots of `ints`. Given by the caller: extents of free ranks, integer scalars, strides (in elements) of the
/// caller's tensors. Derived by `prepare`: the other extents, the dims that every tensor must have, strides of
/// tables and workspace, item counts and scratch bytes of the stages, truth of the asserts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntLayout {
    /// Slot of a rank's extent, with its name and whether the caller gives it.
    pub ranks: Vec<(String, bool)>,
    /// Integer scalars follow the ranks.
    pub scalars: Vec<String>,
    /// Then the strides of each tensor's dimensions, tensor by tensor; then the dims, likewise.
    pub tensor_dims: Vec<usize>,
    /// Then for each stage: items, scratch bytes.
    pub stages: usize,
    /// Then one slot an assert (source text): 1 if it holds.
    pub asserts: Vec<String>,
}

impl IntLayout {
    /// Slot of a rank's extent.
    pub fn rank(&self, i: usize) -> usize {
        i
    }

    /// Slot of an integer scalar.
    pub fn scalar(&self, i: usize) -> usize {
        self.ranks.len() + i
    }

    fn tensor_base(&self, tensor: usize) -> usize {
        self.tensor_dims[..tensor].iter().sum()
    }

    /// Slot of a stride.
    pub fn stride(&self, tensor: usize, dim: usize) -> usize {
        self.scalar(self.scalars.len()) + self.tensor_base(tensor) + dim
    }

    /// Slot of a dimension.
    pub fn dim(&self, tensor: usize, dim: usize) -> usize {
        self.stride(self.tensor_dims.len(), 0) + self.tensor_base(tensor) + dim
    }

    /// Slot of a stage's item count.
    pub fn items(&self, stage: usize) -> usize {
        self.dim(self.tensor_dims.len(), 0) + 2 * stage
    }

    /// Slot of a stage's scratch bytes.
    pub fn scratch(&self, stage: usize) -> usize {
        self.items(stage) + 1
    }

    /// Slot of an assert.
    pub fn assert(&self, i: usize) -> usize {
        self.items(self.stages) + i
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.assert(self.asserts.len())
    }

    /// True if there is no slot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStage {
    /// Name.
    pub name: String,
    /// Runs the items `begin..end`.
    pub func: Func,
}

/// A function body. `begin` and `end` are its first two values, of type I64.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Func {
    /// Types of the values.
    pub vals: Vec<Ty>,
    /// Types of the variables.
    pub vars: Vec<Ty>,
    /// Comments may be attached to instructions for readable output.
    pub body: Vec<Inst>,
}

impl Func {
    /// Value of `begin`.
    pub const BEGIN: Val = Val(0);
    /// Value of `end`.
    pub const END: Val = Val(1);

    /// Type of a value.
    pub fn ty(&self, v: Val) -> Ty {
        self.vals[v.0 as usize]
    }
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
    /// `for var in (lo..hi).step_by(step)`; `var` is an I64.
    Loop {
        /// Loop variable.
        var: Val,
        /// First value.
        lo: Val,
        /// Bound.
        hi: Val,
        /// Positive step.
        step: i64,
        /// Body.
        body: Vec<Inst>,
    },
    /// Branch on a scalar.
    If {
        /// Condition, B.
        cond: Val,
        /// Taken when true.
        then: Vec<Inst>,
        /// Taken when false.
        els: Vec<Inst>,
    },
    /// Stores to scratch at a byte offset: F32, VF (4-byte aligned), I64 as i32, VI, B as i32 0/1, VB as i32 0/−1.
    StoreLocal {
        /// Byte offset, I64.
        offset: Val,
        /// Value.
        value: Val,
    },
    /// Stores one element of a tensor, converted to its dtype (as `DType::round` does: nearest even; integers wrap).
    StoreGlobal {
        /// Index into `LaneKernel::tensors`.
        tensor: usize,
        /// Element offset, I64.
        offset: Val,
        /// F32, I64 or B; or VF, which fills `lanes` consecutive elements of an f32 tensor.
        value: Val,
    },
    /// Stores a slot of `ints` (`prepare` only).
    StoreInt {
        /// Slot.
        slot: usize,
        /// I64.
        value: Val,
    },
}

/// An operation. Operand types decide the type where it says "as operand".
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// I64 constant.
    ConstI(i64),
    /// F32 constant (may be infinite).
    ConstF(f32),
    /// B constant.
    ConstB(bool),
    /// Value of a variable.
    Get(Var),
    /// Slot of `ints`, I64.
    Int(usize),
    /// Slot of `floats`, F32.
    FloatArg(usize),
    /// Unary, as operand.
    Un(LaneUn, Val),
    /// Binary, as operand (both the same type).
    Bin(LaneBin, Val, Val),
    /// `a·b + c`, F32 or VF. Fused where the machine has it.
    Fma(Val, Val, Val),
    /// Comparison of I64 or F32 → B, of VI or VF → VB. Float comparisons are ordered: false on NaN, except Ne.
    Cmp(LaneCmp, Val, Val),
    /// `cond ? a : b`; cond is B (a, b of any type) or VB (a, b of VF, VI or VB). Both sides are evaluated.
    Select(Val, Val, Val),
    /// F32 → VF, I64 → VI (wrapping to 32 bits), B → VB.
    Splat(Val),
    /// VI 0, 1, 2, …
    Iota,
    /// First lane: VF → F32, VI → I64 (sign-extended).
    First(Val),
    /// I64 → F32, VI → VF (round to nearest even).
    IntToFloat(Val),
    /// F32 → I64, VF → VI, toward zero, saturating; NaN → 0 (vectors: only finite in-range values are passed).
    FloatToInt(Val),
    /// B → I64 0/1, VB → VI 0/1.
    BoolToInt(Val),
    /// VF → VI, same bits.
    FloatBits(Val),
    /// VI → VF, same bits.
    BitsFloat(Val),
    /// Shift of VI by a constant: left.
    Shl(Val, u32),
    /// Shift of VI by a constant: arithmetic right.
    Shr(Val, u32),
    /// Semantic rounding of an F32 to a storage type and back.
    RoundTo(DType, Val),
    /// Loads from scratch at a byte offset: F32 or VF (4-byte aligned), I64 from i32, VI, B from i32 ≠ 0, VB likewise.
    LoadLocal(Ty, Val),
    /// Loads one element of a tensor at an element offset: floats → F32, integers → I64, bool → B.
    LoadGlobal(usize, Val),
    /// Loads `lanes` consecutive f32 elements of an f32 tensor → VF.
    LoadGlobalVec(usize, Val),
}

/// Unary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneUn {
    /// I64, F32, VF, VI.
    Neg,
    /// I64, F32, VF, VI.
    Abs,
    /// B, VB.
    Not,
    /// F32, VF.
    Sqrt,
    /// F32, VF: toward −∞.
    Floor,
    /// F32, VF: toward +∞.
    Ceil,
    /// F32, VF: to nearest, ties to even.
    Round,
    /// I64.
    Popcount,
    /// I64: floor(log2), −1 for ≤ 0.
    Ilog2,
}

/// Binary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneBin {
    /// I64, F32, VF, VI.
    Add,
    /// I64, F32, VF, VI.
    Sub,
    /// I64, F32, VF, VI.
    Mul,
    /// F32, VF.
    Div,
    /// I64, F32, VF, VI; on floats `a < b ? a : b`.
    Min,
    /// I64, F32, VF, VI; on floats `a > b ? a : b`.
    Max,
    /// I64: floor division; 0 if the divisor is 0.
    FloorDiv,
    /// I64: modulus with the divisor's sign; 0 if the divisor is 0.
    Mod,
    /// B, VB, VI (bitwise).
    And,
    /// B, VB, VI (bitwise).
    Or,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneCmp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}
