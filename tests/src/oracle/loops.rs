//! What the references are written with: arrays, sums, a softmax over a list.

use einattn_compiler::interp::{Tensors, Value};
use std::collections::BTreeMap;

/// The inputs of a launch.
pub struct In<'a> {
    tensors: &'a Tensors,
    scalars: &'a BTreeMap<String, f64>,
}

impl<'a> In<'a> {
    /// From names.
    pub fn new(tensors: &'a Tensors, scalars: &'a BTreeMap<String, f64>) -> Self {
        In { tensors, scalars }
    }

    /// A tensor; a reference names inputs of its own kernel only.
    pub fn t(&self, name: &str) -> &'a Value {
        self.tensors.get(name).unwrap_or_else(|| panic!("the kernel has no input `{name}`"))
    }

    /// A scalar.
    pub fn s(&self, name: &str) -> f64 {
        *self.scalars.get(name).unwrap_or_else(|| panic!("the kernel has no scalar `{name}`"))
    }
}

/// Elements of an array.
pub trait At {
    /// The element at these coordinates.
    fn at<const N: usize>(&self, i: [usize; N]) -> f64;
    /// The element at these coordinates, as an index.
    fn index<const N: usize>(&self, i: [usize; N]) -> usize;
    /// Extents.
    fn dims<const N: usize>(&self) -> [usize; N];
}

impl At for Value {
    fn at<const N: usize>(&self, i: [usize; N]) -> f64 {
        assert_eq!(N, self.shape.len());
        let at = i.iter().zip(&self.shape).fold(0, |at, (i, n)| {
            assert!(i < n, "{i} of {n}");
            at * n + i
        });
        self.data[at]
    }

    fn index<const N: usize>(&self, i: [usize; N]) -> usize {
        self.at(i) as usize
    }

    fn dims<const N: usize>(&self) -> [usize; N] {
        self.shape.as_slice().try_into().expect("as many extents as the array has")
    }
}

/// An array from a function of its coordinates.
pub(super) fn grid<const N: usize>(shape: [usize; N], f: impl Fn([usize; N]) -> f64) -> Value {
    let mut at = [0; N];
    let mut data = vec![];
    for n in 0..shape.iter().product::<usize>() {
        let mut rest = n;
        for d in (0..N).rev() {
            at[d] = rest % shape[d];
            rest /= shape[d];
        }
        data.push(f(at));
    }
    Value { shape: shape.to_vec(), data }
}

/// A sum over 0..n.
pub(super) fn sum(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    (0..n).map(f).sum()
}

/// The largest of f(0), .., f(n - 1); -inf of nothing.
pub(super) fn largest(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    (0..n).map(f).fold(f64::NEG_INFINITY, f64::max)
}

/// Softmax of a list; -inf stands for what is masked, and nothing visible gives zeros.
pub(super) fn softmax(s: &[f64]) -> Vec<f64> {
    let top = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = s.iter().map(|x| if *x == f64::NEG_INFINITY { 0.0 } else { (x - top).exp() }).collect();
    let total: f64 = e.iter().sum();
    e.iter().map(|x| if total > 0.0 { x / total } else { 0.0 }).collect()
}

/// Log of the sum of exponentials; -inf of nothing.
pub(super) fn lse(s: &[f64]) -> f64 {
    let top = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY { top } else { top + s.iter().map(|x| (x - top).exp()).sum::<f64>().ln() }
}

/// The scores of keys that a mask shows.
pub(super) fn scores(n: usize, visible: impl Fn(usize) -> bool, s: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..n).map(|j| if visible(j) { s(j) } else { f64::NEG_INFINITY }).collect()
}

/// Values weighted by the softmax of their scores.
pub(super) fn attend(s: &[f64], value: impl Fn(usize) -> f64) -> f64 {
    softmax(s).iter().enumerate().filter(|(_, w)| **w > 0.0).map(|(j, w)| w * value(j)).sum()
}

/// The k largest of the visible 0..n, the first of equal ones first.
pub(super) fn top(n: usize, k: usize, visible: impl Fn(usize) -> bool, f: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).filter(|i| visible(*i)).collect();
    all.sort_by(|a, b| f(*b).total_cmp(&f(*a)));
    all.truncate(k);
    all
}

/// The positions of 0..n in the order of their keys, ties by position.
pub(super) fn order<K: PartialOrd>(n: usize, key: impl Fn(usize) -> K) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    all.sort_by(|a, b| key(*a).partial_cmp(&key(*b)).expect("keys are numbers"));
    let mut place = vec![0; n];
    for (i, x) in all.into_iter().enumerate() {
        place[x] = i;
    }
    place
}

/// Logistic function.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + exp(x)).
pub(super) fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

/// elu(x) + 1.
pub(super) fn elu1(x: f64) -> f64 {
    if x > 0.0 { x + 1.0 } else { x.exp() }
}

/// max(x, 0).
pub(super) fn relu(x: f64) -> f64 {
    x.max(0.0)
}

/// x times the normal distribution function, from a series of erf whose terms have one sign.
pub(super) fn gelu(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let (mut term, mut total) = (z, z);
    for n in 1..300 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        total += term;
    }
    let erf = (total * 2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp()).min(1.0);
    0.5 * x * (1.0 + erf.copysign(x))
}
