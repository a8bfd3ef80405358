//! Lane operations to Cranelift instructions, one by one.

use crate::func::{Emit, MEMORY, clif_type};
use crate::{Error, convert, math};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};
use einattn_compiler::lane::{LaneBin, LaneCmp, LaneUn, Op, Ty, Val};

/// The instructions of one operation that defines `dst`.
pub(crate) fn emit(e: &mut Emit<'_, '_>, dst: Val, op: &Op) -> Result<Value, Error> {
    Ok(match op {
        Op::ConstI(n) => e.b.ins().iconst(types::I64, *n),
        Op::ConstF(x) => e.b.ins().f32const(*x),
        Op::ConstB(x) => e.b.ins().iconst(types::I8, i64::from(*x)),
        Op::Get(var) => {
            let var = e.var(*var)?;
            e.b.use_var(var)
        }
        Op::Int(slot) => e.int(*slot),
        Op::FloatArg(slot) => e.float(*slot),
        Op::Un(op, a) => {
            let (ty, a) = operand(e, *a)?;
            unary(e, *op, ty, a)?
        }
        Op::Bin(op, a, b) => {
            let ((ty, a), (_, b)) = (operand(e, *a)?, operand(e, *b)?);
            binary(e, *op, ty, a, b)?
        }
        Op::Fma(a, b, c) => {
            let (a, b, c) = (e.val(*a)?, e.val(*b)?, e.val(*c)?);
            fused(e, a, b, c)
        }
        Op::Cmp(cmp, a, b) => {
            let ((ty, a), (_, b)) = (operand(e, *a)?, operand(e, *b)?);
            compare(e, *cmp, ty, a, b)
        }
        Op::Select(c, a, b) => {
            let ((ty, c), a, b) = (operand(e, *c)?, e.val(*a)?, e.val(*b)?);
            if ty == Ty::VB { math::blend(e, c, a, b) } else { e.b.ins().select(c, a, b) }
        }
        Op::Splat(a) => {
            let (ty, a) = operand(e, *a)?;
            splat(e, ty, a)
        }
        Op::Iota => math::vector_const(e, [0, 1, 2, 3]),
        Op::First(a) => {
            let (ty, a) = operand(e, *a)?;
            let lane = e.b.ins().extractlane(a, 0);
            if ty == Ty::VI { e.b.ins().sextend(types::I64, lane) } else { lane }
        }
        Op::IntToFloat(a) => {
            let (ty, a) = operand(e, *a)?;
            e.b.ins().fcvt_from_sint(if ty == Ty::VI { types::F32X4 } else { types::F32 }, a)
        }
        Op::FloatToInt(a) => {
            let (ty, a) = operand(e, *a)?;
            truncate(e, ty, a)
        }
        Op::BoolToInt(a) => {
            let (ty, a) = operand(e, *a)?;
            if ty == Ty::VB { e.b.ins().ineg(a) } else { e.b.ins().uextend(types::I64, a) }
        }
        Op::FloatBits(a) => {
            let a = e.val(*a)?;
            bits(e, types::I32X4, a)
        }
        Op::BitsFloat(a) => {
            let a = e.val(*a)?;
            bits(e, types::F32X4, a)
        }
        Op::Shl(a, n) => {
            let a = e.val(*a)?;
            let n = e.b.ins().iconst(types::I32, i64::from(*n));
            e.b.ins().ishl(a, n)
        }
        Op::Shr(a, n) => {
            let a = e.val(*a)?;
            let n = e.b.ins().iconst(types::I32, i64::from(*n));
            e.b.ins().sshr(a, n)
        }
        Op::RoundTo(dtype, a) => {
            let a = e.val(*a)?;
            convert::round_to(e, *dtype, a)
        }
        Op::LoadLocal(ty, offset) => load_local(e, *ty, *offset)?,
        Op::LoadGlobal(tensor, offset) => {
            let (addr, disp) = e.global(*tensor, *offset)?;
            convert::load(e, e.kernel.tensors[*tensor].dtype, addr, disp)
        }
        Op::LoadGlobalVec(tensor, offset) => {
            let (addr, disp) = e.global(*tensor, *offset)?;
            e.b.ins().load(clif_type(e.func.ty(dst)), MEMORY, addr, disp)
        }
    })
}

fn operand(e: &Emit<'_, '_>, v: Val) -> Result<(Ty, Value), Error> {
    Ok((e.func.ty(v), e.val(v)?))
}

fn is_float(ty: Ty) -> bool {
    matches!(ty, Ty::F32 | Ty::VF)
}

/// Reinterprets a vector.
pub(crate) fn bits(e: &mut Emit<'_, '_>, ty: Type, a: Value) -> Value {
    e.b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), a)
}

fn misfit(op: &str, ty: Ty) -> Error {
    Error::Bug(format!("{op} of {ty:?}"))
}

fn unary(e: &mut Emit<'_, '_>, op: LaneUn, ty: Ty, a: Value) -> Result<Value, Error> {
    Ok(match op {
        LaneUn::Neg if is_float(ty) => e.b.ins().fneg(a),
        LaneUn::Neg => e.b.ins().ineg(a),
        LaneUn::Abs if is_float(ty) => e.b.ins().fabs(a),
        LaneUn::Abs => e.b.ins().iabs(a),
        LaneUn::Not if ty == Ty::VB => e.b.ins().bnot(a),
        LaneUn::Not if ty == Ty::B => e.b.ins().bxor_imm_u(a, 1),
        LaneUn::Not => return Err(misfit("Not", ty)),
        LaneUn::Sqrt => e.b.ins().sqrt(a),
        LaneUn::Floor => math::floor(e, a),
        LaneUn::Ceil => math::ceil(e, a),
        LaneUn::Round => math::nearest(e, a),
        LaneUn::Popcount => e.b.ins().popcnt(a),
        LaneUn::Ilog2 => math::ilog2(e, a),
    })
}

fn binary(e: &mut Emit<'_, '_>, op: LaneBin, ty: Ty, a: Value, b: Value) -> Result<Value, Error> {
    Ok(match op {
        LaneBin::Add if is_float(ty) => e.b.ins().fadd(a, b),
        LaneBin::Add => e.b.ins().iadd(a, b),
        LaneBin::Sub if is_float(ty) => e.b.ins().fsub(a, b),
        LaneBin::Sub => e.b.ins().isub(a, b),
        LaneBin::Mul if is_float(ty) => e.b.ins().fmul(a, b),
        LaneBin::Mul => e.b.ins().imul(a, b),
        LaneBin::Div if is_float(ty) => e.b.ins().fdiv(a, b),
        LaneBin::Div => return Err(misfit("Div", ty)),
        LaneBin::Min if is_float(ty) => pick(e, FloatCC::LessThan, a, b),
        LaneBin::Min => e.b.ins().smin(a, b),
        LaneBin::Max if is_float(ty) => pick(e, FloatCC::GreaterThan, a, b),
        LaneBin::Max => e.b.ins().smax(a, b),
        LaneBin::FloorDiv => math::floor_div(e, a, b),
        LaneBin::Mod => math::modulus(e, a, b),
        LaneBin::And => e.b.ins().band(a, b),
        LaneBin::Or => e.b.ins().bor(a, b),
    })
}

/// `a cc b ? a : b`, which x86-64 does in one instruction.
fn pick(e: &mut Emit<'_, '_>, cc: FloatCC, a: Value, b: Value) -> Value {
    let scalar = e.b.func.dfg.value_type(a) == types::F32;
    // The backend knows the pattern with `<` only.
    let (x, y) = if cc == FloatCC::GreaterThan { (b, a) } else { (a, b) };
    let c = e.b.ins().fcmp(FloatCC::LessThan, x, y);
    if scalar { e.b.ins().select(c, a, b) } else { math::blend(e, c, a, b) }
}

fn fused(e: &mut Emit<'_, '_>, a: Value, b: Value, c: Value) -> Value {
    if e.features.fma {
        return e.b.ins().fma(a, b, c);
    }
    let product = e.b.ins().fmul(a, b);
    e.b.ins().fadd(product, c)
}

fn compare(e: &mut Emit<'_, '_>, cmp: LaneCmp, ty: Ty, a: Value, b: Value) -> Value {
    let (int, float) = match cmp {
        LaneCmp::Eq => (IntCC::Equal, FloatCC::Equal),
        LaneCmp::Ne => (IntCC::NotEqual, FloatCC::NotEqual),
        LaneCmp::Lt => (IntCC::SignedLessThan, FloatCC::LessThan),
        LaneCmp::Le => (IntCC::SignedLessThanOrEqual, FloatCC::LessThanOrEqual),
        LaneCmp::Gt => (IntCC::SignedGreaterThan, FloatCC::GreaterThan),
        LaneCmp::Ge => (IntCC::SignedGreaterThanOrEqual, FloatCC::GreaterThanOrEqual),
    };
    if is_float(ty) { e.b.ins().fcmp(float, a, b) } else { e.b.ins().icmp(int, a, b) }
}

fn splat(e: &mut Emit<'_, '_>, ty: Ty, a: Value) -> Value {
    match ty {
        Ty::I64 => {
            let low = e.b.ins().ireduce(types::I32, a);
            e.b.ins().splat(types::I32X4, low)
        }
        Ty::B => {
            let wide = e.b.ins().uextend(types::I32, a);
            let mask = e.b.ins().ineg(wide);
            e.b.ins().splat(types::I32X4, mask)
        }
        Ty::F32 => e.b.ins().splat(types::F32X4, a),
        Ty::VF | Ty::VI | Ty::VB => a,
    }
}

fn truncate(e: &mut Emit<'_, '_>, ty: Ty, a: Value) -> Value {
    match ty {
        Ty::VF if e.features.x86 => e.b.ins().x86_cvtt2dq(types::I32X4, a),
        Ty::VF => e.b.ins().fcvt_to_sint_sat(types::I32X4, a),
        Ty::I64 | Ty::F32 | Ty::B | Ty::VI | Ty::VB => e.b.ins().fcvt_to_sint_sat(types::I64, a),
    }
}

fn load_local(e: &mut Emit<'_, '_>, ty: Ty, offset: Val) -> Result<Value, Error> {
    let (addr, disp) = e.local(offset)?;
    let stored = match ty {
        Ty::I64 | Ty::B => types::I32,
        Ty::F32 | Ty::VF | Ty::VI | Ty::VB => clif_type(ty),
    };
    let v = e.b.ins().load(stored, MEMORY, addr, disp);
    Ok(match ty {
        Ty::I64 => e.b.ins().sextend(types::I64, v),
        Ty::B => e.b.ins().icmp_imm_s(IntCC::NotEqual, v, 0),
        Ty::VB => {
            let zero = math::vector_const(e, [0; 4]);
            e.b.ins().icmp(IntCC::NotEqual, v, zero)
        }
        Ty::F32 | Ty::VF | Ty::VI => v,
    })
}
