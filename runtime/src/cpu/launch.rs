//! Runs a checked launch: workspace, scratch, items over threads.

use super::plan::{Plan, plan};
use super::pool::pool;
use super::{Arg, Kernel, Options, Role, StageFn};
use crate::Error;
use std::alloc::{Layout, alloc_zeroed};
use std::sync::atomic::{AtomicI64, Ordering};

/// Arguments of a launch.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The caller's tensors, in the order of the kernel's description.
    pub args: &'a [Arg<'a>],
    /// Integer scalars, and extents of ranks that no tensor fixes, by name.
    pub ints: &'a [(&'a str, i64)],
    /// Float scalars by name.
    pub floats: &'a [(&'a str, f32)],
    /// Options.
    pub options: Options<'a>,
}

/// A cache line; scratch is made of them, and workspace begins at one, so that they are aligned for every vector type.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

fn lines(bytes: u128) -> Result<Vec<Line>, Error> {
    let failed = || Error::OutOfMemory { bytes };
    let count = usize::try_from(bytes.div_ceil(64)).map_err(|_| failed())?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(count).map_err(|_| failed())?;
    buffer.resize(count, Line([0; 64]));
    Ok(buffer)
}

/// Zeros that begin at a line. The system finds their pages when they are touched, which is what the workers do.
struct Zeros {
    bytes: Vec<u8>,
    first: usize,
}

impl Zeros {
    fn new(bytes: u128) -> Result<Zeros, Error> {
        let failed = || Error::OutOfMemory { bytes };
        let size =
            bytes.checked_add(align_of::<Line>() as u128).and_then(|n| usize::try_from(n).ok()).ok_or_else(failed)?;
        let layout = Layout::array::<u8>(size).map_err(|_| failed())?;
        // SAFETY: the size is not 0, and the vector gets all of the block, whose layout is its own.
        let bytes = unsafe {
            let start = alloc_zeroed(layout);
            if start.is_null() {
                return Err(failed());
            }
            Vec::from_raw_parts(start, size, size)
        };
        let first = bytes.as_ptr().align_offset(align_of::<Line>());
        Ok(Zeros { bytes, first })
    }

    fn start(&mut self) -> *mut u8 {
        self.bytes[self.first..].as_mut_ptr()
    }
}

/// Checks the arguments and runs the kernel. Returns the name of the instruction set that ran.
///
/// # Errors
///
/// Any [`Error`]; no output has been written then.
pub fn launch<'k>(kernel: &Kernel<'k>, launch: &Launch<'_>) -> Result<&'k str, Error> {
    let plan = plan(kernel, launch, launch.options)?;
    let mut workspace = Vec::new();
    let mut pointers = Pointers(Vec::with_capacity(plan.signature.tensors.len()));
    for (t, desc) in plan.signature.tensors.iter().enumerate() {
        pointers.0.push(match desc.role {
            Role::Table(bytes) => bytes.as_ptr().cast_mut(),
            Role::Workspace => {
                workspace.push(Zeros::new(plan.workspace_bytes(t))?);
                workspace.last_mut().map_or(std::ptr::null_mut(), Zeros::start)
            }
            Role::In | Role::Out | Role::InOut => launch.args[t].ptr,
        });
    }
    let run = || run_stages(&plan, &pointers);
    match launch.options.threads {
        0 => run(),
        n => pool(n)?.install(run),
    }?;
    Ok(plan.isa.name)
}

/// Base pointers of the memory tensors.
struct Pointers(Vec<*mut u8>);

// SAFETY: the pointers stay valid for the whole launch, which borrows the tensors. Items of a stage are independent:
// distinct items write distinct elements, and what they read is not written in the same stage.
unsafe impl Sync for Pointers {}

/// Everything a worker needs.
struct Shared<'p> {
    stage: StageFn,
    pointers: &'p Pointers,
    ints: &'p [i64],
    floats: &'p [f32],
    next: AtomicI64,
    items: i64,
}

fn run_stages(plan: &Plan<'_>, pointers: &Pointers) -> Result<(), Error> {
    let threads = rayon::current_num_threads().max(1);
    let largest = (0..plan.isa.stages.len()).map(|s| plan.ints[plan.signature.items_slot(s) + 1].max(0)).max();
    let workers = workers(plan, threads);
    let mut scratch: Vec<Vec<Line>> =
        (0..workers).map(|_| lines(largest.unwrap_or(0) as u128)).collect::<Result<_, _>>()?;
    for (s, stage) in plan.isa.stages.iter().enumerate() {
        let items = plan.ints[plan.signature.items_slot(s)];
        let next = AtomicI64::new(0);
        let shared = Shared { stage: *stage, pointers, ints: &plan.ints, floats: &plan.floats, next, items };
        if workers == 1 {
            work(&shared, &mut scratch[0]);
            continue;
        }
        rayon::scope(|scope| {
            for buffer in &mut scratch {
                let shared = &shared;
                scope.spawn(move |_| work(shared, buffer));
            }
        });
    }
    Ok(())
}

/// Never more workers than the widest stage has items.
fn workers(plan: &Plan<'_>, threads: usize) -> usize {
    let widest = (0..plan.isa.stages.len()).map(|s| plan.ints[plan.signature.items_slot(s)]).max().unwrap_or(0);
    usize::try_from(widest).unwrap_or(1).clamp(1, threads)
}

/// Takes items from the back (under causal masks the last ones are the longest) until none is left.
fn work(shared: &Shared<'_>, scratch: &mut [Line]) {
    loop {
        let taken = shared.next.fetch_add(1, Ordering::Relaxed);
        if taken >= shared.items {
            return;
        }
        let item = shared.items - 1 - taken;
        // SAFETY: the launch was checked against the kernel's description: every pointer, stride and extent describes
        // memory that the caller lent, and the scratch buffer has the size that `prepare` asked for.
        unsafe {
            (shared.stage)(
                shared.pointers.0.as_ptr(),
                shared.ints.as_ptr().cast_mut(),
                shared.floats.as_ptr(),
                scratch.as_mut_ptr().cast(),
                item,
                item + 1,
            );
        }
    }
}
