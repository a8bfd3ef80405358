//! A-PASS, A-ESC, A-EXPAND, U-TARGET: what shows only when kernels are compiled.
use einattn::attn;

attn! {
    kernel quantised {
        rank P, M, F = 64;
        in s: f32[P, M];
        in v: f32[M, F];
        out o: f32[P, F];
        let g[p] = max[m](s[p,m]);
        let n[p,m] = round(127.0 * exp(s[p,m] - g[p]));
        o[p,f] = sum[m](n[p,m] * v[m,f]) / sum[m](n[p,m]);
        assert passes(M) == 1;
    }

    kernel weights {
        rank P, M, F = 64;
        in s: f32[P, M];
        in v: f32[M, F];
        out a: f32[P, M];
        out o: f32[P, F];
        a[p,m] = softmax[m](s[p,m]);
        o[p,f] = sum[m](a[p,m] * v[m,f]);
        assert passes(M) == 1;
    }

    kernel variance {
        rank P, M;
        in x: f32[P, M];
        out o: f32[P];
        let mean[p] = sum[m](x[p,m]) / M;
        o[p] = sum[m]((x[p,m] - mean[p]) * (x[p,m] - mean[p])) / M;
        assert passes(M) == 1;
    }

    kernel double {
        rank P;
        in x: f64[P];
        out o: f32[P];
        o[p] = x[p] as f32;
    }

    kernel precise {
        rank P, M;
        in x: f32[P, M];
        out o: f32[P];
        out n: f32[P];
        o[p] = sum[m](x[p,m]; acc = f64);
        let l[p]: f64 = sum[m](x[p,m] * x[p,m]);
        n[p] = l[p] as f32;
    }
}

fn main() {}
