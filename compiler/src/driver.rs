//! The way from source to code, in one place: the macro, the command line and the tests call these functions.
//!
//! Pure. Every level's result is verified; a result that does not verify is refused as a bug of the compiler, never
//! passed on. An observer sees the kernel at every level.

use crate::cascade::{self, Cascade, Origin};
use crate::check::{Checked, Options as CheckOptions, check};
use crate::diag::{Code, Diagnostic, Refusal};
use crate::lane::{self, LaneKernel};
use crate::passes::{run_cascade_passes, to_stream, to_tile};
use crate::stream::{self, Stream};
use crate::syntax::parse_str;
use crate::target::CpuCaps;
use crate::tile::{self, TileKernel};

/// Choices of the caller.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Run the rewrites of L1. Without them the result is the same, only slower; tests compare the two.
    pub rewrite: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { rewrite: true }
    }
}

/// A kernel at one level.
#[derive(Clone, Copy, Debug)]
pub enum Level<'k> {
    /// As checked.
    Cascade(&'k Cascade),
    /// After the rewrites.
    Rewritten(&'k Cascade),
    /// Stages of passes.
    Stream(&'k Stream),
    /// Tile programs.
    Tile(&'k TileKernel),
    /// Lane programs.
    Lane(&'k LaneKernel),
}

impl Level<'_> {
    /// Name of the level.
    pub fn name(&self) -> &'static str {
        match self {
            Level::Cascade(_) => "cascade",
            Level::Rewritten(_) => "rewritten cascade",
            Level::Stream(_) => "stream",
            Level::Tile(_) => "tile",
            Level::Lane(_) => "lane",
        }
    }

    /// The kernel as text.
    pub fn text(&self) -> String {
        match self {
            Level::Cascade(c) | Level::Rewritten(c) => cascade::print(c),
            Level::Stream(s) => stream::print(s),
            Level::Tile(t) => tile::print_stages(t),
            Level::Lane(l) => l.to_string(),
        }
    }

    fn verify(&self) -> Result<(), Vec<String>> {
        match self {
            Level::Cascade(c) | Level::Rewritten(c) => cascade::verify(c),
            Level::Stream(_) => Ok(()),
            Level::Tile(t) => tile::verify((*t).clone()).map(|_| ()),
            Level::Lane(l) => lane::verify(l),
        }
    }
}

/// Parses and checks a text. `set` gives values of params, extents of ranks and types of `dtype` variables.
pub fn check_source(text: &str, set: &[(String, String)]) -> (Checked, Vec<Diagnostic>) {
    let (file, mut diags) = parse_str(text);
    let (checked, more) = check(&file, &CheckOptions { set: set.to_vec() });
    diags.extend(more);
    (checked, diags)
}

/// Lowers one member of a kernel for a CPU.
pub fn lower(c: &Cascade, caps: &CpuCaps, options: &Options) -> Result<LaneKernel, Vec<Refusal>> {
    lower_observed(c, caps, options, &mut |_| {})
}

/// Like [`lower`]; `observe` sees the kernel at every level that it reaches.
pub fn lower_observed(
    c: &Cascade,
    caps: &CpuCaps,
    options: &Options,
    observe: &mut dyn FnMut(Level<'_>),
) -> Result<LaneKernel, Vec<Refusal>> {
    let mut reach = |level: Level<'_>| {
        observe(level);
        level.verify().map_err(|errors| vec![bug(level.name(), &errors)])
    };
    reach(Level::Cascade(c))?;
    let mut rewritten = c.clone();
    if options.rewrite {
        run_cascade_passes(&mut rewritten)?;
        reach(Level::Rewritten(&rewritten))?;
    }
    let stream = to_stream(&rewritten)?;
    reach(Level::Stream(&stream))?;
    let tile = to_tile(&stream, caps)?;
    reach(Level::Tile(&tile))?;
    let tile = crate::tile::verify(tile).map_err(|errors| vec![bug("tile", &errors)])?;
    let lane = lane::lower(&tile, caps)?;
    reach(Level::Lane(&lane))?;
    Ok(lane)
}

fn bug(level: &str, errors: &[String]) -> Refusal {
    let message = format!("bug in the compiler, please report it: the {level} of this kernel is not valid");
    let mut refusal = Refusal::new(Code::INTERNAL, &Origin { span: u32::MAX, ..Origin::default() }, message);
    refusal.notes = errors.to_vec();
    refusal
}
