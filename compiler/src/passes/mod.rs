//! The passes: one file each, and the ordered list of them.
//!
//! Assumes a verified cascade; every pass guarantees a verified cascade with the same meaning (a promise that the file
//! tests execute), up to the rounding that `reassoc` licenses. A pass that cannot do its work refuses with a reason.

pub mod affine;
mod brief;
mod chunk;
pub mod count;
mod cse;
mod dce;
mod defer;
mod direction;
mod exp2;
mod expand;
pub mod facts;
pub mod fuse;
mod initial;
#[cfg(test)]
mod initial_tests;
mod inline;
mod ir;
#[cfg(test)]
mod kernel_tests;
mod lower_cascade;
pub mod masks;
mod maxdefer;
mod product;
pub mod promise;
mod range;
pub mod recurrence;
pub(crate) mod repair_check;
mod separate;
mod simplify;
pub mod split_kv;
mod stages;
mod terms;
#[cfg(test)]
mod tests;
mod tiling;
mod to_lanes;
mod to_threads;
mod unroll;
mod util;

pub use brief::brief;
pub use lower_cascade::{lower_in_plain_terms, to_stream, to_stream_with, to_tile};
pub use product::{Product, Terms};
pub use range::Range;
pub use stages::stages;
pub(crate) use terms::difference;

use crate::cascade::Cascade;
use crate::diag::Refusal;
use crate::lane::LaneKernel;
use crate::schedule::Split;
use crate::simt::SimtKernel;
use crate::stream::Stream;
use crate::target::{Caps, CpuCaps};
use crate::tile::{TileKernel, Verified};
pub use ir::{Ir, Level, PassError, apply, lower};

/// One pass.
#[derive(Debug)]
pub struct Pass {
    /// Name, as in `attnc opt --pass NAME`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What holds after it.
    pub post: &'static str,
    /// Does it.
    pub run: Run,
}

/// What a pass takes and gives. A pass between levels is a variant of its own.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// L1 → L1.
    Cascade(fn(&mut Cascade, &PassCx) -> Result<Report, Vec<Refusal>>),
    /// L1 → L2.
    Stages(fn(&Cascade, &PassCx) -> Formed),
    /// L2 → L2.
    Stream(fn(&mut Stream, &PassCx) -> Result<Report, Vec<Refusal>>),
    /// L2 → L3.
    Tiles(fn(&Stream, &PassCx) -> Result<TileKernel, Vec<Refusal>>),
    /// L3 → L3.
    Tile(fn(&mut TileKernel, &PassCx) -> Result<Report, Vec<Refusal>>),
    /// L3 → lane programs.
    Lanes(fn(&Verified<TileKernel>, &PassCx) -> Result<LaneKernel, Vec<Refusal>>),
    /// L3 → SIMT programs.
    Threads(fn(&Verified<TileKernel>, &PassCx) -> Result<SimtKernel, Vec<Refusal>>),
}

/// Stages with the report of how they were formed, or why they cannot be.
pub type Formed = Result<(Stream, Report), Vec<Refusal>>;

/// The passes in the order in which they run, from the checked cascade to lane programs (CPUs) or SIMT programs (GPUs).
pub const PIPELINE: &[&Pass] = &[
    &dce::PASS,
    &unroll::PASS,
    &inline::PASS,
    &dce::PASS,
    &simplify::PASS,
    &defer::PASS,
    &maxdefer::PASS,
    &expand::PASS,
    &defer::PASS,
    &inline::PASS,
    &dce::PASS,
    &simplify::PASS,
    &cse::PASS,
    &exp2::PASS,
    &simplify::PASS,
    &cse::PASS,
    &dce::PASS,
    &chunk::PASS,
    &dce::PASS,
    &stages::PASS,
    &fuse::PASS,
    &initial::PASS,
    &split_kv::PASS,
    &tiling::PASS,
    &tiling::REUSE,
    &tiling::TIDY,
    &to_lanes::PASS,
    &to_threads::PASS,
];

/// What passes may assume beside their input.
#[derive(Clone, Debug)]
pub struct PassCx {
    /// Licence to reassociate (condition C9): off under `#[strict]`.
    pub reassoc: bool,
    /// Largest body, in expression nodes, that INLINE may build.
    pub max_body: usize,
    /// Spans and chunks that the schedule asks for.
    pub splits: Vec<Split>,
    /// Length of the chunks of recurrences that the schedule leaves alone; `None`: they step one by one.
    pub auto_chunk: Option<i64>,
    /// EXP2 may change the base of exponentials.
    pub base2: bool,
    /// Run the rewrites of L1. Without them the result is the same, only slower; tests compare the two.
    pub rewrite: bool,
    /// What tiles and programs are made for.
    pub caps: Caps,
}

impl PassCx {
    /// The licences that the kernel's attributes give.
    pub fn of(c: &Cascade) -> Self {
        let reassoc = !c.attrs.strict;
        PassCx {
            reassoc,
            max_body: 20_000,
            splits: vec![],
            auto_chunk: None,
            base2: true,
            rewrite: true,
            caps: Caps::Cpu(CpuCaps::PORTABLE),
        }
    }
}

/// What a pass did, in sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One rewrite each, with its reason.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds a sentence.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// The pass with this name.
pub fn find(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().copied().find(|p| p.name == name)
}

/// Runs the L1 part of the list.
pub fn run_cascade_passes(c: &mut Cascade) -> Result<Report, Vec<Refusal>> {
    let (cx, mut all) = (PassCx::of(c), Report::default());
    for pass in PIPELINE {
        if let Run::Cascade(run) = pass.run {
            all.notes.extend(run(c, &cx)?.notes);
            debug_assert_eq!(crate::cascade::verify(c), Ok(()), "after {}", pass.name);
        }
    }
    Ok(all)
}
