//! The prover against brute force: whatever it calls true is true at every point of every small box.

use crate::cascade::{Cascade, Expr, Extent, Rank, RankId};
use crate::check::facts::implied;
use crate::check::fold::refold;
use crate::types::{BinOp, UnOp};

/// Ranks P and M of unknown extent, and a rank of two times P.
fn cascade() -> Cascade {
    let twice = Expr::bin(BinOp::Mul, Expr::Int(2), Expr::Extent(RankId(0)));
    let rank = |name: &str, extent| Rank { name: name.to_string(), extent, iter: false };
    Cascade {
        name: "k".to_string(),
        docs: vec![],
        ranks: vec![rank("P", Extent::Free), rank("M", Extent::Free), rank("W", Extent::Derived(twice))],
        scalars: vec![],
        tensors: vec![],
        nodes: vec![],
        asserts: vec![],
        attrs: Default::default(),
        spec: vec![],
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn index(&mut self, depth: u32) -> Expr {
        if depth == 0 || self.below(4) == 0 {
            return match self.below(4) {
                0 => Expr::Int(self.below(5) as i64 - 1),
                1 => Expr::Extent(RankId(self.below(3) as u32)),
                _ => Expr::Var(RankId(self.below(3) as u32)),
            };
        }
        let a = self.index(depth - 1);
        match self.below(9) {
            0 | 1 => Expr::bin(BinOp::Add, a, self.index(depth - 1)),
            2 | 3 => Expr::bin(BinOp::Sub, a, self.index(depth - 1)),
            4 => Expr::bin(BinOp::Mul, a, Expr::Int(self.below(4) as i64)),
            5 => Expr::bin(BinOp::FloorDiv, a, Expr::Int(1 + self.below(3) as i64)),
            6 => Expr::bin(BinOp::Mod, a, Expr::Extent(RankId(self.below(2) as u32))),
            7 => Expr::bin([BinOp::Min, BinOp::Max][self.below(2) as usize], a, self.index(depth - 1)),
            _ => Expr::un(UnOp::Abs, a),
        }
    }

    fn comparison(&mut self) -> Expr {
        let op = [BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge, BinOp::Eq, BinOp::Ne][self.below(6) as usize];
        let a = self.index(2);
        Expr::bin(op, a, self.index(1))
    }
}

/// The predicate at a point, with the extents of P and M.
fn at(e: &Expr, extents: [i64; 3], point: [i64; 3]) -> bool {
    fn put(e: &Expr, extents: [i64; 3], point: [i64; 3]) -> Expr {
        match e {
            Expr::Var(r) => Expr::Int(point[r.index()]),
            Expr::Extent(r) => Expr::Int(extents[r.index()]),
            _ => e.map_children(&mut |x| put(x, extents, point)),
        }
    }
    refold(&put(e, extents, point)) == Expr::Bool(true)
}

fn counterexample(known: &[Expr], goal: &Expr) -> Option<([i64; 3], [i64; 3])> {
    for (p, m) in (1..=3).flat_map(|p| (1..=3).map(move |m| (p, m))) {
        let extents = [p, m, 2 * p];
        for i in 0..p * m * 2 * p {
            let point = [i % p, i / p % m, i / (p * m)];
            if known.iter().all(|k| at(k, extents, point)) && !at(goal, extents, point) {
                return Some((extents, point));
            }
        }
    }
    None
}

#[test]
fn what_is_proved_is_true() {
    let c = cascade();
    let mut rng = Rng(7);
    let (mut proved, mut missed) = (0, 0);
    for _ in 0..800 {
        let known: Vec<Expr> = (0..rng.below(3)).map(|_| rng.comparison()).collect();
        let goal = rng.comparison();
        let refs: Vec<&Expr> = known.iter().collect();
        if implied(&c, &refs, &goal) {
            proved += 1;
            assert_eq!(counterexample(&known, &goal), None, "{known:?}\n{goal:?}");
        } else if counterexample(&known, &goal).is_none() {
            missed += 1;
        }
    }
    assert!(proved > 80, "{proved} proved, {missed} of the others have no small counterexample");
}
