//! Every way to bring a kernel into a crate: what it expands to compiles without warnings and computes attention.
#![deny(warnings)]

use einattn::{Tensor, TensorMut, attn as attention, attn_file, attn_lib};

attention! {
    kernel first {
        rank P, M, E = 4;
        in  q: f32[P, E];
        in  k: f32[M, E];
        in  v: f32[M, E];
        out o: f32[P, E];
        let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / sqrt(E) where causal(p, m);
        o[p,e] = sum[m](softmax[m](s[p,m]) * v[m,e]);
    }

    /// Shares its mask with the other one.
    kernel second {
        rank P, M, E = 4;
        in  q: f32[P, E];
        in  k: f32[M, E];
        in  v: f32[M, E];
        out o: f32[P, E];
        let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / sqrt(E) where before(p, m);
        o[p,e] = sum[m](softmax[m](s[p,m]) * v[m,e]);
    }

    mask before(q, k) = k < q + 1;
}

attn_file!("tests/kernels.attn");
attn_lib!(window_causal as wide { W = 1000, E = 4, F = 4 });
attn_lib!(window_causal { W = 1, E = 4, F = 4 });

mod inner {
    einattn::attn! {
        kernel nested {
            rank P, M, E = 4;
            in  q: f32[P, E];
            in  k: f32[M, E];
            in  v: f32[M, E];
            out o: f32[P, E];
            let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / sqrt(E) where causal(p, m);
            o[p,e] = sum[m](softmax[m](s[p,m]) * v[m,e]);
        }
    }
}

const ROWS: usize = 7;

fn data(seed: usize) -> Vec<f32> {
    (0..ROWS * 4).map(|i| (((i * 37 + seed * 11) % 29) as f32 - 14.0) / 7.0).collect()
}

/// Causal attention over the last `window` keys.
fn expected(window: usize) -> Vec<f32> {
    let (q, k, v) = (data(1), data(2), data(3));
    let row = |x: &[f32], i: usize| [0, 1, 2, 3].map(|e| f64::from(x[i * 4 + e]));
    let mut out = vec![];
    for p in 0..ROWS {
        let keys = (p + 1).saturating_sub(window)..=p;
        let dot = |m: usize| row(&q, p).iter().zip(row(&k, m)).map(|(a, b)| a * b).sum::<f64>();
        let weights: Vec<f64> = keys.clone().map(|m| (dot(m) / 2.0).exp()).collect();
        let total: f64 = weights.iter().sum();
        for e in 0..4 {
            let sum: f64 = keys.clone().zip(&weights).map(|(m, w)| w * row(&v, m)[e]).sum();
            out.push((sum / total) as f32);
        }
    }
    out
}

#[track_caller]
fn check(window: usize, run: impl FnOnce([&[f32]; 3], &mut [f32])) {
    let (q, k, v) = (data(1), data(2), data(3));
    let mut o = vec![f32::NAN; ROWS * 4];
    run([&q, &k, &v], &mut o);
    for (got, want) in o.iter().zip(expected(window)) {
        assert!((got - want).abs() <= 1e-5, "{got} instead of {want}");
    }
}

/// Fills in a launcher with two-dimensional tensors and runs it.
macro_rules! run {
    ($($kernel:ident)::+) => {
        |[q, k, v]: [&[f32]; 3], o: &mut [f32]| {
            let shape = [ROWS, 4];
            $($kernel)::+ {
                q: Tensor::new(q, shape),
                k: Tensor::new(k, shape),
                v: Tensor::new(v, shape),
                o: TensorMut::new(o, shape),
            }
            .run()
            .unwrap()
        }
    };
}

#[test]
fn kernels_of_a_renamed_macro() {
    check(ROWS, run!(first));
    check(ROWS, run!(second));
}

#[test]
fn kernel_of_a_module() {
    check(ROWS, run!(inner::nested));
}

#[test]
fn kernel_of_a_file() {
    check(ROWS, run!(from_file));
}

#[test]
fn kernel_of_a_function_body() {
    attention! {
        kernel local {
            rank P, M, E = 4;
            in  q: f32[P, E];
            in  k: f32[M, E];
            in  v: f32[M, E];
            out o: f32[P, E];
            let s[p,m]: f32 = sum[e](q[p,e] * k[m,e]) / sqrt(E) where causal(p, m);
            o[p,e] = sum[m](softmax[m](s[p,m]) * v[m,e]);
        }
    }
    check(ROWS, run!(local));
}

/// Fills in a launcher of the library.
macro_rules! run_library {
    ($kernel:ident) => {
        |[q, k, v]: [&[f32]; 3], o: &mut [f32]| {
            let (shape, mut lse) = ([1, 1, ROWS, 4], [0.0; ROWS]);
            $kernel {
                q: Tensor::new(q, shape),
                k: Tensor::new(k, shape),
                v: Tensor::new(v, shape),
                o: TensorMut::new(o, shape),
                lse: TensorMut::new(&mut lse, [1, 1, ROWS]),
                scale: 0.5,
            }
            .run()
            .unwrap();
            assert!(lse.iter().all(|x| x.is_finite()));
        }
    };
}

#[test]
fn kernels_of_the_library() {
    check(ROWS, run_library!(wide));
    check(1, run_library!(window_causal));
}
