//! The test vectors: inputs and float64 answers of references that this project did not write, and the library kernel
//! that each is an instance of (`vectors.json`).
//!
//! [`suite`] reads the folder, [`Case::kernel`] elaborates the library kernel for the shapes and numbers of the case,
//! a [`Target`] runs it, [`compare`] judges, [`Report`] prints `vector × target`. A target of its own is one
//! implementation of [`Target`].

mod case;
mod cpu;
#[cfg(feature = "wgpu")]
mod gpu;
mod instances;
mod judge;
mod load;
mod report;

pub use case::{Case, Plan, library_kernel, suite};
pub use cpu::{CpuTarget, Cranelift, MacroMade, NoCode, text as refusals_text};
#[cfg(feature = "wgpu")]
pub use gpu::Wgpu;
pub use instances::{kernels_source, narrow};
pub use judge::{Verdict, compare, interpreter_bound, naive_bound};
pub use load::{folder, read_tensors};
pub use report::{Outcome, Report, judge, run};

use einattn_compiler::cascade::Cascade;
use einattn_compiler::interp::{Tensors, run_cascade};
use std::collections::BTreeMap;

/// A kernel of the library with what is chosen for it: what `attn_lib!` takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Kernel.
    pub kernel: String,
    /// Params, extents and `dtype` variables.
    pub set: BTreeMap<String, String>,
}

impl Instance {
    /// An identifier that differs for different instances: `window_causal_e32_elem_f32_w16`.
    pub fn name(&self) -> String {
        let mut name = self.kernel.clone();
        for (k, v) in &self.set {
            name.push_str(&format!("_{k}{}", if v.parse::<f64>().is_ok() { "" } else { "_" }));
            name.push_str(v);
        }
        name.to_lowercase().replace('-', "m").replace('.', "p")
    }
}

/// A kernel with everything that a launch needs.
pub struct Launch {
    /// What was elaborated.
    pub instance: Instance,
    /// The elaborated member.
    pub cascade: Cascade,
    /// Inputs, rounded to their declared storage types.
    pub inputs: Tensors,
    /// Run-time scalars.
    pub scalars: BTreeMap<String, f64>,
}

/// What a target says to a launch.
pub enum Answer {
    /// Outputs under their names.
    Ran(Tensors),
    /// The target refuses the kernel, with its reason.
    Refused(String),
    /// Something went wrong.
    Broken(String),
}

/// Something that runs kernels.
pub trait Target {
    /// Name in reports.
    fn name(&self) -> &str;
    /// The relative error that an output may have, from the bound of the case (`naive` for its dtype).
    fn bound(&self, naive: f64) -> f64 {
        naive_bound(naive)
    }
    /// Runs a launch.
    fn run(&self, launch: &Launch) -> Answer;
}

/// The reference interpreter of L1.
pub struct Interpreter;

impl Target for Interpreter {
    fn name(&self) -> &str {
        "interp"
    }

    fn bound(&self, _: f64) -> f64 {
        interpreter_bound()
    }

    fn run(&self, launch: &Launch) -> Answer {
        match run_cascade(&launch.cascade, &launch.inputs, &launch.scalars, &BTreeMap::new()) {
            Ok(out) => Answer::Ran(out),
            Err(message) => Answer::Broken(message),
        }
    }
}
