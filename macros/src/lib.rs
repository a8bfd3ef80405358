//! Procedural macros of `einattn`: a thin shell around the compiler. Use them through the `einattn` crate.

use proc_macro::TokenStream;
use proc_macro2::{Literal, TokenStream as TokenStream2, TokenTree};
use std::path::Path;

/// Compiles the kernels between the braces.
///
/// Every `kernel name { .. }` becomes a struct `name` with one field for each tensor and scalar, and the method `run`.
/// All errors are reported at once, at the user's tokens.
#[proc_macro]
pub fn attn(input: TokenStream) -> TokenStream {
    einattn_target_rust::expand::tokens(input.into()).into()
}

/// Compiles the kernels of a file: `attn_file!("kernels/window.attn")`, relative to the crate's manifest.
#[proc_macro]
pub fn attn_file(input: TokenStream) -> TokenStream {
    file(input.into()).into()
}

/// A kernel of the library: `attn_lib!(sliding_window as local { W = 256 })`. `attnc lib` lists the kernels and their
/// params; without `as` the launcher has the kernel's own name.
#[proc_macro]
pub fn attn_lib(input: TokenStream) -> TokenStream {
    einattn_target_rust::expand::library(input.into()).into()
}

fn file(input: TokenStream2) -> TokenStream2 {
    let mut tokens = input.into_iter();
    let (Some(TokenTree::Literal(literal)), None) = (tokens.next(), tokens.next()) else {
        return error(
            "`attn_file!` takes one string literal: the path of an .attn file",
            proc_macro2::Span::call_site(),
        );
    };
    let Some(path) = unquoted(&literal) else {
        return error("`attn_file!` takes a plain string literal", literal.span());
    };
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let absolute = Path::new(&root).join(&path);
    match std::fs::read_to_string(&absolute) {
        Ok(text) => einattn_target_rust::expand::file(&path, &absolute.to_string_lossy(), &text, literal.span()),
        Err(e) => error(&format!("`{path}` cannot be read: {e}"), literal.span()),
    }
}

/// Text of a string literal without escapes.
fn unquoted(literal: &Literal) -> Option<String> {
    let text = literal.to_string();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then(|| inner.to_string())
}

fn error(message: &str, span: proc_macro2::Span) -> TokenStream2 {
    einattn_target_rust::expand::error(message, span)
}
