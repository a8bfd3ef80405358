//! Symbolic loop bounds against brute force: random predicates, every block of lanes.

use super::ranges::{RangeCx, hull, ranges};
use crate::cascade::{self, RankId};
use crate::tile::{Axis, AxisId, Expr, Tile, TileStage};
use crate::types::{BinOp, UnOp};

const LANE: i64 = 5;
const P: AxisId = AxisId(0);
const M: AxisId = AxisId(1);

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

fn index(r: &mut Rng, depth: u64) -> Expr {
    let e = |op, a, b| Expr::bin(op, a, b);
    if depth == 0 || r.below(4) == 0 {
        return match r.below(6) {
            0 | 1 => Expr::Coord(P),
            2 | 3 => Expr::Coord(M),
            4 => Expr::Extent(RankId(1)),
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

fn predicate(r: &mut Rng, depth: u64) -> Expr {
    if depth > 0 && r.below(2) > 0 {
        let a = predicate(r, depth - 1);
        return match r.below(6) {
            0 => Expr::un(UnOp::Not, a),
            1 | 2 => Expr::bin(BinOp::Or, a, predicate(r, depth - 1)),
            3 => Expr::select(predicate(r, 0), a, predicate(r, depth - 1)),
            _ => Expr::bin(BinOp::And, a, predicate(r, depth - 1)),
        };
    }
    let ops = [BinOp::Le, BinOp::Lt, BinOp::Ge, BinOp::Gt, BinOp::Eq, BinOp::Ne];
    Expr::bin(ops[r.below(6) as usize], index(r, 2), index(r, 2))
}

/// A point: extent of M, first row and number of rows of the block, row, streamed coordinate.
#[derive(Clone, Copy, Debug)]
struct At {
    extent: i64,
    base: i64,
    count: i64,
    p: i64,
    m: i64,
}

fn eval(e: &Expr, at: At) -> f64 {
    use crate::interp::{binary, unary};
    match e {
        Expr::Int(i) => *i as f64,
        Expr::Bool(b) => f64::from(u8::from(*b)),
        Expr::Coord(P) => at.p as f64,
        Expr::Coord(_) => at.m as f64,
        Expr::Base(_) => at.base as f64,
        Expr::Count(_) => at.count as f64,
        Expr::Extent(_) => at.extent as f64,
        Expr::Unary(op, a) => unary(*op, eval(a, at)),
        Expr::Binary(op, a, b) => binary(*op, eval(a, at), eval(b, at)),
        Expr::Select(c, a, b) => eval(if eval(c, at) != 0.0 { a } else { b }, at),
        Expr::Float(_) | Expr::Scalar(_) | Expr::Global(..) | Expr::Local(_) | Expr::Cast(..) => f64::NAN,
    }
}

#[test]
fn ranges_are_sound() {
    let c = cascade::parse("cascade k\nrank P free\nrank M free\n").expect("parses");
    let axis = |name: &str, rank, tile, lane| Axis { name: name.to_string(), rank, tile, lane };
    let axes = vec![axis("p", RankId(0), Tile::Fixed(LANE), true), axis("m", RankId(1), Tile::Fixed(4), false)];
    let s = TileStage { name: "k".to_string(), axes, grid: vec![P], bufs: vec![], body: vec![] };
    let cx = RangeCx { c: &c, s: &s, stream: M };
    let mut r = Rng(5);
    let (mut blocks, mut exact, mut bounded) = (0, 0, 0);
    for _ in 0..12_000 {
        let conjuncts: Vec<Expr> = (0..=r.below(2)).map(|_| predicate(&mut r, 2)).collect();
        let extent = r.int(0, 24);
        let all = ranges(&cx, &conjuncts, &Expr::Extent(RankId(1)));
        let cover = hull(&cx, &conjuncts, &Expr::Extent(RankId(1)));
        for base in [0, 5, 15] {
            blocks += 1;
            let count = r.int(1, LANE);
            let at = At { extent, base, count, p: base, m: 0 };
            let bound = |e: &Expr| eval(e, at) as i64;
            let live: Vec<_> = all
                .iter()
                .map(|x| (bound(&x.lo), bound(&x.hi), x.full.as_ref().map(|(a, b)| (bound(a), bound(b)))))
                .collect();
            let mut visible = 0;
            for m in 0..extent {
                let holds = |p| conjuncts.iter().all(|e| eval(e, At { p, m, ..at }) != 0.0);
                let (any, every) = ((base..base + count).any(holds), (base..base + count).all(holds));
                let is_live = live.iter().any(|(lo, hi, _)| *lo <= m && m < *hi);
                let is_full =
                    live.iter().any(|(lo, hi, full)| full.is_some_and(|(a, b)| a <= m && m < b) && *lo <= m && m < *hi);
                let in_full = live.iter().any(|(_, _, full)| full.is_some_and(|(a, b)| a <= m && m < b));
                assert!(is_live || !any, "m {m} is skipped: {conjuncts:?} {at:?} {all:?}");
                assert!(every || !in_full, "m {m} is not full: {conjuncts:?} {at:?} {all:?}");
                assert!(!any || (bound(&cover.0) <= m && m < bound(&cover.1)), "{conjuncts:?} {at:?} {cover:?}");
                exact += i64::from(is_live == any && is_full == every);
                visible += 1;
            }
            bounded += visible;
        }
    }
    println!("{blocks} blocks, {exact} of {bounded} coordinates exact");
    assert!(exact * 2 > bounded, "{exact} of {bounded}");
}
