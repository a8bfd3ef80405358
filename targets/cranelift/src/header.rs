//! The C header of an object file.
pub fn c_header() {}
