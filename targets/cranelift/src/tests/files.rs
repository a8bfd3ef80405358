//! Object code, header and manifest as data.

use super::{Build, kernel};
use crate::{Arch, c_header, emit_object, manifest, table_bytes};
use einattn_compiler::lane::{LaneKernel, MemRole, RankSource};
use einattn_compiler::types::DType;

fn sample() -> LaneKernel {
    let mut k = kernel(Build::new().finish(), &[DType::F32, DType::I32]);
    k.tensors[1].role = MemRole::Table(vec![1.0, -2.0]);
    k.floats = vec!["cap".into()];
    k.ints.ranks = vec![("M".into(), true)];
    k.sources = vec![RankSource::Dim { tensor: 0, dim: 0 }];
    k.ints.tensor_dims = vec![1, 1];
    k.ints.stages = 1;
    k.ints.asserts = vec!["M > 0".into()];
    k
}

#[test]
fn objects_for_every_architecture() {
    // The first bytes tell the format: ELF, Mach-O, COFF for x86-64.
    for (name, magic) in [
        ("native", &b"\x7fELF"[..]),
        ("x86-64", b"\x7fELF"),
        ("x86-64-v3", b"\x7fELF"),
        ("aarch64", b"\x7fELF"),
        ("aarch64-apple-darwin", b"\xcf\xfa\xed\xfe"),
        ("x86_64-pc-windows-msvc", b"\x64\x86"),
    ] {
        if !cfg!(target_os = "linux") && magic == b"\x7fELF" {
            continue;
        }
        let arch: Arch = name.parse().expect("a known name");
        let object = emit_object(&sample(), &arch).expect("compiles");
        assert!(object.starts_with(magic), "{name}: {:x?}", &object[..4]);
        for symbol in ["test_prepare", "test_stage0", "test_table_t1"] {
            let found = object.windows(symbol.len()).any(|w| w == symbol.as_bytes());
            assert!(found, "{name} lacks {symbol}");
        }
    }
    let error = "pdp11".parse::<Arch>().err().map(|e| e.to_string()).expect("unknown");
    assert!(error.contains("`pdp11`") && error.contains("x86-64"), "{error}");
}

#[test]
fn the_header_names_every_slot() {
    let header = c_header(&sample());
    for line in [
        "void test_prepare(uint8_t *const *ptrs, int64_t *ints, const float *floats, uint8_t *scratch, int64_t begin, int64_t end);",
        "static void (*const test_stages[])(uint8_t *const *ptrs, int64_t *ints, const float *floats, uint8_t *scratch, int64_t begin, int64_t end) = {test_stage0};",
        "extern const uint8_t test_table_t1[];",
        "  TEST_RANK_M = 0,",
        "  TEST_STRIDE_t1 = 2,",
        "  TEST_DIM_t0 = 3,",
        "  TEST_ITEMS_0 = 5,",
        "  TEST_SCRATCH_0 = 6,",
        "  TEST_ASSERT_0 = 7,",
        "  TEST_INTS = 8,",
        "  TEST_FLOAT_cap = 0,",
    ] {
        assert!(header.lines().any(|l| l == line), "no line `{line}` in\n{header}");
    }
}

#[test]
fn the_manifest_describes_the_launch() {
    let json: serde_json::Value = serde_json::from_str(&manifest(&sample(), &Arch::Native)).expect("valid JSON");
    assert_eq!(json["stages"][0]["symbol"], "test_stage0");
    assert_eq!(json["tensors"][0]["dims"][0], "M");
    assert_eq!(json["tensors"][1]["symbol"], "test_table_t1");
    assert_eq!(json["ranks"][0]["extent"]["tensor"], "t0");
    assert_eq!(json["int_slots"], 8);
    assert_eq!(json["asserts"][0]["text"], "M > 0");
}

#[test]
fn tables_in_every_storage_type() {
    let xs = [0.0, 1.0, -2.0, 0.3];
    let cases: [(DType, &[u8]); 8] = [
        (DType::I32, &[0, 0, 0, 0, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        (DType::I8, &[0, 1, 0xfe, 0]),
        (DType::U8, &[0, 1, 0, 0]),
        (DType::Bool, &[0, 1, 1, 1]),
        (DType::F16, &[0, 0, 0, 0x3c, 0, 0xc0, 0xcd, 0x34]),
        (DType::Bf16, &[0, 0, 0x80, 0x3f, 0, 0xc0, 0x9a, 0x3e]),
        (DType::F8E4M3, &[0, 0x38, 0xc0, 0x2a]),
        (DType::F8E5M2, &[0, 0x3c, 0xc0, 0x35]),
    ];
    for (dtype, bytes) in cases {
        assert_eq!(table_bytes(dtype, &xs), bytes, "{dtype}");
    }
    assert_eq!(table_bytes(DType::F8E4M3, &[448.0, 464.0, 465.0, 1e9, -1e9]), [0x7e, 0x7e, 0x7e, 0x7e, 0xfe]);
    assert_eq!(table_bytes(DType::F8E5M2, &[57344.0, 61439.0, 61440.0, f64::INFINITY]), [0x7b; 4]);
    assert_eq!(table_bytes(DType::F32, &[0.1]), 0.1f32.to_le_bytes());
    assert_eq!(table_bytes(DType::F64, &[0.1]), 0.1f64.to_le_bytes());
}
