//! Pipelines of a module on a device.

use super::gpu::Key;
use super::memory::{ARGS, POOL, TABLES, TENSORS, filled};
use super::{Gpu, Member, Stage};
use crate::Error;
use crate::signature::Role;
use ::wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType,
    BufferUsages, ComputePipeline, ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayoutDescriptor,
    ShaderModule, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

/// The pipelines of a module, and its tables.
#[derive(Debug)]
pub(super) struct Pipelines {
    pub(super) stages: Vec<Pipeline>,
    pub(super) tables: Buffer,
}

/// One stage.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) layout: BindGroupLayout,
    pub(super) pipeline: ComputePipeline,
}

/// Compiles the module of a member.
pub(super) fn make(gpu: &Gpu, member: &Member<'_>, (text, tables): &Key) -> Result<Pipelines, Error> {
    gpu.guarded(4 * tables.len() as u128, || {
        let source = ShaderSource::Wgsl(text.as_str().into());
        let described = ShaderModuleDescriptor { label: None, source };
        // SAFETY: the text is what the `wgsl` target emitted for the member: it never indexes outside what the checks of the launch
        // found to be there, its loops count up to bounds below 2^30, and its integer divisions look at the divisor.
        let module = unsafe { gpu.device().create_shader_module_trusted(described, ShaderRuntimeChecks::unchecked()) };
        let stages = member.stages.iter().map(|s| pipeline(gpu, member, s, &module)).collect();
        Pipelines { stages, tables: filled(gpu, "tables", BufferUsages::STORAGE, tables) }
    })
}

fn pipeline(gpu: &Gpu, member: &Member<'_>, stage: &Stage<'_>, module: &ShaderModule) -> Pipeline {
    let layout = bindings(gpu, member, stage);
    let pipeline_layout = gpu.device().create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some(stage.entry),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    // A stage writes its shared memory before it reads it: the executor of SIMT programs holds every kernel to that.
    let compilation_options =
        PipelineCompilationOptions { zero_initialize_workgroup_memory: false, ..PipelineCompilationOptions::default() };
    let pipeline = gpu.device().create_compute_pipeline(&ComputePipelineDescriptor {
        label: Some(stage.entry),
        layout: Some(&pipeline_layout),
        module,
        entry_point: Some(stage.entry),
        compilation_options,
        cache: None,
    });
    Pipeline { layout, pipeline }
}

fn bindings(gpu: &Gpu, member: &Member<'_>, stage: &Stage<'_>) -> BindGroupLayout {
    let entry = |binding: u32, ty: BufferBindingType| BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let storage = |read_only| BufferBindingType::Storage { read_only };
    let mut entries = vec![entry(ARGS, BufferBindingType::Uniform)];
    if stage.tables {
        entries.push(entry(TABLES, storage(true)));
    }
    if stage.pool {
        entries.push(entry(POOL, storage(false)));
    }
    let tensor = |t: &usize| entry(TENSORS + *t as u32, storage(matches!(member.tensors[*t].role, Role::In)));
    entries.extend(stage.tensors.iter().map(tensor));
    gpu.device().create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some(stage.entry), entries: &entries })
}
