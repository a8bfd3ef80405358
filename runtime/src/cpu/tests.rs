//! The launcher with a hand-written kernel: `y[n] = a * x[n]`, one item an element.

use super::{Isa, Kernel, Member, Options, RankDesc, RankSource, Role, TensorDesc};
use crate::cpu::{Launch, launch};
use crate::{DType, Error, Tensor, TensorMut};

// ints: N, stride x, stride y, dim x, dim y, items, scratch, assert
unsafe extern "C" fn prepare(_: *const *mut u8, ints: *mut i64, _: *const f32, _: *mut u8, _: i64, _: i64) {
    // SAFETY: the layout above has eight slots.
    unsafe {
        let n = *ints;
        for (slot, value) in [(3, n), (4, n), (5, n), (6, 64), (7, i64::from(n != 5))] {
            *ints.add(slot) = value;
        }
    }
}

unsafe extern "C" fn scale(p: *const *mut u8, ints: *mut i64, f: *const f32, _: *mut u8, begin: i64, end: i64) {
    for i in begin..end {
        // SAFETY: items are below the extent of both tensors.
        unsafe {
            let x = (*p).cast::<f32>().offset((i * *ints.add(1)) as isize);
            let y = (*p.add(1)).cast::<f32>().offset((i * *ints.add(2)) as isize);
            *y = *f * *x;
        }
    }
}

const KERNEL: Kernel<'static> = Kernel {
    name: "scale",
    members: &[Member {
        spec: "",
        tensors: &[
            TensorDesc { name: "x", dtype: DType::F32, dims: &["N"], role: Role::In },
            TensorDesc { name: "y", dtype: DType::F32, dims: &["N"], role: Role::Out },
        ],
        ranks: &[RankDesc { name: "N", source: RankSource::Dim { tensor: 0, dim: 0 } }],
        int_scalars: &[],
        floats: &["a"],
        asserts: &["N != 5"],
        isas: &[Isa { name: "portable", prepare, stages: &[scale] }],
    }],
};

fn run(x: &Tensor<'_, f32>, y: &mut TensorMut<'_, f32>, threads: usize) -> Result<(), Error> {
    let options = Options { threads, isa: None };
    launch(&KERNEL, &Launch { args: &[x.arg(), y.arg()], ints: &[], floats: &[("a", 2.0)], options }).map(|_| ())
}

fn refused(x: &Tensor<'_, f32>, shape: &[usize], strides: &[usize], expected: &str) {
    let mut out = vec![7.0; 16];
    let got = run(x, &mut TensorMut::with_strides(&mut out, shape, strides), 1);
    assert_eq!(got.map_err(|e| e.to_string()), Err(expected.to_string()));
    assert!(out.iter().all(|v| *v == 7.0), "nothing is written by a refused launch");
}

#[test]
fn runs_strided_on_any_number_of_threads() {
    let x: Vec<f32> = (0..40).map(|i| i as f32).collect();
    for threads in [0, 1, 2, 7] {
        let mut y = vec![0.0; 40];
        run(&Tensor::with_strides(&x, [20], [2]), &mut TensorMut::with_strides(&mut y, [20], [2]), threads).unwrap();
        let expected: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { 2.0 * i as f32 } else { 0.0 }).collect();
        assert_eq!(y, expected);
    }
}

#[test]
fn empty_tensors_are_fine() {
    let mut y = vec![];
    assert_eq!(run(&Tensor::new(&[], [0]), &mut TensorMut::new(&mut y, [0]), 1), Ok(()));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let data = vec![1.0f32; 16];
    let x = Tensor::new(&data, [16]);
    refused(&x, &[15], &[1], "dimension 0 of `y` (declared `N`) is 15, expected 16");
    refused(&x, &[4, 4], &[4, 1], "`y` has 2 dimensions, its declaration has 1");
    refused(&x, &[16], &[2], "shape and strides of `y` span 31 elements, its slice has 16");
    refused(&x, &[16], &[0], "elements of the output `y` share memory");
    refused(&x, &[16], &[1, 1], "`y` needs one stride a dimension");
    refused(&Tensor::new(&data, [17]), &[16], &[1], "shape and strides of `x` span 17 elements, its slice has 16");
    refused(&Tensor::new(&data, [5]), &[5], &[1], "the kernel's `assert N != 5` does not hold");
    refused(
        &Tensor::with_strides(&data, [usize::MAX], [1]),
        &[16],
        &[1],
        "shape and strides of `x` span 18446744073709551615 elements, its slice has 16",
    );
}

#[test]
fn overlaps_are_found_whatever_the_order_of_dimensions() {
    let overlaps = |shape: &[usize], strides: &[usize]| {
        let mut data = vec![0.0f32; 64];
        crate::plan::overlaps(&TensorMut::with_strides(&mut data, shape, strides).arg().view)
    };
    assert!(overlaps(&[2, 2], &[1, 1]));
    assert!(overlaps(&[3, 4], &[2, 1]));
    assert!(!overlaps(&[3, 4], &[4, 1]));
    assert!(!overlaps(&[4, 3], &[1, 4]));
    assert!(!overlaps(&[1, 4], &[0, 1]), "a single element may have any stride");
    assert!(!overlaps(&[0, 4], &[0, 0]), "no element, no overlap");
}

#[test]
fn code_for_other_processors_is_never_run() {
    let (x, mut y) = ([1.0; 2], [7.0; 2]);
    let (from, mut to) = (Tensor::new(&x, [2]), TensorMut::new(&mut y, [2]));
    let member = Member { isas: &[Isa { name: "other", prepare, stages: &[scale] }], ..KERNEL.members[0] };
    let kernel = Kernel { name: "scale", members: &[member] };
    let options = Options { threads: 1, isa: None };
    let args = &[from.arg(), to.arg()];
    let got = launch(&kernel, &Launch { args, ints: &[], floats: &[("a", 2.0)], options });
    assert_eq!(got, Err(Error::Processor { compiled: "other".to_string() }));
    assert_eq!(y, [7.0; 2]);
}
