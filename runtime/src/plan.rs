//! From arguments to integers: extents, shape and bounds checks. Nothing is written here.

use crate::signature::{RankSource, Role, Signature};
use crate::{DType, Error};

/// An argument as far as the checks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Elements that may be touched.
    pub(crate) len: usize,
    /// Storage type.
    pub(crate) dtype: DType,
    /// True for outputs.
    pub(crate) writable: bool,
    /// Extents.
    pub(crate) shape: &'a [usize],
    /// Strides in elements.
    pub(crate) strides: &'a [usize],
}

/// What the caller gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The caller's tensors, in the order of the kernel's description.
    pub(crate) views: &'a [View<'a>],
    /// Integer scalars, and extents of ranks that no tensor fixes, by name.
    pub(crate) ints: &'a [(&'a str, i64)],
    /// Float scalars by name.
    pub(crate) floats: &'a [(&'a str, f32)],
}

impl Given<'_> {
    fn int(&self, name: &str) -> Option<i64> {
        self.ints.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.floats.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }
}

/// Integers and floats of a checked launch.
pub(crate) struct Scalars {
    pub(crate) ints: Vec<i64>,
    pub(crate) floats: Vec<f32>,
}

/// The first member that fits, with its plan. `one` plans a member; `spec` is its text.
pub(crate) fn first_fit<'k, M, P>(
    kernel: &str,
    members: &'k [M],
    spec: impl Fn(&'k M) -> &'k str,
    mut one: impl FnMut(&'k M) -> Result<P, Error>,
) -> Result<P, Error> {
    let mut first_error = None;
    for member in members {
        match one(member) {
            Ok(plan) => return Ok(plan),
            Err(e) => {
                first_error.get_or_insert(e);
            }
        }
    }
    if members.len() > 1 {
        let members = members.iter().map(|m| format!("({})", spec(m))).collect::<Vec<_>>().join(", ");
        return Err(Error::Specialisation { kernel: kernel.into(), members });
    }
    Err(first_error.unwrap_or_else(|| Error::NotCompiled { kernel: kernel.into() }))
}

/// Checks everything that can be checked before memory is allocated. `prepare` fills the derived part of the integers.
pub(crate) fn check(
    s: &Signature<'_>,
    given: &Given<'_>,
    prepare: impl FnOnce(&mut [i64], &[f32]),
) -> Result<Scalars, Error> {
    check_arguments(s, given.views)?;
    let mut ints = vec![0i64; s.int_slots()];
    fill_extents(s, given, &mut ints)?;
    for (i, name) in s.int_scalars.iter().enumerate() {
        ints[s.scalar_slot(i)] = given.int(name).ok_or_else(|| Error::MissingExtent { rank: (*name).into() })?;
    }
    for (t, arg) in given.views.iter().enumerate() {
        for (d, stride) in arg.strides.iter().enumerate() {
            ints[s.stride_slot(t, d)] = i64::try_from(*stride).unwrap_or(i64::MAX);
        }
    }
    let float = |name: &&str| given.float(name).ok_or_else(|| Error::MissingExtent { rank: (*name).into() });
    let floats = s.floats.iter().map(float).collect::<Result<Vec<_>, _>>()?;
    prepare(&mut ints, &floats);
    check_prepared(s, given.views, &ints)?;
    Ok(Scalars { ints, floats })
}

/// Dtypes, numbers of dimensions, bounds of the slices, overlaps of outputs.
fn check_arguments(s: &Signature<'_>, args: &[View<'_>]) -> Result<(), Error> {
    let callers = s.tensors.iter().filter(|t| !matches!(t.role, Role::Table(_) | Role::Workspace)).count();
    if callers != args.len() {
        return Err(Error::Arguments { expected: callers, found: args.len() });
    }
    for (desc, arg) in s.tensors.iter().zip(args) {
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
pub(crate) fn span(arg: &View<'_>) -> u128 {
    if arg.shape.contains(&0) {
        return 0;
    }
    1 + arg.shape.iter().zip(arg.strides).map(|(n, s)| (*n as u128 - 1) * *s as u128).sum::<u128>()
}

/// True unless the strides, in increasing order, each step over everything below them.
pub(crate) fn overlaps(arg: &View<'_>) -> bool {
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

fn fill_extents(s: &Signature<'_>, given: &Given<'_>, ints: &mut [i64]) -> Result<(), Error> {
    for (i, rank) in s.ranks.iter().enumerate() {
        ints[i] = match rank.source {
            RankSource::Dim { tensor, dim } => given.views[tensor].shape[dim] as i64,
            RankSource::Given => given.int(rank.name).ok_or_else(|| Error::MissingExtent { rank: rank.name.into() })?,
            RankSource::Const(n) => n,
            RankSource::Derived => 0,
        };
    }
    Ok(())
}

/// Dims that `prepare` requires against the given shapes, then the asserts.
fn check_prepared(s: &Signature<'_>, args: &[View<'_>], ints: &[i64]) -> Result<(), Error> {
    for (t, (desc, arg)) in s.tensors.iter().zip(args).enumerate() {
        for (dim, found) in arg.shape.iter().enumerate() {
            let (expected, found) = (ints[s.dim_slot(t, dim)], *found as i64);
            if expected != found {
                let declared = desc.dims[dim].to_string();
                return Err(Error::Extent { tensor: desc.name.into(), dim, declared, expected, found });
            }
        }
    }
    for (i, text) in s.asserts.iter().enumerate() {
        if ints[s.assert_slot(i)] == 0 {
            return Err(Error::Assertion { text: (*text).into() });
        }
    }
    Ok(())
}
