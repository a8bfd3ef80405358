//! Target rust.
