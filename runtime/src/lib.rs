//! Runtime of einattn.
