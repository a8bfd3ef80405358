//! The instruction set that code is made for.

use crate::Error;
use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable, Flags};
use std::fmt;
use std::str::FromStr;
use target_lexicon::{Architecture, Triple};

/// What code is made for: this machine, or a named processor and system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arch {
    /// The machine that compiles, with every extension it has.
    Native,
    /// A triple with the extensions of one level of the processor (x86-64: 1 to 4; others: 1).
    Named {
        /// Processor, vendor and system.
        triple: Triple,
        /// Level of the processor.
        level: u8,
    },
}

/// Names that `Arch::from_str` accepts besides triples.
const NAMES: [(&str, u8); 5] = [("x86-64", 1), ("x86-64-v2", 2), ("x86-64-v3", 3), ("x86-64-v4", 4), ("aarch64", 1)];

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arch::Native => write!(f, "{} (native)", Triple::host()),
            Arch::Named { triple, level: 1 } => write!(f, "{triple}"),
            Arch::Named { triple, level } => write!(f, "{triple} v{level}"),
        }
    }
}

impl FromStr for Arch {
    type Err = Error;

    /// `native`, `x86-64`, `x86-64-v2`, `x86-64-v3`, `x86-64-v4`, `aarch64` (on the system that compiles), or a target
    /// triple.
    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "native" {
            return Ok(Arch::Native);
        }
        let unknown = || Error::Arch(format!("`{name}`; known are native, x86-64[-v2|-v3|-v4], aarch64 and triples"));
        if let Some((_, level)) = NAMES.iter().find(|(n, _)| *n == name) {
            let mut triple = Triple::host();
            let processor = if name == "aarch64" { "aarch64" } else { "x86_64" };
            triple.architecture = Architecture::from_str(processor).map_err(|()| unknown())?;
            return Ok(Arch::Named { triple, level: *level });
        }
        let triple = Triple::from_str(name).map_err(|_| unknown())?;
        Ok(Arch::Named { triple, level: 1 })
    }
}

/// Extensions of x86-64 by level, as the psABI groups them.
const X86_LEVELS: [&[&str]; 4] = [
    &[],
    &["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"],
    &["has_avx", "has_avx2", "has_fma", "has_bmi1", "has_bmi2", "has_lzcnt"],
    &["has_avx512f", "has_avx512vl", "has_avx512dq"],
];

fn flags(pic: bool) -> Result<Flags, Error> {
    let mut b = settings::builder();
    let bug = |e: settings::SetError| Error::Bug(e.to_string());
    b.set("opt_level", "speed").map_err(bug)?;
    b.set("enable_verifier", "true").map_err(bug)?;
    b.set("is_pic", if pic { "true" } else { "false" }).map_err(bug)?;
    b.set("use_colocated_libcalls", "false").map_err(bug)?;
    Ok(Flags::new(b))
}

fn named(triple: &Triple, level: u8) -> Result<isa::Builder, Error> {
    let mut b = isa::lookup(triple.clone()).map_err(|e| Error::Arch(format!("{triple}: {e}")))?;
    if triple.architecture == Architecture::X86_64 {
        for name in X86_LEVELS[..usize::from(level).min(X86_LEVELS.len())].iter().copied().flatten() {
            b.enable(name).map_err(|e| Error::Bug(format!("{name}: {e}")))?;
        }
    }
    Ok(b)
}

/// The instruction set of an `Arch`; position-independent for object code.
pub(crate) fn target_isa(arch: &Arch, pic: bool) -> Result<OwnedTargetIsa, Error> {
    let builder = match arch {
        Arch::Native => cranelift_native::builder().map_err(|e| Error::Arch(format!("this machine: {e}")))?,
        Arch::Named { triple, level } => named(triple, *level)?,
    };
    builder.finish(flags(pic)?).map_err(|e| Error::Arch(e.to_string()))
}

/// What an instruction set offers beyond the least that Cranelift assumes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    /// Fused multiply-add.
    pub(crate) fma: bool,
    /// Rounding to integers in every direction.
    pub(crate) round: bool,
    /// x86-64, whose truncating conversion to integers is one instruction.
    pub(crate) x86: bool,
}

impl Features {
    /// Reads the features off an instruction set; the other backends have all of them in their base.
    pub(crate) fn of(isa: &dyn TargetIsa) -> Features {
        if isa.triple().architecture != Architecture::X86_64 {
            return Features { fma: true, round: true, x86: false };
        }
        let flags = isa.isa_flags();
        let has = |name: &str| flags.iter().any(|f| f.name == name && f.as_bool() == Some(true));
        Features { fma: has("has_fma"), round: has("has_sse41"), x86: true }
    }
}
