//! Live ranges of a loop over tiles, as values of a thread.

use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{Builder, SimtBin, Val};

/// A live range, clipped to the extent; empty ones have been moved out of the way.
pub(super) struct Live {
    lo: Val,
    hi: Val,
    full: Option<(Val, Val)>,
}

impl Live {
    /// A range with its full part.
    pub(super) fn new(fb: &mut Builder, (lo, hi): (Val, Val), full: Option<(Val, Val)>, extent: Val) -> Live {
        let zero = fb.int(0);
        let (lo, hi) = (fb.max(lo, zero), fb.min(hi, extent));
        let some = fb.cmp(LaneCmp::Lt, lo, hi);
        Live { lo: fb.select(some, lo, extent), hi: fb.select(some, hi, zero), full }
    }

    /// True if the range has a full part.
    pub(super) fn has_full(&self) -> bool {
        self.full.is_some()
    }
}

/// First and last coordinate of the union; `None` without ranges.
pub(super) fn hull(fb: &mut Builder, live: &[Live]) -> Option<(Val, Val)> {
    let (first, rest) = live.split_first()?;
    Some(rest.iter().fold((first.lo, first.hi), |(lo, hi), r| (fb.min(lo, r.lo), fb.max(hi, r.hi))))
}

/// Does a block lie inside the full part of a range?
pub(super) fn any_full(fb: &mut Builder, live: &[Live], (base, count): (Val, Val)) -> Val {
    let end = fb.add(base, count);
    let mut any = fb.truth(false);
    for (lo, hi) in live.iter().filter_map(|l| l.full) {
        let (a, b) = (fb.cmp(LaneCmp::Le, lo, base), fb.cmp(LaneCmp::Le, end, hi));
        let inside = fb.binary(SimtBin::And, a, b);
        any = fb.binary(SimtBin::Or, any, inside);
    }
    any
}

/// Does a block touch a range?
pub(super) fn any_touched(fb: &mut Builder, live: &[Live], (base, count): (Val, Val)) -> Val {
    let end = fb.add(base, count);
    let mut any = fb.truth(false);
    for l in live {
        let (a, b) = (fb.cmp(LaneCmp::Lt, base, l.hi), fb.cmp(LaneCmp::Lt, l.lo, end));
        let touched = fb.binary(SimtBin::And, a, b);
        any = fb.binary(SimtBin::Or, any, touched);
    }
    any
}
