//! Declarations: ranks, params, scalars, consts and tensors, in the order of the source.

use super::elab::{Elab, Info, Reported, Res, Scope, StmtCx, Val};
use super::fold::{cast, refold};
use super::names::Sym;
use crate::cascade::{Expr, Extent, Facts, Rank, RankId, Scalar, ScalarId, Tensor, TensorKind};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{self, Attr, Ident, RankDef, RankExtent, Role, TypeName};
use crate::types::{DType, ValueType};

/// Tables have at most this many entries.
const MAX_TABLE: i64 = 1 << 20;

impl Elab<'_> {
    /// Resets the scope and the frame for an expression outside of statements.
    fn outside(&mut self) {
        self.scope = Scope::default();
        self.stmt = StmtCx::default();
        self.frame = Default::default();
    }

    /// An index expression over extents, params and scalars.
    pub(super) fn closed_index(&mut self, e: &ast::Expr) -> Res<Expr> {
        self.outside();
        let value = self.index(e)?;
        if super::access::is_closed(&value) {
            return Ok(value);
        }
        let d = Diagnostic::error(Code::EXT, e.span, "this must be known before the launch");
        self.report(d.help("use extents, params and scalars"))
    }

    /// `rank M = P` and `iter T`.
    pub(super) fn rank(&mut self, d: &RankDef, iter: bool) {
        let chosen = self.member.ranks.get(&d.name.name).copied();
        let extent = match (&d.extent, chosen) {
            (_, Some(n)) => Ok(Extent::Const(n)),
            (RankExtent::Free, None) => Ok(Extent::Free),
            (RankExtent::Is(e), None) => self.rank_extent(e),
            (RankExtent::In(_), None) => Err(Reported),
        };
        let id = RankId(self.c.ranks.len() as u32);
        // A rank with a broken extent still has variables: no second wave of errors.
        let extent = extent.unwrap_or_else(|_| {
            self.broken_ranks.push(id);
            Extent::Free
        });
        self.c.ranks.push(Rank { name: d.name.name.clone(), extent, iter });
        self.declare(&d.name, Sym::Rank(id));
    }

    fn rank_extent(&mut self, e: &ast::Expr) -> Res<Extent> {
        match self.closed_index(e)? {
            Expr::Int(n) if n >= 0 => Ok(Extent::Const(n)),
            Expr::Int(n) => self.error(Code::EXT, e.span, format!("the extent is {n}")),
            derived => Ok(Extent::Derived(derived)),
        }
    }

    /// `param W: int = 4096;`
    pub(super) fn param(&mut self, name: &Ident, ty: &TypeName, default: Option<&ast::Expr>) {
        let value = self.param_value(name, ty, default);
        let sym = value.map_or(Sym::Poison, |v| {
            let text = super::fold::literal_text(&v.e).unwrap_or_default();
            self.c.spec.push((name.name.clone(), text));
            Sym::Value(v)
        });
        self.declare(name, sym);
    }

    fn param_value(&mut self, name: &Ident, ty: &TypeName, default: Option<&ast::Expr>) -> Res<Val> {
        self.outside();
        let ty = self.dtype(ty)?;
        if let Some(text) = self.member.params.get(&name.name) {
            return match parse_param(text, ty.value_type()) {
                Some(e) => Ok(Val { e, ty: ty.value_type() }),
                None => {
                    let message = format!("`{text}` is no value for param `{}`", name.name);
                    self.error(Code::TYPE, name.span, message)
                }
            };
        }
        let Some(e) = default else {
            let d = Diagnostic::error(Code::NAME, name.span, format!("param `{}` has no value", name.name));
            return self.report(d.help(format!("give it a default, or set it: `--set {}=..`", name.name)));
        };
        let v = self.expr(e)?;
        let v = self.convert(v, ty.value_type(), e.span)?;
        if super::fold::number(&v.e).is_none() {
            return self.error(Code::TYPE, e.span, "the default of a param is a compile-time constant");
        }
        Ok(v)
    }

    /// `scalar cap: f32;`
    pub(super) fn scalar(&mut self, name: &Ident, ty: &TypeName) {
        self.outside();
        let sym = self.dtype(ty).map_or(Sym::Poison, |dtype| {
            self.c.scalars.push(Scalar { name: name.name.clone(), dtype });
            Sym::Scalar(ScalarId(self.c.scalars.len() as u32 - 1))
        });
        self.declare(name, sym);
    }

    /// `const R = H / G;`
    pub(super) fn constant(&mut self, name: &Ident, e: &ast::Expr) {
        self.outside();
        let sym = match self.expr(e) {
            Ok(v) if super::access::is_closed(&v.e) => Sym::Value(v),
            Ok(_) => {
                let d = Diagnostic::error(Code::TYPE, e.span, "a `const` is over extents, params and scalars");
                self.diags.push(d.help("use `let` for values that depend on tensors"));
                Sym::Poison
            }
            Err(Reported) => Sym::Poison,
        };
        self.declare(name, sym);
    }

    /// `const Bk[i] = expr;`: evaluated here.
    pub(super) fn table(&mut self, name: &Ident, vars: &[Ident], e: &ast::Expr) {
        let sym = self.table_tensor(name, vars, e).map_or(Sym::Poison, Sym::Tensor);
        self.declare(name, sym);
    }

    fn table_tensor(&mut self, name: &Ident, vars: &[Ident], e: &ast::Expr) -> Res<crate::cascade::TensorId> {
        self.begin(&name.name, name.span);
        let ranks = self.bound_vars(vars)?;
        let mut extents = vec![];
        for (r, v) in ranks.iter().zip(vars) {
            match self.dim_value(&Expr::Extent(*r)) {
                Expr::Int(n) => extents.push(n),
                _ => {
                    let message = format!("a table needs constant extents, `{}` is known at run time", v.name);
                    return self.error(Code::EXT, v.span, message);
                }
            }
        }
        let size = extents.iter().try_fold(1i64, |a, n| a.checked_mul(*n)).filter(|n| *n <= MAX_TABLE);
        let Some(size) = size else {
            return self.error(Code::EXT, name.span, format!("a table has at most {MAX_TABLE} entries"));
        };
        self.scope.vars = ranks.clone();
        let v = self.expr(e)?;
        let dom = std::mem::take(&mut self.frame.dom);
        let mut data = Vec::with_capacity(size as usize);
        for i in 0..size {
            match self.table_value(&ranks, &extents, i, &v.e, &dom) {
                Some(x) => data.push(x),
                None => {
                    return self.error(Code::TYPE, e.span, "a table is over its indices and compile-time constants");
                }
            }
        }
        let dtype = match v.ty {
            ValueType::Index => DType::I32,
            ValueType::Float => DType::F32,
            ValueType::Bool => DType::Bool,
        };
        let tensor = Tensor {
            name: name.name.clone(),
            dtype,
            dims: ranks.iter().map(|r| Expr::Extent(*r)).collect(),
            kind: TensorKind::Table,
            empty: 0.0,
            facts: table_facts(dtype, &data),
            table: Some(data),
        };
        Ok(self.add_tensor(tensor, Info::given()))
    }

    fn table_value(&self, ranks: &[RankId], extents: &[i64], i: i64, e: &Expr, dom: &[Expr]) -> Option<f64> {
        let mut rest = i;
        let mut point = vec![0; extents.len()];
        for (x, n) in point.iter_mut().zip(extents).rev() {
            *x = rest % n;
            rest /= n;
        }
        let at = |r: RankId| ranks.iter().position(|x| *x == r).map(|i| Expr::Int(point[i]));
        let eval = |e: &Expr| self.with_tables(&refold(&e.subst(&at)));
        if dom.iter().any(|c| eval(c) != Expr::Bool(true)) {
            return None;
        }
        super::fold::number(&eval(e))
    }

    /// Reads of other tables at constant indices, folded.
    fn with_tables(&self, e: &Expr) -> Expr {
        let e = e.map_children(&mut |x| self.with_tables(x));
        match &e {
            Expr::Read(t, idx) => self.table_entry(*t, idx).unwrap_or(e),
            Expr::Cast(ty, a) => cast(*ty, (**a).clone()),
            _ => refold(&e),
        }
    }

    /// `in Q: bf16[B, H, P, E];`
    pub(super) fn tensor(&mut self, attrs: &[Attr], role: Role, name: &Ident, ty: &TypeName, dims: &[ast::Expr]) {
        let sym = self.tensor_decl(attrs, role, name, ty, dims).map_or(Sym::Poison, Sym::Tensor);
        self.declare(name, sym);
    }

    fn tensor_decl(
        &mut self,
        attrs: &[Attr],
        role: Role,
        name: &Ident,
        ty: &TypeName,
        dims: &[ast::Expr],
    ) -> Res<crate::cascade::TensorId> {
        self.outside();
        let dtype = self.dtype(ty);
        let is_int = dtype.is_ok_and(DType::is_int);
        let (facts, empty) = self.tensor_attrs(attrs, role != Role::In, is_int);
        let dims: Vec<Res<Expr>> = dims.iter().map(|d| self.dimension(d)).collect();
        let (dtype, dims) = (dtype?, dims.into_iter().collect::<Res<_>>()?);
        let (kind, info) = match role {
            Role::In => (TensorKind::In, Info::given()),
            Role::InOut => (TensorKind::InOut, Info::given()),
            Role::Out => (TensorKind::Out, Info::default()),
        };
        Ok(self.add_tensor(Tensor { name: name.name.clone(), dtype, dims, kind, empty, facts, table: None }, info))
    }

    /// A dimension; a bare rank stays a rank, also if its extent is constant.
    fn dimension(&mut self, e: &ast::Expr) -> Res<Expr> {
        if let ast::ExprKind::Name(n) = &super::names::bare(e).kind
            && let Some((Sym::Rank(r), _)) = self.syms.get(n)
        {
            return Ok(Expr::Extent(*r));
        }
        self.closed_index(e)
    }

    /// Rule T-EXT: every run-time extent follows from the shapes of the inputs.
    pub(super) fn check_extents(&mut self) {
        let mut known: Vec<bool> = self.c.ranks.iter().map(|r| matches!(r.extent, Extent::Const(_))).collect();
        let inputs = self.c.tensors.iter().filter(|t| matches!(t.kind, TensorKind::In | TensorKind::InOut));
        let dims: Vec<Expr> = inputs.flat_map(|t| t.dims.clone()).collect();
        loop {
            let mut changed = false;
            for d in &dims {
                let mut unknown = vec![];
                self.free_extents(d, &known, &mut unknown);
                if let [r] = unknown[..] {
                    known[r.index()] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for (i, r) in self.c.ranks.iter().enumerate() {
            if known[i] || !matches!(r.extent, Extent::Free) || self.broken_ranks.contains(&RankId(i as u32)) {
                continue;
            }
            // A rank that is declared twice has no use, and is reported already.
            let Some((Sym::Rank(own), span)) = self.syms.get(&r.name) else { continue };
            if own.index() != i {
                continue;
            }
            let d = Diagnostic::error(Code::EXT, *span, format!("the extent of rank `{}` cannot be inferred", r.name))
                .note("no input has it as a dimension")
                .help(format!("give it a value, `rank {0} = 64`, or a scalar: `scalar n: int; rank {0} = n;`", r.name));
            self.diags.push(d);
        }
    }

    fn free_extents(&self, e: &Expr, known: &[bool], out: &mut Vec<RankId>) {
        e.walk(&mut |e| {
            let Expr::Extent(r) = e else { return };
            match &self.c.ranks[r.index()].extent {
                Extent::Derived(inner) => self.free_extents(inner, known, out),
                Extent::Free if !known[r.index()] && !out.contains(r) => out.push(*r),
                Extent::Free | Extent::Const(_) => {}
            }
        });
    }
}

/// Bounds of the entries of an integer table.
fn table_facts(dtype: DType, data: &[f64]) -> Facts {
    let lo = data.iter().copied().fold(f64::INFINITY, f64::min);
    let hi = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut facts = Facts::default();
    if dtype.is_int() && lo <= hi {
        facts.range = Some((Expr::Int(lo as i64), Expr::Int(hi as i64)));
    }
    facts
}

fn parse_param(text: &str, ty: ValueType) -> Option<Expr> {
    match ty {
        ValueType::Index => text.parse().ok().map(Expr::Int),
        ValueType::Float => text.parse().ok().map(Expr::Float),
        ValueType::Bool => text.parse().ok().map(Expr::Bool),
    }
}
