//! Definition of the cascade IR.

use crate::types::{BinOp, DType, RedOp, UnOp};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);
        impl $name {
            /// The index into its table.
            pub fn index(self) -> usize { self.0 as usize }
        }
    )*};
}

ids! {
    /// A rank; also its rank variable.
    RankId,
    /// A tensor: input, output or intermediate.
    TensorId,
    /// A node: one Einsum.
    NodeId,
    /// A run-time scalar argument.
    ScalarId
}

/// A kernel as a cascade of extended Einsums (one member of its specialisation set).
#[derive(Clone, Debug, PartialEq)]
pub struct Cascade {
    /// Kernel name.
    pub name: String,
    /// Documentation, one string per line.
    pub docs: Vec<String>,
    /// Ranks; a reduced rank of a library macro such as `softmax` uses the user's rank.
    pub ranks: Vec<Rank>,
    /// Run-time scalars.
    pub scalars: Vec<Scalar>,
    /// Tensors. Inputs, outputs and inouts in declaration order first, then intermediates.
    pub tensors: Vec<Tensor>,
    /// Nodes in an order in which every read is already defined (iterative ranks aside).
    pub nodes: Vec<Node>,
    /// Promises of the source.
    pub asserts: Vec<Assert>,
    /// Kernel attributes.
    pub attrs: Attrs,
    /// `param`s and set members this member was specialised for, as written: (`W`, `4096`), (`T`, `bf16`).
    pub spec: Vec<(String, String)>,
}

/// A rank with its extent.
#[derive(Clone, Debug, PartialEq)]
pub struct Rank {
    /// Upper-case name; the rank variable is its lower-case spelling.
    pub name: String,
    /// Extent.
    pub extent: Extent,
    /// Generational rank (`iter T`).
    pub iter: bool,
}

/// Extent of a rank.
#[derive(Clone, Debug, PartialEq)]
pub enum Extent {
    /// Compile-time constant.
    Const(i64),
    /// Run-time symbol, inferred from the shape of an input (or given by the caller).
    Free,
    /// Derived: an index expression over extents and integer scalars.
    Derived(Expr),
}

/// A run-time scalar argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Name.
    pub name: String,
    /// Type; integer scalars are index-typed in expressions.
    pub dtype: DType,
}

/// Role of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// Read only.
    In,
    /// Written, every element exactly once (absent points get `empty`).
    Out,
    /// Reads see the value before the launch; the writing node defines the value after.
    InOut,
    /// Intermediate, defined by one node (or, when stateful, by an init and an update node).
    Let,
    /// Compile-time table, evaluated by the compiler.
    Table,
}

/// What is known about the elements of a tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Non-decreasing along the last dimension.
    pub sorted: bool,
    /// Every element lies in the closed range (inclusive bounds, index expressions over extents).
    pub range: Option<(Expr, Expr)>,
    /// Elements are ≤ 0.
    pub nonpositive: bool,
    /// Elements are ≥ 0.
    pub nonnegative: bool,
    /// Vectors along the last dimension have norm at most 1.
    pub unit_norm: bool,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name, unique in the cascade.
    pub name: String,
    /// Storage type. Intermediates: the type their statement declares, default f32.
    pub dtype: DType,
    /// Extents, one index expression a dimension.
    pub dims: Vec<Expr>,
    /// Role.
    pub kind: TensorKind,
    /// Stored at absent points of an output.
    pub empty: f64,
    /// Facts from attributes.
    pub facts: Facts,
    /// Elements of a `Table`, row-major.
    pub table: Option<Vec<f64>>,
}

/// Left-hand index of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum OutIdx {
    /// A rank variable; the usual case.
    Var(RankId),
    /// `t+1` of an iterative rank: the state after step t.
    Next(RankId),
    /// `t` of a reverse scan `St[t] = f(St[t+1])`: the state after undoing step t.
    Prev(RankId),
    /// A fixed generation: `0` (init) or the extent (init of a reverse scan).
    At(Expr),
}

/// One extended Einsum: `out[vars] = red[over](body where fold) where dom`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Tensor this node defines.
    pub out: TensorId,
    /// Left-hand indices, distinct variables.
    pub vars: Vec<OutIdx>,
    /// Reduction at the root of the right-hand side; bodies hold none.
    pub reduce: Option<Reduce>,
    /// Map part. Over `vars` and the reduced ranks.
    pub body: Expr,
    /// Conjuncts that restrict the fold: each mentions a reduced rank variable.
    pub fold: Vec<Expr>,
    /// Conjuncts that say where the result is present: over `vars` only.
    pub dom: Vec<Expr>,
    /// Statement of the source this node came from.
    pub origin: Origin,
}

/// A reduction.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Operator.
    pub op: RedOp,
    /// Reduced ranks, outermost first.
    pub over: Vec<RankId>,
    /// Accumulator type.
    pub acc: DType,
    /// `topk`: the slot's rank variable, one of the node's `vars`.
    pub slot: Option<RankId>,
}

/// Where a node came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Name of the left side of the source statement (`S`, or `softmax of S` for desugared nodes).
    pub stmt: String,
    /// Line of the statement in its file or macro, 1-based; 0 if unknown.
    pub line: u32,
    /// Index into the source's span table, for diagnostics of later stages; `u32::MAX` if unknown.
    pub span: u32,
}

/// Scalar expression over rank variables, extents, scalars and tensor elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Index literal.
    Int(i64),
    /// Float literal.
    Float(f64),
    /// Truth literal.
    Bool(bool),
    /// Rank variable as a value.
    Var(RankId),
    /// Extent of a rank.
    Extent(RankId),
    /// Run-time scalar.
    Scalar(ScalarId),
    /// Element of a tensor. State tensors take `Var(t)` or `Var(t) + 1` at their iterative position.
    Read(TensorId, Vec<Expr>),
    /// Unary operator.
    Unary(UnOp, Box<Expr>),
    /// Binary operator.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `if c { a } else { b }`; only the chosen side is evaluated.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Semantic rounding to a storage type; the value keeps its value type. A barrier to algebra (condition C6).
    Cast(DType, Box<Expr>),
}

/// A promise of the source.
#[derive(Clone, Debug, PartialEq)]
pub enum Assert {
    /// `assert passes(M) == n`.
    Passes {
        /// Ranks whose passes are counted together.
        ranks: Vec<RankId>,
        /// Promised number.
        passes: usize,
        /// Where it is written.
        origin: Origin,
    },
    /// Index predicate over extents, params and scalars; checked at compile time or by the launcher.
    Holds {
        /// Predicate.
        pred: Expr,
        /// Source text.
        text: String,
        /// Where it is written.
        origin: Origin,
    },
}

/// Kernel attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Attrs {
    /// `#[strict]`: no reassociation.
    pub strict: bool,
    /// `#[deterministic]` (default).
    pub deterministic: bool,
    /// `#[operands(f32)]`: intermediates are not rounded to 16 bits at a contraction.
    pub operands_f32: bool,
    /// `#[expand]`: EXPAND and DIST may be used.
    pub expand: bool,
}

impl Default for Attrs {
    fn default() -> Self {
        Attrs { strict: false, deterministic: true, operands_f32: false, expand: false }
    }
}
