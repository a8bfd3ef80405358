//! Parts of the list in one call: up to L2, and from L2 to L3.

use super::{Ir, Level, PassCx, PassError, lower};
use crate::cascade::Cascade;
use crate::diag::Refusal;
use crate::stream::Stream;
use crate::target::{Caps, CpuCaps};
use crate::tile::TileKernel;

/// Lowers a cascade to stages of fused passes: everything of the pipeline up to L2.
pub fn to_stream(c: &Cascade) -> Result<Stream, Vec<Refusal>> {
    to_stream_with(c, &PassCx::of(c))
}

/// [`to_stream`] with the licences and options of the caller.
pub fn to_stream_with(c: &Cascade, cx: &PassCx) -> Result<Stream, Vec<Refusal>> {
    match lower_in_plain_terms(c, Level::Stream, cx, &mut |_, _| {})? {
        Ir::Stream(s) => Ok(s),
        other => Err(wrong_level(Level::Stream, &other)),
    }
}

/// Lowers a stream to tiles for a CPU with these properties.
pub fn to_tile(s: &Stream, caps: &CpuCaps) -> Result<TileKernel, Vec<Refusal>> {
    let mut ir = Ir::Stream(s.clone());
    let cx = PassCx { caps: Caps::Cpu(caps.clone()), ..PassCx::of(&s.cascade) };
    for pass in super::PIPELINE.iter().filter(|p| p.run.gives() == Level::Tile) {
        ir = super::apply(pass, ir, &cx).map_err(PassError::refusals)?.0;
    }
    match ir {
        Ir::Tile(t) => Ok(t),
        other => Err(wrong_level(Level::Tile, &other)),
    }
}

/// Lowers a checked cascade. What is refused on the way to L2 is explained in the terms of the source, without the
/// factors log2 e of EXP2.
pub fn lower_in_plain_terms(
    c: &Cascade,
    to: Level,
    cx: &PassCx,
    observe: &mut dyn FnMut(&str, &Ir),
) -> Result<Ir, Vec<Refusal>> {
    lower(Ir::Cascade(c.clone()), to, cx, observe).map_err(|e| {
        let plain = PassCx { base2: false, ..cx.clone() };
        let again = lower(Ir::Cascade(c.clone()), Level::Stream, &plain, &mut |_, _| {});
        again.err().unwrap_or(e).refusals()
    })
}

fn wrong_level(takes: Level, ir: &Ir) -> Vec<Refusal> {
    PassError::Level { pass: "pipeline", takes, given: ir.level() }.refusals()
}
