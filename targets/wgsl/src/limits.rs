//! What WebGPU promises on every device, and what a kernel asks for beyond it.

use crate::layout::ArgsLayout;
use crate::memory::has_storage;
use crate::module::Entry;
use crate::op::lacks;
use einattn_compiler::cascade::Origin;
use einattn_compiler::diag::{Code, Refusal};
use einattn_compiler::simt::{Inst, SimtKernel};

/// Storage buffers of a stage. WebGPU promises 8; drivers and desktop browsers have at least this many. The launcher looks at
/// the device.
const STORAGE_BUFFERS: usize = 10;
/// Bytes of workgroup memory.
const SHARED_BYTES: u32 = 16 << 10;
/// Threads of a workgroup.
const THREADS: u32 = 256;
/// Bytes of a uniform buffer.
const UNIFORM_BYTES: usize = 64 << 10;

/// A refusal of a stage, or of the kernel.
fn refusal(statement: &str, message: String) -> Refusal {
    let origin = Origin { stmt: statement.to_string(), line: 0, span: u32::MAX };
    Refusal::new(Code::UNSUPPORTED, &origin, message)
}

/// What the text of a kernel cannot express.
pub(crate) fn inexpressible(kernel: &SimtKernel) -> Vec<Refusal> {
    let mut out = vec![];
    for t in kernel.tensors.iter().filter(|t| !has_storage(t)) {
        out.push(refusal(&t.name, format!("`{}` is {}, which the wgsl target has no tensors of", t.name, t.dtype)));
    }
    let bytes = 4 * ArgsLayout::of(kernel).words();
    if bytes > UNIFORM_BYTES {
        out.push(refusal(
            &kernel.name,
            format!("`{}` has {bytes} bytes of arguments; WebGPU promises {UNIFORM_BYTES}", kernel.name),
        ));
    }
    for stage in &kernel.stages {
        let mut found = vec![];
        missing(&stage.body, &mut found);
        found.sort_unstable();
        found.dedup();
        out.extend(found.iter().map(|what| refusal(&stage.name, format!("WGSL without extensions has no {what}"))));
    }
    out
}

fn missing(insts: &[Inst], out: &mut Vec<&'static str>) {
    for inst in insts {
        match inst {
            Inst::Let(_, op) => out.extend(lacks(op)),
            Inst::Loop { body, .. } => missing(body, out),
            Inst::If { then, els, .. } => {
                missing(then, out);
                missing(els, out);
            }
            Inst::Mma { .. } | Inst::GroupMma { .. } | Inst::LoadMatrix { .. } => out.push("matrix instructions"),
            Inst::CopyAsync { .. } | Inst::CopyCommit | Inst::CopyWait(_) => out.push("asynchronous copies"),
            Inst::Comment(_) | Inst::Set(..) | Inst::Load { .. } | Inst::Store { .. } | Inst::Barrier => {}
        }
    }
}

/// What an entry point asks for beyond the default limits.
pub(crate) fn excess(stage: &str, e: &Entry) -> Vec<Refusal> {
    let buffers = e.tensors.len() + usize::from(e.tables) + usize::from(e.pool);
    let mut out = vec![];
    let mut need = |what: &str, asked: usize, most: usize| {
        if asked > most {
            let message = format!("stage `{stage}` needs {asked} {what}; the wgsl target allows {most}");
            out.push(refusal(stage, message));
        }
    };
    need("storage buffers", buffers, STORAGE_BUFFERS);
    need("bytes of workgroup memory", e.shared_bytes as usize, SHARED_BYTES as usize);
    need("threads of a workgroup", e.threads as usize, THREADS as usize);
    out
}
