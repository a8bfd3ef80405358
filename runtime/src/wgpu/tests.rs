//! The launcher with a hand-written kernel: `y[n] = a * x[n]`, one item an element. The tests need an adapter, if only a
//! software one.

use super::api::{Buffer, BufferDescriptor, BufferUsages};
use super::{Arg, Gpu, Kernel, Launch, Member, RankDesc, RankSource, Role, SliceLaunch, Stage, TensorDesc};
use crate::{DType, Error, Tensor, TensorMut};
use std::sync::OnceLock;

const MODULE: &str = "
struct Args { ints: array<vec4<i32>, 2>, bases: array<vec4<i32>, 1>, floats: array<vec4<f32>, 1> }
@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn scale(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = i32(group.x); i < args.ints[1].y; i += i32(groups.x)) {
    y[i * args.ints[0].z] = args.floats[0].z * x[i * args.ints[0].y];
  }
}";

// ints: N, stride x, stride y, dim x, dim y, items, scratch, assert
unsafe extern "C" fn prepare(_: *const *mut u8, ints: *mut i64, _: *const f32, _: *mut u8, _: i64, _: i64) {
    // SAFETY: the layout above has eight slots.
    unsafe {
        let n = *ints;
        for (slot, value) in [(3, n), (4, n), (5, n), (6, 0), (7, i64::from(n != 5))] {
            *ints.add(slot) = value;
        }
    }
}

const STAGE: Stage<'static> = Stage { entry: "scale", tensors: &[0, 1], tables: false, pool: false, scratch: false };

const MEMBER: Member<'static> = Member {
    spec: "",
    tensors: &[
        TensorDesc { name: "x", dtype: DType::F32, dims: &["N"], role: Role::In },
        TensorDesc { name: "y", dtype: DType::F32, dims: &["N"], role: Role::Out },
    ],
    ranks: &[RankDesc { name: "N", source: RankSource::Dim { tensor: 0, dim: 0 } }],
    int_scalars: &[],
    floats: &["a"],
    asserts: &["N != 5"],
    prepare,
    module: MODULE,
    stages: &[STAGE],
};

const KERNEL: Kernel<'static> = Kernel { name: "scale", members: &[MEMBER] };

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open().expect("an adapter, such as Mesa's lavapipe"))
}

fn run(kernel: &Kernel<'_>, x: &Tensor<'_, f32>, y: &mut TensorMut<'_, f32>) -> Result<(), Error> {
    gpu().run(kernel, &SliceLaunch { args: &[x.arg(), y.arg()], ints: &[], floats: &[("a", 2.0)] })
}

fn refused(x: &Tensor<'_, f32>, shape: &[usize], strides: &[usize], expected: &str) {
    let mut out = vec![7.0; 16];
    let got = run(&KERNEL, x, &mut TensorMut::with_strides(&mut out, shape, strides));
    assert_eq!(got.map_err(|e| e.to_string()), Err(expected.to_string()));
    assert!(out.iter().all(|v| *v == 7.0), "nothing is written by a refused launch");
}

#[test]
fn runs_strided_and_leaves_the_gaps() {
    let x: Vec<f32> = (0..40).map(|i| i as f32).collect();
    let mut y = vec![0.5; 39];
    run(&KERNEL, &Tensor::with_strides(&x, [20], [2]), &mut TensorMut::with_strides(&mut y, [20], [2])).unwrap();
    let expected: Vec<f32> = (0..39).map(|i| if i % 2 == 0 { 2.0 * i as f32 } else { 0.5 }).collect();
    assert_eq!(y, expected);
}

#[test]
fn more_items_than_workgroups() {
    let x: Vec<f32> = (0..100_000).map(|i| i as f32).collect();
    let mut y = vec![0.0; x.len()];
    run(&KERNEL, &Tensor::new(&x, [x.len()]), &mut TensorMut::new(&mut y, [x.len()])).unwrap();
    assert!(y.iter().zip(&x).all(|(y, x)| *y == 2.0 * x));
}

#[test]
fn empty_tensors_are_fine() {
    let mut y = vec![];
    assert_eq!(run(&KERNEL, &Tensor::new(&[], [0]), &mut TensorMut::new(&mut y, [0])), Ok(()));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let data = vec![1.0f32; 16];
    let x = Tensor::new(&data, [16]);
    refused(&x, &[15], &[1], "dimension 0 of `y` (declared `N`) is 15, expected 16");
    refused(&x, &[4, 4], &[4, 1], "`y` has 2 dimensions, its declaration has 1");
    refused(&x, &[16], &[2], "shape and strides of `y` span 31 elements, its slice has 16");
    refused(&x, &[16], &[0], "elements of the output `y` share memory");
    refused(&Tensor::new(&data, [5]), &[5], &[1], "the kernel's `assert N != 5` does not hold");
    let launch = SliceLaunch { args: &[x.arg()], ints: &[], floats: &[("a", 2.0)] };
    let error = Error::Arguments { expected: 2, found: 1 };
    assert_eq!(gpu().run(&KERNEL, &launch), Err(error));
}

fn buffer(usage: BufferUsages) -> Buffer {
    gpu().device().create_buffer(&BufferDescriptor { label: None, size: 64, usage, mapped_at_creation: false })
}

#[test]
fn buffers_are_checked() {
    let (x, y, other) = (buffer(BufferUsages::STORAGE), buffer(BufferUsages::STORAGE), buffer(BufferUsages::COPY_DST));
    let launch = |x: &Buffer, y: &Buffer, n: usize| {
        let shape = [n];
        let args = [Arg::read(x, DType::F32, &shape, &[1]), Arg::write(y, DType::F32, &shape, &[1])];
        gpu().launch(&KERNEL, &Launch { args: &args, ints: &[], floats: &[("a", 2.0)] })
    };
    assert_eq!(launch(&x, &y, 16), Ok(()));
    assert_eq!(launch(&x, &x, 16), Err(Error::Aliased { tensor: "y".into(), other: "x".into() }));
    assert_eq!(launch(&other, &y, 16), Err(Error::Buffer { tensor: "x".into() }));
    let beyond = Error::OutOfBounds { tensor: "x".into(), needed: 17, available: 16 };
    assert_eq!(launch(&x, &y, 17), Err(beyond));
}

// ints: N, strides x, y, w, dims x, y, w, items, scratch, assert
unsafe extern "C" fn long(_: *const *mut u8, ints: *mut i64, _: *const f32, _: *mut u8, _: i64, _: i64) {
    // SAFETY: the layout above has ten slots.
    unsafe {
        let n = *ints;
        for (slot, value) in [(3, 1), (4, n), (5, n), (6, 1 << 40), (7, 0), (8, 0), (9, 1)] {
            *ints.add(slot) = value;
        }
    }
}

#[test]
fn limits_of_the_device_are_errors() {
    let workspace = |n| TensorDesc { name: "w", dtype: DType::F32, dims: n, role: Role::Workspace };
    let tensors = [MEMBER.tensors[0], MEMBER.tensors[1], workspace(&["N"])];
    let prepare = long;
    let member = Member { tensors: &tensors, prepare, ..MEMBER };
    let mut y = [0.0];
    let got =
        run(&Kernel { name: "big", members: &[member] }, &Tensor::new(&[1.0], [1]), &mut TensorMut::new(&mut y, [1]));
    assert_eq!(got, Err(Error::TooLarge { value: 1 << 40 }));
}

#[test]
fn broken_modules_are_errors_that_say_why() {
    let member = Member { module: "fn scale() { what }", ..MEMBER };
    let mut y = [0.0];
    let got = run(
        &Kernel { name: "broken", members: &[member] },
        &Tensor::new(&[1.0], [1]),
        &mut TensorMut::new(&mut y, [1]),
    );
    assert!(matches!(&got, Err(Error::Device { reason }) if reason.contains("what")), "{got:?}");
}
