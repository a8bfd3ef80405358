//! L1 → L2 in one call: the L1 rewrites, stages, one-pass fusion, promises.

use super::{PIPELINE, PassCx, Run};
use crate::cascade::Cascade;
use crate::diag::Refusal;
use crate::stream::Stream;

/// Lowers a cascade to stages of fused passes: everything of the pipeline up to L2.
pub fn to_stream(c: &Cascade) -> Result<Stream, Vec<Refusal>> {
    let mut c = c.clone();
    super::run_cascade_passes(&mut c)?;
    let cx = PassCx::of(&c);
    let mut out: Option<Stream> = None;
    for pass in PIPELINE {
        match (&mut out, pass.run) {
            (None, Run::Stages(run)) => out = Some(run(&c, &cx)?.0),
            (Some(s), Run::Stream(run)) => _ = run(s, &cx)?,
            _ => {}
        }
        if let Some(s) = &out {
            debug_assert_eq!(crate::stream::verify(s), Ok(()), "after {}", pass.name);
        }
    }
    out.ok_or_else(Vec::new)
}
