//! What can be checked without a GPU.

use super::launch::{aligned, apart, in_range};
use super::{Arg, Device, RankDesc, RankSource, Role, TensorDesc};
use crate::signature::Signature;
use crate::{DType, Error};

const TENSORS: [TensorDesc<'static>; 2] = [
    TensorDesc { name: "x", dtype: DType::F32, dims: &["N"], role: Role::In },
    TensorDesc { name: "y", dtype: DType::F32, dims: &["N"], role: Role::Out },
];

const SIGNATURE: Signature<'static> = Signature {
    tensors: &TENSORS,
    ranks: &[RankDesc { name: "N", source: RankSource::Dim { tensor: 0, dim: 0 } }],
    int_scalars: &[],
    floats: &[],
    asserts: &[],
    stages: 1,
};

#[test]
fn a_machine_without_a_driver_says_so() {
    match Device::get(0) {
        Ok(device) => assert!(device.name().is_ok_and(|n| !n.is_empty())),
        Err(e) => assert!(e.to_string().starts_with("no GPU runs the kernel: "), "{e}"),
    }
}

#[test]
fn outputs_share_no_memory() {
    let check = |x: u64, y: u64, expected: Result<(), Error>| {
        let args = [Arg::read(DType::F32, x, 4, &[4], &[1]), Arg::write(DType::F32, y, 4, &[4], &[1])];
        assert_eq!(apart(&SIGNATURE, &args), expected);
    };
    let shared = Err(Error::Aliased { tensor: "y".into(), other: "x".into() });
    check(256, 272, Ok(()));
    check(272, 256, Ok(()));
    check(256, 256, shared.clone());
    check(256, 268, shared);
}

#[test]
fn integers_fit_the_device_and_bases_its_instructions() {
    // The extent, two strides, two dims, items and scratch bytes.
    let ints = |extent: i64, stride: i64| [extent, stride, 1, 3, 3, 1, 0];
    assert_eq!(in_range(&SIGNATURE, &ints(3, 1 << 40)), Ok(()));
    assert_eq!(in_range(&SIGNATURE, &ints(1 << 31, 1)), Err(Error::TooLarge { value: 1 << 31 }));
    assert_eq!(aligned("x", 4112, 16), Ok(()));
    assert_eq!(aligned("x", 4100, 16), Err(Error::Alignment { tensor: "x".into(), bytes: 16 }));
}
