//! Buffers of a launch.

use super::launch::Launch;
use super::pipeline::Pipelines;
use super::plan::Plan;
use super::{Gpu, Stage};
use crate::DType;
use crate::signature::{Role, TensorDesc};
use ::wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding, BufferDescriptor,
    BufferUsages,
};

/// Binding of the uniform buffer; see `einattn_target_wgsl::ArgsLayout`.
pub(super) const ARGS: u32 = 0;
/// Binding of the tables.
pub(super) const TABLES: u32 = 1;
/// Binding of workspace and scratch.
pub(super) const POOL: u32 = 2;
/// Binding of the caller's first tensor.
pub(super) const TENSORS: u32 = 3;

/// What a launch allocates.
pub(super) struct Memory {
    args: Buffer,
    pool: Buffer,
}

impl Memory {
    /// Allocates, and fills the arguments.
    pub(super) fn new(gpu: &Gpu, plan: &Plan<'_>) -> Memory {
        let args = filled(gpu, "arguments", BufferUsages::UNIFORM, &plan.args);
        let pool = gpu.device().create_buffer(&BufferDescriptor {
            label: Some("workspace"),
            size: 4 * plan.pool_words.max(1),
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        Memory { args, pool }
    }

    /// The bindings of a stage.
    pub(super) fn bind(
        &self,
        gpu: &Gpu,
        plan: &Plan<'_>,
        stage: &Stage<'_>,
        launch: &Launch<'_>,
        made: &Pipelines,
        number: usize,
    ) -> BindGroup {
        fn whole(binding: u32, buffer: &Buffer) -> BindGroupEntry<'_> {
            BindGroupEntry { binding, resource: buffer.as_entire_binding() }
        }
        let mut entries = vec![whole(ARGS, &self.args)];
        if stage.tables {
            entries.push(whole(TABLES, &made.tables));
        }
        if stage.pool {
            entries.push(whole(POOL, &self.pool));
        }
        for t in stage.tensors {
            let size = std::num::NonZero::new(plan.spans[*t]);
            let part = BufferBinding { buffer: launch.args[*t].buffer, offset: 0, size };
            entries.push(BindGroupEntry { binding: TENSORS + *t as u32, resource: BindingResource::Buffer(part) });
        }
        let layout = &made.stages[number].layout;
        gpu.device().create_bind_group(&BindGroupDescriptor { label: Some(stage.entry), layout, entries: &entries })
    }
}

/// A buffer with a content; never empty, as bindings may not be.
pub(super) fn filled(gpu: &Gpu, label: &str, usage: BufferUsages, words: &[u32]) -> Buffer {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let buffer = gpu.device().create_buffer(&BufferDescriptor {
        label: Some(label),
        size: bytes.len().max(4) as u64,
        usage: usage | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    if !bytes.is_empty() {
        gpu.queue().write_buffer(&buffer, 0, &bytes);
    }
    buffer
}

/// Contents in the words that modules read.
pub(super) struct Words;

impl Words {
    /// All tables, one word an element.
    pub(super) fn tables(tensors: &[TensorDesc<'_>]) -> Vec<u32> {
        let words = |t: &TensorDesc<'_>| match t.role {
            Role::Table(bytes) => Words::table(t.dtype, bytes),
            Role::In | Role::Out | Role::InOut | Role::Workspace => vec![],
        };
        tensors.iter().flat_map(words).collect()
    }

    fn table(dtype: DType, bytes: &[u8]) -> Vec<u32> {
        let (halves, _) = bytes.as_chunks::<2>();
        let (words, _) = bytes.as_chunks::<4>();
        match dtype {
            DType::F32 | DType::I32 => words.iter().map(|b| u32::from_ne_bytes(*b)).collect(),
            DType::F16 => halves.iter().map(|b| half::f16::from_ne_bytes(*b).to_f32().to_bits()).collect(),
            DType::Bf16 => halves.iter().map(|b| half::bf16::from_ne_bytes(*b).to_f32().to_bits()).collect(),
            DType::I8 => bytes.iter().map(|b| i32::from(*b as i8) as u32).collect(),
            DType::U8 | DType::Bool => bytes.iter().map(|b| u32::from(*b)).collect(),
        }
    }
}
