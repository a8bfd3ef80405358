//! Statements of a kernel.

use super::ast::{Expr, Ident, RankDef, RankExtent, Role, StmtKind, TypeKind, TypeName};
use super::cursor::{PResult, Parser, with_help};
use crate::types::DType;
use proc_macro2::Delimiter;

/// The words that start a statement, unless an index list follows: then they are tensors.
const STATEMENTS: &[&str] = &[
    "rank", "iter", "dtype", "param", "scalar", "const", "in", "out", "inout", "view", "state", "init", "let", "assert",
];

impl Parser<'_> {
    /// True if a statement certainly starts n tokens ahead: a keyword and a name. No expression has two words in a row there.
    pub(super) fn starts_stmt(&self, n: usize) -> bool {
        self.word_ahead(n).is_some_and(|w| STATEMENTS.contains(&w)) && self.is_name(n + 1)
    }

    /// A statement without its attributes, up to and with its `;`.
    pub(super) fn stmt(&mut self) -> PResult<StmtKind> {
        let word = self.word().unwrap_or_default();
        if STATEMENTS.contains(&word) && !self.opens(1, Delimiter::Bracket) {
            self.bump();
            return self.keyword_stmt(word);
        }
        if self.is_name(0) && (self.opens(1, Delimiter::Bracket) || self.ahead(1).text() == "=") {
            let left = self.access("a tensor")?;
            self.expect("=")?;
            let (right, filter) = self.right_side()?;
            return Ok(StmtKind::Assign(left, right, filter));
        }
        if !matches!(self.ahead(0).text().as_str(), "") {
            let end = if self.opens(1, Delimiter::Parenthesis) { self.skip_tree(self.pos + 1) - 1 } else { self.pos };
            let span = self.span().to(self.ahead(end - self.pos).span);
            return Err(self.error(span, "expected a declaration or an Einsum statement `T[..] = expr;`"));
        }
        Err(self.expected("a declaration or an Einsum statement `T[..] = expr;`"))
    }

    fn keyword_stmt(&mut self, word: &str) -> PResult<StmtKind> {
        let kind = match word {
            "rank" => StmtKind::Rank(self.rank_defs()?),
            "iter" => StmtKind::Iter(self.rank_def()?),
            "dtype" => self.dtype_set()?,
            "param" => {
                let (name, ty) = self.typed("a param")?;
                let default = if self.eat("=") { Some(self.expr()?) } else { None };
                StmtKind::Param(name, ty, default)
            }
            "scalar" => {
                let (name, ty) = self.typed("a scalar")?;
                StmtKind::Scalar(name, ty)
            }
            "const" => self.constant()?,
            "in" => self.tensor(Role::In)?,
            "out" => self.tensor(Role::Out)?,
            "inout" => self.tensor(Role::InOut)?,
            "view" => {
                let left = self.access("the name of the view")?;
                self.expect("=")?;
                let right = self.access("a tensor to view")?;
                StmtKind::View(left, right, self.filter()?)
            }
            "state" => {
                let left = self.access("the name of the state")?;
                self.expect(":")?;
                StmtKind::State(left, self.type_name()?)
            }
            "init" => {
                let left = self.access("a state")?;
                self.expect("=")?;
                StmtKind::Init(left, self.expr()?)
            }
            "let" => {
                let left = self.access("a tensor")?;
                let ty = if self.eat(":") { Some(self.type_name()?) } else { None };
                self.expect("=")?;
                let right = self.expr()?;
                StmtKind::Let(left, ty, right, self.filter()?)
            }
            _ => StmtKind::Assert(self.expr()?),
        };
        self.semicolon()?;
        Ok(kind)
    }

    fn right_side(&mut self) -> PResult<(Expr, Option<Expr>)> {
        let right = self.expr()?;
        let filter = self.filter()?;
        self.semicolon()?;
        Ok((right, filter))
    }

    fn filter(&mut self) -> PResult<Option<Expr>> {
        if self.eat_word("where") { Ok(Some(self.expr()?)) } else { Ok(None) }
    }

    /// The end of a statement.
    pub(super) fn semicolon(&mut self) -> PResult<()> {
        if self.eat(";") {
            return Ok(());
        }
        let why = "an operator is missing, or the statement is not finished";
        if self.at_close() {
            return Err(self.error_here(format!("unexpected end of input, expected `;` ({why})")));
        }
        if self.starts_stmt(0) || self.at("#") {
            let error = self.error(self.last_span(), "expected `;` after this");
            return Err(with_help(error, "every statement ends with `;`"));
        }
        Err(self.expected(&format!("`;` ({why})")))
    }

    fn rank_defs(&mut self) -> PResult<Vec<RankDef>> {
        let mut defs = vec![self.rank_def()?];
        while self.eat(",") {
            defs.push(self.rank_def()?);
        }
        Ok(defs)
    }

    fn rank_def(&mut self) -> PResult<RankDef> {
        let name = self.rank_name()?;
        let extent = if self.eat("=") {
            RankExtent::Is(self.expr()?)
        } else if self.eat_word("in") {
            self.open(Delimiter::Brace, "`{` and the extents")?;
            RankExtent::In(self.list("`,` or `}`", Self::expr)?)
        } else {
            RankExtent::Free
        };
        Ok(RankDef { name, extent })
    }

    fn rank_name(&mut self) -> PResult<Ident> {
        let name = self.ident("the name of a rank")?;
        if name.name.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Ok(name);
        }
        let upper = name.name.to_uppercase();
        let message = format!(
            "rank names start with an upper-case letter; the rank variable `{}` is implied by `rank {upper}`",
            name.name.to_lowercase()
        );
        Err(with_help(self.error(name.span, message), &format!("write `{upper}`")))
    }

    fn dtype_set(&mut self) -> PResult<StmtKind> {
        let name = self.ident("the name of a type")?;
        if !self.eat_word("in") {
            let error = self.expected("`in` and the types");
            return Err(with_help(error, "write `dtype T in {f32, bf16};`"));
        }
        self.open(Delimiter::Brace, "`{` and the types")?;
        Ok(StmtKind::DType(name, self.list("`,` or `}`", Self::type_name)?))
    }

    fn typed(&mut self, what: &str) -> PResult<(Ident, TypeName)> {
        let name = self.ident(&format!("the name of {what}"))?;
        self.expect(":")?;
        Ok((name, self.type_name()?))
    }

    fn constant(&mut self) -> PResult<StmtKind> {
        let name = self.ident("the name of a const")?;
        let mut vars = None;
        if self.opens(0, Delimiter::Bracket) {
            self.bump();
            vars = Some(self.list("`,` or `]`", |p| p.rank_var("a rank variable of the table"))?);
        }
        self.expect("=")?;
        Ok(StmtKind::Const(name, vars, self.expr()?))
    }

    fn tensor(&mut self, role: Role) -> PResult<StmtKind> {
        let name = self.ident("the name of a tensor")?;
        if self.at(",") {
            let error = self.expected("`:` and the type");
            return Err(with_help(error, "declare each tensor in a statement of its own"));
        }
        if self.opens(0, Delimiter::Bracket) {
            let error = self.expected("`:` and the type");
            return Err(with_help(error, &format!("the ranks come after the type: `{}: f32[B, H]`", name.name)));
        }
        self.expect(":")?;
        let ty = self.type_name()?;
        let mut dims = vec![];
        if self.opens(0, Delimiter::Bracket) {
            self.bump();
            dims = self.list("`,` or `]`", Self::expr)?;
        }
        Ok(StmtKind::Tensor(role, name, ty, dims))
    }

    /// A type.
    pub(super) fn type_name(&mut self) -> PResult<TypeName> {
        let name = self.ident("a type")?;
        let kind = match name.name.parse::<DType>() {
            Ok(dtype) => TypeKind::DType(dtype),
            Err(()) if matches!(name.name.as_str(), "int" | "index") => TypeKind::Int,
            Err(()) if name.name.starts_with(|c: char| c.is_ascii_uppercase()) => TypeKind::Var(name.name.clone()),
            Err(()) => {
                let error = self.error(name.span, format!("`{}` is not a type", name.name));
                return Err(with_help(error, &type_help(&name.name)));
            }
        };
        Ok(TypeName { kind, span: name.span })
    }
}

fn type_help(name: &str) -> String {
    let near = match name {
        "half" | "float16" | "fp16" => "f16",
        "bfloat16" | "b16" => "bf16",
        "float" | "float32" | "fp32" => "f32",
        "double" | "float64" | "fp64" => "f64",
        "fp8" | "f8" | "float8" | "e4m3" => "f8e4m3",
        "e5m2" => "f8e5m2",
        "int32" | "i64" | "int64" | "u32" | "u64" | "usize" => "i32",
        "int8" => "i8",
        "uint8" | "byte" => "u8",
        "boolean" => "bool",
        _ => {
            let all: Vec<&str> = DType::ALL.iter().map(|t| t.name()).collect();
            return format!("the types are `{}` and, for params and scalars, `int`", all.join("`, `"));
        }
    };
    format!("did you mean `{near}`?")
}
