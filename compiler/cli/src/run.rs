//! `attnc run`: one kernel, on the tensors of a file.

use crate::cpu::{self, NoProgram, Program, Scalars};
use crate::data::{self, File, convert, type_name};
use crate::settings::{Settings, settings};
use crate::source::Source;
use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::cascade::{Cascade, TensorKind};
use einattn_compiler::check::Checked;
use einattn_compiler::driver::Options;
use einattn_compiler::interp::{Bindings, Tensors, Value, bind, run_cascade};
use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::syntax::ast::{Item, Kernel};
use einattn_compiler::types::DType;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What executes the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// The reference interpreter, in f64.
    Interp,
    /// Machine code made in this process.
    Cranelift,
    /// The first NVIDIA GPU of this machine.
    Cuda,
    /// The fastest GPU of this machine that `wgpu` finds.
    Wgpu,
}

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Source file, or `lib:NAME` for a kernel of the library.
    file: String,
    /// Kernel; may be left out if the file has one.
    kernel: Option<String>,
    /// What executes the kernel.
    #[arg(long, value_enum, default_value = "interp")]
    target: Target,
    /// Input tensors, by the names that the kernel gives them.
    #[arg(long = "in", value_name = "IN.safetensors")]
    input: PathBuf,
    /// Where the output tensors go.
    #[arg(long, value_name = "OUT.safetensors")]
    out: PathBuf,
    /// Value of a scalar, param, rank or dtype; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Threads; 0 for one a processor.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Say what is done, and how long it takes.
    #[arg(short, long)]
    verbose: bool,
}

/// Outputs with their types, and what was measured.
struct Outputs {
    tensors: Vec<(String, DType, Value)>,
    compiling: Option<Duration>,
    running: Duration,
}

/// What every step of a run looks at.
struct Job<'j> {
    source: &'j Source,
    checked: &'j Checked,
    options: &'j Options,
    threads: usize,
}

/// Runs the kernel.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let (source, named) = Source::open(&args.file)?;
    if source.refused(io)? {
        return Ok(Outcome::Refused);
    }
    let kernel = kernel(&source, args.kernel.as_deref().or(named))?;
    let file = data::read(&args.input)?;
    let settings = settings(kernel, &args.set, &file)?;
    let Some(checked) = source.check(&settings.checker, io)? else { return Ok(Outcome::Refused) };
    let nothing = || format!("`{}` has no member to run", kernel.name.name);
    let kernel = checked.kernels.iter().find(|k| k.name.name == kernel.name.name).ok_or_else(nothing)?;
    let members = &kernel.members;
    let first = members.first().ok_or_else(nothing)?;
    let inputs = inputs(first, &file, args, io)?;
    let (member, bindings) = choose(members, &inputs, &settings)?;
    sizes(member, &bindings)?;
    if args.verbose && !member.spec.is_empty() {
        let spec: Vec<String> = member.spec.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        written(writeln!(io.err, "member {}", spec.join(", ")))?;
    }
    let read_by = match args.target {
        Target::Interp | Target::Cranelift => "cranelift",
        Target::Cuda => "ptx",
        Target::Wgpu => "wgsl",
    };
    let options = Options::scheduled(kernel, read_by);
    let job = Job { source: &source, checked: &checked, options: &options, threads: args.threads };
    let outputs = match args.target {
        Target::Interp => interpret(member, &inputs, &settings)?,
        Target::Cranelift => match compiled(&job, member, &bindings, &inputs, io)? {
            Some(outputs) => outputs,
            None => return Ok(Outcome::Refused),
        },
        Target::Wgpu => match through_wgpu(&job, member, &bindings, &inputs, io)? {
            Some(outputs) => outputs,
            None => return Ok(Outcome::Refused),
        },
        Target::Cuda => match on_gpu(&job, member, &bindings, &inputs, io)? {
            Some(outputs) => outputs,
            None => return Ok(Outcome::Refused),
        },
    };
    data::write(&args.out, &outputs.tensors)?;
    summary(&outputs, args.target, io)?;
    Ok(Outcome::Done)
}

/// The named kernel, or the only one.
fn kernel<'s>(source: &'s Source, name: Option<&str>) -> Result<&'s Kernel, String> {
    let kernels = || {
        source.file.items.iter().filter_map(|i| match i {
            Item::Kernel(k) => Some(k),
            Item::Fn(_) | Item::Mask(_) | Item::Schedule(_) => None,
        })
    };
    let names = || kernels().map(|k| k.name.name.as_str()).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => kernels()
            .find(|k| k.name.name == name)
            .ok_or_else(|| format!("`{}` has no kernel `{name}`; it has {}", source.name, names())),
        None => match kernels().collect::<Vec<_>>()[..] {
            [] => Err(format!("`{}` has no kernel", source.name)),
            [kernel] => Ok(kernel),
            _ => Err(format!("`{}` has several kernels, name one of them: {}", source.name, names())),
        },
    }
}

/// The input tensors in the types that the kernel declares. All members of a kernel have the same ones, since storage
/// types are chosen before.
fn inputs(c: &Cascade, file: &File, args: &Args, io: &mut Io) -> Result<Tensors, String> {
    let mut out = Tensors::new();
    for t in c.tensors.iter().filter(|t| matches!(t.kind, TensorKind::In | TensorKind::InOut)) {
        let Some(stored) = file.get(&t.name) else {
            let names = file.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("`{}` has no tensor `{}`; it has {names}", args.input.display(), t.name));
        };
        let from = type_name(stored.dtype);
        if args.verbose && from != t.dtype.name() {
            written(writeln!(io.err, "`{}` is converted from {from} to {}", t.name, t.dtype))?;
        }
        out.insert(t.name.clone(), convert(&t.name, stored, t.dtype)?);
    }
    Ok(out)
}

/// The first member whose extents fit the inputs.
fn choose<'c>(
    members: &'c [Cascade],
    inputs: &Tensors,
    settings: &Settings,
) -> Result<(&'c Cascade, Bindings), String> {
    let mut errors = vec![];
    for member in members {
        match bind(member, inputs, &settings.scalars, &settings.extents) {
            Ok(bindings) => return Ok((member, bindings)),
            Err(e) => errors.push(e),
        }
    }
    match &errors[..] {
        [one] => Err(one.clone()),
        all => Err(format!("no member of the kernel's specialisation set fits: {}", all.join("; "))),
    }
}

/// More elements than a machine holds; larger tensors are mistakes.
const MOST_ELEMENTS: i64 = 1 << 34;

/// Refuses tensors, results and intermediates alike, that no machine holds.
fn sizes(c: &Cascade, bindings: &Bindings) -> Result<(), String> {
    for t in &c.tensors {
        let mut elements: i64 = 1;
        for e in &t.dims {
            let n = bindings.index(e).map_err(|f| format!("a dimension of `{}`: {f}", t.name))?;
            elements = elements.saturating_mul(n);
        }
        if elements > MOST_ELEMENTS {
            return Err(format!("`{}` would have {elements} elements", t.name));
        }
    }
    Ok(())
}

fn interpret(c: &Cascade, inputs: &Tensors, settings: &Settings) -> Result<Outputs, String> {
    let start = Instant::now();
    let mut results = run_cascade(c, inputs, &settings.scalars, &settings.extents)?;
    let running = start.elapsed();
    let mut tensors = vec![];
    for t in c.tensors.iter().filter(|t| matches!(t.kind, TensorKind::Out | TensorKind::InOut)) {
        let value = results.remove(&t.name).ok_or_else(|| format!("the interpreter gave no `{}`", t.name))?;
        tensors.push((t.name.clone(), t.dtype, value));
    }
    Ok(Outputs { tensors, compiling: None, running })
}

/// Runs machine code; `None` if the kernel was refused.
fn compiled(
    job: &Job<'_>,
    member: &Cascade,
    bindings: &Bindings,
    inputs: &Tensors,
    io: &mut Io,
) -> Result<Option<Outputs>, String> {
    let start = Instant::now();
    let Some(program) = accepted(job, Program::new(member, job.options), io)? else { return Ok(None) };
    let compiling = Some(start.elapsed());
    let mut tensors = program.arguments(member, inputs, bindings, 0.0)?;
    let scalars = Scalars::new(member, bindings);
    let start = Instant::now();
    program.run(&mut tensors, &scalars, job.threads)?;
    let running = start.elapsed();
    Ok(Some(Outputs { tensors: outputs(program.callers(), &tensors), compiling, running }))
}

/// A program; `None` if the kernel was refused.
fn accepted<P>(job: &Job<'_>, made: Result<P, NoProgram>, io: &mut Io) -> Result<Option<P>, String> {
    match made {
        Ok(program) => Ok(Some(program)),
        Err(NoProgram::Failed(message)) => Err(message),
        Err(NoProgram::Refused(refusals)) => {
            job.source.refusals(&refusals, &job.checked.spans, io)?;
            Ok(None)
        }
    }
}

/// The tensors that a kernel has written.
fn outputs<'m>(callers: impl Iterator<Item = &'m MemTensor>, tensors: &[cpu::Tensor]) -> Vec<(String, DType, Value)> {
    let value = |t: &cpu::Tensor| Value { shape: t.shape.clone(), data: t.data.values() };
    let written = callers.zip(tensors).filter(|(m, _)| m.role != MemRole::In);
    written.map(|(m, t)| (m.name.clone(), m.dtype, value(t))).collect()
}

/// Runs PTX. `None` if the kernel was refused.
#[cfg(feature = "cuda")]
fn on_gpu(
    job: &Job<'_>,
    member: &Cascade,
    bindings: &Bindings,
    inputs: &Tensors,
    io: &mut Io,
) -> Result<Option<Outputs>, String> {
    let device = einattn::cuda::Device::get(0).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let made = crate::cuda::Program::new(member, crate::cuda::arch(device)?, job.options);
    let Some(program) = accepted(job, made, io)? else { return Ok(None) };
    program.on(device, |p| p.load().map_err(|e| e.to_string()))?;
    let compiling = Some(start.elapsed());
    let mut tensors = program.arguments(member, inputs, bindings, 0.0)?;
    let scalars = Scalars::new(member, bindings);
    let start = Instant::now();
    program.run(device, &mut tensors, &scalars)?;
    let running = start.elapsed();
    Ok(Some(Outputs { tensors: outputs(program.callers(), &tensors), compiling, running }))
}

#[cfg(not(feature = "cuda"))]
fn on_gpu(_: &Job<'_>, _: &Cascade, _: &Bindings, _: &Tensors, _: &mut Io) -> Result<Option<Outputs>, String> {
    Err("this attnc was built without GPUs: build it with `--features cuda`".to_string())
}

/// Runs WGSL. `None` if the kernel was refused.
#[cfg(feature = "wgpu")]
fn through_wgpu(
    job: &Job<'_>,
    member: &Cascade,
    bindings: &Bindings,
    inputs: &Tensors,
    io: &mut Io,
) -> Result<Option<Outputs>, String> {
    let gpu = einattn::wgpu::Gpu::open().map_err(|e| e.to_string())?;
    let start = Instant::now();
    let Some(program) = accepted(job, crate::wgpu::Program::new(member, job.options), io)? else { return Ok(None) };
    let compiling = Some(start.elapsed());
    let mut tensors = program.arguments(member, inputs, bindings, 0.0)?;
    let scalars = Scalars::new(member, bindings);
    let start = Instant::now();
    program.run(&gpu, &mut tensors, &scalars)?;
    let running = start.elapsed();
    Ok(Some(Outputs { tensors: outputs(program.callers(), &tensors), compiling, running }))
}

#[cfg(not(feature = "wgpu"))]
fn through_wgpu(_: &Job<'_>, _: &Cascade, _: &Bindings, _: &Tensors, _: &mut Io) -> Result<Option<Outputs>, String> {
    Err("this attnc was built without wgpu: build it with `--features wgpu`".to_string())
}

fn summary(outputs: &Outputs, target: Target, io: &mut Io) -> Result<(), String> {
    let tensors = outputs.tensors.iter().map(|(name, dtype, v)| {
        let shape: Vec<String> = v.shape.iter().map(ToString::to_string).collect();
        format!("{name}: {dtype}[{}]", shape.join(", "))
    });
    let tensors = tensors.collect::<Vec<_>>().join(", ");
    let target = match target {
        Target::Interp => "interp",
        Target::Cranelift => "cranelift",
        Target::Cuda => "cuda",
        Target::Wgpu => "wgpu",
    };
    let compiling = outputs.compiling.map_or(String::new(), |d| format!(", compiled in {}", time(d)));
    written(writeln!(io.out, "{tensors}; {target} ran in {}{compiling}", time(outputs.running)))
}

fn time(d: Duration) -> String {
    format!("{:.3} ms", d.as_secs_f64() * 1e3)
}
