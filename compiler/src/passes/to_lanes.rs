//! LANE: from tile programs to lane programs for a CPU (L3 → lane). The work is in `lane/lower`.

use super::{Pass, PassCx, Run};
use crate::diag::{Code, Refusal};
use crate::lane::{self, LaneKernel};
use crate::target::Caps;
use crate::tile::{TileKernel, Verified};

/// Forms lane programs.
pub(super) static PASS: Pass = Pass {
    name: "lane",
    summary: "the lane axis becomes vectors, contractions register tiles, functions polynomials",
    post: "lane programs; what CPU emitters take",
    run: Run::Lanes(run),
};

fn run(k: &Verified<TileKernel>, cx: &PassCx) -> Result<LaneKernel, Vec<Refusal>> {
    match &cx.caps {
        Caps::Cpu(caps) => lane::lower(k, caps),
        Caps::Gpu(caps) => {
            let origin = Default::default();
            Err(vec![Refusal::new(Code::INTERNAL, &origin, format!("{} has no lane programs", caps.name))])
        }
    }
}
