//! Second opinions: kernels of the library written again as plain loops in f64, from the equations of their papers.
//!
//! A reference sees named arrays and knows nothing of the language or its interpreter, so an error in a kernel's text and
//! an error of the interpreter both show. It is as slow and as plain as it can be; cases are tiny.

mod clusters;
mod convolutions;
mod eviction;
mod features;
mod heads;
mod landmarks;
mod loops;
mod routing;
mod scans;
mod sources;
mod spectral;
mod windows;

pub use loops::{At, In};

use einattn_compiler::cascade::Cascade;
use einattn_compiler::check::{Options, check};
use einattn_compiler::interp::{Tensors, Value, random_inputs, run_cascade};
use einattn_compiler::syntax::ast::File;
use std::collections::BTreeMap;

/// Random launches a case.
const SEEDS: u64 = 3;

/// Kernels whose machine code does not agree with their reference: known defects of the compiler, to be removed from this list one by one.
pub const WRONG_ON_CPUS: [&str; 0] = [];

/// Both sides compute in f64.
const BOUND: f64 = 1e-10;

/// One kernel with what is chosen for it, and its reference.
pub struct Oracle {
    /// Kernel of the library.
    pub kernel: &'static str,
    /// Extents and params: `B=2 P=7`.
    pub set: &'static str,
    /// Run-time scalars: `scale=0.5`.
    pub scalars: &'static str,
    /// The outputs for some inputs.
    pub reference: fn(&In<'_>) -> Outputs,
}

/// Named outputs of a reference.
pub type Outputs = Vec<(&'static str, Value)>;

const fn case(
    kernel: &'static str,
    set: &'static str,
    scalars: &'static str,
    reference: fn(&In<'_>) -> Outputs,
) -> Oracle {
    Oracle { kernel, set, scalars, reference }
}

/// A launch of a kernel beside what its reference says.
pub struct Launched {
    /// The elaborated kernel, all extents known.
    pub cascade: Cascade,
    /// Random inputs.
    pub inputs: Tensors,
    /// Run-time scalars.
    pub scalars: BTreeMap<String, f64>,
    /// Outputs of the reference.
    pub expected: Outputs,
}

/// Every case, by family.
pub fn cases() -> impl Iterator<Item = &'static Oracle> {
    let families = [
        heads::ORACLES,
        sources::ORACLES,
        windows::ORACLES,
        routing::ORACLES,
        clusters::ORACLES,
        eviction::ORACLES,
        features::ORACLES,
        landmarks::ORACLES,
        scans::ORACLES,
        convolutions::ORACLES,
        spectral::ORACLES,
    ];
    families.into_iter().flatten()
}

impl Oracle {
    /// The launches of this case; `file` holds the kernel and what it calls.
    pub fn launches(&self, file: &File) -> Result<Vec<Launched>, String> {
        let set = pairs(self.set).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let (checked, diags) = check(file, &Options { set });
        if let Some(d) = diags.first() {
            return Err(format!("[{}] {}", d.code.0, d.message));
        }
        let members = checked.kernels.into_iter().flat_map(|k| k.members);
        let cascade = members.into_iter().next().ok_or("the checker made no member")?;
        (0..SEEDS).map(|seed| self.launch(&cascade, seed)).collect()
    }

    fn launch(&self, cascade: &Cascade, seed: u64) -> Result<Launched, String> {
        let number = |v: &str| v.parse().map_err(|e| format!("{v}: {e}"));
        let scalars =
            pairs(self.scalars).map(|(k, v)| Ok((k.to_string(), number(v)?))).collect::<Result<_, String>>()?;
        let inputs = random_inputs(cascade, &BTreeMap::new(), seed)?;
        let expected = (self.reference)(&In::new(&inputs, &scalars));
        Ok(Launched { cascade: cascade.clone(), inputs, scalars, expected })
    }

    /// Compares the interpreter with the reference; the largest relative error of any output.
    pub fn check(&self, file: &File) -> Result<f64, String> {
        let mut worst = 0f64;
        for l in self.launches(file)? {
            let got = run_cascade(&l.cascade, &l.inputs, &l.scalars, &BTreeMap::new())?;
            worst = worst.max(l.compare(&got, BOUND)?);
        }
        Ok(worst)
    }
}

impl Launched {
    /// The largest error of any output, relative to the largest number that the reference gives for it.
    pub fn compare(&self, got: &Tensors, bound: f64) -> Result<f64, String> {
        let mut worst = 0f64;
        for (name, want) in &self.expected {
            let got = got.get(*name).ok_or_else(|| format!("output `{name}` is missing"))?;
            if got.shape != want.shape {
                return Err(format!("`{name}` has shape {:?}, the reference {:?}", got.shape, want.shape));
            }
            let scale = want.data.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
            for (i, (x, r)) in got.data.iter().zip(&want.data).enumerate() {
                let error = if x == r { 0.0 } else { (x - r).abs() / scale };
                if error.is_nan() || error > bound {
                    return Err(format!("element {i} of `{name}` is {x}, the reference says {r}"));
                }
                worst = worst.max(error);
            }
        }
        Ok(worst)
    }
}

fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.split_whitespace().filter_map(|p| p.split_once('='))
}
