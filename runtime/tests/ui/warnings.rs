//! A-OOB, U-SCHED: warnings, beside an error that makes them visible here.
use einattn::attn;

attn! {
    kernel gather {
        rank P, N;
        in tbl: i32[P];
        in x: f32[N];
        in y: f32[P];
        out o: f32[P];
        out n: f32[P];
        o[p] = x[tbl[p]];
        n[p] = y[p + 1];
    }

    schedule gather on cpu {
        tile P = 64;
    }

    kernel wrong {
        rank P;
        in x: f32[P];
        out o: f32[P];
        o[p] = y[p];
    }
}

fn main() {}
