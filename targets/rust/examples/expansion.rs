//! How long the expansion of `attn!` takes, and how much code it gives: `expansion FILE.attn ..`, one line a file.

use einattn_target_rust::{expand, isas};
use std::time::Instant;

const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        let tokens: proc_macro2::TokenStream = text.parse()?;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            expand::tokens(tokens.clone(), &isas::ALL);
        }
        let time = start.elapsed() / ROUNDS;
        let (checked, _) = einattn_compiler::driver::check_source(&text, &[]);
        let sources = expand::kernels(&checked, &isas::ALL, &mut vec![]);
        let lines: usize = sources.iter().map(|s| s.module.lines().count() + s.launcher.lines().count()).sum();
        println!("{path}: {:.1} ms, {lines} lines", time.as_secs_f64() * 1e3);
    }
    Ok(())
}
