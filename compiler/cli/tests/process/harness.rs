//! A folder of its own for every test, and what a finished process left.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Grouped attention with a mask that depends on both lengths, and its log-sum-exp.
pub(crate) const ATTENTION: &str = r#"
kernel attention {
    rank B, H, G, P, M, E, F;
    assert H % G == 0;
    in q: f32[B, H, P, E];
    in k: f32[B, G, M, E];
    in v: f32[B, G, M, F];
    out o: f32[B, H, P, F];
    out lse: f32[B, H, P];
    let s[b,h,p,m] = sum[e](q[b,h,p,e] * k[b, h / (H / G), m, e]) / sqrt(E) where m <= p + (M - P);
    o[b,h,p,f] = sum[m](softmax[m](s[b,h,p,m]) * v[b, h / (H / G), m, f]);
    lse[b,h,p] = logsumexp[m](s[b,h,p,m]);
}
"#;

/// Storage types, params, scalars and a rank whose extent is a scalar.
pub(crate) const SCALED: &str = r#"
kernel scaled {
    scalar reps: int;
    rank N, R = reps;
    dtype T in {f32, bf16};
    param W: int = 2;
    scalar a: f32;
    in x: T[N];
    in keep: bool[N];
    in idx: i32[N];
    out y: T[R, N];
    out z: i32[N];
    y[r, n] = if keep[n] { x[n] * (a * W) + r } else { 0.0 };
    z[n] = idx[n] + W;
}
"#;

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file of the test");
    }

    pub(crate) fn tensors(&self, name: &str, tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.to_vec(), bytes).expect("bytes for the shape"))
        });
        safetensors::serialize_to_file(views, None, &self.path(name)).expect("a file of the test");
    }

    /// Runs `attnc` in the folder.
    pub(crate) fn attnc(&self, args: &[&str]) -> Finished {
        let output = Command::new(env!("CARGO_BIN_EXE_attnc")).args(args).current_dir(&self.0).output().expect("runs");
        Finished {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Type, shape and bytes of a tensor of a file.
    pub(crate) fn read(&self, file: &str, tensor: &str) -> (Dtype, Vec<usize>, Vec<u8>) {
        let bytes = std::fs::read(self.path(file)).expect("an output file");
        let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let view = tensors.tensor(tensor).expect("the tensor");
        (view.dtype(), view.shape().to_vec(), view.data().to_vec())
    }

    pub(crate) fn read_f32(&self, file: &str, tensor: &str) -> Vec<f32> {
        let (dtype, _, bytes) = self.read(file, tensor);
        assert_eq!(dtype, Dtype::F32, "{tensor}");
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }
}

pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
    }

    /// A command that could not be carried out says why in one line and exits with 2.
    #[track_caller]
    pub(crate) fn failed(&self, message: &str) {
        assert_eq!(self.code, Some(2), "{}\n{}", self.out, self.err);
        assert_eq!(self.err.trim_end(), format!("error: {message}"));
    }
}

pub(crate) fn f32s(xs: &[f32]) -> Vec<u8> {
    xs.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Numbers between −1 and 1 that no test knows.
pub(crate) fn random(n: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Attention as it is written in books, in f64: o and lse.
pub(crate) fn attention(q: &[f32], k: &[f32], v: &[f32], [b, h, g, p, m, e]: [usize; 6]) -> (Vec<f64>, Vec<f64>) {
    let (mut o, mut lse) = (vec![0.0; b * h * p * e], vec![f64::NEG_INFINITY; b * h * p]);
    for row in 0..b * h * p {
        let (bi, hi, pi) = (row / (h * p), row / p % h, row % p);
        let kv = (bi * g + hi / (h / g)) * m * e;
        let visible = (0..m).filter(|mi| *mi as i64 <= pi as i64 + m as i64 - p as i64);
        let score = |mi: usize| -> f64 {
            let dot: f64 = (0..e).map(|ei| f64::from(q[row * e + ei]) * f64::from(k[kv + mi * e + ei])).sum();
            dot / (e as f64).sqrt()
        };
        let scores: Vec<(usize, f64)> = visible.map(|mi| (mi, score(mi))).collect();
        let total: f64 = scores.iter().map(|(_, s)| s.exp()).sum();
        if total > 0.0 {
            lse[row] = total.ln();
        }
        for (mi, s) in scores {
            for ei in 0..e {
                o[row * e + ei] += s.exp() / total * f64::from(v[kv + mi * e + ei]);
            }
        }
    }
    (o, lse)
}

/// Relative difference in the Frobenius norm; infinities must agree exactly.
pub(crate) fn distance(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let (mut off, mut all) = (0.0, 0.0);
    for (x, y) in got.iter().map(|x| f64::from(*x)).zip(expected.iter().copied()) {
        if !y.is_finite() {
            assert!(x == y, "{x} instead of {y}");
            continue;
        }
        off += (x - y) * (x - y);
        all += y * y;
    }
    (off / all.max(f64::MIN_POSITIVE)).sqrt()
}
