//! From arguments to integers: member choice, extents, shape and bounds checks. Nothing is written here.

use super::{Arg, Isa, Kernel, Launch, Member, Options, RankSource};
use crate::Error;

/// A checked launch.
pub(super) struct Plan<'k> {
    pub(super) member: &'k Member<'k>,
    pub(super) isa: &'k Isa<'k>,
    pub(super) ints: Vec<i64>,
    pub(super) floats: Vec<f32>,
}

/// Chooses the member and checks everything that can be checked before memory is allocated.
pub(super) fn plan<'k>(kernel: &Kernel<'k>, launch: &Launch<'_>, options: Options<'_>) -> Result<Plan<'k>, Error> {
    let mut first_error = None;
    for member in kernel.members {
        match plan_member(member, launch, options) {
            Ok(plan) => return Ok(plan),
            Err(e) => {
                first_error.get_or_insert(e);
            }
        }
    }
    if kernel.members.len() > 1 {
        let members = kernel.members.iter().map(|m| format!("({})", m.spec)).collect::<Vec<_>>().join(", ");
        return Err(Error::Specialisation { kernel: kernel.name.into(), members });
    }
    Err(first_error.unwrap_or_else(|| Error::NotCompiled { kernel: kernel.name.into() }))
}

fn plan_member<'k>(member: &'k Member<'k>, launch: &Launch<'_>, options: Options<'_>) -> Result<Plan<'k>, Error> {
    check_arguments(member, launch.args)?;
    let isa = choose_isa(member, options)?;
    let stages = isa.stages.len();
    let mut ints = vec![0i64; member.int_slots(stages)];
    fill_extents(member, launch, &mut ints)?;
    for (i, name) in member.int_scalars.iter().enumerate() {
        ints[member.scalar_slot(i)] = launch.int(name).ok_or_else(|| Error::MissingExtent { rank: (*name).into() })?;
    }
    for (t, arg) in launch.args.iter().enumerate() {
        for (d, stride) in arg.strides.iter().enumerate() {
            ints[member.stride_slot(t, d)] = i64::try_from(*stride).unwrap_or(i64::MAX);
        }
    }
    let floats = collect_floats(member, launch)?;
    // SAFETY: `prepare` reads and writes `ints` alone, which has every slot of the layout.
    unsafe { (isa.prepare)(std::ptr::null(), ints.as_mut_ptr(), floats.as_ptr(), std::ptr::null_mut(), 0, 0) };
    check_prepared(member, launch.args, &ints, stages)?;
    Ok(Plan { member, isa, ints, floats })
}

fn collect_floats(member: &Member<'_>, launch: &Launch<'_>) -> Result<Vec<f32>, Error> {
    let get = |name: &&str| launch.float(name).ok_or_else(|| Error::MissingExtent { rank: (*name).into() });
    member.floats.iter().map(get).collect()
}

fn choose_isa<'k>(member: &'k Member<'k>, options: Options<'_>) -> Result<&'k Isa<'k>, Error> {
    let wanted = |isa: &&Isa<'k>| isa.available() && options.isa.is_none_or(|name| name == isa.name);
    let any = || member.isas.iter().find(|isa| isa.available());
    member.isas.iter().find(wanted).or_else(any).ok_or_else(|| {
        let compiled = member.isas.iter().map(|isa| isa.name).collect::<Vec<_>>().join(", ");
        Error::Processor { compiled }
    })
}

/// Dtypes, numbers of dimensions, bounds of the slices, overlaps of outputs.
fn check_arguments(member: &Member<'_>, args: &[Arg<'_>]) -> Result<(), Error> {
    for (desc, arg) in member.tensors.iter().zip(args) {
        let tensor = || desc.name.to_string();
        if desc.dims.len() != arg.shape.len() {
            let (expected, found) = (desc.dims.len(), arg.shape.len());
            return Err(Error::Dimensions { tensor: tensor(), expected, found });
        }
        if desc.dtype != arg.dtype {
            return Err(Error::DType { tensor: tensor(), expected: desc.dtype, found: arg.dtype });
        }
        if arg.strides.len() != arg.shape.len() {
            return Err(Error::Strides { tensor: tensor() });
        }
        let needed = span(arg);
        if needed > arg.len as u128 {
            return Err(Error::OutOfBounds { tensor: tensor(), needed, available: arg.len });
        }
        if arg.writable && overlaps(arg) {
            return Err(Error::Overlap { tensor: tensor() });
        }
    }
    Ok(())
}

/// Elements from the first to the last one that shape and strides reach.
fn span(arg: &Arg<'_>) -> u128 {
    if arg.shape.contains(&0) {
        return 0;
    }
    1 + arg.shape.iter().zip(arg.strides).map(|(n, s)| (*n as u128 - 1) * *s as u128).sum::<u128>()
}

/// True unless the strides, in increasing order, each step over everything below them.
pub(super) fn overlaps(arg: &Arg<'_>) -> bool {
    if arg.shape.contains(&0) {
        return false;
    }
    let mut dims: Vec<(usize, usize)> =
        arg.strides.iter().copied().zip(arg.shape.iter().copied()).filter(|(_, n)| *n > 1).collect();
    dims.sort_unstable();
    let mut reach = 0u128;
    for (stride, extent) in dims {
        if (stride as u128) <= reach {
            return true;
        }
        reach += stride as u128 * (extent as u128 - 1);
    }
    false
}

fn fill_extents(member: &Member<'_>, launch: &Launch<'_>, ints: &mut [i64]) -> Result<(), Error> {
    for (i, rank) in member.ranks.iter().enumerate() {
        ints[i] = match rank.source {
            RankSource::Dim { tensor, dim } => launch.args[tensor].shape[dim] as i64,
            RankSource::Given => {
                launch.int(rank.name).ok_or_else(|| Error::MissingExtent { rank: rank.name.into() })?
            }
            RankSource::Const(n) => n,
            RankSource::Derived => 0,
        };
    }
    Ok(())
}

/// Dims that `prepare` requires against the given shapes, then the asserts.
fn check_prepared(member: &Member<'_>, args: &[Arg<'_>], ints: &[i64], stages: usize) -> Result<(), Error> {
    for (t, (desc, arg)) in member.tensors.iter().zip(args).enumerate() {
        for (dim, found) in arg.shape.iter().enumerate() {
            let (expected, found) = (ints[member.dim_slot(t, dim)], *found as i64);
            if expected != found {
                let declared = desc.dims[dim].to_string();
                return Err(Error::Extent { tensor: desc.name.into(), dim, declared, expected, found });
            }
        }
    }
    for (i, text) in member.asserts.iter().enumerate() {
        if ints[member.assert_slot(stages, i)] == 0 {
            return Err(Error::Assertion { text: (*text).into() });
        }
    }
    Ok(())
}

impl Plan<'_> {
    /// Bytes of a workspace tensor.
    pub(super) fn workspace_bytes(&self, tensor: usize) -> u128 {
        let desc = &self.member.tensors[tensor];
        let elements: u128 =
            (0..desc.dims.len()).map(|d| self.ints[self.member.dim_slot(tensor, d)].max(0) as u128).product();
        elements * desc.dtype.bytes() as u128
    }
}
