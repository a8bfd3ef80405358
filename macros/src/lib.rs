//! Procedural macros of `einattn`: a thin shell around the compiler. Use them through the `einattn` crate.

use proc_macro::TokenStream;

/// Kernels written as cascades of Einsums.
#[proc_macro]
pub fn attn(input: TokenStream) -> TokenStream {
    input
}

/// Kernels from a file.
#[proc_macro]
pub fn attn_file(input: TokenStream) -> TokenStream {
    input
}
