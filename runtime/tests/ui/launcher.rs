//! A refused kernel keeps its launcher: its callers have no errors of their own.
use einattn::{Error, Tensor, TensorMut, attn};

attn! {
    kernel refused {
        rank P, M, E = 4;
        scalar scale: f32;
        in q: f32[P, E];
        in k: f32[M, E];
        out o: f32[P];
        o[p] = sum[m,e](scale * q[p,e] * k[m,z]);
    }
}

fn call(q: &[f32], k: &[f32], o: &mut [f32]) -> Result<(), Error> {
    refused {
        q: Tensor::new(q, [2, 4]),
        k: Tensor::new(k, [3, 4]),
        o: TensorMut::new(o, [2]),
        scale: 0.5,
    }
    .run()
}

fn main() {
    call(&[0.0; 8], &[0.0; 12], &mut [0.0; 2]).unwrap();
}
