//! Loop bounds from predicates: which blocks of a streamed axis may hold a visible element, and which hold no other.
//!
//! Assumes lowered predicates over the streamed axis, scalar loop axes (exact) and block axes (a box with symbolic
//! ends). Guarantees soundness: a coordinate outside all live ranges is invisible to every point of the box, one
//! inside a full range is visible to every point. What is not understood widens the live range and removes the full
//! one; predicates stay with the partial body, so imprecision costs time only.

use super::lin::{Lin, extremum, tidy};
use crate::cascade::Cascade;
use crate::tile::{AxisId, Expr, Range, Tile, TileStage};
use crate::types::{BinOp, UnOp, ValueType};

/// More disjuncts than this are not told apart.
const DISJUNCTS: usize = 3;

/// What the analysis may look up.
pub(super) struct RangeCx<'a> {
    /// Ranks and tensors.
    pub(super) c: &'a Cascade,
    /// Axes and tiles.
    pub(super) s: &'a TileStage,
    /// The streamed axis.
    pub(super) stream: AxisId,
}

/// An atom of a predicate in disjunctive normal form.
#[derive(Clone, Debug, PartialEq)]
enum Atom {
    /// The affine form is at most 0.
    Le(Lin),
    /// A uniform condition.
    Holds(Expr),
    /// Anything else.
    Unknown,
}

type Dnf = Vec<Vec<Atom>>;

/// Live and full ranges of the streamed axis under a conjunction, one range a disjunct. Where a uniform conjunct does
/// not hold, all ranges are empty: bodies need not test it.
pub(super) fn ranges(cx: &RangeCx<'_>, conjuncts: &[Expr], extent: &Expr) -> Vec<Range> {
    let (uniform, rest): (Vec<_>, Vec<_>) = conjuncts.iter().cloned().partition(|c| cx.is_uniform(c));
    let mut out: Vec<Range> = cx.dnf(&rest).iter().map(|atoms| cx.range(atoms, extent)).collect();
    if !uniform.is_empty() {
        let cond = Expr::all(uniform);
        let guard = |hi: &mut Expr| *hi = Expr::select(cond.clone(), std::mem::replace(hi, Expr::Int(0)), Expr::Int(0));
        for r in &mut out {
            guard(&mut r.hi);
            r.full.iter_mut().for_each(|(_, hi)| guard(hi));
        }
    }
    out
}

/// One interval `[lo, hi)` within `[0, extent)` that covers all live ranges.
pub(super) fn hull(cx: &RangeCx<'_>, conjuncts: &[Expr], extent: &Expr) -> (Expr, Expr) {
    let all = ranges(cx, conjuncts, extent);
    let lo = all.iter().map(|r| r.lo.clone()).reduce(|a, b| extremum(BinOp::Min, a, b));
    let hi = all.iter().map(|r| r.hi.clone()).reduce(|a, b| extremum(BinOp::Max, a, b));
    match (lo, hi) {
        (Some(lo), Some(hi)) => {
            (at_least_0(lo), if hi == *extent { hi } else { extremum(BinOp::Min, hi, extent.clone()) })
        }
        _ => (Expr::Int(0), Expr::Int(0)),
    }
}

fn at_least_0(e: Expr) -> Expr {
    extremum(BinOp::Max, e, Expr::Int(0))
}

/// Ends of the ranges of one disjunct while they are narrowed.
#[derive(Default)]
struct Ends {
    lo: Vec<Expr>,
    hi: Vec<Expr>,
    conds: Vec<Expr>,
}

impl Ends {
    fn lo(&self) -> Expr {
        self.lo.iter().cloned().reduce(|a, b| extremum(BinOp::Max, a, b)).unwrap_or(Expr::Int(0))
    }

    fn hi(&self, extent: &Expr) -> Expr {
        let hi = self.hi.iter().cloned().reduce(|a, b| extremum(BinOp::Min, a, b)).unwrap_or_else(|| extent.clone());
        if self.conds.is_empty() { hi } else { Expr::select(Expr::all(self.conds.iter().cloned()), hi, Expr::Int(0)) }
    }
}

impl RangeCx<'_> {
    fn range(&self, atoms: &[Atom], extent: &Expr) -> Range {
        let (mut live, mut full, mut known) = (Ends::default(), Ends::default(), true);
        for a in atoms {
            match a {
                Atom::Le(f) => known &= self.narrow(f, &mut live, &mut full),
                Atom::Holds(e) => {
                    live.conds.push(e.clone());
                    full.conds.push(e.clone());
                }
                Atom::Unknown => known = false,
            }
        }
        let inner = known.then(|| (full.lo(), full.hi(extent)));
        Range { lo: live.lo(), hi: live.hi(extent), full: inner }
    }

    /// Narrows by `c·m + g ≤ 0`; false if the full part is unknown.
    fn narrow(&self, f: &Lin, live: &mut Ends, full: &mut Ends) -> bool {
        let m = Expr::Coord(self.stream);
        let c = f.terms.iter().find(|(e, _)| *e == m).map_or(0, |(_, c)| *c);
        let g = Lin { k: f.k, terms: f.terms.iter().filter(|(e, _)| *e != m).cloned().collect() };
        if g.terms.iter().any(|(e, _)| self.mentions_stream(e)) {
            return false;
        }
        let Some((least, most)) = self.interval(&g) else { return false };
        for (bound, ends) in [(least, live), (most, full)] {
            match c {
                0 => match bound {
                    Lin { k, ref terms } if terms.is_empty() && k <= 0 => {}
                    b => ends.conds.push(Expr::bin(BinOp::Le, b.expr(), Expr::Int(0))),
                },
                1.. => {
                    // m ≤ ⌊−g/c⌋
                    let Some(neg) = bound.scale(-1) else { return false };
                    let Some(end) = floor_div(&neg, c).plus(1) else { return false };
                    ends.hi.push(end.expr());
                }
                _ => {
                    // m ≥ ⌈g/|c|⌉
                    let Some(up) = c.checked_neg().and_then(|c| Some(floor_div(&bound.plus(c - 1)?, c))) else {
                        return false;
                    };
                    ends.lo.push(up.expr());
                }
            }
        }
        true
    }

    fn mentions_stream(&self, e: &Expr) -> bool {
        let mut found = false;
        e.walk(&mut |e| {
            found |= match e {
                Expr::Coord(a) | Expr::Base(a) | Expr::Count(a) => *a == self.stream,
                Expr::Local(b) => self.s.buf(*b).axes.contains(&self.stream),
                _ => false,
            }
        });
        found
    }

    pub(super) fn is_uniform(&self, e: &Expr) -> bool {
        self.s.is_uniform(e) && !self.mentions_stream(e)
    }

    /// Least and greatest value over the box, as uniform affine forms.
    fn interval(&self, g: &Lin) -> Option<(Lin, Lin)> {
        let (mut lo, mut hi) = (Lin::int(g.k), Lin::int(g.k));
        for (e, c) in &g.terms {
            let (a, b) = self.atom_interval(e)?;
            let (a, b) = if *c > 0 { (a, b) } else { (b, a) };
            lo = lo.add(&a.scale(*c)?)?;
            hi = hi.add(&b.scale(*c)?)?;
        }
        Some((lo, hi))
    }

    fn atom_interval(&self, e: &Expr) -> Option<(Lin, Lin)> {
        if self.is_uniform(e) {
            return Some((Lin::of(e), Lin::of(e)));
        }
        match e {
            Expr::Coord(a) if matches!(self.s.axis(*a).tile, Tile::Fixed(_)) => {
                let lo = Lin::of(&Expr::Base(*a));
                let hi = lo.add(&Lin::of(&Expr::Count(*a)))?.plus(-1)?;
                Some((lo, hi))
            }
            Expr::Unary(UnOp::Abs, a) => {
                let (lo, hi) = self.interval(&Lin::of(a))?;
                let neg = (lo.scale(-1)?.expr(), hi.scale(-1)?.expr());
                let least = at_least_0(extremum(BinOp::Max, lo.expr(), neg.1));
                Some((Lin::of(&least), Lin::of(&extremum(BinOp::Max, hi.expr(), neg.0))))
            }
            Expr::Unary(UnOp::BoolToIndex, _) => Some((Lin::int(0), Lin::int(1))),
            Expr::Binary(op, a, b) => self.binary_interval(*op, a, b),
            Expr::Select(_, a, b) => {
                let (a, b) = (self.interval(&Lin::of(a))?, self.interval(&Lin::of(b))?);
                Some((join(BinOp::Min, &a.0, &b.0), join(BinOp::Max, &a.1, &b.1)))
            }
            // A sorted tensor is monotone along its last dimension.
            Expr::Global(t, idx) if self.c.tensor(*t).facts.sorted => {
                let (last, rest) = idx.split_last()?;
                if !rest.iter().all(|i| self.is_uniform(i)) {
                    return None;
                }
                let (lo, hi) = self.interval(&Lin::of(last))?;
                let at = |i: Lin| {
                    let mut idx = rest.to_vec();
                    idx.push(i.expr());
                    Lin::of(&Expr::Global(*t, idx))
                };
                Some((at(lo), at(hi)))
            }
            _ => None,
        }
    }

    fn binary_interval(&self, op: BinOp, a: &Expr, b: &Expr) -> Option<(Lin, Lin)> {
        let (la, lb) = (self.interval(&Lin::of(a))?, self.interval(&Lin::of(b))?);
        let fixed = self.is_uniform(b);
        let at = |x: &Lin| Expr::bin(op, x.expr(), b.clone());
        match op {
            BinOp::Min | BinOp::Max => Some((join(op, &la.0, &lb.0), join(op, &la.1, &lb.1))),
            BinOp::FloorDiv if matches!(b, Expr::Int(1..)) => Some((Lin::of(&at(&la.0)), Lin::of(&at(&la.1)))),
            // Monotone in one direction or the other, whatever the sign of b.
            BinOp::FloorDiv | BinOp::Mul if fixed => {
                let (x, y) = (Lin::of(&at(&la.0)), Lin::of(&at(&la.1)));
                Some((join(BinOp::Min, &x, &y), join(BinOp::Max, &x, &y)))
            }
            BinOp::Mod => match b {
                // Exact if the box stays in one period.
                Expr::Int(k @ 1..) => {
                    let period = |x: &Lin| Expr::bin(BinOp::FloorDiv, x.expr(), b.clone());
                    let same = Expr::bin(BinOp::Eq, period(&la.0), period(&la.1));
                    let pick = |x: &Lin, other: i64| Lin::of(&Expr::select(same.clone(), at(x), Expr::Int(other)));
                    Some((pick(&la.0, 0), pick(&la.1, k - 1)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Disjunctive normal form of a conjunction.
    fn dnf(&self, conjuncts: &[Expr]) -> Dnf {
        let mut out: Dnf = vec![vec![]];
        for c in conjuncts {
            out = and(out, self.truth(c, true));
        }
        out
    }

    /// `e == want` in disjunctive normal form.
    fn truth(&self, e: &Expr, want: bool) -> Dnf {
        match e {
            Expr::Bool(b) => {
                if *b == want {
                    vec![vec![]]
                } else {
                    vec![]
                }
            }
            Expr::Unary(UnOp::Not, a) => self.truth(a, !want),
            Expr::Binary(op @ (BinOp::And | BinOp::Or), a, b) => {
                let (a, b) = (self.truth(a, want), self.truth(b, want));
                if (*op == BinOp::And) == want { and(a, b) } else { or(a, b) }
            }
            Expr::Select(c, a, b) => {
                let yes = and(self.truth(c, true), self.truth(a, want));
                or(yes, and(self.truth(c, false), self.truth(b, want)))
            }
            Expr::Binary(op, a, b) if self.s.value_type(self.c, a) == ValueType::Index => self.compare(*op, a, b, want),
            _ if self.is_uniform(e) => {
                vec![vec![Atom::Holds(if want { e.clone() } else { Expr::un(UnOp::Not, e.clone()) })]]
            }
            _ => vec![vec![Atom::Unknown]],
        }
    }

    fn compare(&self, op: BinOp, a: &Expr, b: &Expr, want: bool) -> Dnf {
        let unknown = vec![vec![Atom::Unknown]];
        let (Some(ab), Some(ba)) = (Lin::of(a).sub(&Lin::of(b)), Lin::of(b).sub(&Lin::of(a))) else { return unknown };
        let le = |f: &Lin, k: i64| f.plus(k).map_or_else(|| vec![vec![Atom::Unknown]], |f| self.at_most_0(f));
        match (op, want) {
            (BinOp::Le, true) | (BinOp::Gt, false) => le(&ab, 0),
            (BinOp::Lt, true) | (BinOp::Ge, false) => le(&ab, 1),
            (BinOp::Ge, true) | (BinOp::Lt, false) => le(&ba, 0),
            (BinOp::Gt, true) | (BinOp::Le, false) => le(&ba, 1),
            (BinOp::Eq, true) | (BinOp::Ne, false) => and(le(&ab, 0), le(&ba, 0)),
            (BinOp::Ne, true) | (BinOp::Eq, false) => or(le(&ab, 1), le(&ba, 1)),
            _ => unknown,
        }
    }

    /// `f ≤ 0`, with a non-affine piece around the streamed coordinate opened.
    fn at_most_0(&self, f: Lin) -> Dnf {
        let m = Expr::Coord(self.stream);
        let odd: Vec<usize> =
            (0..f.terms.len()).filter(|i| f.terms[*i].0 != m && self.mentions_stream(&f.terms[*i].0)).collect();
        let plain = f.terms.iter().any(|(e, _)| *e == m);
        match odd[..] {
            [] => vec![vec![Atom::Le(f)]],
            [i] if !plain => {
                let mut rest = f.clone();
                let (piece, c) = rest.terms.remove(i);
                self.open_piece(&piece, c, &rest).unwrap_or_else(|| vec![vec![Atom::Unknown]])
            }
            _ => vec![vec![Atom::Unknown]],
        }
    }

    /// `c · piece + rest ≤ 0` for c = ±1.
    fn open_piece(&self, piece: &Expr, c: i64, rest: &Lin) -> Option<Dnf> {
        let upper = match c {
            1 => true,
            -1 => false,
            _ => return None,
        };
        // piece ≤ −rest, or piece ≥ rest.
        let side = |x: &Expr, sign: i64| -> Option<Dnf> {
            let x = Lin::of(x).scale(sign * c)?;
            Some(self.at_most_0(x.add(rest)?))
        };
        match piece {
            Expr::Binary(op @ (BinOp::Min | BinOp::Max), a, b) => {
                let (a, b) = (side(a, 1)?, side(b, 1)?);
                Some(if (*op == BinOp::Max) == upper { and(a, b) } else { or(a, b) })
            }
            Expr::Unary(UnOp::Abs, a) => {
                let (x, y) = (side(a, 1)?, side(a, -1)?);
                Some(if upper { and(x, y) } else { or(x, y) })
            }
            // ⌊x/k⌋ ≤ u ⟺ x ≤ u·k + k − 1;  ⌊x/k⌋ ≥ l ⟺ x ≥ l·k
            Expr::Binary(BinOp::FloorDiv, x, k) => {
                let Expr::Int(k @ 1..) = **k else { return None };
                let scaled = rest.scale(k)?;
                let f =
                    if upper { Lin::of(x).add(&scaled)?.plus(1 - k)? } else { Lin::of(x).scale(-1)?.add(&scaled)? };
                Some(self.at_most_0(f))
            }
            _ => None,
        }
    }
}

/// `min` or `max` of two affine forms.
fn join(op: BinOp, a: &Lin, b: &Lin) -> Lin {
    Lin::of(&extremum(op, a.expr(), b.expr()))
}

fn floor_div(x: &Lin, k: i64) -> Lin {
    match x {
        _ if k == 1 => x.clone(),
        Lin { k: c, terms } if terms.is_empty() => Lin::int(c.div_euclid(k)),
        _ => Lin::of(&Expr::bin(BinOp::FloorDiv, tidy(&x.expr()), Expr::Int(k))),
    }
}

fn or(mut a: Dnf, b: Dnf) -> Dnf {
    a.extend(b);
    if a.len() > DISJUNCTS { vec![vec![Atom::Unknown]] } else { a }
}

fn and(a: Dnf, b: Dnf) -> Dnf {
    let known = |x: &Dnf| x.iter().all(|d| !d.contains(&Atom::Unknown));
    if a.len() * b.len() > DISJUNCTS {
        // One side alone is still a sound live range.
        let mut keep = if a.len() <= b.len() { a } else { b };
        keep.iter_mut().filter(|d| known(&vec![(*d).clone()])).for_each(|d| d.push(Atom::Unknown));
        return keep;
    }
    a.iter().flat_map(|x| b.iter().map(|y| x.iter().chain(y).cloned().collect())).collect()
}
