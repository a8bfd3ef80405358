//! Functions that WGSL lacks. A module holds those that it calls.

/// Name and text; a function calls only functions before it.
const FUNCTIONS: [(&str, &str); 14] = [
    (
        "floor_div",
        "// Floor division; 0 if the divisor is 0.
fn floor_div(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return -a; }
  let q = a / b;
  return select(q, q - 1, (a % b != 0) && ((a < 0) != (b < 0)));
}
",
    ),
    (
        "floor_mod",
        "// Modulus with the divisor's sign; 0 if the divisor is 0.
fn floor_mod(a: i32, b: i32) -> i32 {
  if (b == 0 || b == -1) { return 0; }
  let r = a % b;
  return select(r, r + b, (r != 0) && ((r < 0) != (b < 0)));
}
",
    ),
    (
        "float_to_int",
        "// Toward zero, saturating; 0 for what is no number.
fn float_to_int(x: f32) -> i32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return 0; }
  if (x >= 2147483648.0f) { return 2147483647; }
  if (x <= -2147483648.0f) { return i32(-2147483648); }
  return i32(x);
}
",
    ),
    (
        "f16_bits",
        "// The nearest binary16, ties to even.
fn f16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let a = bits & 0x7fffffffu;
  if (a > 0x7f800000u) { return sign | 0x7e00u; }
  if (a >= 0x477ff000u) { return sign | 0x7c00u; }
  if (a >= 0x38800000u) { return sign | ((a + 0xfffu + ((a >> 13u) & 1u) - 0x38000000u) >> 13u); }
  if (a < 0x33000000u) { return sign; }
  let drop = 126u - (a >> 23u);
  let fraction = (a & 0x7fffffu) | 0x800000u;
  let kept = fraction >> drop;
  let rest = fraction & ((1u << drop) - 1u);
  let half = 1u << (drop - 1u);
  return sign | select(kept, kept + 1u, rest > half || (rest == half && (kept & 1u) == 1u));
}
",
    ),
    (
        "bf16_bits",
        "// The nearest bfloat16, ties to even.
fn bf16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return (bits >> 16u) | 0x40u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}
",
    ),
    (
        "round_f16",
        "fn round_f16(x: f32) -> f32 {
  return unpack2x16float(f16_bits(x)).x;
}
",
    ),
    (
        "round_bf16",
        "fn round_bf16(x: f32) -> f32 {
  return bitcast<f32>(bf16_bits(x) << 16u);
}
",
    ),
    (
        "pack_f16",
        "fn pack_f16(a: f32, b: f32) -> u32 {
  return f16_bits(a) | (f16_bits(b) << 16u);
}
",
    ),
    (
        "pack_bf16",
        "fn pack_bf16(a: f32, b: f32) -> u32 {
  return bf16_bits(a) | (bf16_bits(b) << 16u);
}
",
    ),
    (
        "f16_at",
        "// Element `at` of a tensor of binary16, from its word.
fn f16_at(word: u32, at: i32) -> f32 {
  return unpack2x16float(word >> (16u * u32(at & 1))).x;
}
",
    ),
    (
        "bf16_at",
        "// Element `at` of a tensor of bfloat16, from its word.
fn bf16_at(word: u32, at: i32) -> f32 {
  return bitcast<f32>((word >> (16u * u32(at & 1))) << 16u);
}
",
    ),
    (
        "u8_at",
        "// Element `at` of a tensor of bytes, from its word.
fn u8_at(word: u32, at: i32) -> i32 {
  return i32((word >> (8u * u32(at & 3))) & 0xffu);
}
",
    ),
    (
        "i8_at",
        "// Element `at` of a tensor of signed bytes, from its word.
fn i8_at(word: u32, at: i32) -> i32 {
  return bitcast<i32>((word >> (8u * u32(at & 3))) << 24u) >> 24u;
}
",
    ),
    (
        "wrap_i8",
        "fn wrap_i8(x: i32) -> i32 {
  return (x << 24u) >> 24u;
}
",
    ),
];

/// The functions that a text calls, in order.
pub(crate) fn called(text: &str) -> String {
    let mut wanted: Vec<&str> = vec![];
    for (name, body) in FUNCTIONS.iter().rev() {
        if calls(text, name) || wanted.iter().any(|w| calls(w, name)) {
            wanted.push(body);
        }
    }
    wanted.reverse();
    wanted.into_iter().flat_map(|f| ["\n", f]).collect()
}

fn calls(text: &str, name: &str) -> bool {
    let call = format!("{name}(");
    let whole = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(&call).any(|(at, _)| whole(at))
}
