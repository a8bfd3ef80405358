//! Checked launches on device memory.

use super::driver::failed;
use super::module::Module;
use super::{Arg, Device, Kernel, Member, Role};
use crate::Error;
use crate::plan::{Given, Scalars, View, check, first_fit};
use crate::signature::Signature;
use cudarc::driver::result::{free_async, launch_kernel, malloc_async};
use std::ffi::c_void;
use std::sync::{Arc, OnceLock};

/// A stream of the driver (`CUstream`); the default is the device's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub *mut c_void);

impl Default for Stream {
    fn default() -> Self {
        Stream(std::ptr::null_mut())
    }
}

/// Memory that a launch may use for its intermediate results. Launches that run at the same time need one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Address on the device, aligned to 256 bytes.
    pub ptr: u64,
    /// Bytes.
    pub bytes: usize,
}

/// Arguments of a launch.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The caller's tensors, in the order of the kernel's description.
    pub args: &'a [Arg<'a>],
    /// Integer scalars, and extents of ranks that no tensor fixes, by name.
    pub ints: &'a [(&'a str, i64)],
    /// Float scalars by name.
    pub floats: &'a [(&'a str, f32)],
    /// Stream.
    pub stream: Stream,
    /// Memory of at least [`Program::workspace_bytes`]; without it the launch takes some from the stream's pool.
    pub workspace: Option<Workspace>,
}

/// A kernel on a device.
#[derive(Debug)]
pub struct Program<'k> {
    pub(super) device: &'static Device,
    pub(super) kernel: Kernel<'k>,
    loaded: Vec<OnceLock<Arc<Module>>>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("resident", &self.resident).finish_non_exhaustive()
    }
}

/// A checked launch.
struct Plan<'k> {
    member: usize,
    signature: Signature<'k>,
    scalars: Scalars,
    module: Arc<Module>,
}

impl<'k> Program<'k> {
    /// A kernel on a device. Nothing is loaded yet.
    pub fn new(device: &'static Device, kernel: Kernel<'k>) -> Self {
        let loaded = kernel.members.iter().map(|_| OnceLock::new()).collect();
        Program { device, kernel, loaded }
    }

    /// Assembles all members now, which the first launches would do otherwise.
    ///
    /// # Errors
    ///
    /// The driver does not take the code; with its words.
    pub fn load(&self) -> Result<(), Error> {
        (0..self.kernel.members.len()).try_for_each(|m| self.module(m).map(|_| ()))
    }

    fn module(&self, member: usize) -> Result<Arc<Module>, Error> {
        if let Some(module) = self.loaded[member].get() {
            return Ok(module.clone());
        }
        let module = self.device.module(&self.kernel.members[member])?;
        Ok(self.loaded[member].get_or_init(|| module).clone())
    }

    /// Bytes of workspace that a launch needs.
    ///
    /// # Errors
    ///
    /// Those of the launch.
    pub fn workspace_bytes(&self, launch: &Launch<'_>) -> Result<usize, Error> {
        let plan = self.plan(launch)?;
        Ok(self.layout(&plan)?.bytes)
    }

    /// Checks the arguments and gives the stages to the stream.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; unless it is [`Error::Device`], the device has been given nothing.
    ///
    /// # Safety
    ///
    /// Every argument's elements lie in memory of this device, and so does the workspace; nothing else writes them, or reads what
    /// is written, until the stream is past the launch. The stream is one of this device.
    pub unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), Error> {
        let plan = self.plan(launch)?;
        let layout = self.layout(&plan)?;
        self.device.enter()?;
        let stream = launch.stream.0.cast();
        let own = match launch.workspace {
            Some(w) if w.bytes < layout.bytes => {
                return Err(Error::Workspace { needed: layout.bytes, given: w.bytes });
            }
            Some(w) => {
                aligned("the workspace", w.ptr, ALIGNMENT as u32)?;
                None
            }
            // SAFETY: the stream is the caller's.
            None if layout.bytes > 0 => Some(unsafe { malloc_async(stream, layout.bytes) }),
            None => None,
        };
        let own = own.transpose().map_err(|_| Error::OutOfMemory { bytes: layout.bytes as u128 })?;
        let base = own.or(launch.workspace.map(|w| w.ptr)).unwrap_or(0);
        // SAFETY: the arguments were checked, and the rest is the caller's promise.
        let done = unsafe { self.stages(&plan, &layout, base, launch) };
        if let Some(ptr) = own {
            // SAFETY: the memory is freed when the stream comes to it, after the stages.
            unsafe { free_async(ptr, stream) }.map_err(failed("freeing the workspace"))?;
        }
        done
    }

    fn plan(&self, launch: &Launch<'_>) -> Result<Plan<'k>, Error> {
        let views: Vec<View<'_>> = launch.args.iter().map(|a| a.view).collect();
        let given = Given { views: &views, ints: launch.ints, floats: launch.floats };
        let members: Vec<(usize, &'k Member<'k>)> = self.kernel.members.iter().enumerate().collect();
        let (member, signature, scalars) = {
            let fits = |(i, m): &(usize, &'k Member<'k>)| {
                let signature = m.signature();
                let scalars = check(&signature, &given, |ints, floats| prepare(m, ints, floats))?;
                Ok((*i, signature, scalars))
            };
            first_fit(self.kernel.name, &members, |(_, m)| m.spec, fits)?
        };
        in_range(&signature, &scalars.ints)?;
        apart(&signature, launch.args)?;
        for ((desc, arg), bytes) in signature.tensors.iter().zip(launch.args).zip(members[member].1.alignment) {
            aligned(desc.name, arg.ptr, *bytes)?;
        }
        let module = self.module(member)?;
        Ok(Plan { member, signature, scalars, module })
    }

    /// Blocks of a stage.
    fn blocks(&self, plan: &Plan<'_>, stage: usize) -> u32 {
        let items = plan.scalars.ints[plan.signature.items_slot(stage)].max(0) as u32;
        let loops = self.kernel.members[plan.member].entries[stage].scratch;
        if loops { items.min(plan.module.resident[stage]) } else { items }
    }

    fn layout(&self, plan: &Plan<'_>) -> Result<Layout, Error> {
        let (mut end, mut tensors) = (0u128, vec![]);
        for (t, desc) in plan.signature.tensors.iter().enumerate() {
            tensors.push(end as u64);
            if matches!(desc.role, Role::Workspace) {
                let bytes = plan.signature.workspace_bytes(&plan.scalars.ints, t, desc.dtype.bytes());
                end = (end + bytes).next_multiple_of(ALIGNMENT);
            }
        }
        let scratch = |stage: usize| {
            let bytes = plan.scalars.ints[plan.signature.items_slot(stage) + 1].max(0) as u128;
            let loops = self.kernel.members[plan.member].entries[stage].scratch;
            if loops { bytes * u128::from(self.blocks(plan, stage)) } else { 0 }
        };
        let most = (0..plan.signature.stages).map(scratch).max().unwrap_or(0);
        let bytes = usize::try_from(end + most).map_err(|_| Error::OutOfMemory { bytes: end + most })?;
        Ok(Layout { tensors, scratch: end as u64, bytes })
    }

    /// Gives all stages to the stream.
    unsafe fn stages(&self, plan: &Plan<'_>, layout: &Layout, base: u64, launch: &Launch<'_>) -> Result<(), Error> {
        let address = |t: usize| match plan.signature.tensors[t].role {
            Role::In | Role::Out | Role::InOut => launch.args[t].ptr,
            Role::Table(_) => plan.module.tables[t].as_ref().map_or(0, super::Buffer::ptr),
            Role::Workspace => base + layout.tensors[t],
        };
        let mut pointers: Vec<u64> = (0..plan.signature.tensors.len()).map(address).collect();
        pointers.push(base + layout.scratch);
        let mut parameters: Vec<*mut c_void> = pointers.iter_mut().map(|p| std::ptr::from_mut(p).cast()).collect();
        parameters.push(plan.scalars.ints.as_ptr().cast_mut().cast());
        parameters.extend(plan.scalars.floats.iter().map(|f| std::ptr::from_ref(f).cast_mut().cast::<c_void>()));
        for (stage, entry) in self.kernel.members[plan.member].entries.iter().enumerate() {
            let (f, blocks) = (plan.module.functions[stage], self.blocks(plan, stage));
            if blocks == 0 {
                continue;
            }
            let (grid, block) = ((blocks, 1, 1), (entry.threads, 1, 1));
            let stream = launch.stream.0.cast();
            // SAFETY: the driver copies the parameters, which are those that the entry declares.
            unsafe { launch_kernel(f, grid, block, entry.shared_bytes, stream, &mut parameters) }
                .map_err(failed(entry.name))?;
        }
        Ok(())
    }
}

/// Alignment of workspace tensors, that of allocations.
const ALIGNMENT: u128 = 256;

/// Where things lie in the workspace.
struct Layout {
    /// Offset of each workspace tensor.
    tensors: Vec<u64>,
    scratch: u64,
    bytes: usize,
}

fn prepare(member: &Member<'_>, ints: &mut [i64], floats: &[f32]) {
    let null = std::ptr::null_mut();
    // SAFETY: `prepare` reads and writes `ints` alone, which has every slot of the layout.
    unsafe { (member.prepare)(std::ptr::null(), ints.as_mut_ptr(), floats.as_ptr(), null, 0, 0) };
}

/// Coordinates are 32-bit integers on the device; strides may be longer.
pub(super) fn in_range(signature: &Signature<'_>, ints: &[i64]) -> Result<(), Error> {
    let strides = signature.stride_slot(0, 0)..signature.dim_slot(0, 0);
    let long = |(slot, x): (usize, &i64)| (!strides.contains(&slot) && i32::try_from(*x).is_err()).then_some(*x);
    match ints.iter().enumerate().find_map(long) {
        Some(value) => Err(Error::TooLarge { value }),
        None => Ok(()),
    }
}

/// Outputs share no memory with other tensors.
pub(super) fn apart(signature: &Signature<'_>, args: &[Arg<'_>]) -> Result<(), Error> {
    for (i, a) in args.iter().enumerate().filter(|(_, a)| a.view.writable) {
        for (j, b) in args.iter().enumerate().filter(|(j, _)| *j != i) {
            let (a, b) = (a.bytes(), b.bytes());
            if a.start < b.end && b.start < a.end {
                let name = |t: usize| signature.tensors[t].name.to_string();
                return Err(Error::Aliased { tensor: name(i), other: name(j) });
            }
        }
    }
    Ok(())
}

pub(super) fn aligned(name: &str, ptr: u64, bytes: u32) -> Result<(), Error> {
    if ptr.is_multiple_of(u64::from(bytes.max(1))) {
        return Ok(());
    }
    Err(Error::Alignment { tensor: name.to_string(), bytes })
}
