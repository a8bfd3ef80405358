//! One operation → its instructions.
//!
//! Sums and products name their rounding, so that the assembler does not contract them: what is fused is `Op::Fma`.

use crate::Error;
use crate::func::{Func, Temp, asm, bits};
use einattn_compiler::lane::LaneCmp;
use einattn_compiler::simt::{Elem, Op, SimtBin, SimtUn, Ty, Val};

impl Func<'_> {
    /// Emits `v = op`.
    pub(crate) fn op(&mut self, v: Val, op: &Op) -> Result<(), Error> {
        let d = self.val(v);
        match op {
            Op::ConstI(c) => asm!(self, "mov.b32 {d}, {c}"),
            Op::ConstF(c) => asm!(self, "mov.f32 {d}, {}", float(*c)),
            Op::ConstB(c) => asm!(self, "setp.{}.s32 {d}, 0, 0", if *c { "eq" } else { "ne" }),
            Op::Get(x) => asm!(self, "mov.{} {d}, {}", bits(self.stage.ty(v)), self.var(*x)),
            Op::Int(slot) => asm!(self, "ld.param.b32 {d}, [ints+{}]", 8 * slot),
            Op::IntOff(slot) => asm!(self, "ld.param.b64 {d}, [ints+{}]", 8 * slot),
            Op::FloatArg(slot) => asm!(self, "ld.param.f32 {d}, [float{slot}]"),
            Op::Item => asm!(self, "mov.b32 {d}, %item"),
            Op::Thread => asm!(self, "mov.u32 {d}, %tid.x"),
            Op::Un(op, a) => self.unary(*op, &d, *a),
            Op::Bin(op, a, b) => self.binary(*op, &d, *a, *b),
            Op::Fma(a, b, c) => asm!(self, "fma.rn.f32 {d}, {}, {}, {}", self.val(*a), self.val(*b), self.val(*c)),
            Op::Cmp(op, a, b) => self.compare(*op, &d, *a, *b),
            Op::Select(c, a, b) => self.select(&d, *c, *a, *b),
            Op::ToOff(a) => asm!(self, "cvt.s64.s32 {d}, {}", self.val(*a)),
            Op::IntToFloat(a) => asm!(self, "cvt.rn.f32.s32 {d}, {}", self.val(*a)),
            // Saturates, and gives 0 for NaN.
            Op::FloatToInt(a) => asm!(self, "cvt.rzi.s32.f32 {d}, {}", self.val(*a)),
            Op::BoolToInt(a) => asm!(self, "selp.b32 {d}, 1, 0, {}", self.val(*a)),
            Op::FloatBits(a) | Op::BitsFloat(a) => asm!(self, "mov.b32 {d}, {}", self.val(*a)),
            Op::Shl(a, n) => asm!(self, "shl.b32 {d}, {}, {n}", self.val(*a)),
            Op::Shr(a, n) => asm!(self, "shr.s32 {d}, {}, {n}", self.val(*a)),
            Op::RoundTo(dtype, a) => return self.round_to(&d, *dtype, *a),
            Op::Pack(elem, a, b) => {
                let ty = if *elem == Elem::Bf16 { "bf16x2" } else { "f16x2" };
                asm!(self, "cvt.rn.{ty}.f32 {d}, {}, {}", self.val(*b), self.val(*a));
            }
            Op::Shuffle(a, mask) => {
                let all = if self.stage.threads < 32 { (1u32 << self.stage.threads) - 1 } else { u32::MAX };
                asm!(self, "shfl.sync.bfly.b32 {d}, {}, {mask}, 31, {all:#x}", self.val(*a));
            }
        }
        Ok(())
    }

    fn unary(&mut self, op: SimtUn, d: &str, a: Val) {
        let (x, ty) = (self.val(a), arithmetic(self.stage.ty(a)));
        match op {
            SimtUn::Neg => asm!(self, "neg.{ty} {d}, {x}"),
            SimtUn::Abs => asm!(self, "abs.{ty} {d}, {x}"),
            SimtUn::Not => asm!(self, "not.pred {d}, {x}"),
            SimtUn::Sqrt => asm!(self, "sqrt.rn.f32 {d}, {x}"),
            SimtUn::Floor => asm!(self, "cvt.rmi.f32.f32 {d}, {x}"),
            SimtUn::Ceil => asm!(self, "cvt.rpi.f32.f32 {d}, {x}"),
            SimtUn::Round => asm!(self, "cvt.rni.f32.f32 {d}, {x}"),
            SimtUn::Exp2 => asm!(self, "ex2.approx.ftz.f32 {d}, {x}"),
            SimtUn::Log2 => asm!(self, "lg2.approx.f32 {d}, {x}"),
            SimtUn::Popcount => asm!(self, "popc.b32 {d}, {x}"),
            SimtUn::Ilog2 => {
                let (t, positive) = (self.temp(Temp::Word), self.temp(Temp::Truth));
                asm!(self, "bfind.u32 {t}, {x}");
                asm!(self, "setp.gt.s32 {positive}, {x}, 0");
                asm!(self, "selp.b32 {d}, {t}, -1, {positive}");
            }
        }
    }

    fn binary(&mut self, op: SimtBin, d: &str, a: Val, b: Val) {
        let ty = self.stage.ty(a);
        let (x, y, kind) = (self.val(a), self.val(b), arithmetic(ty));
        let exact = if ty == Ty::F32 { ".rn" } else { "" };
        match op {
            SimtBin::Add => asm!(self, "add{exact}.{kind} {d}, {x}, {y}"),
            SimtBin::Sub => asm!(self, "sub{exact}.{kind} {d}, {x}, {y}"),
            SimtBin::Mul if ty == Ty::F32 => asm!(self, "mul.rn.f32 {d}, {x}, {y}"),
            SimtBin::Mul => asm!(self, "mul.lo.{kind} {d}, {x}, {y}"),
            SimtBin::Div => asm!(self, "div.rn.f32 {d}, {x}, {y}"),
            SimtBin::Min => asm!(self, "min.{kind} {d}, {x}, {y}"),
            SimtBin::Max => asm!(self, "max.{kind} {d}, {x}, {y}"),
            SimtBin::FloorDiv => match self.power_of_two(b) {
                Some(n) => asm!(self, "shr.s32 {d}, {x}, {n}"),
                None => {
                    let (q, _) = self.divide(&x, &y);
                    self.unless_zero(d, &q, &y);
                }
            },
            SimtBin::Mod => match self.power_of_two(b) {
                Some(n) => asm!(self, "and.b32 {d}, {x}, {}", (1 << n) - 1),
                None => {
                    let (_, r) = self.divide(&x, &y);
                    self.unless_zero(d, &r, &y);
                }
            },
            SimtBin::And => asm!(self, "and.{} {d}, {x}, {y}", bits(ty)),
            SimtBin::Or => asm!(self, "or.{} {d}, {x}, {y}", bits(ty)),
            SimtBin::Xor => asm!(self, "xor.b32 {d}, {x}, {y}"),
        }
    }

    fn power_of_two(&self, v: Val) -> Option<u32> {
        let c = u32::try_from(self.constant(v)?).ok()?;
        (c.is_power_of_two() && c < 1 << 31).then(|| c.trailing_zeros())
    }

    /// Quotient and remainder rounded toward −∞.
    fn divide(&mut self, x: &str, y: &str) -> (String, String) {
        let [q, r, signs, low, high] = [(); 5].map(|()| self.temp(Temp::Word));
        let [inexact, apart] = [(); 2].map(|()| self.temp(Temp::Truth));
        asm!(self, "div.s32 {q}, {x}, {y}");
        asm!(self, "mul.lo.s32 {r}, {q}, {y}");
        asm!(self, "sub.s32 {r}, {x}, {r}");
        asm!(self, "xor.b32 {signs}, {r}, {y}");
        asm!(self, "setp.ne.s32 {inexact}, {r}, 0");
        asm!(self, "setp.lt.and.s32 {apart}, {signs}, 0, {inexact}");
        asm!(self, "sub.s32 {low}, {q}, 1");
        asm!(self, "add.s32 {high}, {r}, {y}");
        asm!(self, "selp.b32 {q}, {low}, {q}, {apart}");
        asm!(self, "selp.b32 {r}, {high}, {r}, {apart}");
        (q, r)
    }

    fn unless_zero(&mut self, d: &str, x: &str, divisor: &str) {
        let zero = self.temp(Temp::Truth);
        asm!(self, "setp.eq.s32 {zero}, {divisor}, 0");
        asm!(self, "selp.b32 {d}, 0, {x}, {zero}");
    }

    fn compare(&mut self, op: LaneCmp, d: &str, a: Val, b: Val) {
        let ty = self.stage.ty(a);
        let name = match op {
            LaneCmp::Eq => "eq",
            LaneCmp::Ne if ty == Ty::F32 => "neu",
            LaneCmp::Ne => "ne",
            LaneCmp::Lt => "lt",
            LaneCmp::Le => "le",
            LaneCmp::Gt => "gt",
            LaneCmp::Ge => "ge",
        };
        asm!(self, "setp.{name}.{} {d}, {}, {}", arithmetic(ty), self.val(a), self.val(b));
    }

    fn select(&mut self, d: &str, c: Val, a: Val, b: Val) {
        let ty = self.stage.ty(a);
        let (c, a, b) = (self.val(c), self.val(a), self.val(b));
        if ty != Ty::B {
            return asm!(self, "selp.{} {d}, {a}, {b}, {c}", bits(ty));
        }
        let [no, yes, other] = [(); 3].map(|()| self.temp(Temp::Truth));
        asm!(self, "and.pred {yes}, {c}, {a}");
        asm!(self, "not.pred {no}, {c}");
        asm!(self, "and.pred {other}, {no}, {b}");
        asm!(self, "or.pred {d}, {yes}, {other}");
    }
}

/// Type suffix of arithmetic.
fn arithmetic(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 => "s32",
        Ty::Off => "s64",
        Ty::F32 => "f32",
        Ty::B => "pred",
        Ty::Pair => "b32",
    }
}

/// A float as its bits.
pub(crate) fn float(x: f32) -> String {
    format!("0f{:08X}", x.to_bits())
}
