//! x
pub fn manifest() {}
