//! L0: tokens with spans → AST. One parser serves macro tokens and `.attn` files.

pub mod ast;
