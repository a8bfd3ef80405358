//! Kernels that are not written at the call: files and the library.
use einattn::{attn_file, attn_lib};

attn_file!(kernels);
attn_file!("there/is/no/such/file.attn");
attn_lib!(window_casual);
attn_lib!(window_causal as);
attn_lib!(window_causal as w { W });
attn_lib!(window_causal as x { NO = 3 });
attn_lib!(window_causal as y { Elme = f32 });
attn_lib!(window_causal as z { W = 3, W = 4 });
attn_lib!(window_causal as u { W = 1.5, Elem = f33 });
attn_lib!(window_causal as v { B = -1 });

fn main() {}
