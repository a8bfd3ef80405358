//! A kernel as one PTX module: header, entries, and what a launcher must know of them.

use crate::Error;
use crate::func::Func;
use einattn_compiler::simt::{self, SimtKernel, Space};
use einattn_compiler::target::GpuCaps;

/// Bytes that the parameters of an entry may take.
pub const MAX_PARAMETER_BYTES: usize = 4096;

/// GPU families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arch {
    /// Compute capability 8.0 and everything after it.
    #[default]
    Sm80,
    /// Compute capability 9.0 only.
    Sm90a,
}

impl Arch {
    /// Every family.
    pub const ALL: [Arch; 2] = [Arch::Sm80, Arch::Sm90a];

    /// Name as in `.target`.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Sm80 => "sm_80",
            Arch::Sm90a => "sm_90a",
        }
    }

    /// What kernels for the family are lowered for.
    pub fn caps(self) -> GpuCaps {
        match self {
            Arch::Sm80 => GpuCaps::SM_80,
            Arch::Sm90a => GpuCaps::SM_90A,
        }
    }

    /// The best family for a compute capability; `None` below 8.0.
    pub fn of_capability(major: i32, minor: i32) -> Option<Arch> {
        match (major, minor) {
            (9, 0) => Some(Arch::Sm90a),
            (8.., _) => Some(Arch::Sm80),
            _ => None,
        }
    }

    /// The family with this name.
    pub fn by_name(name: &str) -> Option<Arch> {
        Arch::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// A kernel as PTX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The text.
    pub text: String,
    /// Entries, in the order of the stages.
    pub entries: Vec<Entry>,
    /// Alignment in bytes that the base pointer of each memory tensor must have.
    pub alignment: Vec<u32>,
}

/// One entry: what a launch of a stage needs beyond its slots in `ints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Symbol.
    pub name: String,
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of dynamic shared memory.
    pub shared_bytes: u32,
    /// True if blocks loop over items, any number of them, and use the scratch bytes of their slot each. Otherwise there is one
    /// block an item.
    pub scratch: bool,
}

/// Emits all stages of a kernel.
///
/// # Errors
///
/// Names what PTX has no instructions for.
pub fn emit(kernel: &SimtKernel, arch: Arch) -> Result<Module, Error> {
    simt::verify(kernel).map_err(|errors| Error::Bug(errors.join("; ")))?;
    let bytes = 8 * (kernel.tensors.len() + 1 + kernel.ints.len()) + 4 * kernel.floats.len();
    if bytes > MAX_PARAMETER_BYTES {
        return Err(Error::Parameters(bytes));
    }
    let spec = if kernel.spec.is_empty() { String::new() } else { format!(", {}", kernel.spec) };
    let mut text = format!(
        "// {}{spec}\n.version 8.0\n.target {}\n.address_size 64\n",
        kernel.name.replace('\n', " "),
        arch.name()
    );
    let uses_shared = |s: &simt::SimtStage| s.arrays.iter().any(|a| a.space == Space::Shared);
    if kernel.stages.iter().any(uses_shared) {
        text.push_str("\n.extern .shared .align 1024 .b8 smem[];\n");
    }
    let (mut entries, mut alignment) = (vec![], vec![1; kernel.tensors.len()]);
    for (i, stage) in kernel.stages.iter().enumerate() {
        let name = symbol(&kernel.name, i, &stage.name);
        let mut func = Func::new(kernel, i);
        func.body()?;
        text.push_str(&func.text(&name));
        entries.push(Entry {
            name,
            threads: stage.threads,
            shared_bytes: func.shared_bytes(),
            scratch: func.uses_scratch,
        });
        for (a, b) in alignment.iter_mut().zip(&func.alignment) {
            *a = (*a).max(*b);
        }
    }
    Ok(Module { text, entries, alignment })
}

/// The symbol of a stage's entry.
fn symbol(kernel: &str, index: usize, stage: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{kernel}_{index}_{stage}").chars().map(plain).collect()
}
