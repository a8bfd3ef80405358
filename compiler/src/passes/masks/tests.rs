//! Classification against brute force, over random predicates, boxes and tiles.

use super::{Class, TileBox, classify};
use crate::cascade::{self, Cascade, Expr, RankId};
use crate::interp::{Bindings, Fault, Source, eval};
use crate::types::{BinOp, UnOp};
use std::collections::BTreeMap;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }

    fn int(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1) as u64) as i64
    }
}

fn kernel() -> Cascade {
    cascade::parse("cascade k\nrank P free\nrank M free\nscalar w i32\nin x f32 [P, M]\n").expect("parses")
}

const P: RankId = RankId(0);
const M: RankId = RankId(1);

fn index(r: &mut Rng, depth: u64) -> Expr {
    let leaf = depth == 0 || r.below(4) == 0;
    let e = |op, a, b| Expr::bin(op, a, b);
    if leaf {
        return match r.below(5) {
            0 | 1 => Expr::Var(P),
            2 | 3 => Expr::Var(M),
            _ => Expr::Int(r.int(-9, 20)),
        };
    }
    let a = index(r, depth - 1);
    match r.below(10) {
        0 | 1 => e(BinOp::Add, a, index(r, depth - 1)),
        2 | 3 => e(BinOp::Sub, a, index(r, depth - 1)),
        4 => e(BinOp::FloorDiv, a, Expr::Int(r.int(1, 9))),
        5 => e(BinOp::Mod, a, Expr::Int(r.int(1, 9))),
        6 => e(BinOp::Min, a, index(r, depth - 1)),
        7 => e(BinOp::Max, a, index(r, depth - 1)),
        8 => Expr::un(UnOp::Abs, a),
        _ => e(BinOp::Mul, a, Expr::Int(r.int(-3, 3))),
    }
}

/// A random predicate over `p`, `m` and integers.
fn predicate(r: &mut Rng, depth: u64) -> Expr {
    if depth > 0 && r.below(3) > 0 {
        let a = predicate(r, depth - 1);
        return match r.below(5) {
            0 => Expr::un(UnOp::Not, a),
            1 => Expr::bin(BinOp::Or, a, predicate(r, depth - 1)),
            _ => Expr::bin(BinOp::And, a, predicate(r, depth - 1)),
        };
    }
    let ops = [BinOp::Le, BinOp::Lt, BinOp::Ge, BinOp::Gt, BinOp::Eq, BinOp::Ne];
    let op = ops[r.below(6) as usize];
    Expr::bin(op, index(r, 2), index(r, 2))
}

struct Point(i64, i64);

impl Source for Point {
    fn var(&self, r: RankId) -> Result<i64, Fault> {
        Ok(if r == P { self.0 } else { self.1 })
    }
    fn extent(&self, _: RankId) -> Result<i64, Fault> {
        Err(Fault::new("no extent"))
    }
    fn scalar(&self, _: cascade::ScalarId) -> Result<f64, Fault> {
        Err(Fault::new("no scalar"))
    }
    fn read(&self, _: cascade::TensorId, _: &[i64]) -> Result<f64, Fault> {
        Err(Fault::new("no tensor"))
    }
}

fn truth(pred: &Expr, (p0, p1): (i64, i64), (m0, m1): (i64, i64)) -> Class {
    let (mut all, mut none) = (true, true);
    for p in p0..=p1 {
        for m in m0..=m1 {
            let holds = eval(pred, &Point(p, m)).expect("evaluates") != 0.0;
            all &= holds;
            none &= !holds;
        }
    }
    Class::of(all, none)
}

#[test]
fn no_tile_is_unsound() {
    let c = kernel();
    let b = Bindings::new(&c, &BTreeMap::new(), &BTreeMap::new());
    let uniform = |e: &Expr| b.index(e).ok();
    let mut r = Rng(1);
    let (mut decided, mut partial, mut needless) = (0, 0, 0);
    for _ in 0..55_000 {
        let pred = predicate(&mut r, 2);
        let side = |r: &mut Rng| {
            let lo = r.int(0, 40);
            (lo, lo + r.int(0, 6))
        };
        let (p, m) = (side(&mut r), side(&mut r));
        let vars = BTreeMap::from([(P, p), (M, m)]);
        let got = classify(&pred, &TileBox { cascade: &c, vars, uniform: &uniform });
        let want = truth(&pred, p, m);
        match got {
            Class::Partial if want == Class::Partial => partial += 1,
            Class::Partial => needless += 1,
            _ => {
                assert_eq!(got, want, "{pred:?} over p {p:?}, m {m:?}");
                decided += 1;
            }
        }
    }
    println!("{decided} tiles decided, {partial} partial, {needless} needlessly partial");
    assert!(needless * 12 < decided, "{needless} of {decided}");
}

/// The predicates that attention uses are decided exactly, but for a correlation that intervals do not see.
#[test]
fn usual_masks_are_exact() {
    let c = cascade::parse(
        "cascade k\nrank P free\nrank M free\nin x f32 [P, M]\nlet y f32 [P, M]\n\
         y[p,m] = x[p,m] dom (m <= p) (p - m < 5) (m <= p && p - m < 7 || m < 3) (p // 8 == m // 8) (abs(p - m) <= 4) \
         (m < 9 || m <= p) (m % 4 == 0) (!(m <= p))\n",
    )
    .expect("parses");
    let uniform = |_: &Expr| None;
    for pred in &c.nodes[0].dom {
        for (tp, tm) in [(1, 1), (4, 4), (8, 3), (5, 16)] {
            for p in (0..40).step_by(tp) {
                for m in (0..40).step_by(tm) {
                    let (p, m) = ((p as i64, (p + tp - 1) as i64), (m as i64, (m + tm - 1) as i64));
                    let vars = BTreeMap::from([(P, p), (M, m)]);
                    let got = classify(pred, &TileBox { cascade: &c, vars, uniform: &uniform });
                    let want = truth(pred, p, m);
                    // `a && b || c` may be full or empty only jointly.
                    let joint = matches!(pred, Expr::Binary(BinOp::Or, ..)) && got == Class::Partial;
                    assert!(got == want || joint, "{pred:?} over p {p:?}, m {m:?}: {got:?}, not {want:?}");
                }
            }
        }
    }
}
