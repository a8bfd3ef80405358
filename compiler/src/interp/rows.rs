//! Evaluation of one expression at many values of one rank variable at once, with the same meaning as `eval`.
//!
//! The innermost loop of a node runs here: an operator is looked up once a row instead of once an element. Laziness is
//! kept by evaluating the operands of `Select`, `And` and `Or` at the points that need them only.

use super::eval::{Fault, Source, eval};
use super::ops::{binary, truth, unary};
use super::run::{ABSENT, Run};
use crate::cascade::{Expr, RankId, TensorId};
use crate::types::BinOp;

/// Values at the points of a row.
pub(super) enum Row {
    /// The same everywhere.
    Same(f64),
    /// One a point.
    Each(Vec<f64>),
}

impl Row {
    /// Value at a point.
    fn at(&self, i: usize) -> f64 {
        match self {
            Row::Same(x) => *x,
            Row::Each(xs) => xs[i],
        }
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Row {
        match self {
            Row::Same(x) => Row::Same(f(x)),
            Row::Each(mut xs) => {
                xs.iter_mut().for_each(|x| *x = f(*x));
                Row::Each(xs)
            }
        }
    }

    fn zip(self, other: Row, f: impl Fn(f64, f64) -> f64) -> Row {
        match (self, other) {
            (Row::Same(a), b) => b.map(|b| f(a, b)),
            (a, Row::Same(b)) => a.map(|a| f(a, b)),
            (Row::Each(mut a), Row::Each(b)) => {
                a.iter_mut().zip(b).for_each(|(a, b)| *a = f(*a, b));
                Row::Each(a)
            }
        }
    }

    /// One value a point.
    pub(super) fn spread(self, n: usize) -> Vec<f64> {
        match self {
            Row::Same(x) => vec![x; n],
            Row::Each(xs) => xs,
        }
    }
}

impl Run<'_> {
    /// The points of `0..n` where every predicate holds; a predicate is evaluated where the ones before it hold.
    pub(super) fn points(&self, r: RankId, n: i64, predicates: &[&Expr]) -> Result<Vec<i64>, Fault> {
        let mut at: Vec<i64> = (0..n).collect();
        for e in predicates {
            let keep = self.row(e, r, &at)?;
            let mut i = 0;
            at.retain(|_| {
                i += 1;
                keep.at(i - 1) != 0.0
            });
        }
        Ok(at)
    }

    /// The values of `e` where `r` takes the values `at`.
    pub(super) fn row(&self, e: &Expr, r: RankId, at: &[i64]) -> Result<Row, Fault> {
        if at.is_empty() {
            return Ok(Row::Each(vec![]));
        }
        match e {
            Expr::Var(x) if *x == r => Ok(Row::Each(at.iter().map(|i| *i as f64).collect())),
            Expr::Int(_) | Expr::Float(_) | Expr::Bool(_) | Expr::Var(_) | Expr::Extent(_) | Expr::Scalar(_) => {
                eval(e, self).map(Row::Same)
            }
            Expr::Read(t, idx) => self.read_row(*t, idx, r, at),
            Expr::Unary(op, a) => Ok(self.row(a, r, at)?.map(|x| unary(*op, x))),
            Expr::Binary(BinOp::And, a, b) => self.choose_row(a, Some(b), None, r, at),
            Expr::Binary(BinOp::Or, a, b) => self.choose_row(a, None, Some(b), r, at),
            Expr::Binary(op, a, b) => Ok(self.row(a, r, at)?.zip(self.row(b, r, at)?, |a, b| arithmetic(*op, a, b))),
            Expr::Select(c, a, b) => self.choose_row(c, Some(a), Some(b), r, at),
            Expr::Cast(ty, a) => Ok(self.row(a, r, at)?.map(|x| ty.round(x))),
        }
    }

    /// `if c { a } else { b }`; a side that is not given has the value of `c`.
    fn choose_row(&self, c: &Expr, a: Option<&Expr>, b: Option<&Expr>, r: RankId, at: &[i64]) -> Result<Row, Fault> {
        let cond = self.row(c, r, at)?;
        if let Row::Same(x) = cond {
            return if x != 0.0 { a } else { b }.map_or(Ok(Row::Same(truth(x != 0.0))), |e| self.row(e, r, at));
        }
        let (yes, no) = split(at, &cond);
        let mut out = cond.spread(at.len());
        for (side, members) in [(a, yes), (b, no)] {
            let Some(e) = side else { continue };
            let points: Vec<i64> = members.iter().map(|i| at[*i]).collect();
            let values = self.row(e, r, &points)?;
            for (k, i) in members.into_iter().enumerate() {
                out[i] = values.at(k);
            }
        }
        Ok(Row::Each(out))
    }

    fn read_row(&self, t: TensorId, idx: &[Expr], r: RankId, at: &[i64]) -> Result<Row, Fault> {
        let Some(value) = self.tensor_value(t) else { return self.read(t, &[]).map(Row::Same) };
        let mut base = 0;
        let mut moving = vec![];
        let mut stride = 1;
        for (e, n) in idx.iter().zip(&value.shape).rev() {
            let coordinate = if *e == Expr::Var(r) { Coordinate::Point } else { self.coordinate(e, r, at)? };
            if let Some(i) = coordinate.outside(*n, at) {
                return self.fault(t, idx, r, at[i]);
            }
            match coordinate {
                Coordinate::Fixed(x) => base += x as usize * stride,
                other => moving.push((stride, other)),
            }
            stride *= n;
        }
        let values: Vec<f64> = match &moving[..] {
            [] => return Ok(Row::Same(self.present(t, idx, r, at, &[value.data[base]])?[0])),
            [(stride, Coordinate::Point)] => at.iter().map(|x| value.data[base + *x as usize * stride]).collect(),
            _ => (0..at.len())
                .map(|i| value.data[base + moving.iter().map(|(s, c)| c.at(i, at) as usize * s).sum::<usize>()])
                .collect(),
        };
        self.present(t, idx, r, at, &values)?;
        Ok(Row::Each(values))
    }

    fn coordinate(&self, e: &Expr, r: RankId, at: &[i64]) -> Result<Coordinate, Fault> {
        Ok(match self.row(e, r, at)? {
            Row::Same(x) => Coordinate::Fixed(x as i64),
            Row::Each(xs) => Coordinate::Each(xs.into_iter().map(|x| x as i64).collect()),
        })
    }

    /// Refuses values of absent points.
    fn present<'v>(&self, t: TensorId, idx: &[Expr], r: RankId, at: &[i64], xs: &'v [f64]) -> Result<&'v [f64], Fault> {
        match xs.iter().position(|x| x.to_bits() == ABSENT) {
            Some(i) => self.fault(t, idx, r, at[i]),
            None => Ok(xs),
        }
    }

    /// The fault of a read at one point; its message is made where all of them are made.
    fn fault<T>(&self, t: TensorId, idx: &[Expr], r: RankId, point: i64) -> Result<T, Fault> {
        let point = [point];
        let idx = idx.iter().map(|e| Ok(self.row(e, r, &point)?.at(0) as i64)).collect::<Result<Vec<_>, Fault>>()?;
        self.read(t, &idx)?;
        Err(Fault::new("a read has no value"))
    }
}

/// One index of a read along a row.
enum Coordinate {
    /// The same everywhere.
    Fixed(i64),
    /// The point itself.
    Point,
    /// One a point.
    Each(Vec<i64>),
}

impl Coordinate {
    fn at(&self, i: usize, at: &[i64]) -> i64 {
        match self {
            Coordinate::Fixed(x) => *x,
            Coordinate::Point => at[i],
            Coordinate::Each(xs) => xs[i],
        }
    }

    /// The first point whose index is outside of `0..n`.
    fn outside(&self, n: usize, at: &[i64]) -> Option<usize> {
        let bad = |x: &i64| usize::try_from(*x).map_or(true, |x| x >= n);
        match self {
            Coordinate::Fixed(x) => bad(x).then_some(0),
            Coordinate::Point => at.iter().position(bad),
            Coordinate::Each(xs) => xs.iter().position(bad),
        }
    }
}

/// The common operators inline, so that a row of them is one loop.
fn arithmetic(op: BinOp, a: f64, b: f64) -> f64 {
    match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        _ => binary(op, a, b),
    }
}

/// Positions where the condition holds, and where it does not.
fn split(at: &[i64], cond: &Row) -> (Vec<usize>, Vec<usize>) {
    (0..at.len()).partition(|i| cond.at(*i) != 0.0)
}
