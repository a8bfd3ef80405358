//! Plans of launches on a device: the member, its integers, workgroups, and where workspace and scratch lie.

use super::launch::{Arg, Launch};
use super::{Kernel, Member};
use crate::Error;
use crate::plan::{Given, Scalars, View, check, first_fit, span};
use crate::signature::{Role, Signature};
use ::wgpu::{BufferUsages, Limits};

/// A checked launch.
pub(super) struct Plan<'k> {
    pub(super) member: &'k Member<'k>,
    /// Words of the uniform buffer.
    pub(super) args: Vec<u32>,
    /// Words of workspace and scratch.
    pub(super) pool_words: u64,
    /// Workgroups of each stage; 0 if it has no item.
    pub(super) groups: Vec<u32>,
    /// Bytes that each of the caller's tensors spans, in whole words.
    pub(super) spans: Vec<u64>,
}

/// Workgroups of a stage whose workgroups have scratch of their own; each takes several items then.
const SCRATCH_GROUPS: i64 = 256;
/// Extents and items stay below this, so that adding a step to an index of a loop does not overflow.
const MOST: i64 = 1 << 30;

impl Plan<'_> {
    /// Bytes that the launch allocates.
    pub(super) fn bytes(&self) -> u128 {
        4 * (u128::from(self.pool_words) + self.args.len() as u128)
    }
}

/// Chooses the member and checks everything that can be checked before memory is allocated.
pub(super) fn plan<'k>(kernel: &Kernel<'k>, launch: &Launch<'_>, limits: &Limits) -> Result<Plan<'k>, Error> {
    let views: Vec<View<'_>> = launch.args.iter().map(|a| a.view).collect();
    let given = Given { views: &views, ints: launch.ints, floats: launch.floats };
    let one = |member: &'k Member<'k>| {
        let prepare = |ints: &mut [i64], floats: &[f32]| {
            let null = std::ptr::null_mut();
            // SAFETY: `prepare` reads and writes `ints` alone, which has every slot of the layout.
            unsafe { (member.prepare)(std::ptr::null(), ints.as_mut_ptr(), floats.as_ptr(), null, 0, 0) };
        };
        check(&member.signature(), &given, prepare).map(|scalars| (member, scalars))
    };
    let (member, scalars) = first_fit(kernel.name, kernel.members, |m| m.spec, one)?;
    let spans = buffers(member, launch.args, limits)?;
    on_device(member, scalars, spans, limits)
}

/// The caller's buffers: usages, bindings that the device can make, and outputs that share no memory with anything.
fn buffers(member: &Member<'_>, args: &[Arg<'_>], limits: &Limits) -> Result<Vec<u64>, Error> {
    let mut spans = vec![];
    for (i, (desc, arg)) in member.tensors.iter().zip(args).enumerate() {
        if !arg.buffer.usage().contains(BufferUsages::STORAGE) {
            return Err(Error::Buffer { tensor: desc.name.into() });
        }
        let other = args.iter().enumerate().find(|(k, other)| *k != i && other.buffer == arg.buffer);
        if let Some((k, _)) = other.filter(|_| arg.view.writable) {
            return Err(Error::Aliased { tensor: desc.name.into(), other: member.tensors[k].name.into() });
        }
        let bytes = (span(&arg.view) * desc.dtype.bytes() as u128).next_multiple_of(4).max(4);
        let most = limits.max_storage_buffer_binding_size.min(1 << 33);
        within(&format!("bytes of `{}`", desc.name), bytes, u128::from(most))?;
        spans.push(bytes as u64);
    }
    Ok(spans)
}

fn within(what: &str, needed: u128, available: u128) -> Result<(), Error> {
    if needed <= available { Ok(()) } else { Err(Error::Limit { what: what.into(), needed, available }) }
}

fn on_device<'k>(
    member: &'k Member<'k>,
    scalars: Scalars,
    spans: Vec<u64>,
    limits: &Limits,
) -> Result<Plan<'k>, Error> {
    let s = member.signature();
    let Scalars { ints, floats } = scalars;
    let words = narrow(&s, &ints)?;
    for stage in member.stages {
        let buffers = stage.tensors.len() + usize::from(stage.tables) + usize::from(stage.pool);
        let most = limits.max_storage_buffers_per_shader_stage;
        within(&format!("storage buffers of `{}`", stage.entry), buffers as u128, u128::from(most))?;
    }
    let groups: Vec<u32> = (0..s.stages).map(|i| workgroups(member, &s, &ints, i, limits)).collect();
    let (bases, pool_words) = pool(member, &s, &ints, &groups);
    within("bytes of workspace", u128::from(pool_words) * 4, u128::from(limits.max_storage_buffer_binding_size))?;
    within("words of workspace", u128::from(pool_words), 1 << 31)?;
    let args = uniform(words, &bases, &floats);
    within("bytes of arguments", 4 * args.len() as u128, u128::from(limits.max_uniform_buffer_binding_size))?;
    Ok(Plan { member, args, pool_words, groups, spans })
}

/// The integers in 32 bits.
fn narrow(s: &Signature<'_>, ints: &[i64]) -> Result<Vec<u32>, Error> {
    for (i, rank) in s.ranks.iter().enumerate() {
        within(&format!("extent of rank {}", rank.name), ints[i].max(0) as u128, MOST as u128 - 1)?;
    }
    for i in 0..s.stages {
        within("items of a stage", ints[s.items_slot(i)].max(0) as u128, MOST as u128 - 1)?;
    }
    // A dimension of one element may have any stride.
    let strides = s.stride_slot(0, 0)..s.dim_slot(0, 0);
    let one = |(i, x): (usize, &i64)| match i32::try_from(*x) {
        Ok(x) => Ok(x as u32),
        Err(_) if strides.contains(&i) && s.single(ints, i - strides.start) => Ok(0),
        Err(_) => Err(Error::TooLarge { value: *x }),
    };
    ints.iter().enumerate().map(one).collect()
}

fn workgroups(member: &Member<'_>, s: &Signature<'_>, ints: &[i64], stage: usize, limits: &Limits) -> u32 {
    let most = if member.stages[stage].scratch { SCRATCH_GROUPS } else { i64::from(u32::MAX) };
    let items = ints[s.items_slot(stage)].clamp(0, most);
    u32::try_from(items).unwrap_or(u32::MAX).min(limits.max_compute_workgroups_per_dimension)
}

/// First word of each workspace tensor, then of the scratch, and the words of all.
fn pool(member: &Member<'_>, s: &Signature<'_>, ints: &[i64], groups: &[u32]) -> (Vec<u64>, u64) {
    let (mut bases, mut next) = (vec![], 0u64);
    for (t, desc) in member.tensors.iter().enumerate() {
        if matches!(desc.role, Role::Workspace) {
            bases.push(next);
            next = next.saturating_add(u64::try_from(s.workspace_bytes(ints, t, 1)).unwrap_or(u64::MAX));
        }
    }
    bases.push(next);
    let scratch = |i: usize| {
        let bytes = ints[s.items_slot(i) + 1].max(0) as u64;
        if member.stages[i].scratch { bytes.div_ceil(4).saturating_mul(u64::from(groups[i])) } else { 0 }
    };
    let most = (0..s.stages).map(scratch).max().unwrap_or(0);
    (bases, next.saturating_add(most))
}

/// Integers, bases, infinity, NaN and floats, each part in whole vectors of four.
fn uniform(ints: Vec<u32>, bases: &[u64], floats: &[f32]) -> Vec<u32> {
    let mut out = ints;
    if out.is_empty() {
        out.push(0);
    }
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(bases.iter().map(|b| *b as u32));
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend([f32::INFINITY, f32::NAN].iter().chain(floats).map(|x| x.to_bits()));
    out.resize(out.len().next_multiple_of(4), 0);
    out
}
