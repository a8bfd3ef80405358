//! Control flow, variables and arguments.

use super::{Build, Scratch, kernel, run};
use einattn_compiler::lane::{Func, Inst, LaneBin, Op, Ty};
use einattn_compiler::types::DType;

/// `sum of i in (begin..end).step_by(step) where i != skip`, stored to a slot of `ints`.
fn summing(step: i64) -> Func {
    let mut b = Build::new();
    let sum = b.var(Ty::I64);
    let zero = b.int(0);
    b.inst(Inst::Set(sum, zero));
    let skip = b.op(Ty::I64, Op::Int(1));
    let i = b.val(Ty::I64);
    let body = b.nested(|b| {
        let cond = b.op(Ty::B, Op::Cmp(einattn_compiler::lane::LaneCmp::Ne, i, skip));
        let then = b.nested(|b| {
            let old = b.op(Ty::I64, Op::Get(sum));
            let new = b.op(Ty::I64, Op::Bin(LaneBin::Add, old, i));
            b.inst(Inst::Set(sum, new));
        });
        let els = b.nested(|b| {
            b.inst(Inst::Comment("the skipped one".into()));
        });
        b.inst(Inst::If { cond, then, els });
    });
    b.inst(Inst::Loop { var: i, lo: Func::BEGIN, hi: Func::END, step, body });
    let total = b.op(Ty::I64, Op::Get(sum));
    b.inst(Inst::StoreInt { slot: 0, value: total });
    b.finish()
}

#[test]
fn loops_branches_and_variables() {
    for (lo, hi, step, skip) in
        [(0, 10, 1, 3), (0, 10, 3, 3), (5, 5, 1, 0), (7, 5, 1, 0), (-4, 4, 2, -2), (0, 1, 64, 9)]
    {
        let mut ints = [-1, skip];
        run(&kernel(summing(step), &[]), &mut [], &mut ints, &[], &mut Scratch::new(), (lo, hi));
        let expected: i64 = (lo..hi).step_by(step as usize).filter(|i| *i != skip).sum();
        assert_eq!(ints[0], expected, "{lo}..{hi} step {step} without {skip}");
    }
}

#[test]
fn prepare_reads_what_it_wrote() {
    let mut b = Build::new();
    for slot in 0..3 {
        let old = b.op(Ty::I64, Op::Int(slot));
        let new = b.op(Ty::I64, Op::Bin(LaneBin::Mul, old, old));
        b.inst(Inst::StoreInt { slot: slot + 1, value: new });
    }
    let mut k = kernel(Func { vals: vec![Ty::I64; 2], ..Func::default() }, &[]);
    k.prepare = b.finish();
    let mut ints = [3, 0, 0, 0];
    run(&k, &mut [], &mut ints, &[], &mut Scratch::new(), (0, 0));
    assert_eq!(ints, [3, 9, 81, 6561]);
}

#[test]
fn float_arguments_and_offsets() {
    let mut b = Build::new();
    let x = b.op(Ty::F32, Op::FloatArg(1));
    // The constant part of an offset moves into the address, on either side and at either sign.
    let (four, minus) = (b.int(4), b.int(-4));
    let at = b.op(Ty::I64, Op::Int(0));
    let up = b.op(Ty::I64, Op::Bin(LaneBin::Add, at, four));
    let down = b.op(Ty::I64, Op::Bin(LaneBin::Add, minus, at));
    let both = b.op(Ty::I64, Op::Bin(LaneBin::Add, four, four));
    for offset in [up, down, both] {
        b.inst(Inst::StoreLocal { offset, value: x });
    }
    let mut scratch = Scratch::new();
    run(&kernel(b.finish(), &[]), &mut [], &mut [64], &[1.0, 2.5], &mut scratch, (0, 1));
    let set: Vec<usize> = (0..64).filter(|i| scratch.word(*i) == 2.5f32.to_le_bytes()).collect();
    assert_eq!(set, [2, 15, 17]);
}

#[test]
fn vector_loads_from_tensors() {
    let mut b = Build::new();
    let x = b.op(Ty::VF, Op::LoadGlobalVec(0, Func::BEGIN));
    let at = b.int(0);
    b.inst(Inst::StoreLocal { offset: at, value: x });
    let tensor: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let mut scratch = Scratch::new();
    run(&kernel(b.finish(), &[DType::F32]), &mut [tensor], &mut [], &[], &mut scratch, (3, 4));
    let lanes: Vec<f32> = (0..4).map(|i| f32::from_le_bytes(scratch.word(i))).collect();
    assert_eq!(lanes, [3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn a_wrong_function_is_a_reported_bug() {
    let mut b = Build::new();
    let x = b.val(Ty::F32);
    b.inst(Inst::StoreLocal { offset: Func::BEGIN, value: x });
    let error = crate::compile(&kernel(b.finish(), &[])).err().map(|e| e.to_string());
    let error = error.expect("an undefined value is refused");
    assert!(error.contains("value 2 is used before it is defined"), "{error}");
}

#[test]
fn other_widths_are_refused() {
    let mut k = kernel(Build::new().finish(), &[]);
    k.lanes = 8;
    let error = crate::compile(&k).err().map(|e| e.to_string());
    assert_eq!(error.as_deref(), Some("the Cranelift target does not compile vectors of 8 lanes"));
}
