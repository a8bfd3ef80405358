//! Which values are written where they are used instead of getting a line of their own.

use einattn_compiler::lane::{Func, Inst, Op, Ty, Val, Var};

/// Counts the uses of every value.
pub(crate) fn count_uses(insts: &[Inst], uses: &mut [usize]) {
    for inst in insts {
        for v in operands(inst) {
            uses[v.0 as usize] += 1;
        }
        match inst {
            Inst::Loop { body, .. } => count_uses(body, uses),
            Inst::If { then, els, .. } => {
                count_uses(then, uses);
                count_uses(els, uses);
            }
            _ => {}
        }
    }
}

/// Values that an instruction itself reads, blocks excluded.
fn operands(inst: &Inst) -> Vec<Val> {
    match inst {
        Inst::Comment(_) => vec![],
        Inst::Let(_, op) => op.operands(),
        Inst::Set(_, v) | Inst::StoreInt { value: v, .. } => vec![*v],
        Inst::Loop { lo, hi, .. } => vec![*lo, *hi],
        Inst::If { cond, .. } => vec![*cond],
        Inst::StoreLocal { offset, value } | Inst::StoreGlobal { offset, value, .. } => vec![*offset, *value],
    }
}

/// How often a straight-line instruction reads a value; 0 for instructions with blocks.
pub(crate) fn uses(inst: &Inst, v: Val) -> usize {
    match inst {
        Inst::Loop { .. } | Inst::If { .. } => 0,
        _ => operands(inst).into_iter().filter(|o| *o == v).count(),
    }
}

/// Uses of a value in the instructions before a block or an assignment of the variable that it was read from.
pub(crate) fn uses_before_set(insts: &[Inst], v: Val, var: Var) -> usize {
    let mut count = 0;
    for inst in insts {
        match inst {
            Inst::Loop { .. } | Inst::If { .. } => return count,
            Inst::Set(x, _) if *x == var => return count + uses(inst, v),
            _ => count += uses(inst, v),
        }
    }
    count
}

/// True if an operation is printed as a call, which needs no parentheses anywhere.
pub(crate) fn is_call(func: &Func, op: &Op) -> bool {
    let vector = |v: &Val| func.ty(*v).is_vector();
    match op {
        Op::Splat(_) | Op::First(_) | Op::Iota | Op::FloatBits(_) | Op::BitsFloat(_) | Op::Shl(..) | Op::Shr(..) => {
            true
        }
        Op::LoadLocal(..) | Op::LoadGlobal(..) | Op::LoadGlobalVec(..) => true,
        Op::Bin(_, a, _) => vector(a) || func.ty(*a) == Ty::I64,
        Op::Un(_, a) | Op::Fma(a, ..) | Op::Cmp(_, a, _) => vector(a),
        Op::IntToFloat(a) | Op::FloatToInt(a) | Op::BoolToInt(a) | Op::Select(a, ..) => vector(a),
        Op::ConstI(_) | Op::ConstF(_) | Op::ConstB(_) | Op::Get(_) | Op::Int(_) | Op::FloatArg(_) | Op::RoundTo(..) => {
            false
        }
    }
}
