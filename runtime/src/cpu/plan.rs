//! Plans of launches on the CPU: the member, its code, its integers.

use super::{Isa, Kernel, Launch, Member, Options};
use crate::Error;
use crate::plan::{Given, Scalars, View, check, first_fit};
use crate::signature::Signature;

/// A checked launch.
pub(super) struct Plan<'k> {
    pub(super) signature: Signature<'k>,
    pub(super) isa: &'k Isa<'k>,
    pub(super) ints: Vec<i64>,
    pub(super) floats: Vec<f32>,
}

/// Chooses the member and checks everything that can be checked before memory is allocated.
pub(super) fn plan<'k>(kernel: &Kernel<'k>, launch: &Launch<'_>, options: Options<'_>) -> Result<Plan<'k>, Error> {
    let views: Vec<View<'_>> = launch.args.iter().map(|a| a.view).collect();
    let given = Given { views: &views, ints: launch.ints, floats: launch.floats };
    first_fit(kernel.name, kernel.members, |m| m.spec, |m| plan_member(m, &given, options))
}

fn plan_member<'k>(member: &'k Member<'k>, given: &Given<'_>, options: Options<'_>) -> Result<Plan<'k>, Error> {
    let isa = choose_isa(member, options)?;
    let signature = member.signature(isa.stages.len());
    let prepare = |ints: &mut [i64], floats: &[f32]| {
        // SAFETY: `prepare` reads and writes `ints` alone, which has every slot of the layout.
        unsafe { (isa.prepare)(std::ptr::null(), ints.as_mut_ptr(), floats.as_ptr(), std::ptr::null_mut(), 0, 0) };
    };
    let Scalars { ints, floats } = check(&signature, given, prepare)?;
    Ok(Plan { signature, isa, ints, floats })
}

fn choose_isa<'k>(member: &'k Member<'k>, options: Options<'_>) -> Result<&'k Isa<'k>, Error> {
    let wanted = |isa: &&Isa<'k>| isa.available() && options.isa.is_none_or(|name| name == isa.name);
    let any = || member.isas.iter().find(|isa| isa.available());
    member.isas.iter().find(wanted).or_else(any).ok_or_else(|| {
        let compiled = member.isas.iter().map(|isa| isa.name).collect::<Vec<_>>().join(", ");
        Error::Processor { compiled }
    })
}

impl Plan<'_> {
    /// Bytes of a workspace tensor.
    pub(super) fn workspace_bytes(&self, tensor: usize) -> u128 {
        self.signature.workspace_bytes(&self.ints, tensor, self.signature.tensors[tensor].dtype.bytes())
    }
}
