//! Subexpressions that several accumulators of a pass evaluate.

use super::fold::is_heavy;
use super::scope::Tiler;
use crate::cascade::Expr as L1;
use crate::stream::Acc;
use crate::tile::Expr;
use crate::types::{BinOp, RedOp, UnOp};

/// Dear subexpressions that occur in the bodies of several accumulators. Factors of a sum are left out: they are
/// shared as operands, with the mask applied.
pub(super) fn shared_parts(t: &Tiler<'_>, accs: &[&Acc]) -> Vec<L1> {
    let mut found: Vec<(L1, usize, usize)> = vec![];
    for (i, acc) in accs.iter().enumerate() {
        let n = t.node(acc);
        let is_sum = n.reduce.as_ref().is_some_and(|r| r.op == RedOp::Sum);
        n.body.walk(&mut |e| {
            if is_heavy_l1(e) && !(is_sum && is_factor(&n.body, e)) {
                match found.iter_mut().find(|(x, ..)| x == e) {
                    Some((_, last, count)) if *last != i => (*last, *count) = (i, *count + 1),
                    Some(_) => {}
                    None => found.push((e.clone(), i, 1)),
                }
            }
        });
    }
    found.into_iter().filter(|(.., count)| *count > 1).map(|(e, ..)| e).collect()
}

fn is_factor(body: &L1, e: &L1) -> bool {
    match body {
        b if b == e => true,
        L1::Binary(BinOp::Mul, a, b) => is_factor(a, e) || is_factor(b, e),
        L1::Binary(BinOp::Div, a, _) => is_factor(a, e),
        L1::Unary(UnOp::Neg, a) => is_factor(a, e),
        _ => false,
    }
}

fn is_heavy_l1(e: &L1) -> bool {
    match e {
        L1::Unary(op, _) if is_heavy(&Expr::un(*op, Expr::Float(0.0))) => true,
        L1::Read(..) => false,
        _ => e.children().into_iter().any(is_heavy_l1),
    }
}
