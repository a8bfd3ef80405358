//! Every operation and instruction in one stage or another: the assembler takes the text.

use einattn_compiler::lane::{Func, IntLayout, LaneCmp, MemRole, MemTensor, RankSource};
use einattn_compiler::math::Math;
use einattn_compiler::simt::{
    Builder, Elem, Inst, MatrixType, Op, Place, SimtBin, SimtKernel, SimtStage, SimtUn, Space, Ty, Val,
};
use einattn_compiler::types::DType;
use einattn_target_ptx::{Arch, Module, emit, ptxas};

/// A kernel with one input and one output of a type.
fn kernel(dtype: DType, stage: impl FnOnce(&mut Builder), subgroup: Option<u32>) -> SimtKernel {
    let tensor = |name: &str, role| MemTensor { name: name.to_string(), dtype, dims: vec!["N".to_string()], role };
    let mut b = Builder::new();
    stage(&mut b);
    let stage: SimtStage = b.finish("O", 128, subgroup);
    SimtKernel {
        name: "k".to_string(),
        spec: String::new(),
        tensors: vec![tensor("x", MemRole::In), tensor("y", MemRole::Out)],
        ints: IntLayout {
            ranks: vec![("N".to_string(), true)],
            scalars: vec![],
            tensor_dims: vec![1, 1],
            stages: 1,
            asserts: vec![],
        },
        sources: vec![RankSource::Given],
        floats: vec!["scale".to_string()],
        prepare: Func { vals: vec![], vars: vec![], body: vec![] },
        stages: vec![stage],
    }
}

/// Emits and assembles for every family, and returns the text for the oldest.
#[track_caller]
fn check(kernel: &SimtKernel) -> Module {
    for arch in Arch::ALL {
        let module = emit(kernel, arch).expect("PTX has everything that is used here");
        if let Err(report) = ptxas::assemble(&module.text, arch) {
            panic!("{report}\n{}", module.text);
        }
    }
    emit(kernel, Arch::Sm80).expect("as above")
}

/// Offset of this thread in a tensor, times a number.
fn at(b: &mut Builder, times: i32) -> Val {
    let (thread, n) = (b.op(Op::Thread), b.int(times));
    let i = b.mul(thread, n);
    b.op(Op::ToOff(i))
}

fn store(b: &mut Builder, v: Val) {
    let offset = at(b, 1);
    b.store(Place::Global(1, offset), v);
}

#[test]
fn float_operations() {
    let k = kernel(
        DType::F32,
        |b| {
            let offset = at(b, 1);
            let x = b.load(Ty::F32, Place::Global(0, offset));
            let mut y = b.op(Op::FloatArg(0));
            for op in [SimtUn::Neg, SimtUn::Abs, SimtUn::Sqrt, SimtUn::Floor, SimtUn::Ceil, SimtUn::Round] {
                let z = b.unary(op, x);
                y = b.fma(z, y, x);
            }
            for op in [SimtUn::Exp2, SimtUn::Log2] {
                let z = b.unary(op, x);
                y = b.add(z, y);
            }
            for op in [SimtBin::Sub, SimtBin::Mul, SimtBin::Div, SimtBin::Min, SimtBin::Max] {
                y = b.binary(op, y, x);
            }
            for dtype in DType::ALL.into_iter().filter(|d| *d != DType::F64) {
                y = b.op(Op::RoundTo(dtype, y));
                y = b.mul(y, x);
            }
            let inf = b.float(f32::NEG_INFINITY);
            for op in [LaneCmp::Eq, LaneCmp::Ne, LaneCmp::Lt, LaneCmp::Le, LaneCmp::Gt, LaneCmp::Ge] {
                let c = b.cmp(op, y, x);
                y = b.select(c, inf, y);
            }
            store(b, y);
        },
        None,
    );
    let module = check(&k);
    assert_eq!(module.alignment, [4, 4]);
    assert!(module.text.contains("ld.global.nc.b32"), "inputs are read through the read-only path");
}

#[test]
fn integer_operations() {
    let k = kernel(
        DType::I32,
        |b| {
            let offset = at(b, 1);
            let x = b.load(Ty::I32, Place::Global(0, offset));
            let mut y = b.op(Op::Int(0));
            for op in [SimtUn::Neg, SimtUn::Abs, SimtUn::Popcount, SimtUn::Ilog2] {
                let z = b.unary(op, x);
                y = b.add(y, z);
            }
            use SimtBin::*;
            for op in [Sub, Mul, Min, Max, FloorDiv, Mod, And, Or, Xor] {
                y = b.binary(op, y, x);
            }
            let eight = b.int(8);
            for op in [FloorDiv, Mod] {
                let z = b.binary(op, y, eight);
                y = b.op(Op::Shl(z, 3));
            }
            let item = b.op(Op::Item);
            let f = b.op(Op::IntToFloat(y));
            let (i, j) = (b.op(Op::FloatToInt(f)), b.op(Op::FloatBits(f)));
            let g = b.op(Op::BitsFloat(j));
            let (less, other, always) = (b.cmp(LaneCmp::Lt, f, g), b.cmp(LaneCmp::Ne, i, item), b.truth(true));
            let (and, or) = (b.binary(And, less, other), b.binary(Or, less, always));
            let (not, choice) = (b.unary(SimtUn::Not, and), b.select(less, other, or));
            let all = b.binary(And, not, choice);
            let bit = b.op(Op::BoolToInt(all));
            let right = b.op(Op::Shr(bit, 2));
            store(b, right);
            let (stride, off) = (b.op(Op::IntOff(1)), at(b, 3));
            let far = b.mul(stride, off);
            let (near, back) = (b.add(far, off), b.unary(SimtUn::Neg, far));
            let place = b.sub(near, back);
            b.store(Place::Global(1, place), all);
        },
        None,
    );
    check(&k);
}

/// Elements of a type, so many at once, from the input to the output and through an array.
fn moves(dtype: DType, ty: Ty, count: usize, elem: Option<Elem>) {
    let k = kernel(
        dtype,
        |b| {
            let elements = (count * if ty == Ty::Pair { 2 } else { 1 }) as i32;
            let offset = at(b, elements);
            let mut values = b.load_many(ty, count, Place::Global(0, offset));
            for space in [Space::Shared, Space::Private] {
                let Some(elem) = elem else { continue };
                let array = b.array(format!("{space:?}"), space, elem, 1024);
                let (thread, n) = (b.op(Op::Thread), b.int(elements));
                let (i, next) = (b.mul(thread, n), b.int(2 * elements));
                let j = b.add(i, next);
                b.inst(Inst::Store { to: Place::Array(array, i), values });
                b.inst(Inst::Barrier);
                values = b.load_many(ty, count, Place::Array(array, j));
            }
            b.inst(Inst::Store { to: Place::Global(1, offset), values });
        },
        None,
    );
    let module = check(&k);
    let bytes = (count * dtype.bytes() * if ty == Ty::Pair { 2 } else { 1 }) as u32;
    assert_eq!(module.alignment, [bytes, bytes], "{dtype} {count}");
    assert_eq!(module.entries[0].shared_bytes, elem.map_or(0, |e| 1024 * e.bytes()));
}

#[test]
fn moves_of_every_type() {
    for count in [1, 2, 4] {
        moves(DType::F32, Ty::F32, count, Some(Elem::F32));
        moves(DType::I32, Ty::I32, count, Some(Elem::I32));
        moves(DType::F16, Ty::Pair, count, Some(Elem::F16));
        moves(DType::Bf16, Ty::Pair, count, Some(Elem::Bf16));
    }
    for count in [1, 2, 4, 8] {
        moves(DType::F16, Ty::F32, count, Some(Elem::F16));
        moves(DType::Bf16, Ty::F32, count, Some(Elem::Bf16));
        moves(DType::F8E4M3, Ty::F32, count, None);
        moves(DType::F8E5M2, Ty::F32, count, None);
        moves(DType::I8, Ty::I32, count, None);
        moves(DType::U8, Ty::I32, count, None);
        moves(DType::Bool, Ty::B, count, None);
    }
}

/// A stage that copies, multiplies and exchanges: the shape of an attention kernel.
#[test]
fn matrices() {
    for (dtype, elem, of) in [(DType::F16, Elem::F16, MatrixType::F16), (DType::Bf16, Elem::Bf16, MatrixType::Bf16)] {
        let k = kernel(
            dtype,
            |b| {
                let tile = b.array("tile", Space::Shared, elem, 32 * 1024);
                let zero = b.float(0.0);
                let acc = [(); 4].map(|()| b.var_of(zero));
                let (eight, thread, n) = (b.int(8), b.op(Op::Thread), b.op(Op::Int(0)));
                let to = b.mul(thread, eight);
                let (lo, from) = (b.int(0), at(b, 8));
                let m = b.begin_loop();
                let valid = b.cmp(LaneCmp::Lt, m, n);
                b.inst(Inst::CopyAsync { array: tile, to, tensor: 0, from, valid });
                b.inst(Inst::CopyCommit);
                b.inst(Inst::CopyWait(0));
                b.inst(Inst::Barrier);
                let x = b.load_matrix(4, tile, to, false);
                let y = b.load_matrix(2, tile, to, true);
                let _ = b.load_matrix(1, tile, to, true);
                b.inst(Inst::Mma { of, a: [x[0], x[1], x[2], x[3]], b: [y[0], y[1]], acc });
                let s = b.get(acc[0]);
                let other = b.op(Op::Shuffle(s, 1));
                let most = b.max(s, other);
                b.set(acc[0], most);
                b.inst(Inst::Barrier);
                b.end_loop(m, lo, n, 64);
                let (s, t) = (b.get(acc[0]), b.get(acc[1]));
                let pair = b.op(Op::Pack(elem, s, t));
                let offset = at(b, 2);
                b.inst(Inst::Store { to: Place::Global(1, offset), values: vec![pair] });
            },
            Some(32),
        );
        let module = check(&k);
        assert_eq!((module.entries[0].shared_bytes, &module.alignment[..]), (64 << 10, &[16, 4][..]));
    }
}

#[test]
fn float_matrices() {
    let k = kernel(
        DType::F32,
        |b| {
            let zero = b.float(0.0);
            let acc = [(); 4].map(|()| b.var_of(zero));
            let offset = at(b, 4);
            let x = b.load_many(Ty::F32, 4, Place::Global(0, offset));
            b.inst(Inst::Mma { of: MatrixType::Tf32, a: [x[0], x[1], x[2], x[3]], b: [x[0], x[1]], acc });
            let s = b.get(acc[3]);
            store(b, s);
        },
        Some(32),
    );
    check(&k);
}

/// Blocks of a stage with scratch take many items; without, one.
#[test]
fn scratch_and_branches() {
    let k = kernel(
        DType::F32,
        |b| {
            b.comment("a comment\nof two lines");
            let offset = at(b, 1);
            let x = b.load(Ty::F32, Place::Global(0, offset));
            let zero = b.float(0.0);
            let less = b.cmp(LaneCmp::Lt, x, zero);
            b.begin_block();
            b.store(Place::Scratch(offset), x);
            let then = b.end_block();
            b.begin_block();
            b.store(Place::Scratch(offset), zero);
            let els = b.end_block();
            b.inst(Inst::If { cond: less, then, els });
            b.inst(Inst::Barrier);
            let y = b.load(Ty::F32, Place::Scratch(offset));
            store(b, y);
        },
        None,
    );
    assert!(check(&k).entries[0].scratch);
}

#[test]
fn what_ptx_lacks_is_refused() {
    let k = kernel(
        DType::F64,
        |b| {
            let x = b.float(1.0);
            store(b, x);
        },
        None,
    );
    assert_eq!(emit(&k, Arch::Sm80).map_err(|e| e.to_string()), Err("the PTX target does not emit f64".to_string()));
}
