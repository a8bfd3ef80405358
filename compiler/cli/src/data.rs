//! Tensors of `.safetensors` files, and their conversion to the types that a kernel declares.

use einattn_compiler::interp::Value;
use einattn_compiler::types::DType;
use einattn_target_cranelift::table_bytes;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// Type in the file.
    pub(crate) dtype: Dtype,
    /// Shape and elements.
    pub(crate) value: Value,
}

/// Every tensor of a file.
pub(crate) type File = BTreeMap<String, Stored>;

/// Kinds of numbers; conversions stay within one, except between truth values and integers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Int,
    Bool,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<File, String> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read `{name}`: {e}"))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| format!("`{name}` is no safetensors file: {e}"))?;
    let mut out = File::new();
    for (tensor, view) in tensors.iter() {
        let data = elements(view.dtype(), view.data())
            .ok_or_else(|| format!("`{tensor}` of `{name}` has the type {:?}, which no kernel takes", view.dtype()))?;
        let value = Value { shape: view.shape().to_vec(), data };
        out.insert(tensor.to_string(), Stored { dtype: view.dtype(), value });
    }
    Ok(out)
}

/// Writes tensors, each as the type that goes with it.
pub(crate) fn write(path: &Path, tensors: &[(String, DType, Value)]) -> Result<(), String> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, dtype, v)| table_bytes(*dtype, &v.data)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, dtype, v), bytes)| {
        let view = TensorView::new(file_type(*dtype), v.shape.clone(), bytes);
        view.map(|view| (name.clone(), view)).map_err(|e| e.to_string())
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    safetensors::serialize_to_file(views, None, path).map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}

/// The elements of a type, or `None` for types that are no numbers.
fn elements(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|c| f(*c)).collect()
    }
    Some(match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f64()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f64()),
        Dtype::F8_E4M3 => each(bytes, |[b]| small(b, 3, 7)),
        Dtype::F8_E5M2 => each(bytes, |[b]| small(b, 2, 15)),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::U64 => each(bytes, |b| u64::from_le_bytes(b) as f64),
        Dtype::I32 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::U32 => each(bytes, |b| f64::from(u32::from_le_bytes(b))),
        Dtype::I16 => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
        Dtype::U16 => each(bytes, |b| f64::from(u16::from_le_bytes(b))),
        Dtype::I8 => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
        Dtype::U8 => each(bytes, |[b]| f64::from(b)),
        Dtype::BOOL => each(bytes, |[b]| f64::from(u8::from(b != 0))),
        _ => return None,
    })
}

/// Value of an 8-bit float.
fn small(code: u8, mantissa: i32, bias: i32) -> f64 {
    let sign = if code & 0x80 == 0 { 1.0 } else { -1.0 };
    let (e, m) = (i32::from(code & 0x7f) >> mantissa, i32::from(code) & ((1 << mantissa) - 1));
    // Four exponent bits: the last code is NaN. Five: the last exponent is infinity and NaN.
    match (mantissa, e) {
        (3, 15) if m == 7 => return f64::NAN,
        (2, 31) => return if m == 0 { sign * f64::INFINITY } else { f64::NAN },
        _ => {}
    }
    let m = f64::from(m) / f64::from(1 << mantissa);
    sign * if e == 0 { m * 2f64.powi(1 - bias) } else { (1.0 + m) * 2f64.powi(e - bias) }
}

/// The file's name of a storage type.
pub(crate) fn file_type(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::Bf16 => Dtype::BF16,
        DType::F8E4M3 => Dtype::F8_E4M3,
        DType::F8E5M2 => Dtype::F8_E5M2,
        DType::I32 => Dtype::I32,
        DType::I8 => Dtype::I8,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

/// The language's name of a file's type; the file's own where the language has none.
pub(crate) fn type_name(dtype: Dtype) -> String {
    let known = DType::ALL.into_iter().find(|t| file_type(*t) == dtype);
    known.map_or_else(|| format!("{dtype:?}").to_lowercase(), |t| t.name().to_string())
}

fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F8_E4M3 | Dtype::F8_E5M2 => Kind::Float,
        _ => Kind::Int,
    }
}

/// The elements as a declared type, rounded to it. Integers must fit; floats and integers do not become each other.
pub(crate) fn convert(name: &str, stored: &Stored, to: DType) -> Result<Value, String> {
    let from = type_name(stored.dtype);
    match (kind(stored.dtype), kind(file_type(to))) {
        (Kind::Float, Kind::Float) | (Kind::Bool, Kind::Bool | Kind::Int) => {}
        (Kind::Int, Kind::Int | Kind::Bool) => in_range(name, &stored.value, to)?,
        (Kind::Float, Kind::Int | Kind::Bool) | (Kind::Int | Kind::Bool, Kind::Float) => {
            return Err(format!("`{name}` holds {from}, its declaration says {to}"));
        }
    }
    let data = stored.value.data.iter().map(|x| to.round(*x)).collect();
    Ok(Value { shape: stored.value.shape.clone(), data })
}

fn in_range(name: &str, value: &Value, to: DType) -> Result<(), String> {
    let (lo, hi) = match to {
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        DType::I8 => (-128.0, 127.0),
        DType::U8 => (0.0, 255.0),
        DType::Bool => (0.0, 1.0),
        DType::F64 | DType::F32 | DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => return Ok(()),
    };
    match value.data.iter().position(|x| *x < lo || *x > hi) {
        Some(i) => Err(format!("element {i} of `{name}` is {}, which {to} cannot hold", value.data[i])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stored, convert, elements, file_type};
    use einattn_compiler::interp::Value;
    use einattn_compiler::types::DType;
    use einattn_target_cranelift::table_bytes;
    use safetensors::Dtype;

    #[test]
    fn what_is_written_is_read_back() {
        for (dtype, xs) in [
            (DType::F64, [0.1, -1e300, f64::INFINITY, 0.0]),
            (DType::F32, [0.5, -1.25, f64::INFINITY, 3e-40f32.into()]),
            (DType::F16, [0.5, -65504.0, f64::NEG_INFINITY, 2f64.powi(-24)]),
            (DType::Bf16, [0.5, -1.0, 2f64.powi(100), 2f64.powi(-133)]),
            (DType::F8E4M3, [0.5, -448.0, 2f64.powi(-9), 0.0]),
            (DType::F8E5M2, [0.5, -57344.0, 2f64.powi(-16), 0.0]),
            (DType::I32, [1.0, -2147483648.0, 2147483647.0, 0.0]),
            (DType::I8, [1.0, -128.0, 127.0, 0.0]),
            (DType::U8, [1.0, 255.0, 128.0, 0.0]),
            (DType::Bool, [1.0, 0.0, 1.0, 0.0]),
        ] {
            assert_eq!(elements(file_type(dtype), &table_bytes(dtype, &xs)).as_deref(), Some(&xs[..]), "{dtype}");
        }
    }

    #[track_caller]
    fn check(from: Dtype, x: f64, to: DType, expected: Result<f64, &str>) {
        let stored = Stored { dtype: from, value: Value { shape: vec![], data: vec![x] } };
        let got = convert("x", &stored, to).map(|v| v.data[0]);
        assert_eq!(got, expected.map_err(String::from));
    }

    #[test]
    fn conversions_lose_precision_but_no_meaning() {
        check(Dtype::F32, 257.0, DType::Bf16, Ok(256.0));
        check(Dtype::I64, -3.0, DType::I32, Ok(-3.0));
        check(Dtype::I64, 3e9, DType::I32, Err("element 0 of `x` is 3000000000, which i32 cannot hold"));
        check(Dtype::I32, -1.0, DType::U8, Err("element 0 of `x` is -1, which u8 cannot hold"));
        check(Dtype::BOOL, 1.0, DType::U8, Ok(1.0));
        check(Dtype::U8, 1.0, DType::Bool, Ok(1.0));
        check(Dtype::I32, 2.0, DType::Bool, Err("element 0 of `x` is 2, which bool cannot hold"));
        check(Dtype::F32, 1.0, DType::I32, Err("`x` holds f32, its declaration says i32"));
        check(Dtype::I64, 1.0, DType::F32, Err("`x` holds i64, its declaration says f32"));
    }
}
