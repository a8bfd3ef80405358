//! L1 → L2 in one call: stages, then one-pass fusion.

use super::fuse::fuse;
use super::stages::stages;
use crate::cascade::Cascade;
use crate::diag::Refusal;
use crate::stream::Stream;

/// Lowers a cascade to stages of fused passes.
pub fn to_stream(c: &Cascade) -> Result<Stream, Vec<Refusal>> {
    let mut s = stages(c)?;
    fuse(&mut s);
    Ok(s)
}
