//! Views: zero-copy re-indexing, substituted away where they are read.

use super::elab::{Elab, Info, Res, Val};
use super::fold::refold;
use super::names::Sym;
use crate::cascade::{Expr, RankId};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{Access, Expr as AstExpr};
use crate::types::ValueType;

/// A view over its variables.
#[derive(Clone, Debug)]
pub(super) struct ViewDef {
    /// Variables of the left side.
    pub(super) vars: Vec<RankId>,
    /// The element that a point of the view stands for.
    target: Val,
    /// Where the view is present.
    dom: Vec<Expr>,
}

impl Elab<'_> {
    /// `view K[b, m] = Kc[..] where ..;`
    pub(super) fn view(&mut self, left: &Access, right: &Access, pred: Option<&AstExpr>) {
        let sym = match self.view_def(left, right, pred) {
            Ok(v) => Sym::View(v),
            Err(_) => Sym::Poison,
        };
        self.declare(&left.tensor, sym);
    }

    fn view_def(&mut self, left: &Access, right: &Access, pred: Option<&AstExpr>) -> Res<ViewDef> {
        self.begin(&left.tensor.name, left.span);
        let vars = self.left_vars(left)?;
        self.scope.vars = vars.clone();
        let pred = pred.map_or(Ok(()), |p| self.conjuncts(p));
        let target = self.access(right)?;
        pred?;
        if !self.frame.states.is_empty() || self.is_state_read(&target.e) {
            return self.error(Code::STATE, right.span, "a state cannot be viewed; read it directly");
        }
        let missing: Vec<String> = vars.iter().filter(|r| !target.e.mentions(**r)).map(|r| self.var_text(*r)).collect();
        if !missing.is_empty() && !matches!(target.e, Expr::Read(..)) {
            let d = Diagnostic::error(Code::TYPE, right.span, "the right side of a view is an element of a tensor");
            return self.report(d);
        }
        Ok(ViewDef { vars, target, dom: std::mem::take(&mut self.frame.dom) })
    }

    fn is_state_read(&self, e: &Expr) -> bool {
        matches!(e, Expr::Read(t, _) if self.info[t.index()].state.is_some())
    }

    /// An element of a view.
    pub(super) fn read_view(&mut self, v: &ViewDef, idx: &[Expr]) -> Val {
        let at = |r: RankId| v.vars.iter().position(|x| *x == r).map(|i| idx[i].clone());
        for conjunct in &v.dom {
            self.require(refold(&conjunct.subst(&at)));
        }
        Val { e: refold(&v.target.e.subst(&at)), ty: v.target.ty }
    }
}

impl Info {
    /// A tensor that exists before the kernel starts.
    pub(super) fn given() -> Info {
        Info { assigned: true, ..Info::default() }
    }
}

impl Val {
    /// An index.
    pub(super) fn index(e: Expr) -> Val {
        Val { e, ty: ValueType::Index }
    }

    /// A truth value.
    pub(super) fn truth(e: Expr) -> Val {
        Val { e, ty: ValueType::Bool }
    }

    /// A float.
    pub(super) fn float(e: Expr) -> Val {
        Val { e, ty: ValueType::Float }
    }
}
