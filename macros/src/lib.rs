//! Procedural macros of `einattn`: a thin shell around the compiler. Use them through the `einattn` crate.
//!
//! A kernel holds code for every instruction set. `EINATTN_ISA`, a list as `avx2,portable` in the environment of rustc,
//! restricts it: for builds that run on one machine, and for faster ones. A build script sets it for its package with
//! `cargo:rustc-env=EINATTN_ISA=avx2`, and cargo then knows that it has to build anew when it changes. Where a kernel has
//! no code for the processor, its launch is an error.

use einattn_compiler::target::CpuCaps;
use einattn_target_rust::{expand, isas};
use proc_macro::TokenStream;
use proc_macro2::{Literal, TokenStream as TokenStream2, TokenTree};
use std::path::Path;

/// Compiles the kernels between the braces.
///
/// Every `kernel name { .. }` becomes a struct `name` with one field for each tensor and scalar, and the method `run`.
/// All errors are reported at once, at the user's tokens.
#[proc_macro]
pub fn attn(input: TokenStream) -> TokenStream {
    expanded(|isas| expand::tokens(input.into(), isas))
}

/// Compiles the kernels of a file: `attn_file!("kernels/window.attn")`, relative to the crate's manifest.
#[proc_macro]
pub fn attn_file(input: TokenStream) -> TokenStream {
    expanded(|isas| file(input.into(), isas))
}

/// A kernel of the library: `attn_lib!(sliding_window as local { W = 256 })`. `attnc lib` lists the kernels and their
/// params; without `as` the launcher has the kernel's own name.
#[proc_macro]
pub fn attn_lib(input: TokenStream) -> TokenStream {
    expanded(|isas| expand::library(input.into(), isas))
}

/// Expands for the instruction sets of `EINATTN_ISA`, or for all.
fn expanded(expand: impl FnOnce(&[CpuCaps]) -> TokenStream2) -> TokenStream {
    let isas = match std::env::var("EINATTN_ISA") {
        Ok(names) => isas::named(&names),
        Err(_) => Ok(isas::ALL.to_vec()),
    };
    let tokens = match isas {
        Ok(isas) => expand(&isas),
        Err(why) => error(&format!("EINATTN_ISA: {why}"), proc_macro2::Span::call_site()),
    };
    tokens.into()
}

fn file(input: TokenStream2, isas: &[CpuCaps]) -> TokenStream2 {
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
        Ok(text) => expand::file(&path, &absolute.to_string_lossy(), &text, literal.span(), isas),
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
    expand::error(message, span)
}
