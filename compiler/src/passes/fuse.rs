//! FUSE: derives the one-pass form (L2 → L2). Accumulators that read running values follow them by a repair.
//!
//! Conditions, as in the theory of repairs: C1 the operator is a commutative monoid; C2 the repair's expression is
//! finite wherever it is used (what folds no element yet is left alone, so an element of a driven accumulator must be
//! an element of its drivers); C3 the split distributes over the operator; C4 what else is read is complete; C6 no
//! rounding of a running value; C8 the repair never grows; C9 `#[strict]` forbids it. Guarantees the same values up to
//! rounding: every repair is checked numerically before it is used.

use super::brief::brief;
use super::direction::{Dir, Sign, direction, positive, sign};
use super::repair_check::{finite_at_identity, verify_repair};
use super::separate::{Factor, Separator, Stuck};
use super::stages::{Defs, Member, merge_domain, order, split_domain};
use super::{PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, NodeId, Origin, TensorId};
use crate::diag::Refusal;
use crate::stream::{Pass, Repair, Stream};
use crate::types::{BinOp, RedOp, UnOp};

/// Why an accumulator starts a pass of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocked {
    /// The reduction.
    pub reduction: TensorId,
    /// Barriers that its body reads.
    pub barriers: Vec<TensorId>,
    /// The expression that is not separable, if one is to blame.
    pub factor: Option<Expr>,
    /// What is wrong with it, as the rest of a sentence.
    pub why: String,
    /// Statement of the reduction.
    pub origin: Origin,
}

/// Derives one-pass forms and checks the promises about them.
pub(super) static PASS: super::Pass = super::Pass {
    name: "fuse",
    summary: "derives one-pass forms: accumulators follow running values by repairs",
    post: "no pass waits for a barrier that a repair could follow; `assert passes` holds",
    run: Run::Stream(run),
};

fn run(s: &mut Stream, _: &PassCx) -> Result<Report, Vec<Refusal>> {
    let blocked = fuse(s);
    let refusals = super::promise::check(s, &blocked);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut report = Report::default();
    let c = &s.cascade;
    let name = |n: NodeId| &c.tensor(c.nodes[n.index()].out).name;
    for a in s.stages.iter().flat_map(|g| &g.passes).flat_map(|p| &p.accs) {
        if let Some(r) = &a.repair {
            report.note(format!("FUSE: `{}` follows the running values by {}", name(a.node), repair_text(c, r)));
        }
    }
    for b in &blocked {
        report.note(format!("FUSE: {}", b.text(c)));
    }
    Ok(report)
}

fn repair_text(c: &Cascade, r: &Repair) -> String {
    let e = brief(c, r.expr());
    match r {
        Repair::MulExp { base2: false, .. } => format!("the factor exp of the change of `{e}`"),
        Repair::MulExp { base2: true, .. } => format!("the factor exp2 of the change of `{e}`"),
        Repair::MulRatio { .. } => format!("the ratio of new to old `{e}`"),
        Repair::Add { .. } => format!("the change of `{e}`"),
    }
}

impl Blocked {
    /// The reason as a sentence.
    pub fn text(&self, c: &Cascade) -> String {
        let factor = self.factor.as_ref().map_or(String::new(), |e| format!("`{}` in ", brief(c, e)));
        format!("{factor}`{}` {}", c.tensor(self.reduction).name, self.why)
    }
}

/// Merges passes; returns what could not be merged.
pub fn fuse(s: &mut Stream) -> Vec<Blocked> {
    let mut blocked = vec![];
    for i in 0..s.stages.len() {
        let mut passes = std::mem::take(&mut s.stages[i].passes);
        passes.iter_mut().for_each(|p| merge_domain(&mut s.cascade, p));
        let mut passes = regroup(&s.cascade, &passes, &mut blocked);
        let grid = &s.stages[i].grid;
        passes.iter_mut().for_each(|p| split_domain(&mut s.cascade, grid, p));
        s.stages[i].passes = passes;
    }
    blocked
}

fn regroup(c: &Cascade, passes: &[Pass], blocked: &mut Vec<Blocked>) -> Vec<Pass> {
    let mut ids: Vec<NodeId> = passes.iter().flat_map(|p| p.accs.iter().map(|a| a.node)).collect();
    ids.sort();
    let states: Vec<TensorId> = ids.iter().map(|i| c.nodes[i.index()].out).collect();
    let d = Defs::new(c);
    let members: Vec<Member> = ids.iter().map(|i| Member::new(&d, *i, &states)).collect();
    let mut driven: Vec<TensorId> = vec![];
    order(c, &members, &mut |m, running| {
        let n = &c.nodes[m.node.index()];
        match repair(&d, n, running, &driven) {
            Ok(r) => {
                driven.push(n.out);
                Some(r)
            }
            Err((factor, why)) => {
                let (barriers, origin) = (running.to_vec(), n.origin.clone());
                blocked.push(Blocked { reduction: n.out, barriers, factor, why: why.to_string(), origin });
                None
            }
        }
    })
}

type No = (Option<Expr>, &'static str);

/// The repair of `n` for the running accumulators that it reads.
fn repair(d: &Defs, n: &Node, running: &[TensorId], driven: &[TensorId]) -> Result<Repair, No> {
    if d.c.attrs.strict {
        return Err((None, "`#[strict]` forbids to reassociate it"));
    }
    let op = n.reduce.as_ref().map_or(RedOp::TopK, |r| r.op);
    let separator = Separator { d, running, streamed: n.reduced().to_vec() };
    if let Some(e) = n.fold.iter().chain(&n.dom).find(|e| separator.runs(e)) {
        return Err((Some(e.clone()), "selects elements by a running value"));
    }
    let repair = derive(&separator, op, &n.body)?;
    contractive(d, &repair, running, driven)?;
    same_elements(d, n, running, &repair)?;
    if !verify_repair(d, n, op, running, &repair) {
        return Err((Some(n.body.clone()), "failed the numeric check of its repair"));
    }
    Ok(repair)
}

fn derive(s: &Separator, op: RedOp, body: &Expr) -> Result<Repair, No> {
    let no = |s: Stuck| (Some(s.factor), s.why);
    match op {
        RedOp::Sum => Ok(multiply(s.factor(body).map_err(no)?)),
        RedOp::Max | RedOp::Min => match s.shift(body) {
            Ok(delta) => Ok(Repair::Add { delta: delta.expr() }),
            Err(stuck) => match s.factor(body) {
                Ok(f) if f.ratio.is_none() => Ok(multiply(f)),
                _ => Err(no(stuck)),
            },
        },
        RedOp::Prod | RedOp::Any | RedOp::All | RedOp::ArgMax | RedOp::TopK => {
            Err((Some(body.clone()), "is folded by an operator without a repair"))
        }
    }
}

fn multiply(f: Factor) -> Repair {
    let e_to_2 = |w: Expr| Expr::bin(BinOp::Mul, w, Expr::Float(std::f64::consts::LOG2_E));
    match (f.ratio, f.w.monos.is_empty(), f.w2.monos.is_empty()) {
        (None, true, _) => Repair::MulExp { base2: true, w: f.w2.expr() },
        (None, false, true) => Repair::MulExp { base2: false, w: f.w.expr() },
        (None, false, false) => {
            let w = super::terms::Poly::of(&e_to_2(f.w.expr())).plus(&f.w2);
            Repair::MulExp { base2: true, w: w.expr() }
        }
        (Some(v), no_w, no_w2) => {
            let times = |v: Expr, op, w: Expr| Expr::bin(BinOp::Mul, v, Expr::un(op, w));
            let v = if no_w { v } else { times(v, UnOp::Exp, f.w.expr()) };
            Repair::MulRatio { v: if no_w2 { v } else { times(v, UnOp::Exp2, f.w2.expr()) } }
        }
    }
}

/// C8: along the loop no repair multiplies by more than 1, so nothing overflows that would not overflow anyway.
fn contractive(d: &Defs, repair: &Repair, running: &[TensorId], driven: &[TensorId]) -> Result<(), No> {
    let moves = |t: TensorId| running.contains(&t).then(|| driver_direction(d, t, driven));
    let (e, why) = match repair {
        Repair::Add { .. } => return Ok(()),
        Repair::MulExp { w, .. } => (w, "may overflow: the repair is not known to shrink"),
        Repair::MulRatio { v } if !positive(d.c, v) => {
            return Err((Some(v.clone()), "may be zero while it is running"));
        }
        Repair::MulRatio { v } => (v, "may overflow: the repair is not known to shrink"),
    };
    match direction(d.c, e, &moves) {
        Dir::Still | Dir::Down => Ok(()),
        Dir::Up | Dir::Unknown => Err((Some(e.clone()), why)),
    }
}

fn driver_direction(d: &Defs, t: TensorId, driven: &[TensorId]) -> Dir {
    let Some(n) = d.local(t).filter(|_| !driven.contains(&t)) else { return Dir::Unknown };
    match n.reduce.as_ref().map(|r| r.op) {
        Some(RedOp::Max) => Dir::Up,
        Some(RedOp::Min) => Dir::Down,
        Some(RedOp::Sum) if sign(d.c, &n.body) == Sign::NonNegative => Dir::Up,
        _ => Dir::Unknown,
    }
}

/// C2: an element may count only when its drivers have seen it, unless the repair is finite before they see any.
fn same_elements(d: &Defs, n: &Node, running: &[TensorId], repair: &Repair) -> Result<(), No> {
    let identity = |t: &TensorId| d.local(*t).and_then(|m| m.reduce.as_ref()).and_then(|r| r.op.identity());
    let at: Vec<(TensorId, f64)> = running.iter().map(|t| (*t, identity(t).unwrap_or(f64::NAN))).collect();
    if finite_at_identity(d, &at, repair.expr()) {
        return Ok(());
    }
    for m in running.iter().filter_map(|t| d.local(*t)) {
        if let Some(e) = m.fold.iter().find(|e| !n.fold.contains(e)) {
            return Err((Some(e.clone()), "restricts a running value that the sum needs everywhere"));
        }
    }
    Ok(())
}
