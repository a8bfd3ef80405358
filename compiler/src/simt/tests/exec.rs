//! The executor on stages built by hand.

use crate::lane::exec::Args;
use crate::lane::{self, IntLayout, LaneCmp, MemRole, MemTensor, RankSource};
use crate::math::Math;
use crate::simt::exec::run;
use crate::simt::{Builder, Elem, Inst, MatrixType, Op, Place, SimtKernel, Space, Ty, Val};
use crate::types::DType;

/// Words of scratch of a block.
const SCRATCH: i64 = 64;

/// A kernel of one stage with one item, from `X[N]` to `Y[N]` of one type.
fn kernel(dtype: DType, threads: u32, subgroup: Option<u32>, build: impl Fn(&mut Builder)) -> SimtKernel {
    let ints = IntLayout {
        ranks: vec![("N".into(), true)],
        scalars: vec![],
        tensor_dims: vec![1, 1],
        stages: 1,
        asserts: vec![],
    };
    let mut p = lane::Builder::new(vec![]);
    let n = p.op(lane::Op::Int(0));
    let (one, bytes) = (p.int(1), p.int(4 * SCRATCH));
    for (slot, value) in [(ints.dim(0, 0), n), (ints.dim(1, 0), n), (ints.items(0), one), (ints.scratch(0), bytes)] {
        p.inst(lane::Inst::StoreInt { slot, value });
    }
    let tensor =
        |name: &str, role: MemRole, dtype| MemTensor { name: name.into(), dtype, dims: vec!["N".into()], role };
    let mut b = Builder::new();
    build(&mut b);
    SimtKernel {
        name: "f".into(),
        spec: String::new(),
        tensors: vec![tensor("X", MemRole::In, dtype), tensor("Y", MemRole::Out, DType::F32)],
        ints,
        sources: vec![RankSource::Dim { tensor: 0, dim: 0 }],
        floats: vec![],
        prepare: p.finish(),
        stages: vec![b.finish("Y", threads, subgroup)],
    }
}

fn execute(k: &SimtKernel, x: &[f64]) -> Result<Vec<f64>, String> {
    let tensors = vec![x.to_vec(), vec![f64::NAN; x.len()]];
    let mut args = Args { ranks: vec![x.len() as i64], scalars: vec![], floats: vec![], tensors };
    run(k, &mut args)?;
    Ok(args.tensors.swap_remove(1))
}

#[track_caller]
fn gives(k: &SimtKernel, x: &[f64], expected: &[f64]) {
    assert_eq!(execute(k, x).as_deref(), Ok(expected), "{k}");
}

#[track_caller]
fn fails(k: &SimtKernel, x: &[f64], part: &str) {
    let r = execute(k, x);
    assert!(r.as_ref().err().is_some_and(|e| e.contains(part)), "{r:?} does not say `{part}`\n{k}");
}

fn global(b: &mut Builder, tensor: usize, at: Val) -> Place {
    let at = b.op(Op::ToOff(at));
    Place::Global(tensor, at)
}

fn load_x(b: &mut Builder, at: Val) -> Val {
    let from = global(b, 0, at);
    b.load(Ty::F32, from)
}

fn store_y(b: &mut Builder, at: Val, v: Val) {
    let to = global(b, 1, at);
    b.store(to, v);
}

fn counted(n: usize) -> Vec<f64> {
    (0..n).map(|i| i as f64).collect()
}

/// Y is X the other way round, by way of shared memory.
fn reversal(barrier: bool) -> SimtKernel {
    kernel(DType::F32, 4, None, |b| {
        let s = b.array("s", Space::Shared, Elem::F32, 4);
        let t = b.op(Op::Thread);
        let v = load_x(b, t);
        b.store(Place::Array(s, t), v);
        if barrier {
            b.inst(Inst::Barrier);
        }
        let three = b.int(3);
        let other = b.sub(three, t);
        let v = b.load(Ty::F32, Place::Array(s, other));
        store_y(b, t, v);
    })
}

#[test]
fn shared_memory_needs_barriers() {
    gives(&reversal(true), &[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0]);
    // Thread 0 reads what thread 3 wrote.
    fails(&reversal(false), &[1.0, 2.0, 3.0, 4.0], "another thread wrote since the last barrier: s[3]");
}

#[test]
fn barriers_are_reached_by_all_threads() {
    let k = kernel(DType::F32, 2, None, |b| {
        let (t, zero) = (b.op(Op::Thread), b.int(0));
        let cond = b.cmp(LaneCmp::Eq, t, zero);
        b.begin_block();
        b.inst(Inst::Barrier);
        let then = b.end_block();
        b.inst(Inst::If { cond, then, els: vec![] });
    });
    fails(&k, &[0.0; 2], "a barrier in a branch");
    // What all threads read at one place is the same.
    let k = kernel(DType::F32, 2, None, |b| {
        let t = b.op(Op::Thread);
        let zero = b.int(0);
        let v = load_x(b, zero);
        let zero_f = b.float(0.0);
        let cond = b.cmp(LaneCmp::Gt, v, zero_f);
        b.begin_block();
        b.inst(Inst::Barrier);
        let then = b.end_block();
        b.inst(Inst::If { cond, then, els: vec![] });
        store_y(b, t, v);
    });
    gives(&k, &[1.0, 2.0], &[1.0, 1.0]);
    gives(&k, &[-1.0, 2.0], &[-1.0, -1.0]);
}

#[test]
fn threads_take_loops_and_branches_apart() {
    let k = kernel(DType::F32, 5, None, |b| {
        let (t, zero, two) = (b.op(Op::Thread), b.int(0), b.int(2));
        let sum = b.var_of(zero);
        let i = b.begin_loop();
        let odd = b.binary(crate::simt::SimtBin::Mod, i, two);
        let odd = b.cmp(LaneCmp::Ne, odd, zero);
        b.begin_block();
        let old = b.get(sum);
        let new = b.add(old, i);
        b.set(sum, new);
        let then = b.end_block();
        b.inst(Inst::If { cond: odd, then, els: vec![] });
        b.end_loop(i, zero, t, 1);
        let v = b.get(sum);
        let v = b.op(Op::IntToFloat(v));
        store_y(b, t, v);
    });
    gives(&k, &[0.0; 5], &[0.0, 0.0, 1.0, 1.0, 4.0]);
}

#[test]
fn accesses_are_checked() {
    let at = |space: Option<Space>, offset: i32, count: usize, write: bool| {
        kernel(DType::F32, 1, None, move |b| {
            let a = b.array("a", space.unwrap_or(Space::Shared), Elem::F32, 4);
            let (zero, at) = (b.int(0), b.int(offset));
            let off = b.op(Op::ToOff(at));
            let place = space.map_or(Place::Scratch(off), |_| Place::Array(a, at));
            let one = b.float(1.0);
            if write {
                b.inst(Inst::Store { to: place, values: vec![one; count] });
            }
            let v = b.load_many(Ty::F32, count, place);
            store_y(b, zero, v[count - 1]);
        })
    };
    for space in [None, Some(Space::Shared), Some(Space::Private)] {
        let len = if space.is_some() { 4 } else { SCRATCH as i32 };
        gives(&at(space, 0, 1, true), &[0.0], &[1.0]);
        gives(&at(space, len - 2, 2, true), &[0.0], &[1.0]);
        fails(&at(space, 0, 1, false), &[0.0], "never written");
        fails(&at(space, len, 1, true), &[0.0], "leaves");
        fails(&at(space, -1, 1, true), &[0.0], "leaves");
        fails(&at(space, 1, 2, true), &[0.0], "2 elements are moved at offset 1");
    }
    let k = kernel(DType::F32, 2, None, |b| {
        let (t, one) = (b.op(Op::Thread), b.int(1));
        let v = load_x(b, t);
        let next = b.add(t, one);
        store_y(b, next, v);
    });
    fails(&k, &[0.0; 2], "leaves Y");
}

#[test]
fn halves_are_rounded_where_they_are_stored() {
    let k = kernel(DType::F32, 1, None, |b| {
        let s = b.array("s", Space::Private, Elem::Bf16, 4);
        let [zero, one, two] = [0, 1, 2].map(|i| b.int(i));
        let (x, y) = (load_x(b, zero), load_x(b, one));
        let pair = b.op(Op::Pack(Elem::Bf16, x, y));
        b.store(Place::Array(s, zero), pair);
        b.inst(Inst::Store { to: Place::Array(s, two), values: vec![y, x] });
        for i in [0, 1, 2, 3] {
            let i = b.int(i);
            let v = b.load(Ty::F32, Place::Array(s, i));
            store_y(b, i, v);
        }
    });
    gives(&k, &[1.001, 3.0, 0.0, 0.0], &[1.0, 3.0, 3.0, 1.0]);
}

#[test]
fn shuffles_stay_in_their_subgroup() {
    let k = kernel(DType::F32, 8, Some(4), |b| {
        let t = b.op(Op::Thread);
        let mut v = load_x(b, t);
        for mask in [1, 2] {
            let other = b.op(Op::Shuffle(v, mask));
            v = b.add(v, other);
        }
        store_y(b, t, v);
    });
    gives(&k, &counted(8), &[6.0, 6.0, 6.0, 6.0, 22.0, 22.0, 22.0, 22.0]);
}

#[derive(Clone, Copy)]
enum Step {
    Commit,
    Wait(u32),
    Barrier,
}

/// Y is X the other way round, by way of copies of four floats a thread.
fn copied(valid: bool, steps: &[Step]) -> SimtKernel {
    kernel(DType::F32, 2, None, |b| {
        let s = b.array("s", Space::Shared, Elem::F32, 8);
        let (t, four) = (b.op(Op::Thread), b.int(4));
        let to = b.mul(t, four);
        let from = b.op(Op::ToOff(to));
        let valid = b.op(Op::ConstB(valid));
        b.inst(Inst::CopyAsync { array: s, to, tensor: 0, from, valid });
        for step in steps {
            b.inst(match step {
                Step::Commit => Inst::CopyCommit,
                Step::Wait(n) => Inst::CopyWait(*n),
                Step::Barrier => Inst::Barrier,
            });
        }
        for i in [0, 1, 2, 3] {
            let (i, seven) = (b.int(i), b.int(7));
            let here = b.add(to, i);
            let there = b.sub(seven, here);
            let v = b.load(Ty::F32, Place::Array(s, there));
            store_y(b, here, v);
        }
    })
}

#[test]
fn copies_arrive_after_a_wait_and_a_barrier() {
    use Step::{Barrier, Commit, Wait};
    let back: Vec<f64> = counted(8).into_iter().rev().collect();
    gives(&copied(true, &[Commit, Wait(0), Barrier]), &counted(8), &back);
    gives(&copied(false, &[Commit, Wait(0), Barrier]), &counted(8), &[0.0; 8]);
    fails(&copied(true, &[Commit, Wait(0)]), &counted(8), "another thread wrote");
    fails(&copied(true, &[Commit, Barrier]), &counted(8), "under way");
    fails(&copied(true, &[Commit, Wait(1), Barrier]), &counted(8), "under way");
    fails(&copied(true, &[Wait(0), Barrier]), &counted(8), "under way");
}

/// Small integers, exact in every operand type, as a 16 × K and a K × 8 matrix.
fn operands(depth: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let a: Vec<f64> = (0..16 * depth).map(|i| (i * 7 % 11) as f64 - 5.0).collect();
    let b: Vec<f64> = (0..depth * 8).map(|i| (i * 5 % 9) as f64 - 4.0).collect();
    let dot = |i: usize, j: usize| (0..depth).map(|k| a[i * depth + k] * b[k * 8 + j]).sum::<f64>();
    let c = (0..16).flat_map(|i| (0..8).map(move |j| (i, j))).map(|(i, j)| 1.0 + dot(i, j)).collect();
    (a, b, c)
}

fn at(b: &mut Builder, row: Val, row_shift: i32, stride: i32, col: Val, col_shift: i32) -> Val {
    let (rs, s, cs) = (b.int(row_shift), b.int(stride), b.int(col_shift));
    let row = b.add(row, rs);
    let row = b.mul(row, s);
    let col = b.add(col, cs);
    b.add(row, col)
}

/// The accumulator of ones plus the product, stored to Y.
fn product(b: &mut Builder, of: MatrixType, left: [Val; 4], right: [Val; 2]) {
    let (t, four, two) = (b.op(Op::Thread), b.int(4), b.int(2));
    let g = b.binary(crate::simt::SimtBin::FloorDiv, t, four);
    let c = b.binary(crate::simt::SimtBin::Mod, t, four);
    let c = b.mul(c, two);
    let one = b.float(1.0);
    let acc = [0; 4].map(|_| b.var_of(one));
    b.inst(Inst::Mma { of, a: left, b: right, acc });
    for (i, x) in acc.iter().enumerate() {
        let to = at(b, g, 8 * (i as i32 / 2), 8, c, i as i32 % 2);
        let v = b.get(*x);
        store_y(b, to, v);
    }
}

fn thread_parts(b: &mut Builder) -> (Val, Val) {
    let (t, four) = (b.op(Op::Thread), b.int(4));
    (b.binary(crate::simt::SimtBin::FloorDiv, t, four), b.binary(crate::simt::SimtBin::Mod, t, four))
}

#[test]
fn matrix_products_of_floats() {
    let (a, b, c) = operands(8);
    let k = kernel(DType::F32, 32, Some(32), |f| {
        let (g, c) = thread_parts(f);
        let left = [(0, 0), (8, 0), (0, 4), (8, 4)].map(|(r, k)| {
            let at = at(f, g, r, 8, c, k);
            load_x(f, at)
        });
        let right = [0, 4].map(|k| {
            let at = at(f, c, 16 + k, 8, g, 0);
            load_x(f, at)
        });
        product(f, MatrixType::Tf32, left, right);
    });
    let mut x = a;
    x.extend(b);
    let mut expected = c;
    expected.resize(x.len(), f64::NAN);
    let y = execute(&k, &x).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(y[..128], expected[..128]);
    // The eleventh bit of the fraction is lost.
    let one = 1.0 + 2f64.powi(-12);
    let mut x = vec![0.0; 192];
    (x[0], x[128]) = (one, 1.0);
    assert_eq!(execute(&k, &x).map(|y| y[0]), Ok(2.0));
}

#[test]
fn matrix_products_of_halves() {
    let (a, b, c) = operands(16);
    for (dtype, elem, of) in [(DType::F16, Elem::F16, MatrixType::F16), (DType::Bf16, Elem::Bf16, MatrixType::Bf16)] {
        let k = kernel(dtype, 32, Some(32), |f| {
            let s = f.array("s", Space::Shared, elem, 16 * 16 + 16 * 8);
            let (t, zero, total, eight) = (f.op(Op::Thread), f.int(0), f.int(384 / 32), f.int(8));
            let i = f.begin_loop();
            let to = at(f, i, 0, 32, t, 0);
            let v = load_x(f, to);
            f.store(Place::Array(s, to), v);
            f.end_loop(i, zero, total, 1);
            f.inst(Inst::Barrier);
            // Thread 8i + r names row r of matrix i: rows 0 and 8 on, then columns 8 on.
            let i = f.binary(crate::simt::SimtBin::FloorDiv, t, eight);
            let r = f.binary(crate::simt::SimtBin::Mod, t, eight);
            let two = f.int(2);
            let low = f.binary(crate::simt::SimtBin::Mod, i, two);
            let high = f.binary(crate::simt::SimtBin::FloorDiv, i, two);
            let row = f.mul(low, eight);
            let row = f.add(row, r);
            let col = f.mul(high, eight);
            let left_at = at(f, row, 0, 16, col, 0);
            let left = f.load_matrix(4, s, left_at, false);
            let right_at = at(f, row, 32, 8, zero, 0);
            let right = f.load_matrix(2, s, right_at, true);
            product(f, of, [left[0], left[1], left[2], left[3]], [right[0], right[1]]);
        });
        let x: Vec<f64> = a.iter().chain(&b).copied().collect();
        let y = execute(&k, &x).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(y[..128], c[..], "{dtype}");
    }
}
