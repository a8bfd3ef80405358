//! What the GPU targets share: the host's part of a kernel.

use einattn_compiler::lane::LaneKernel;
use einattn_compiler::simt::SimtKernel;
use einattn_compiler::target::CpuCaps;

/// The arguments of a GPU kernel with its `prepare`, which runs on the host, and no stage.
pub fn host_part(kernel: &SimtKernel) -> LaneKernel {
    LaneKernel {
        name: kernel.name.clone(),
        spec: kernel.spec.clone(),
        lanes: CpuCaps::CRANELIFT.lanes,
        tensors: kernel.tensors.clone(),
        ints: kernel.ints.clone(),
        sources: kernel.sources.clone(),
        floats: kernel.floats.clone(),
        prepare: kernel.prepare.clone(),
        stages: vec![],
    }
}
