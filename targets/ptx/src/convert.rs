//! Storage types: widening, narrowing, rounding. 8-bit floats by integer arithmetic, as compute capability 8.0 lacks them.

use crate::Error;
use crate::func::{Func, Temp, asm};
use crate::op::float;
use einattn_compiler::simt::Val;
use einattn_compiler::types::DType;

/// An 8-bit float that rounds to nearest even and saturates.
#[derive(Clone, Copy)]
struct Small {
    exponent_bits: u32,
    mantissa_bits: u32,
    /// Has infinities; otherwise the largest code is the only NaN and the rest of its binade are numbers.
    infinite: bool,
}

const F8E5M2: Small = Small { exponent_bits: 5, mantissa_bits: 2, infinite: true };
const F8E4M3: Small = Small { exponent_bits: 4, mantissa_bits: 3, infinite: false };

impl Small {
    fn of(dtype: DType) -> Small {
        if dtype == DType::F8E5M2 { F8E5M2 } else { F8E4M3 }
    }

    /// Mantissa bits that f32 has more.
    fn shift(self) -> u32 {
        23 - self.mantissa_bits
    }

    /// Difference of the exponent biases.
    fn rebias(self) -> u32 {
        127 - ((1 << (self.exponent_bits - 1)) - 1)
    }

    /// The first code that is no number: infinity, or NaN where there is none.
    fn special(self) -> u32 {
        if self.infinite { 0x7f & !((1 << self.mantissa_bits) - 1) } else { 0x7f }
    }

    fn nan(self) -> u32 {
        if self.infinite { self.special() | 1 << (self.mantissa_bits - 1) } else { self.special() }
    }
}

/// Name in instructions of a 16-bit float.
fn half(dtype: DType) -> &'static str {
    if dtype == DType::Bf16 { "bf16" } else { "f16" }
}

impl Func<'_> {
    /// A 16-bit float in a 16-bit register → F32.
    pub(crate) fn widen(&mut self, dtype: DType, d: &str, s: &str) {
        if dtype == DType::F16 {
            return asm!(self, "cvt.f32.f16 {d}, {s}");
        }
        let zero = self.temp(Temp::Half);
        asm!(self, "mov.b16 {zero}, 0");
        asm!(self, "mov.b32 {d}, {{{zero}, {s}}}");
    }

    /// Two 16-bit floats in a word → F32.
    pub(crate) fn unpack(&mut self, dtype: DType, d: [&str; 2], word: &str) {
        if dtype == DType::F16 {
            let (low, high) = (self.temp(Temp::Half), self.temp(Temp::Half));
            asm!(self, "mov.b32 {{{low}, {high}}}, {word}");
            asm!(self, "cvt.f32.f16 {}, {low}", d[0]);
            asm!(self, "cvt.f32.f16 {}, {high}", d[1]);
        } else {
            let (low, high) = (self.temp(Temp::Word), self.temp(Temp::Word));
            asm!(self, "shl.b32 {low}, {word}, 16");
            asm!(self, "and.b32 {high}, {word}, 0xffff0000");
            asm!(self, "mov.b32 {}, {low}", d[0]);
            asm!(self, "mov.b32 {}, {high}", d[1]);
        }
    }

    /// F32 → 16-bit float in a 16-bit register.
    pub(crate) fn narrow(&mut self, dtype: DType, x: &str) -> String {
        let s = self.temp(Temp::Half);
        asm!(self, "cvt.rn.{}.f32 {s}, {x}", half(dtype));
        s
    }

    /// Two F32 → 16-bit floats in a word, the first in the low half.
    pub(crate) fn pack(&mut self, dtype: DType, [low, high]: [&str; 2]) -> String {
        let word = self.temp(Temp::Word);
        asm!(self, "cvt.rn.{}x2.f32 {word}, {high}, {low}", half(dtype));
        word
    }

    /// The value of a byte.
    pub(crate) fn decode(&mut self, dtype: DType, d: &str, code: &str) {
        if dtype == DType::Bool {
            return asm!(self, "setp.ne.s32 {d}, {code}, 0");
        }
        let f = Small::of(dtype);
        let [sign, magnitude, shifted, number, special] = [(); 5].map(|()| self.temp(Temp::Word));
        let is_special = self.temp(Temp::Truth);
        asm!(self, "and.b32 {sign}, {code}, 128");
        asm!(self, "shl.b32 {sign}, {sign}, 24");
        asm!(self, "and.b32 {magnitude}, {code}, 127");
        // Multiplying moves the exponent and makes subnormals right.
        asm!(self, "shl.b32 {shifted}, {magnitude}, {}", f.shift());
        asm!(self, "mul.rn.f32 {number}, {shifted}, {}", float(f32::from_bits((127 + f.rebias()) << 23)));
        asm!(self, "or.b32 {special}, {shifted}, 0x7f800000");
        asm!(self, "setp.ge.u32 {is_special}, {magnitude}, {}", f.special());
        asm!(self, "selp.b32 {number}, {special}, {number}, {is_special}");
        asm!(self, "or.b32 {number}, {number}, {sign}");
        asm!(self, "mov.b32 {d}, {number}");
    }

    /// F32 → 8-bit float, in the low bits of a word.
    pub(crate) fn encode(&mut self, dtype: DType, x: &str) -> String {
        let f = Small::of(dtype);
        let [bits, sign, a, odd, normal, subnormal, code] = [(); 7].map(|()| self.temp(Temp::Word));
        let test = self.temp(Temp::Truth);
        asm!(self, "mov.b32 {bits}, {x}");
        asm!(self, "and.b32 {sign}, {bits}, 0x80000000");
        asm!(self, "xor.b32 {a}, {bits}, {sign}");
        // A carry out of the mantissa moves into the exponent, which is what rounding up to the next binade means.
        asm!(self, "shr.u32 {odd}, {a}, {}", f.shift());
        asm!(self, "and.b32 {odd}, {odd}, 1");
        let half = (1i64 << (f.shift() - 1)) - 1;
        asm!(self, "add.s32 {normal}, {a}, {}", half - i64::from(f.rebias() << 23));
        asm!(self, "add.s32 {normal}, {normal}, {odd}");
        asm!(self, "shr.u32 {normal}, {normal}, {}", f.shift());
        // The sum with a power of two has the subnormal's last place as its own.
        let magic = (f.rebias() + f.shift() + 1) << 23;
        asm!(self, "add.rn.f32 {subnormal}, {a}, {}", float(f32::from_bits(magic)));
        asm!(self, "sub.s32 {subnormal}, {subnormal}, {magic}");
        asm!(self, "setp.lt.u32 {test}, {a}, {}", (f.rebias() + 1) << 23);
        asm!(self, "selp.b32 {code}, {subnormal}, {normal}, {test}");
        asm!(self, "min.u32 {code}, {code}, {}", f.special() - 1);
        asm!(self, "setp.gt.u32 {test}, {a}, 0x7f800000");
        asm!(self, "selp.b32 {code}, {}, {code}, {test}", f.nan());
        asm!(self, "shr.u32 {sign}, {sign}, 24");
        asm!(self, "or.b32 {code}, {code}, {sign}");
        code
    }

    /// Rounds an F32 to a storage type and back.
    pub(crate) fn round_to(&mut self, d: &str, dtype: DType, x: Val) -> Result<(), Error> {
        let x = self.val(x);
        match dtype {
            DType::F32 => asm!(self, "mov.b32 {d}, {x}"),
            DType::F16 | DType::Bf16 => {
                let s = self.narrow(dtype, &x);
                self.widen(dtype, d, &s);
            }
            DType::F8E4M3 | DType::F8E5M2 => {
                let code = self.encode(dtype, &x);
                self.decode(dtype, d, &code);
            }
            DType::I32 => self.round_to_int(d, &x, None),
            DType::I8 => self.round_to_int(d, &x, Some((-128, 127))),
            DType::U8 => self.round_to_int(d, &x, Some((0, 255))),
            DType::Bool => {
                let truth = self.temp(Temp::Truth);
                asm!(self, "setp.neu.f32 {truth}, {x}, {}", float(0.0));
                asm!(self, "selp.f32 {d}, {}, {}, {truth}", float(1.0), float(0.0));
            }
            DType::F64 => return Err(Error::Unsupported("f64".to_string())),
        }
        Ok(())
    }

    fn round_to_int(&mut self, d: &str, x: &str, range: Option<(i32, i32)>) {
        let int = self.temp(Temp::Word);
        asm!(self, "cvt.rzi.s32.f32 {int}, {x}");
        if let Some((lo, hi)) = range {
            asm!(self, "max.s32 {int}, {int}, {lo}");
            asm!(self, "min.s32 {int}, {int}, {hi}");
        }
        asm!(self, "cvt.rn.f32.s32 {d}, {int}");
    }
}
