//! SIMT: from tile programs to the program of a thread of a GPU (L3 → SIMT). The work is in `simt/lower`.

use super::{Pass, PassCx, Run};
use crate::diag::{Code, Refusal};
use crate::simt::{self, SimtKernel};
use crate::target::Caps;
use crate::tile::{TileKernel, Verified};

/// Forms SIMT programs.
pub(super) static PASS: Pass = Pass {
    name: "simt",
    summary: "tiles are spread over the threads of a block, what they share lies in shared memory",
    post: "SIMT programs; what GPU emitters take",
    run: Run::Threads(run),
};

fn run(k: &Verified<TileKernel>, cx: &PassCx) -> Result<SimtKernel, Vec<Refusal>> {
    match &cx.caps {
        Caps::Gpu(caps) => simt::lower(k, caps),
        Caps::Cpu(caps) => {
            let origin = Default::default();
            Err(vec![Refusal::new(Code::INTERNAL, &origin, format!("{} has no threads of a block", caps.name))])
        }
    }
}
