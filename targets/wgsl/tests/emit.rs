//! Modules of stages built by hand.

mod validate;

use einattn_compiler::lane::{self, IntLayout, LaneCmp, MemRole, MemTensor, RankSource};
use einattn_compiler::math::Math;
use einattn_compiler::simt::{Builder, Elem, Inst, Op, Place, SimtBin, SimtKernel, SimtUn, Space, Ty, Val, verify};
use einattn_compiler::types::DType;
use einattn_target_wgsl::{Module, emit, manifest};

/// A kernel of one stage from `X[N]` to `Y[N]`, with the table `C[3]` and the workspace `W[N]`.
fn kernel(from: DType, to: DType, build: impl Fn(&mut Builder)) -> SimtKernel {
    let ints = IntLayout {
        ranks: vec![("N".into(), true)],
        scalars: vec!["w".into()],
        tensor_dims: vec![1; 4],
        stages: 1,
        asserts: vec![],
    };
    let mut p = lane::Builder::new(vec![]);
    let (n, one, three, bytes) = (p.op(lane::Op::Int(0)), p.int(1), p.int(3), p.int(256));
    let derived = [
        (ints.dim(0, 0), n),
        (ints.dim(1, 0), n),
        (ints.dim(2, 0), three),
        (ints.dim(3, 0), n),
        (ints.stride(2, 0), one),
        (ints.stride(3, 0), one),
        (ints.items(0), one),
        (ints.scratch(0), bytes),
    ];
    for (slot, value) in derived {
        p.inst(lane::Inst::StoreInt { slot, value });
    }
    let tensor = |name: &str, role, dtype| MemTensor { name: name.into(), dtype, dims: vec!["N".into()], role };
    let mut b = Builder::new();
    build(&mut b);
    SimtKernel {
        name: "f".into(),
        spec: String::new(),
        tensors: vec![
            tensor("X", MemRole::In, from),
            tensor("Y", MemRole::Out, to),
            tensor("C", MemRole::Table(vec![1.0, 2.0, -3.0]), DType::F32),
            tensor("W", MemRole::Workspace, DType::F32),
        ],
        ints,
        sources: vec![RankSource::Dim { tensor: 0, dim: 0 }],
        floats: vec!["a".into()],
        prepare: p.finish(),
        stages: vec![b.finish("Y", 64, None)],
    }
}

#[track_caller]
fn valid(k: &SimtKernel) -> Module {
    assert_eq!(verify(k), Ok(()));
    let module = emit(k).unwrap_or_else(|e| panic!("{e:?}"));
    let problems = validate::problems(&module.text);
    assert!(problems.is_empty(), "{}\n{}", module.text, problems.join("\n"));
    module
}

#[track_caller]
fn refused(k: &SimtKernel, part: &str) {
    let all = emit(k).map(|m| m.text).map_err(|e| e.iter().map(|r| r.message.clone()).collect::<Vec<_>>().join("; "));
    assert!(all.as_ref().is_err_and(|e| e.contains(part)), "{all:?} does not say `{part}`");
}

/// The thread's number as an offset.
fn here(b: &mut Builder) -> (Val, Val) {
    let thread = b.op(Op::Thread);
    (thread, b.op(Op::ToOff(thread)))
}

#[test]
fn every_operation_validates() {
    let k = kernel(DType::F32, DType::F32, |b| {
        let (thread, at) = here(b);
        let mut x = b.load(Ty::F32, Place::Global(0, at));
        let mut i = b.op(Op::FloatToInt(x));
        for op in [SimtUn::Neg, SimtUn::Abs, SimtUn::Popcount, SimtUn::Ilog2] {
            i = b.op(Op::Un(op, i));
        }
        let ops = [SimtBin::Add, SimtBin::Sub, SimtBin::Mul, SimtBin::Min, SimtBin::Max, SimtBin::FloorDiv];
        for op in ops.into_iter().chain([SimtBin::Mod, SimtBin::And, SimtBin::Or, SimtBin::Xor]) {
            i = b.op(Op::Bin(op, i, thread));
        }
        let (left, right) = (b.op(Op::Shl(i, 3)), b.op(Op::Shr(i, 31)));
        let i = b.add(left, right);
        use SimtUn::{Abs, Ceil, Exp2, Floor, Log2, Neg, Round, Sqrt};
        for op in [Neg, Abs, Sqrt, Floor, Ceil, Round, Exp2, Log2] {
            x = b.op(Op::Un(op, x));
        }
        let y = b.op(Op::IntToFloat(i));
        for op in [SimtBin::Add, SimtBin::Sub, SimtBin::Mul, SimtBin::Div, SimtBin::Min, SimtBin::Max] {
            x = b.op(Op::Bin(op, x, y));
        }
        let bits = b.op(Op::FloatBits(x));
        let y = b.op(Op::BitsFloat(bits));
        x = b.fma(x, y, x);
        for dtype in [DType::F32, DType::F16, DType::Bf16] {
            x = b.op(Op::RoundTo(dtype, x));
        }
        let (a, w) = (b.op(Op::FloatArg(0)), b.op(Op::Int(1)));
        let near = b.cmp(LaneCmp::Ge, i, w);
        let less = b.cmp(LaneCmp::Lt, x, a);
        let far = b.op(Op::Un(SimtUn::Not, near));
        let both = b.op(Op::Bin(SimtBin::And, far, less));
        let any = b.op(Op::Bin(SimtBin::Or, both, less));
        let (infinite, none) = (b.float(f32::NEG_INFINITY), b.float(f32::NAN));
        let y = b.select(both, infinite, none);
        let x = b.select(any, x, y);
        let one = b.op(Op::BoolToInt(any));
        let one = b.op(Op::IntToFloat(one));
        let x = b.add(x, one);
        b.store(Place::Global(1, at), x);
    });
    let text = valid(&k).text;
    assert!(text.contains("floor_div(") && text.contains("firstLeadingBit("), "{text}");
}

#[test]
fn constants_are_never_evaluated_by_the_shader_compiler() {
    let k = kernel(DType::F32, DType::F32, |b| {
        let (_, at) = here(b);
        let (big, zero) = (b.float(1e30), b.float(0.0));
        let overflow = b.mul(big, big);
        let quotient = b.op(Op::Bin(SimtBin::Div, big, zero));
        let (most, least) = (b.int(i32::MAX), b.int(i32::MIN));
        let wraps = b.op(Op::Bin(SimtBin::Add, most, most));
        let shifted = b.op(Op::Shl(least, 31));
        let sum = b.add(wraps, shifted);
        let sum = b.op(Op::IntToFloat(sum));
        let x = b.add(overflow, quotient);
        let x = b.add(x, sum);
        b.store(Place::Global(1, at), x);
    });
    valid(&k);
}

#[test]
fn rounding_by_a_large_number_is_not_left_to_the_shader_compiler() {
    let k = kernel(DType::F32, DType::F32, |b| {
        let (_, at) = here(b);
        let x = b.load(Ty::F32, Place::Global(0, at));
        let magic = b.float(12_582_912.0);
        let t = b.add(x, magic);
        let n = b.sub(t, magic);
        b.store(Place::Global(1, at), n);
    });
    let text = valid(&k).text;
    assert!(text.contains("= round(X_"), "{text}");
}

#[test]
fn every_storage_type_is_read_and_written_in_runs_of_every_length() {
    let types = [DType::F32, DType::F16, DType::Bf16, DType::I32, DType::I8, DType::U8, DType::Bool];
    for dtype in types {
        let ty = einattn_compiler::simt::typing::scalar_type(dtype);
        let k = kernel(dtype, dtype, |b| {
            let (_, at) = here(b);
            let mut n = 1;
            while n <= 8 && n * dtype.bytes() <= 16 {
                let count = b.int(n as i32);
                let count = b.op(Op::ToOff(count));
                let at = b.mul(at, count);
                let values = b.load_many(ty, n, Place::Global(0, at));
                b.inst(Inst::Store { to: Place::Global(1, at), values });
                n *= 2;
            }
        });
        valid(&k);
    }
    for (dtype, elem) in [(DType::F16, Elem::F16), (DType::Bf16, Elem::Bf16)] {
        let k = kernel(dtype, dtype, |b| {
            let (_, at) = here(b);
            let array = b.array("tile", Space::Shared, elem, 128);
            let thread = b.op(Op::Thread);
            let two = b.int(2);
            let place = b.mul(thread, two);
            let values = b.load_many(Ty::Pair, 1, Place::Global(0, at));
            b.inst(Inst::Store { to: Place::Array(array, place), values });
            let x = b.load(Ty::F32, Place::Array(array, place));
            let pair = b.op(Op::Pack(elem, x, x));
            b.inst(Inst::Store { to: Place::Array(array, place), values: vec![pair] });
            let values = b.load_many(Ty::Pair, 1, Place::Array(array, place));
            b.inst(Inst::Store { to: Place::Global(1, at), values });
        });
        valid(&k);
    }
}

#[test]
fn threads_exchange_values_through_every_memory() {
    let k = kernel(DType::F32, DType::F32, |b| {
        let (thread, at) = here(b);
        let tile = b.array("tile", Space::Shared, Elem::F32, 64);
        let own = b.array("own", Space::Private, Elem::I32, 4);
        let x = b.load(Ty::F32, Place::Global(0, at));
        let three = b.int(3);
        let three_off = b.op(Op::ToOff(three));
        let c = b.load(Ty::F32, Place::Global(2, three_off));
        let x = b.mul(x, c);
        b.store(Place::Array(tile, thread), x);
        b.store(Place::Global(3, at), x);
        b.store(Place::Scratch(at), x);
        let truth = b.cmp(LaneCmp::Gt, x, c);
        b.store(Place::Array(own, three), truth);
        b.inst(Inst::Barrier);
        let a = b.load(Ty::F32, Place::Array(tile, three));
        let w = b.load(Ty::F32, Place::Global(3, three_off));
        let s = b.load(Ty::F32, Place::Scratch(three_off));
        let i = b.load(Ty::I32, Place::Array(own, three));
        let i = b.op(Op::IntToFloat(i));
        let x = [w, s, i].into_iter().fold(a, |x, y| b.add(x, y));
        b.store(Place::Global(1, at), x);
    });
    let module = valid(&k);
    let e = &module.entries[0];
    assert_eq!((&e.tensors[..], e.tables, e.pool, e.scratch, e.shared_bytes), (&[0, 1][..], true, true, true, 256));
    let json = manifest(&k, &module);
    assert!(json.contains("\"entry\": \"stage0_Y\""), "{json}");
}

/// A barrier in a loop whose bound is read from memory that is written: the standard's analysis must accept it.
#[test]
fn barriers_may_depend_on_what_is_the_same_in_all_threads() {
    let k = kernel(DType::I32, DType::F32, |b| {
        let (thread, at) = here(b);
        let bound = b.array("bound", Space::Shared, Elem::I32, 1);
        let (zero, one) = (b.int(0), b.int(1));
        let first = b.cmp(LaneCmp::Eq, thread, zero);
        b.begin_block();
        let n = b.op(Op::Int(0));
        b.store(Place::Array(bound, zero), n);
        let then = b.end_block();
        b.inst(Inst::If { cond: first, then, els: vec![] });
        b.inst(Inst::Barrier);
        let hi = b.load(Ty::I32, Place::Array(bound, zero));
        let sum = b.float(0.0);
        let sum = b.var_of(sum);
        let limit = b.var_of(hi);
        let hi = b.get(limit);
        let i = b.begin_loop();
        b.inst(Inst::Barrier);
        let x = b.op(Op::IntToFloat(i));
        let old = b.get(sum);
        let new = b.add(old, x);
        b.set(sum, new);
        b.end_loop(i, zero, hi, 1);
        // An input's elements are uniform by themselves.
        let zero_off = b.op(Op::ToOff(zero));
        let given = b.load(Ty::I32, Place::Global(0, zero_off));
        let some = b.cmp(LaneCmp::Gt, given, one);
        b.begin_block();
        b.inst(Inst::Barrier);
        let then = b.end_block();
        b.inst(Inst::If { cond: some, then, els: vec![] });
        let x = b.get(sum);
        b.store(Place::Global(1, at), x);
    });
    let text = valid(&k).text;
    assert_eq!(text.matches("workgroupUniformLoad").count(), 1, "{text}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_numbers() {
    let stage = |build: &dyn Fn(&mut Builder)| kernel(DType::F32, DType::F32, build);
    let shared = stage(&|b| {
        b.array("tile", Space::Shared, Elem::F32, 5000);
    });
    refused(&shared, "20000 bytes of workgroup memory; the wgsl target allows 16384");
    let mut shuffles = stage(&|b| {
        let x = b.float(1.0);
        b.op(Op::Shuffle(x, 1));
    });
    shuffles.stages[0].subgroup = Some(32);
    refused(&shuffles, "no exchange of values within a subgroup");
    let mut wide = stage(&|_| {});
    wide.stages[0].threads = 512;
    refused(&wide, "512 threads of a workgroup; the wgsl target allows 256");
    let doubles = kernel(DType::F64, DType::F32, |_| {});
    refused(&doubles, "`X` is f64");
    let mut broken = stage(&|_| {});
    broken.stages[0].body.push(Inst::Set(einattn_compiler::simt::Var(0), Val(0)));
    refused(&broken, "no SIMT kernel");
}
