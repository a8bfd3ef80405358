//! One operation at a time: operands come from scratch, the result goes to scratch.

use super::{Build, Scratch, kernel, run};
use einattn_compiler::lane::{Inst, LaneBin, LaneCmp, LaneUn, Op, Ty, Val};

/// A value of a lane type.
#[derive(Clone, Copy, Debug, PartialEq)]
enum V {
    I(i64),
    F(f32),
    B(bool),
    Vf([f32; 4]),
    Vi([i32; 4]),
    Vb([bool; 4]),
}
use V::{B, F, I, Vb, Vf, Vi};

impl V {
    fn ty(self) -> Ty {
        match self {
            I(_) => Ty::I64,
            F(_) => Ty::F32,
            B(_) => Ty::B,
            Vf(_) => Ty::VF,
            Vi(_) => Ty::VI,
            Vb(_) => Ty::VB,
        }
    }

    /// Lanes as they lie in scratch.
    fn words(self) -> Vec<[u8; 4]> {
        match self {
            I(x) => vec![(x as i32).to_le_bytes()],
            F(x) => vec![x.to_le_bytes()],
            B(x) => vec![i32::from(x).to_le_bytes()],
            Vf(x) => x.iter().map(|x| x.to_le_bytes()).collect(),
            Vi(x) => x.iter().map(|x| x.to_le_bytes()).collect(),
            Vb(x) => x.iter().map(|x| (-i32::from(*x)).to_le_bytes()).collect(),
        }
    }

    fn read(ty: Ty, s: &Scratch, at: usize) -> V {
        let int = |i: usize| i32::from_le_bytes(s.word(at + i));
        let float = |i: usize| f32::from_le_bytes(s.word(at + i));
        match ty {
            Ty::I64 => I(i64::from(int(0))),
            Ty::F32 => F(float(0)),
            Ty::B => B(int(0) == 1),
            Ty::VF => Vf(std::array::from_fn(float)),
            Ty::VI => Vi(std::array::from_fn(int)),
            Ty::VB => Vb(std::array::from_fn(|i| int(i) == -1)),
        }
    }

    /// Bit equality; any NaN equals any other.
    fn same(self, other: V) -> bool {
        let float = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        match (self, other) {
            (F(a), F(b)) => float(a, b),
            (Vf(a), Vf(b)) => a.iter().zip(b).all(|(a, b)| float(*a, b)),
            (a, b) => a == b,
        }
    }
}

/// I64 operands go through `ints`, since scratch holds 32 bits of them.
fn operand(b: &mut Build, n: usize, v: V) -> Val {
    if v.ty() == Ty::I64 {
        return b.op(Ty::I64, Op::Int(n));
    }
    let at = b.int(16 * n as i64);
    b.op(v.ty(), Op::LoadLocal(v.ty(), at))
}

/// Checks `op` of the operands; an I64 result is stored through a second path that keeps 64 bits.
fn check(op: impl Fn(&[Val]) -> Op, operands: &[V], expected: V) {
    let mut b = Build::new();
    let vals: Vec<Val> = operands.iter().enumerate().map(|(n, v)| operand(&mut b, n, *v)).collect();
    let built = op(&vals);
    let text = format!("{built:?} of {operands:?}");
    let result = b.op(expected.ty(), built);
    let at = b.int(128);
    if expected.ty() == Ty::I64 {
        b.inst(Inst::StoreInt { slot: 8, value: result });
    } else {
        b.inst(Inst::StoreLocal { offset: at, value: result });
    }
    let (mut ints, mut scratch) = ([0; 9], Scratch::new());
    for (n, v) in operands.iter().enumerate() {
        if let I(x) = v {
            ints[n] = *x;
        }
        for (lane, word) in v.words().into_iter().enumerate() {
            scratch.set(4 * n + lane, word);
        }
    }
    run(&kernel(b.finish(), &[]), &mut [], &mut ints, &[], &mut scratch, (0, 1));
    let got = if expected.ty() == Ty::I64 { I(ints[8]) } else { V::read(expected.ty(), &scratch, 32) };
    assert!(got.same(expected), "{text}: got {got:?}, expected {expected:?}");
}

fn un(op: LaneUn) -> impl Fn(&[Val]) -> Op {
    move |v| Op::Un(op, v[0])
}

fn bin(op: LaneBin) -> impl Fn(&[Val]) -> Op {
    move |v| Op::Bin(op, v[0], v[1])
}

fn cmp(op: LaneCmp) -> impl Fn(&[Val]) -> Op {
    move |v| Op::Cmp(op, v[0], v[1])
}

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

#[test]
fn constants() {
    check(|_| Op::ConstI(i64::MIN + 3), &[], I(i64::MIN + 3));
    check(|_| Op::ConstF(-INF), &[], F(-INF));
    check(|_| Op::ConstF(-0.0), &[], F(-0.0));
    check(|_| Op::ConstB(true), &[], B(true));
    check(|_| Op::ConstB(false), &[], B(false));
    check(|_| Op::Iota, &[], Vi([0, 1, 2, 3]));
}

#[test]
fn signs() {
    check(un(LaneUn::Neg), &[I(5)], I(-5));
    check(un(LaneUn::Neg), &[F(0.0)], F(-0.0));
    check(un(LaneUn::Neg), &[Vf([1.0, -2.0, INF, 0.0])], Vf([-1.0, 2.0, -INF, -0.0]));
    check(un(LaneUn::Neg), &[Vi([1, -2, i32::MIN, 0])], Vi([-1, 2, i32::MIN, 0]));
    check(un(LaneUn::Abs), &[I(-5)], I(5));
    check(un(LaneUn::Abs), &[F(-INF)], F(INF));
    check(un(LaneUn::Abs), &[Vf([-0.0, -2.0, 3.0, -INF])], Vf([0.0, 2.0, 3.0, INF]));
    check(un(LaneUn::Abs), &[Vi([-1, 2, -3, i32::MIN])], Vi([1, 2, 3, i32::MIN]));
}

#[test]
fn logic() {
    let (t, f) = (true, false);
    check(un(LaneUn::Not), &[B(t)], B(f));
    check(un(LaneUn::Not), &[B(f)], B(t));
    check(un(LaneUn::Not), &[Vb([t, f, f, t])], Vb([f, t, t, f]));
    for (a, b) in [(t, t), (t, f), (f, t), (f, f)] {
        check(bin(LaneBin::And), &[B(a), B(b)], B(a && b));
        check(bin(LaneBin::Or), &[B(a), B(b)], B(a || b));
    }
    check(bin(LaneBin::And), &[Vb([t, t, f, f]), Vb([t, f, t, f])], Vb([t, f, f, f]));
    check(bin(LaneBin::Or), &[Vb([t, t, f, f]), Vb([t, f, t, f])], Vb([t, t, t, f]));
    check(bin(LaneBin::And), &[Vi([6, -1, 0, 9]), Vi([3, 5, 7, 8])], Vi([2, 5, 0, 8]));
    check(bin(LaneBin::Or), &[Vi([6, -1, 0, 9]), Vi([3, 5, 7, 6])], Vi([7, -1, 7, 15]));
}

#[test]
fn roundings() {
    let xs =
        [0.0, -0.0, 0.3, -0.3, 0.5, -0.5, 0.7, -0.7, 1.5, 2.5, -1.5, -2.5, 8388607.5, -8388607.5, 1e20, -1e20, INF];
    for x in xs {
        check(un(LaneUn::Floor), &[F(x)], F(x.floor()));
        check(un(LaneUn::Ceil), &[F(x)], F(x.ceil()));
        check(un(LaneUn::Round), &[F(x)], F(x.round_ties_even()));
        check(un(LaneUn::Floor), &[Vf([x, -x, 1.0, x])], Vf([x.floor(), (-x).floor(), 1.0, x.floor()]));
        check(un(LaneUn::Ceil), &[Vf([x, -x, 1.0, x])], Vf([x.ceil(), (-x).ceil(), 1.0, x.ceil()]));
        let r = x.round_ties_even();
        check(un(LaneUn::Round), &[Vf([x, -x, 1.0, x])], Vf([r, -r, 1.0, r]));
    }
    check(un(LaneUn::Sqrt), &[F(2.0)], F(2f32.sqrt()));
    check(un(LaneUn::Sqrt), &[Vf([4.0, -1.0, -0.0, INF])], Vf([2.0, NAN, -0.0, INF]));
}

#[test]
fn bit_counts() {
    for x in [0, 1, 7, 0xffff_ffff_ffff, i64::MAX] {
        check(un(LaneUn::Popcount), &[I(x)], I(i64::from(x.count_ones())));
    }
    for x in [-1, 0, 1, 2, 3, 4, 1023, 1024, i64::MAX, i64::MIN] {
        check(un(LaneUn::Ilog2), &[I(x)], I(if x > 0 { i64::from(x.ilog2()) } else { -1 }));
    }
}

#[test]
fn arithmetic() {
    check(bin(LaneBin::Add), &[I(1 << 40), I(-3)], I((1 << 40) - 3));
    check(bin(LaneBin::Sub), &[I(5), I(1 << 40)], I(5 - (1 << 40)));
    check(bin(LaneBin::Mul), &[I(-(1 << 33)), I(3)], I(-3 << 33));
    check(bin(LaneBin::Add), &[F(1.5), F(2.25)], F(3.75));
    check(bin(LaneBin::Sub), &[F(INF), F(INF)], F(NAN));
    check(bin(LaneBin::Mul), &[F(-3.0), F(0.5)], F(-1.5));
    check(bin(LaneBin::Div), &[F(1.0), F(0.0)], F(INF));
    let (a, b) = ([1.0, -2.0, 3.5, INF], [4.0, 0.5, -1.0, 2.0]);
    let each = |f: fn(f32, f32) -> f32| Vf(std::array::from_fn(|i| f(a[i], b[i])));
    check(bin(LaneBin::Add), &[Vf(a), Vf(b)], each(|a, b| a + b));
    check(bin(LaneBin::Sub), &[Vf(a), Vf(b)], each(|a, b| a - b));
    check(bin(LaneBin::Mul), &[Vf(a), Vf(b)], each(|a, b| a * b));
    check(bin(LaneBin::Div), &[Vf(a), Vf(b)], each(|a, b| a / b));
    let (a, b) = ([1, -2, i32::MAX, 70000], [4, 5, 1, 70000]);
    let each = |f: fn(i32, i32) -> i32| Vi(std::array::from_fn(|i| f(a[i], b[i])));
    check(bin(LaneBin::Add), &[Vi(a), Vi(b)], each(i32::wrapping_add));
    check(bin(LaneBin::Sub), &[Vi(a), Vi(b)], each(i32::wrapping_sub));
    check(bin(LaneBin::Mul), &[Vi(a), Vi(b)], each(i32::wrapping_mul));
}

#[test]
fn minimum_and_maximum() {
    check(bin(LaneBin::Min), &[I(-3), I(1 << 40)], I(-3));
    check(bin(LaneBin::Max), &[I(-3), I(1 << 40)], I(1 << 40));
    check(bin(LaneBin::Min), &[Vi([1, -2, 3, i32::MIN]), Vi([0, 5, 3, 0])], Vi([0, -2, 3, i32::MIN]));
    check(bin(LaneBin::Max), &[Vi([1, -2, 3, i32::MIN]), Vi([0, 5, 3, 0])], Vi([1, 5, 3, 0]));
    // `a < b ? a : b` decides about NaN and the signs of zero.
    let cases = [(1.0, 2.0), (2.0, 1.0), (NAN, 1.0), (1.0, NAN), (0.0, -0.0), (-0.0, 0.0), (-INF, INF)];
    for (a, b) in cases {
        let (lo, hi) = (if a < b { a } else { b }, if a > b { a } else { b });
        check(bin(LaneBin::Min), &[F(a), F(b)], F(lo));
        check(bin(LaneBin::Max), &[F(a), F(b)], F(hi));
        check(bin(LaneBin::Min), &[Vf([a, b, a, a]), Vf([b, b, b, b])], Vf([lo, b, lo, lo]));
        check(bin(LaneBin::Max), &[Vf([a, b, a, a]), Vf([b, b, b, b])], Vf([hi, b, hi, hi]));
    }
}

#[test]
fn floor_division() {
    let cases = [
        (7, 2, 3, 1),
        (-7, 2, -4, 1),
        (7, -2, -4, -1),
        (-7, -2, 3, -1),
        (6, 3, 2, 0),
        (-6, 3, -2, 0),
        (5, 0, 0, 0),
        (i64::MIN, 0, 0, 0),
        (i64::MIN, -1, i64::MIN, 0),
        (5, -1, -5, 0),
        (-5, 1, -5, 0),
        (i64::MIN, i64::MAX, -2, i64::MAX - 1),
        (0, 7, 0, 0),
    ];
    for (a, b, q, r) in cases {
        check(bin(LaneBin::FloorDiv), &[I(a), I(b)], I(q));
        check(bin(LaneBin::Mod), &[I(a), I(b)], I(r));
    }
}

#[test]
fn comparisons() {
    type Definition = fn(f64, f64) -> bool;
    let table: [(LaneCmp, Definition); 6] = [
        (LaneCmp::Eq, |a, b| a == b),
        (LaneCmp::Ne, |a, b| a != b),
        (LaneCmp::Lt, |a, b| a < b),
        (LaneCmp::Le, |a, b| a <= b),
        (LaneCmp::Gt, |a, b| a > b),
        (LaneCmp::Ge, |a, b| a >= b),
    ];
    for (op, f) in table {
        for (a, b) in [(1, 2), (2, 1), (-3, -3), (i32::MIN, i32::MAX)] {
            let each = f(f64::from(a), f64::from(b));
            check(cmp(op), &[I(i64::from(a)), I(i64::from(b))], B(each));
            check(cmp(op), &[Vi([a, b, a, 0]), Vi([b, b, b, 0])], Vb([each, f(0., 0.), each, f(0., 0.)]));
        }
        for (a, b) in [(1.0, 2.0), (2.0, 1.0), (0.0, -0.0), (NAN, 1.0), (NAN, NAN), (-INF, -INF)] {
            let each = f(f64::from(a), f64::from(b));
            check(cmp(op), &[F(a), F(b)], B(each));
            check(cmp(op), &[Vf([a, 1.0, a, 1.0]), Vf([b, 1.0, b, 0.0])], Vb([each, f(1., 1.), each, f(1., 0.)]));
        }
    }
}

#[test]
fn fused_multiply_add() {
    // Exact either way; the two instruction sets differ where rounding of the product shows.
    check(|v| Op::Fma(v[0], v[1], v[2]), &[F(3.0), F(-2.0), F(0.5)], F(-5.5));
    let (a, b, c) = ([1.0, 2.0, 3.0, -INF], [4.0, 5.0, 6.0, 1.0], [0.5, -10.0, 0.0, 1.0]);
    let r = std::array::from_fn(|i| a[i] * b[i] + c[i]);
    check(|v| Op::Fma(v[0], v[1], v[2]), &[Vf(a), Vf(b), Vf(c)], Vf(r));
}

#[test]
fn selects() {
    let select = |v: &[Val]| Op::Select(v[0], v[1], v[2]);
    let pairs = [
        (I(1 << 40), I(-2)),
        (F(1.0), F(NAN)),
        (B(true), B(false)),
        (Vf([1.0, 2.0, NAN, 4.0]), Vf([5.0; 4])),
        (Vi([1, 2, 3, 4]), Vi([-1; 4])),
        (Vb([true, false, true, false]), Vb([false; 4])),
    ];
    for (a, b) in pairs {
        check(select, &[B(true), a, b], a);
        check(select, &[B(false), a, b], b);
    }
    let mask = Vb([true, false, false, true]);
    check(select, &[mask, Vf([1.0, NAN, 3.0, 4.0]), Vf([5.0, 6.0, NAN, NAN])], Vf([1.0, 6.0, NAN, 4.0]));
    check(select, &[mask, Vi([1, 2, 3, 4]), Vi([5, 6, 7, 8])], Vi([1, 6, 7, 4]));
    check(select, &[mask, Vb([true; 4]), Vb([false; 4])], mask);
}

#[test]
fn lanes() {
    check(|v| Op::Splat(v[0]), &[F(1.5)], Vf([1.5; 4]));
    check(|v| Op::Splat(v[0]), &[I((1 << 33) + 7)], Vi([7; 4]));
    check(|v| Op::Splat(v[0]), &[I(-1)], Vi([-1; 4]));
    check(|v| Op::Splat(v[0]), &[B(true)], Vb([true; 4]));
    check(|v| Op::Splat(v[0]), &[B(false)], Vb([false; 4]));
    check(|v| Op::First(v[0]), &[Vf([1.5, 2.0, 3.0, 4.0])], F(1.5));
    check(|v| Op::First(v[0]), &[Vi([-7, 2, 3, 4])], I(-7));
}

#[test]
fn conversions() {
    for x in [0, 1, -1, 16_777_217, 16_777_219, i64::MAX, i64::MIN, (1 << 40) + 1] {
        check(|v| Op::IntToFloat(v[0]), &[I(x)], F(x as f32));
    }
    check(
        |v| Op::IntToFloat(v[0]),
        &[Vi([16_777_217, -3, i32::MAX, i32::MIN])],
        Vf([16_777_216.0, -3.0, 2147483648.0, -2147483648.0]),
    );
    for x in [0.0, 1.9, -1.9, 1e10, 1e30, -1e30, INF, -INF, NAN] {
        check(|v| Op::FloatToInt(v[0]), &[F(x)], I(x as i64));
    }
    check(|v| Op::FloatToInt(v[0]), &[Vf([1.9, -1.9, 0.0, 1e9])], Vi([1, -1, 0, 1_000_000_000]));
    check(|v| Op::BoolToInt(v[0]), &[B(true)], I(1));
    check(|v| Op::BoolToInt(v[0]), &[B(false)], I(0));
    check(|v| Op::BoolToInt(v[0]), &[Vb([true, false, true, false])], Vi([1, 0, 1, 0]));
}

#[test]
fn bit_casts_and_shifts() {
    let x = [1.5f32, -0.0, INF, 3e-40];
    let n = x.map(|x| x.to_bits() as i32);
    check(|v| Op::FloatBits(v[0]), &[Vf(x)], Vi(n));
    check(|v| Op::BitsFloat(v[0]), &[Vi(n)], Vf(x));
    for k in [0, 1, 23, 31] {
        check(|v| Op::Shl(v[0], k), &[Vi([1, -1, 127, 1 << 20])], Vi([1, -1, 127, 1 << 20].map(|x: i32| x << k)));
        check(|v| Op::Shr(v[0], k), &[Vi([1, -1, i32::MIN, 1 << 30])], Vi([1, -1, i32::MIN, 1 << 30].map(|x| x >> k)));
    }
}
