//! T-WHERE, T-RED, T-TYPE, T-STATE, T-ATTR, T-ASSERT: what values may do.
use einattn::attn;

attn! {
    kernel where_ {
        rank P;
        in x: f32[P];
        out o: f32[P];
        o[p] = x[p] where x[p] > 0.0;
    }

    kernel red {
        rank P, M;
        in f: bool[P, M];
        out o: f32[P];
        o[p] = sum[m](f[p,m]);
    }

    kernel type_ {
        rank P;
        in x: f32[P];
        out o: f32[P];
        o[p] = x[p] * (p < 3);
    }

    kernel state_ {
        rank P;
        iter T;
        in x: f32[T, P];
        out o: f32[T, P];
        state s[t,p]: f32;
        init  s[0,p] = 0.0;
        s[t,p] = s[t,p] + x[t,p];
        o[t,p] = s[t+1,p];
    }

    kernel attr {
        rank P;
        #[sortd] in x: i32[P];
        out o: i32[P];
        o[p] = x[p];
    }

    kernel assert_ {
        rank H = 6, G = 4;
        in x: f32[H];
        out o: f32[H];
        assert H % G == 0;
        o[h] = x[h];
    }
}

fn main() {}
