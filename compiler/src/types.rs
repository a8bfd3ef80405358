//! Types that every level shares: storage types, scalar operators, reduction operators.

use std::fmt;
use std::str::FromStr;

/// Storage type of a tensor element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE binary64.
    F64,
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// OCP 8-bit float, 4 exponent bits.
    F8E4M3,
    /// OCP 8-bit float, 5 exponent bits.
    F8E5M2,
    /// 32-bit signed integer.
    I32,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl DType {
    /// All storage types, in declaration order.
    pub const ALL: [DType; 10] = [
        DType::F64,
        DType::F32,
        DType::F16,
        DType::Bf16,
        DType::F8E4M3,
        DType::F8E5M2,
        DType::I32,
        DType::I8,
        DType::U8,
        DType::Bool,
    ];

    /// Size of one element in bytes.
    pub fn bytes(self) -> usize {
        match self {
            DType::F64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::F8E4M3 | DType::F8E5M2 | DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }

    /// True for the floating-point types.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F64 | DType::F32 | DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2)
    }

    /// True for the integer types (`bool` is none of them).
    pub fn is_int(self) -> bool {
        matches!(self, DType::I32 | DType::I8 | DType::U8)
    }

    /// What a read of this storage type yields in an expression.
    pub fn value_type(self) -> ValueType {
        match self {
            DType::Bool => ValueType::Bool,
            t if t.is_int() => ValueType::Index,
            _ => ValueType::Float,
        }
    }

    /// The keyword of the language.
    pub fn name(self) -> &'static str {
        match self {
            DType::F64 => "f64",
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
            DType::F8E4M3 => "f8e4m3",
            DType::F8E5M2 => "f8e5m2",
            DType::I32 => "i32",
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::Bool => "bool",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        DType::ALL.into_iter().find(|t| t.name() == s).ok_or(())
    }
}

/// Type of an expression: what it is computed in, not how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Signed integer (64-bit in scalar code): rank variables, extents, integer tensors.
    Index,
    /// Floating point.
    Float,
    /// Truth value.
    Bool,
}

macro_rules! named_ops {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every operator with its name in the textual IRs.
            pub const ALL: &'static [($name, &'static str)] = &[$(($name::$variant, $text)),*];

            /// The name in the textual IRs.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// The operator with this name.
            pub fn from_name(s: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, n)| *n == s).map(|(op, _)| *op)
            }
        }
    };
}

named_ops! {
    /// Unary scalar operators.
    UnOp {
        /// `-x`, float or index.
        Neg = "neg",
        /// `!b`.
        Not = "not",
        /// `|x|`, float or index.
        Abs = "abs",
        /// e^x.
        Exp = "exp",
        /// 2^x.
        Exp2 = "exp2",
        /// Natural logarithm.
        Log = "log",
        /// Base-2 logarithm.
        Log2 = "log2",
        /// Square root.
        Sqrt = "sqrt",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// Sine (radians).
        Sin = "sin",
        /// Cosine (radians).
        Cos = "cos",
        /// Error function.
        Erf = "erf",
        /// Largest integer not above x, as a float.
        Floor = "floor",
        /// Smallest integer not below x, as a float.
        Ceil = "ceil",
        /// Nearest integer, ties to even, as a float.
        Round = "round",
        /// Index to float.
        ToFloat = "float",
        /// Float to index, toward zero.
        ToIndex = "index",
        /// Bool to index: 0 or 1.
        BoolToIndex = "b2i",
        /// Number of one bits of a non-negative index.
        Popcount = "popcount",
        /// floor(log2 i) of a positive index, −1 for i ≤ 0.
        Ilog2 = "ilog2",
    }
}

named_ops! {
    /// Binary scalar operators. Arithmetic operands have the same value type.
    BinOp {
        /// `a + b`
        Add = "add",
        /// `a - b`
        Sub = "sub",
        /// `a * b`
        Mul = "mul",
        /// IEEE division of floats.
        Div = "div",
        /// Floor division of indices (division by zero is refused by the checker or yields 0).
        FloorDiv = "fdiv",
        /// Modulus of indices with the sign of the divisor.
        Mod = "mod",
        /// Minimum, float or index.
        Min = "min",
        /// Maximum, float or index.
        Max = "max",
        /// `a^b` of floats.
        Pow = "pow",
        /// `a == b`, index (or bool).
        Eq = "eq",
        /// `a != b`
        Ne = "ne",
        /// `a < b`
        Lt = "lt",
        /// `a <= b`
        Le = "le",
        /// `a > b`
        Gt = "gt",
        /// `a >= b`
        Ge = "ge",
        /// `a && b`, lazy.
        And = "and",
        /// `a || b`, lazy.
        Or = "or",
    }
}

named_ops! {
    /// Reduction operators. `topk` and `argmax` are populate operators: they yield coordinates.
    RedOp {
        /// Sum, identity 0.
        Sum = "sum",
        /// Product, identity 1.
        Prod = "prod",
        /// Maximum, identity −∞.
        Max = "max",
        /// Minimum, identity +∞.
        Min = "min",
        /// Disjunction, identity false.
        Any = "any",
        /// Conjunction, identity true.
        All = "all",
        /// Coordinate of the first maximum, −1 when nothing is present.
        ArgMax = "argmax",
        /// Coordinate of the slot-th largest (ties: lower coordinate first), −1 when absent.
        TopK = "topk",
    }
}

impl RedOp {
    /// The identity, for the operators that are monoids over numbers (bools as 0 and 1).
    pub fn identity(self) -> Option<f64> {
        match self {
            RedOp::Sum | RedOp::Any => Some(0.0),
            RedOp::Prod | RedOp::All => Some(1.0),
            RedOp::Max => Some(f64::NEG_INFINITY),
            RedOp::Min => Some(f64::INFINITY),
            RedOp::ArgMax | RedOp::TopK => None,
        }
    }

    /// The operator between two values that it folds with.
    pub fn binary(self) -> Option<BinOp> {
        match self {
            RedOp::Sum => Some(BinOp::Add),
            RedOp::Prod => Some(BinOp::Mul),
            RedOp::Max => Some(BinOp::Max),
            RedOp::Min => Some(BinOp::Min),
            RedOp::Any => Some(BinOp::Or),
            RedOp::All => Some(BinOp::And),
            RedOp::ArgMax | RedOp::TopK => None,
        }
    }
}
