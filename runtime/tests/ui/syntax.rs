//! P-SYNTAX, P-LEX: every broken statement of a kernel is reported, and what follows from them is not.
use einattn::attn;

attn! {
    kernel broken {
        rank P, M, E = 64;
        in q: f32[P, E];
        in k: float[M, E];
        out o: f32[P];

        let s[p,m] = sum[e](q[p,e] * k[m,e]) where 0 < p - m < 7;
        let c[p] = q[p,0].sqrt();
        let d[p] = if p > 0 { 1.0 };
        o[p] = sum[m](s[p,m]) 2;
    }
}

attn! {
    kernel foreign_tokens {
        rank P;
        in x: f32[P];
        out o: f32[P];
        let a[p] = $x[p];
        o[p] = "text";
    }
}

fn main() {}
