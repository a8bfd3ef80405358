//! L0: tokens with spans → AST. One parser serves macro tokens and `.attn` files.
//!
//! Assumes nothing about its input. Guarantees: never panics, reports every broken statement at once, and every node of
//! the tree has the span of the tokens it came from. `README.md` beside this file is the language reference.

pub mod ast;
mod cursor;
mod expr;
mod item;
mod lex;
mod print;
mod stmt;
#[cfg(test)]
mod tests;

use crate::diag::{Code, Diagnostic};
pub use expr::REDUCTIONS;
pub use print::{print, print_expr, print_stmt};
use proc_macro2::TokenStream;

/// Parses the content of a macro call. Everything that could be parsed is in the file; errors are listed beside it.
pub fn parse(tokens: TokenStream) -> (ast::File, Vec<Diagnostic>) {
    let (toks, diags) = lex::flatten(tokens);
    cursor::Parser::new(&toks, diags).file()
}

/// Parses the text of an `.attn` file. Byte ranges, lines and columns of the spans are those of `src`.
pub fn parse_str(src: &str) -> (ast::File, Vec<Diagnostic>) {
    let lexed = match lex::tokens(src) {
        Ok(lexed) => lexed,
        Err(diags) => return (ast::File::default(), diags),
    };
    let (file, more) = parse(lexed.tokens);
    let mut diags = lexed.diags;
    // What the lexer replaced was reported by it.
    let known = |d: &Diagnostic| d.code == Code::LEX && lexed.replaced.contains(&d.span.start.byte_range().start);
    diags.extend(more.into_iter().filter(|d| !known(d)));
    diags.sort_by_key(|d| d.span.start.byte_range().start);
    (file, diags)
}
