//! The abstract syntax tree, as written: nothing is resolved, everything has a span.

use crate::diag::SrcSpan;
use crate::types::DType;

/// A name with its place.
#[derive(Clone, Debug)]
pub struct Ident {
    /// Text.
    pub name: String,
    /// Place.
    pub span: SrcSpan,
}

/// A file or the content of one macro call.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// `//!` lines at the start.
    pub docs: Vec<String>,
    /// Items in order.
    pub items: Vec<Item>,
}

/// A top-level item.
#[derive(Clone, Debug)]
pub enum Item {
    /// `kernel name { .. }`
    Kernel(Kernel),
    /// `fn name(x: f32) -> f32 = expr;`
    Fn(FnDef),
    /// `mask name(a, b) = pred;`
    Mask(MaskDef),
    /// `schedule name on target { .. }`
    Schedule(Schedule),
}

impl Item {
    /// Place of the item, without its attributes.
    pub fn span(&self) -> SrcSpan {
        match self {
            Item::Kernel(k) => k.span,
            Item::Fn(f) => f.span,
            Item::Mask(m) => m.span,
            Item::Schedule(s) => s.span,
        }
    }
}

/// `#[name]` or `#[name(arg, ..)]`; doc comments have the name `doc` and one string argument.
#[derive(Clone, Debug)]
pub struct Attr {
    /// Name.
    pub name: Ident,
    /// Arguments.
    pub args: Vec<Expr>,
    /// Text of a doc comment.
    pub doc: Option<String>,
    /// Place.
    pub span: SrcSpan,
}

/// A kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Attributes and documentation.
    pub attrs: Vec<Attr>,
    /// Name.
    pub name: Ident,
    /// Statements.
    pub stmts: Vec<Stmt>,
    /// Place of the whole item.
    pub span: SrcSpan,
}

/// A pure scalar function.
#[derive(Clone, Debug)]
pub struct FnDef {
    /// Attributes and documentation.
    pub attrs: Vec<Attr>,
    /// Name.
    pub name: Ident,
    /// Parameters with types.
    pub params: Vec<(Ident, TypeName)>,
    /// Result type.
    pub result: TypeName,
    /// Body.
    pub body: Expr,
    /// Place.
    pub span: SrcSpan,
}

/// A pure predicate over indices.
#[derive(Clone, Debug)]
pub struct MaskDef {
    /// Attributes and documentation.
    pub attrs: Vec<Attr>,
    /// Name.
    pub name: Ident,
    /// Parameters.
    pub params: Vec<Ident>,
    /// Body.
    pub body: Expr,
    /// Place.
    pub span: SrcSpan,
}

/// Mapping choices for a kernel on a target; they never change results.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Attributes.
    pub attrs: Vec<Attr>,
    /// Kernel.
    pub kernel: Ident,
    /// Target.
    pub target: Ident,
    /// Statements: a word and the tokens up to `;` as text.
    pub stmts: Vec<SchedStmt>,
    /// Place.
    pub span: SrcSpan,
}

/// `word tokens ;`
#[derive(Clone, Debug)]
pub struct SchedStmt {
    /// `tile`, `split`, `split_kv`, …
    pub word: Ident,
    /// Tokens, each with its place.
    pub tokens: Vec<(String, SrcSpan)>,
    /// Place.
    pub span: SrcSpan,
}

/// The type of a param, scalar or function parameter: a dtype, `int`, `index`, `bool`, or a `dtype T` variable.
#[derive(Clone, Debug)]
pub struct TypeName {
    /// What it is.
    pub kind: TypeKind,
    /// Place.
    pub span: SrcSpan,
}

/// Kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// A storage type.
    DType(DType),
    /// `int` or `index`: an integer.
    Int,
    /// A `dtype` variable of the kernel.
    Var(String),
}

/// A statement with its attributes.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// Attributes and documentation.
    pub attrs: Vec<Attr>,
    /// What it is.
    pub kind: StmtKind,
    /// Place.
    pub span: SrcSpan,
}

/// Kinds of statements.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `rank B, M = P, E in {64, 128};`
    Rank(Vec<RankDef>),
    /// `iter T;`
    Iter(RankDef),
    /// `dtype T in {f32, bf16};`
    DType(Ident, Vec<TypeName>),
    /// `param W: int = 4096;`
    Param(Ident, TypeName, Option<Expr>),
    /// `scalar cap: f32;`
    Scalar(Ident, TypeName),
    /// `const R = H / G;` or a table `const Bk[i] = expr;` with its rank variables.
    Const(Ident, Option<Vec<Ident>>, Expr),
    /// `in Q: bf16[B, H, P, E];` (also `out`, `inout`)
    Tensor(Role, Ident, TypeName, Vec<Expr>),
    /// `view K[b,m] = Kc[..] where ..;`
    View(Access, Access, Option<Expr>),
    /// `state St[b,t,e]: f32;`
    State(Access, TypeName),
    /// `init St[b,0,e] = 0.0;`
    Init(Access, Expr),
    /// `let S[..]: f32 = expr where pred;`
    Let(Access, Option<TypeName>, Expr, Option<Expr>),
    /// `O[..] = expr where pred;`
    Assign(Access, Expr, Option<Expr>),
    /// `assert expr;`
    Assert(Expr),
}

/// Roles of declared tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read only.
    In,
    /// Written.
    Out,
    /// Both.
    InOut,
}

/// One rank of a `rank` statement.
#[derive(Clone, Debug)]
pub struct RankDef {
    /// Upper-case name.
    pub name: Ident,
    /// Extent.
    pub extent: RankExtent,
}

/// Extent of a rank as written.
#[derive(Clone, Debug)]
pub enum RankExtent {
    /// `rank B`
    Free,
    /// `rank E = expr`
    Is(Expr),
    /// `rank E in {64, 128}`: one kernel a member.
    In(Vec<Expr>),
}

/// `T[i, j]`
#[derive(Clone, Debug)]
pub struct Access {
    /// Tensor.
    pub tensor: Ident,
    /// Indices.
    pub idx: Vec<Expr>,
    /// Place.
    pub span: SrcSpan,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Place.
    pub span: SrcSpan,
}

/// Kinds of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Integer literal.
    Int(i64),
    /// Float literal.
    Float(f64),
    /// `true`, `false`.
    Bool(bool),
    /// A name: rank variable, extent, param, scalar, const, or parameter of a `fn` or `mask`.
    Name(String),
    /// `T[..]`
    Access(Access),
    /// `f(..)`: builtin, `fn` or `mask`.
    Call(Ident, Vec<Expr>),
    /// `sum[e](x; acc = f64)`
    Reduce(Ident, Vec<Ident>, Box<Expr>, Vec<(Ident, Expr)>),
    /// Unary operator.
    Unary(Unary, Box<Expr>),
    /// Binary operator.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `x as bf16`
    As(Box<Expr>, TypeName),
    /// `if c { a } else { b }`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `(x)`, kept so that printing gives the source back.
    Paren(Box<Expr>),
}

/// Unary operators as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Neg,
    /// `!`
    Not,
}

/// Binary operators as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`: IEEE on floats, floor division on indices.
    Div,
    /// `%`
    Rem,
}
