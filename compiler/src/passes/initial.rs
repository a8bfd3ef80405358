//! INITIAL: what joins an accumulator after its pass becomes its initial value (L2 → L2).
//!
//! Assumes the one-pass forms that FUSE derives. `max(c, max[m] S)` starts the maximum at `c`; a sum that follows it
//! and that every reader completes to `sum[m] N + e` starts at `e` for the running values that its drivers start at. The
//! repair must then carry `e` along, which `carries` checks numerically. Blocks, spans and rows without elements need no
//! special case afterwards. Guarantees the same values up to rounding, under these conditions:
//!
//! - every reader of the accumulator joins the same value, and the value can be evaluated at every grid point;
//! - what follows a driver folds no element that the driver does not, so that a span of `split_kv`, which starts at
//!   identities, never meets a driver without a value; and its repair is finite where the driver starts;
//! - where a driver starts at its identity (`c` is infinite) the value is the identity of the sum, for every later value
//!   of the driver: nothing is carried. A row without elements then keeps identities, where the source has no number;
//! - at finite drivers the value starts without an exponential that could overflow.
//!
//! Accumulators that drive nothing and follow nothing would gain nothing and are left alone.

use super::brief::brief;
use super::repair_check::{carries, finite_at_identity, vanishes};
use super::stages::{Defs, Member};
use super::terms::Poly;
use super::util::rewrite;
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Extent, Node, RankId, TensorId, TensorKind};
use crate::diag::Refusal;
use crate::stream::{Acc, Place, Repair, Stage, Stream};
use crate::types::{BinOp, RedOp, UnOp, ValueType};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "initial",
    summary: "values that join a running accumulator after its pass become its initial value",
    post: "no reader of an accumulator that drives or follows joins one value known before the pass",
    run: Run::Stream(run),
};

fn run(s: &mut Stream, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    if !cx.reassoc {
        return Ok(report);
    }
    for g in 0..s.stages.len() {
        for p in 0..s.stages[g].passes.len() {
            for a in 0..s.stages[g].passes[p].accs.len() {
                if let Some((own, start)) = (Site { s, g, p, a }).start() {
                    report.note(start.text(&s.cascade, own.t));
                    absorb(s, &own);
                    s.stages[g].passes[p].accs[a].init = Some(start.init);
                }
            }
        }
    }
    Ok(report)
}

/// What an accumulator starts at.
struct Start {
    init: Expr,
    /// The joined value, and what it is for the initial values of the drivers.
    value: Expr,
    first: Expr,
}

impl Start {
    fn text(&self, c: &Cascade, t: TensorId) -> String {
        let name = &c.tensor(t).name;
        let first = brief(c, &self.first);
        if self.value == self.first {
            return format!("INITIAL: `{name}` starts at `{first}`");
        }
        format!("INITIAL: `{name}` starts at `{first}`, which is `{}` for the first drivers", brief(c, &self.value))
    }
}

/// One accumulator of a stream.
struct Site<'a> {
    s: &'a Stream,
    g: usize,
    p: usize,
    a: usize,
}

impl Site<'_> {
    fn stage(&self) -> &Stage {
        &self.s.stages[self.g]
    }

    fn accs(&self) -> &[Acc] {
        &self.stage().passes[self.p].accs
    }

    fn node(&self, a: &Acc) -> &Node {
        &self.s.cascade.nodes[a.node.index()]
    }

    fn op(&self, a: &Acc) -> Option<RedOp> {
        self.node(a).reduce.as_ref().map(|r| r.op)
    }

    /// The accumulator with its joins, and what it starts at; `None` if it has to start at the identity.
    fn start(&self) -> Option<(Own, Start)> {
        let acc = &self.accs()[self.a];
        let n = self.node(acc);
        let op = self.op(acc).filter(|op| matches!(op, RedOp::Max | RedOp::Min | RedOp::Sum))?;
        let own = Own { t: n.out, idx: n.out_ranks().into_iter().map(Expr::Var).collect(), op: op.binary()? };
        if acc.init.is_some() || self.s.cascade.value_type(&n.body) != ValueType::Float {
            return None;
        }
        let value = own.value(self.s)?;
        let drivers = self.drivers(&value);
        let followers = self.followers(n.out);
        let gains = acc.repair.is_some() || !followers.is_empty();
        if !gains || !self.known(&value, n, &drivers) || !followers.iter().all(|f| self.may_follow(n, f)) {
            return None;
        }
        let start = match &acc.repair {
            None if drivers.is_empty() => Start { init: value.clone(), first: value.clone(), value },
            None => return None,
            Some(r) => self.carried(r, &drivers, value, op.identity()?)?,
        };
        Some((own, start))
    }

    /// Accumulators above this one that the value reads.
    fn drivers(&self, value: &Expr) -> Vec<&Acc> {
        let reads = value.reads();
        self.accs()[..self.a].iter().filter(|d| reads.contains(&self.node(d).out)).collect()
    }

    /// Accumulators of the pass that read the running value of this one.
    fn followers(&self, t: TensorId) -> Vec<&Acc> {
        let d = Defs::new(&self.s.cascade);
        let follows = |f: &&Acc| {
            let reads = |r: &Repair| r.expr().reads().contains(&t);
            Member::new(&d, f.node, &[t]).deps.contains(&t) || f.repair.as_ref().is_some_and(reads)
        };
        self.accs()[self.a + 1..].iter().filter(follows).collect()
    }

    /// True if the follower stays right when the driver has a value before it has seen an element.
    fn may_follow(&self, driver: &Node, f: &Acc) -> bool {
        let n = self.node(f);
        let same = driver.fold.iter().all(|e| n.fold.contains(e)) && driver.dom.iter().all(|e| n.dom.contains(e));
        let multiplied = matches!(f.repair, Some(Repair::MulExp { .. } | Repair::MulRatio { .. }));
        // An infinite identity times a factor that underflows is no number.
        let infinite = self.op(f).and_then(RedOp::identity).is_none_or(|x| !x.is_finite());
        let identity = driver.reduce.as_ref().and_then(|r| r.op.identity()).unwrap_or(f64::NAN);
        let d = Defs::new(&self.s.cascade);
        // Joined to the identity, the value is what the driver starts at.
        let finite = f.repair.as_ref().is_none_or(|r| finite_at_identity(&d, &[(driver.out, identity)], r.expr()));
        same && finite && !(multiplied && infinite)
    }

    /// True if the value can be evaluated before the pass, at every point of the accumulator's grid ranks.
    fn known(&self, value: &Expr, n: &Node, drivers: &[&Acc]) -> bool {
        let c = &self.s.cascade;
        let ranks: Vec<RankId> = n.out_ranks().into_iter().filter(|r| self.stage().grid.contains(r)).collect();
        let driver = |t: TensorId| drivers.iter().any(|d| self.node(d).out == t);
        let mut all = c.value_type(value) == ValueType::Float;
        value.walk(&mut |e| {
            all &= match e {
                Expr::Var(r) => ranks.contains(r),
                Expr::Read(t, idx) => driver(*t) || self.before(*t) && in_bounds(c, *t, idx),
                Expr::Binary(BinOp::FloorDiv | BinOp::Mod, _, b) => matches!(**b, Expr::Int(i) if i != 0),
                _ => true,
            }
        });
        all
    }

    /// In memory at every point before the stage starts.
    fn before(&self, t: TensorId) -> bool {
        let c = &self.s.cascade;
        let stored = self.stage().stores.iter().any(|n| c.nodes[n.index()].out == t);
        match c.tensor(t).kind {
            TensorKind::In | TensorKind::Table => true,
            TensorKind::Let => {
                self.s.place(t) == Place::Memory && !stored && c.def(t).is_some_and(|n| n.dom.is_empty())
            }
            TensorKind::Out | TensorKind::InOut => false,
        }
    }

    /// The initial value of a driven accumulator, if the repair carries it to what is joined.
    fn carried(&self, r: &Repair, drivers: &[&Acc], value: Expr, identity: f64) -> Option<Start> {
        let d = Defs::new(&self.s.cascade);
        let moved = r.expr().reads();
        let all: Vec<TensorId> = self.accs().iter().map(|a| self.node(a).out).filter(|t| moved.contains(t)).collect();
        let read: Vec<TensorId> = drivers.iter().map(|a| self.node(a).out).collect();
        if !read.iter().all(|t| all.contains(t)) || !carries(&d, &all, r, &value) {
            return None;
        }
        let (mut first, mut unset) = (value.clone(), vec![]);
        for driver in drivers {
            let t = self.node(driver).out;
            let (c, none) = self.driver_start(driver)?;
            if !matches!(c, Expr::Float(x) if x.is_finite()) {
                if !vanishes(&d, &all, &value, &c, none, identity) {
                    return None;
                }
                let driver = Expr::Read(t, self.node(driver).out_ranks().into_iter().map(Expr::Var).collect());
                unset.push(Expr::bin(BinOp::Eq, driver, Expr::Float(none)));
            }
            first = rewrite(&first, &mut |e| if matches!(e, Expr::Read(u, _) if u == t) { c.clone() } else { e });
        }
        let first = bounded(&first)?;
        let init = match unset.into_iter().reduce(|a, b| Expr::bin(BinOp::Or, a, b)) {
            Some(any) => Expr::select(any, Expr::Float(identity), value.clone()),
            None => value.clone(),
        };
        Some(Start { init, value, first })
    }

    /// What an extremum starts at, and its identity.
    fn driver_start(&self, driver: &Acc) -> Option<(Expr, f64)> {
        let op = self.op(driver).filter(|op| matches!(op, RedOp::Max | RedOp::Min) && driver.repair.is_none())?;
        Some((driver.init.clone()?, op.identity()?))
    }
}

/// True if every index is a coordinate of its dimension wherever the rank variables are.
fn in_bounds(c: &Cascade, t: TensorId, idx: &[Expr]) -> bool {
    c.tensor(t).dims.iter().zip(idx).all(|(dim, i)| match (dim, i) {
        (Expr::Extent(r), Expr::Var(v)) => same_extent(c, *r, *v),
        (Expr::Extent(r), Expr::Int(i)) => matches!(c.ranks[r.index()].extent, Extent::Const(n) if (0..n).contains(i)),
        (Expr::Int(n), Expr::Int(i)) => (0..*n).contains(i),
        _ => false,
    })
}

fn same_extent(c: &Cascade, a: RankId, b: RankId) -> bool {
    let extent = |r: RankId| &c.ranks[r.index()].extent;
    a == b || matches!((extent(a), extent(b)), (Extent::Const(x), Extent::Const(y)) if x == y)
}

/// The value with constant exponentials evaluated; `None` if another exponential is left.
fn bounded(e: &Expr) -> Option<Expr> {
    let mut all = true;
    let e = rewrite(e, &mut |e| match &e {
        Expr::Unary(op @ (UnOp::Exp | UnOp::Exp2), a) => match (op, Poly::of(a).expr()) {
            (UnOp::Exp, Expr::Float(x)) => Expr::Float(x.exp()),
            (_, Expr::Float(x)) => Expr::Float(x.exp2()),
            _ => {
                all = false;
                e
            }
        },
        _ => e,
    });
    all.then_some(e)
}

/// An accumulator at its own point, and the operator that joins values to it.
struct Own {
    t: TensorId,
    idx: Vec<Expr>,
    op: BinOp,
}

impl Own {
    fn is(&self, e: &Expr) -> bool {
        matches!(e, Expr::Read(t, idx) if *t == self.t && *idx == self.idx)
    }

    /// The value that the expression joins to the accumulator, if it is such a join.
    fn partner<'e>(&self, e: &'e Expr) -> Option<&'e Expr> {
        match e {
            Expr::Binary(op, a, b) if *op == self.op && self.is(a) => Some(b),
            Expr::Binary(op, a, b) if *op == self.op && self.is(b) => Some(a),
            _ => None,
        }
    }

    /// The one value that all readers join.
    fn value(&self, s: &Stream) -> Option<Expr> {
        let (mut values, mut all) = (vec![], true);
        exprs(s).for_each(|e| all &= self.collect(e, &mut values));
        let value = values.pop()?;
        (all && values.iter().all(|v| *v == value)).then_some(value)
    }

    /// Collects the joined values; false if the accumulator is read in another way.
    fn collect(&self, e: &Expr, values: &mut Vec<Expr>) -> bool {
        match (self.partner(e), e) {
            (Some(v), _) => {
                values.push(v.clone());
                !v.reads().contains(&self.t)
            }
            (None, Expr::Read(t, _)) if *t == self.t => false,
            _ => e.children().into_iter().all(|x| self.collect(x, values)),
        }
    }

    /// The expression with the joins replaced by the accumulator.
    fn absorb(&self, e: &Expr) -> Expr {
        match self.partner(e) {
            Some(_) => Expr::Read(self.t, self.idx.clone()),
            None => e.map_children(&mut |x| self.absorb(x)),
        }
    }
}

/// Everything that a stream evaluates.
fn exprs(s: &Stream) -> impl Iterator<Item = &Expr> {
    let live = s.cascade.nodes.iter().filter(|n| s.place(n.out) != Place::Dead);
    let passes = s.stages.iter().flat_map(|g| &g.passes);
    let accs = passes.clone().flat_map(|p| &p.accs);
    let own = accs.flat_map(|a| a.repair.iter().map(Repair::expr).chain(&a.init));
    live.flat_map(Node::exprs).chain(passes.flat_map(|p| &p.domain)).chain(own)
}

/// Replaces the joins of an accumulator everywhere.
fn absorb(s: &mut Stream, own: &Own) {
    for n in &mut s.cascade.nodes {
        super::util::map_node(n, &mut |e| own.absorb(e));
    }
    for pass in s.stages.iter_mut().flat_map(|g| &mut g.passes) {
        pass.domain.iter_mut().for_each(|e| *e = own.absorb(e));
        for acc in &mut pass.accs {
            acc.init = acc.init.as_ref().map(|e| own.absorb(e));
            acc.repair = acc.repair.as_ref().map(|r| r.map(&mut |e| own.absorb(e)));
        }
    }
}
