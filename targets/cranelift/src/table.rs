//! Constant tables as bytes.

use einattn_compiler::types::DType;
use half::{bf16, f16};

/// The elements in their storage type, native byte order of a little-endian machine.
pub fn table_bytes(dtype: DType, elements: &[f64]) -> Vec<u8> {
    elements.iter().flat_map(|x| element(dtype, *x)).collect()
}

fn element(dtype: DType, x: f64) -> Vec<u8> {
    match dtype {
        DType::F64 => x.to_le_bytes().to_vec(),
        DType::F32 => (x as f32).to_le_bytes().to_vec(),
        DType::F16 => f16::from_f64(x).to_le_bytes().to_vec(),
        DType::Bf16 => bf16::from_f64(x).to_le_bytes().to_vec(),
        DType::F8E4M3 => vec![small(x, 3, 7, 0x7e)],
        DType::F8E5M2 => vec![small(x, 2, 15, 0x7b)],
        DType::I32 => (x as i32).to_le_bytes().to_vec(),
        DType::I8 => vec![(x as i8) as u8],
        DType::U8 => vec![x as u8],
        DType::Bool => vec![u8::from(x != 0.0)],
    }
}

/// An 8-bit float: the nearest code, ties to even, saturating, found by its definition. Tables are small.
fn small(x: f64, mantissa: i32, bias: i32, max: u8) -> u8 {
    let sign = if x.is_sign_negative() { 0x80 } else { 0 };
    if x.is_nan() {
        return sign | 0x7f;
    }
    let value = |code: u8| {
        let (e, m) = (i32::from(code) >> mantissa, i32::from(code) & ((1 << mantissa) - 1));
        let m = f64::from(m) / f64::from(1 << mantissa);
        if e == 0 { m * 2f64.powi(1 - bias) } else { (1.0 + m) * 2f64.powi(e - bias) }
    };
    let a = x.abs().min(value(max));
    let above = (0..=max).find(|c| value(*c) >= a).unwrap_or(max);
    let below = above.saturating_sub(1);
    let (down, up) = (a - value(below), value(above) - a);
    sign | if down < up || (down == up && above & 1 == 1) { below } else { above }
}
