//! Operations as expressions.

use crate::layout::slot;
use crate::stage::Writer;
use einattn_compiler::lane::LaneCmp;
use einattn_compiler::simt::{Elem, Op, SimtBin, SimtUn, Ty, Val};
use einattn_compiler::types::DType;

/// Type of a value in WGSL.
pub(crate) fn type_name(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 | Ty::Off => "i32",
        Ty::F32 => "f32",
        Ty::B => "bool",
        Ty::Pair => "u32",
    }
}

/// A constant that may stand in an expression; `None` for what is no literal.
pub(crate) fn literal(op: &Op) -> Option<String> {
    Some(match op {
        Op::ConstI(i32::MIN) => "i32(-2147483648)".to_string(),
        Op::ConstI(x) if *x < 0 => format!("({x})"),
        Op::ConstI(x) => x.to_string(),
        Op::ConstF(x) if x.is_finite() && x.is_sign_negative() => format!("({x:?}f)"),
        Op::ConstF(x) if x.is_finite() => format!("{x:?}f"),
        Op::ConstB(x) => x.to_string(),
        _ => return None,
    })
}

/// What an operation lacks in WGSL without extensions.
pub(crate) fn lacks(op: &Op) -> Option<&'static str> {
    match op {
        Op::Shuffle(..) => Some("exchange of values within a subgroup"),
        Op::RoundTo(DType::F8E4M3 | DType::F8E5M2, _) => Some("rounding to 8-bit floats"),
        Op::RoundTo(DType::I32 | DType::I8 | DType::U8 | DType::Bool, _) => Some("rounding of a float to integers"),
        _ => None,
    }
}

impl Writer<'_> {
    /// The expression of an operation that [`lacks`] nothing.
    pub(crate) fn expression(&self, op: &Op) -> String {
        let v = |v: &Val| self.operand(*v);
        match op {
            Op::ConstF(x) if x.is_nan() => "nan".to_string(),
            Op::ConstF(x) if x.is_infinite() => if *x > 0.0 { "inf" } else { "-inf" }.to_string(),
            Op::ConstI(_) | Op::ConstF(_) | Op::ConstB(_) => literal(op).unwrap_or_default(),
            Op::Get(var) => format!("var_{}", var.0),
            Op::Int(i) | Op::IntOff(i) => slot("ints", *i),
            // The first two are infinity and NaN.
            Op::FloatArg(i) => slot("floats", i + 2),
            Op::Item => "item".to_string(),
            Op::Thread => "thread".to_string(),
            Op::Un(op, a) => unary(*op, &v(a)),
            Op::Bin(SimtBin::Sub, a, b) if self.rounded(*a, *b).is_some() => {
                format!("round({})", self.rounded(*a, *b).map(|x| v(&x)).unwrap_or_default())
            }
            Op::Bin(op, a, b) => binary(*op, self.stage.ty(*a), &v(a), &v(b)),
            Op::Fma(a, b, c) => format!("fma({}, {}, {})", v(a), v(b), v(c)),
            Op::Cmp(op, a, b) => format!("{} {} {}", v(a), comparison(*op), v(b)),
            Op::Select(c, a, b) => format!("select({}, {}, {})", v(b), v(a), v(c)),
            Op::ToOff(a) | Op::Shuffle(a, _) => v(a),
            Op::IntToFloat(a) => format!("f32({})", v(a)),
            Op::FloatToInt(a) => format!("float_to_int({})", v(a)),
            Op::BoolToInt(a) => format!("select(0, 1, {})", v(a)),
            Op::FloatBits(a) => format!("bitcast<i32>({})", v(a)),
            Op::BitsFloat(a) => format!("bitcast<f32>({})", v(a)),
            Op::Shl(a, n) => format!("{} << {n}u", v(a)),
            Op::Shr(a, n) => format!("{} >> {n}u", v(a)),
            Op::RoundTo(DType::F16, a) => format!("round_f16({})", v(a)),
            Op::RoundTo(DType::Bf16, a) => format!("round_bf16({})", v(a)),
            Op::RoundTo(_, a) => v(a),
            Op::Pack(Elem::Bf16, a, b) => format!("pack_bf16({}, {})", v(a), v(b)),
            Op::Pack(_, a, b) => format!("pack_f16({}, {})", v(a), v(b)),
        }
    }
}

/// Adding and subtracting it rounds to the nearest integer.
const MAGIC: f32 = 12_582_912.0;

impl Writer<'_> {
    /// `x` where a difference is `(x + MAGIC) - MAGIC`. The standard lets compilers of shaders take that for `x`, and some do.
    fn rounded(&self, a: Val, b: Val) -> Option<Val> {
        let is_magic = |v: Val| matches!(self.op_of(v), Some(Op::ConstF(m)) if *m == MAGIC);
        match self.op_of(a) {
            Some(Op::Bin(SimtBin::Add, x, m)) if is_magic(*m) && is_magic(b) => Some(*x),
            _ => None,
        }
    }
}

fn unary(op: SimtUn, a: &str) -> String {
    let call = |f: &str| format!("{f}({a})");
    match op {
        SimtUn::Neg => format!("-{a}"),
        SimtUn::Abs => call("abs"),
        SimtUn::Not => format!("!{a}"),
        SimtUn::Sqrt => call("sqrt"),
        SimtUn::Floor => call("floor"),
        SimtUn::Ceil => call("ceil"),
        SimtUn::Round => call("round"),
        SimtUn::Exp2 => call("exp2"),
        SimtUn::Log2 => call("log2"),
        SimtUn::Popcount => call("countOneBits"),
        SimtUn::Ilog2 => format!("select(-1, firstLeadingBit({a}), {a} > 0)"),
    }
}

fn binary(op: SimtBin, ty: Ty, a: &str, b: &str) -> String {
    let call = |f: &str| format!("{f}({a}, {b})");
    let infix = |sign: &str| format!("{a} {sign} {b}");
    match op {
        SimtBin::Add => infix("+"),
        SimtBin::Sub => infix("-"),
        SimtBin::Mul => infix("*"),
        SimtBin::Div => infix("/"),
        SimtBin::Min => call("min"),
        SimtBin::Max => call("max"),
        SimtBin::FloorDiv => call("floor_div"),
        SimtBin::Mod => call("floor_mod"),
        SimtBin::And if ty == Ty::B => infix("&&"),
        SimtBin::Or if ty == Ty::B => infix("||"),
        SimtBin::And => infix("&"),
        SimtBin::Or => infix("|"),
        SimtBin::Xor => infix("^"),
    }
}

fn comparison(op: LaneCmp) -> &'static str {
    match op {
        LaneCmp::Eq => "==",
        LaneCmp::Ne => "!=",
        LaneCmp::Lt => "<",
        LaneCmp::Le => "<=",
        LaneCmp::Gt => ">",
        LaneCmp::Ge => ">=",
    }
}
