//! Procedural macros of `einattn`.
