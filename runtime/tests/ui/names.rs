//! N-NAME, T-ACC, T-BND, T-FREE, T-OUT, T-EXT: names, and indices of tensors.
use einattn::attn;

attn! {
    kernel name {
        rank P, E = 64;
        in x: f32[P, E];
        out o: f32[P];
        let t[p] = sum[e](x[p,e] * scle);
        o[p] = sqr(x[p,0]);
    }

    kernel acc {
        rank P, M, E = 64;
        in q: f32[P, E];
        in k: f32[M, E];
        out o: f32[P, M];
        o[p,m] = sum[e](q[p,e] * k[p,e]);
    }

    kernel bnd {
        rank P, E = 64;
        in x: f32[P, E];
        out o: f32[P];
        o[p] = x[p, 64];
    }

    kernel free {
        rank P, M, E = 64;
        in q: f32[P, E];
        in k: f32[M, E];
        out s: f32[P, M];
        s[p,m] = q[p,e] * k[m,e];
    }

    kernel out {
        rank P;
        in x: f32[P];
        out o: f32[P];
        out never: f32[P];
        o[p] = x[p];
        o[p] = 2.0 * x[p];
    }

    kernel ext {
        rank P, J;
        in x: f32[P];
        out o: f32[P, J];
        o[p,j] = x[p] * j;
    }
}

fn main() {}
