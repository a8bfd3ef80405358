//! L1 → L2 in one call: the L1 rewrites, stages, one-pass fusion, promises, splits.

use super::{PIPELINE, PassCx, Run};
use crate::cascade::Cascade;
use crate::diag::Refusal;
use crate::stream::Stream;

/// Lowers a cascade to stages of fused passes: everything of the pipeline up to L2.
pub fn to_stream(c: &Cascade) -> Result<Stream, Vec<Refusal>> {
    to_stream_with(c, &PassCx::of(c))
}

/// [`to_stream`] with the licences and options of the caller.
pub fn to_stream_with(c: &Cascade, cx: &PassCx) -> Result<Stream, Vec<Refusal>> {
    lower(c, cx).map_err(|refusals| {
        // Reasons are easier to read in the terms of the source, without factors log2 e.
        let plain = PassCx { base2: false, ..cx.clone() };
        lower(c, &plain).err().unwrap_or(refusals)
    })
}

fn lower(c: &Cascade, cx: &PassCx) -> Result<Stream, Vec<Refusal>> {
    let mut c = c.clone();
    super::run_cascade_passes_with(&mut c, cx)?;
    let mut out: Option<Stream> = None;
    for pass in PIPELINE {
        match (&mut out, pass.run) {
            (None, Run::Stages(run)) => out = Some(run(&c, cx)?.0),
            (Some(s), Run::Stream(run)) => _ = run(s, cx)?,
            _ => {}
        }
        if let Some(s) = &out {
            debug_assert_eq!(crate::stream::verify(s), Ok(()), "after {}", pass.name);
        }
    }
    out.ok_or_else(Vec::new)
}
