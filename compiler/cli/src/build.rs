//! `attnc build`: kernels to files.

use crate::render::{MessageFormat, diagnostics};
use crate::source::Source;
use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::check::{Checked, CheckedKernel};
use einattn_compiler::diag::has_errors;
use einattn_compiler::driver::{Options, lower, lower_gpu};
use einattn_compiler::target::{ArtifactFile, CpuCaps, GpuCaps};
use einattn_target_cranelift::{Arch, c_header, emit_object, manifest};
use einattn_target_ptx::Arch as GpuArch;
use einattn_target_rust::expand::KernelSource;
use std::path::PathBuf;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Rust source.
    Rust,
    /// An object file, with a C header and a JSON manifest.
    Cranelift,
    /// PTX for NVIDIA GPUs, with an object file for the host and a JSON manifest.
    Ptx,
    /// WGSL for `wgpu` and browsers, with a JSON manifest of bindings and arguments.
    Wgsl,
}

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Source file, or `lib:NAME` for a kernel of the library.
    file: String,
    /// Kernels; all of the file if none is named.
    kernels: Vec<String>,
    /// What is generated.
    #[arg(long, value_enum)]
    target: Target,
    /// Directory for what is generated.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Processor family, as the target names it; the target's default if left out.
    #[arg(long)]
    arch: Option<String>,
    /// Value of a param, rank or dtype; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Builds the kernels.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let (source, named) = Source::open(&args.file)?;
    if source.refused(io)? {
        return Ok(Outcome::Refused);
    }
    let set = args.set.iter().map(|s| {
        let pair = s.split_once('=').map(|(n, v)| (n.trim().to_string(), v.trim().to_string()));
        pair.ok_or_else(|| format!("`--set {s}` is not NAME=VALUE"))
    });
    let Some(checked) = source.check(&set.collect::<Result<Vec<_>, _>>()?, io)? else { return Ok(Outcome::Refused) };
    let kernels = kernels(&source, &checked, args, named)?;
    let files = match args.target {
        Target::Rust => rust(&source, &checked, &kernels, args.arch.as_deref(), io)?,
        Target::Wgsl => wgsl(&source, &checked, &kernels, args.arch.as_deref(), io)?,
        Target::Ptx => ptx(&source, &checked, &kernels, args.arch.as_deref(), io)?,
        Target::Cranelift => objects(&source, &checked, &kernels, args.arch.as_deref(), io)?,
    };
    let Some(files) = files else { return Ok(Outcome::Refused) };
    std::fs::create_dir_all(&args.out).map_err(|e| format!("cannot make `{}`: {e}", args.out.display()))?;
    for file in files {
        let path = args.out.join(&file.name);
        std::fs::write(&path, &file.bytes).map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
        written(writeln!(io.out, "{}", path.display()))?;
    }
    Ok(Outcome::Done)
}

fn kernels<'c>(
    source: &Source,
    checked: &'c Checked,
    args: &Args,
    named: Option<&str>,
) -> Result<Vec<&'c CheckedKernel>, String> {
    let wanted: Vec<&str> = match named {
        Some(name) if args.kernels.is_empty() => vec![name],
        _ => args.kernels.iter().map(String::as_str).collect(),
    };
    if wanted.is_empty() {
        return Ok(checked.kernels.iter().collect());
    }
    let find = |name: &&str| {
        let found = checked.kernels.iter().find(|k| k.name.name == *name);
        found.ok_or_else(|| format!("`{}` has no kernel `{name}`", source.name))
    };
    wanted.iter().map(find).collect()
}

/// One file of Rust source a kernel; `None` if one was refused.
fn rust(
    source: &Source,
    checked: &Checked,
    kernels: &[&CheckedKernel],
    arch: Option<&str>,
    io: &mut Io,
) -> Result<Option<Vec<ArtifactFile>>, String> {
    if arch.is_some() {
        return Err("the rust target makes one source for every processor; leave out --arch".to_string());
    }
    let wanted: Checked =
        Checked { kernels: kernels.iter().map(|k| (*k).clone()).collect(), spans: checked.spans.clone() };
    let mut diags = vec![];
    let sources = einattn_target_rust::expand::kernels(&wanted, &einattn_target_rust::isas::ALL, &mut diags);
    diagnostics(source, &diags, MessageFormat::Human, io)?;
    if has_errors(&diags) {
        return Ok(None);
    }
    let file = |s: KernelSource| ArtifactFile {
        name: format!("{}.rs", s.name),
        bytes: format!(
            "// Made by attnc from {}: do not edit. Needs the crate `einattn`.\n\n{}\n{}",
            source.name, s.module, s.launcher
        )
        .into_bytes(),
    };
    Ok(Some(sources.into_iter().map(file).collect()))
}

/// Object, header and manifest of every member; `None` if one was refused.
fn objects(
    source: &Source,
    checked: &Checked,
    kernels: &[&CheckedKernel],
    arch: Option<&str>,
    io: &mut Io,
) -> Result<Option<Vec<ArtifactFile>>, String> {
    let arch: Arch = arch.unwrap_or("native").parse().map_err(|e: einattn_target_cranelift::Error| e.to_string())?;
    let mut files = vec![];
    let mut refused = false;
    for kernel in kernels {
        let options = Options::scheduled(kernel, "cranelift");
        for member in &kernel.members {
            match lower(member, &CpuCaps::CRANELIFT, &options) {
                Ok(mut lane) => {
                    lane.name = member_name(member, &kernel.members);
                    let object = emit_object(&lane, &arch).map_err(|e| e.to_string())?;
                    files.push(ArtifactFile { name: format!("{}.o", lane.name), bytes: object });
                    files.push(ArtifactFile { name: format!("{}.h", lane.name), bytes: c_header(&lane).into_bytes() });
                    files.push(ArtifactFile {
                        name: format!("{}.json", lane.name),
                        bytes: manifest(&lane, &arch).into_bytes(),
                    });
                }
                Err(refusals) => {
                    refused = true;
                    source.refusals(&refusals, &checked.spans, io)?;
                }
            }
        }
    }
    Ok((!refused).then_some(files))
}

/// PTX, object and manifest of every member; `None` if one was refused.
fn ptx(
    source: &Source,
    checked: &Checked,
    kernels: &[&CheckedKernel],
    arch: Option<&str>,
    io: &mut Io,
) -> Result<Option<Vec<ArtifactFile>>, String> {
    let arch = match arch {
        None => GpuArch::default(),
        Some(name) => GpuArch::by_name(name).ok_or_else(|| {
            let names = GpuArch::ALL.map(GpuArch::name).join(" or ");
            format!("the ptx target makes code for {names}, not for `{name}`")
        })?,
    };
    let mut files = vec![];
    let mut refused = false;
    for kernel in kernels {
        let options = Options::scheduled(kernel, "ptx");
        for member in &kernel.members {
            match lower_gpu(member, &arch.caps(), &options) {
                Ok(mut simt) => {
                    simt.name = member_name(member, &kernel.members);
                    files.extend(crate::ptx::files(&simt, arch)?);
                }
                Err(refusals) => {
                    refused = true;
                    source.refusals(&refusals, &checked.spans, io)?;
                }
            }
        }
    }
    Ok((!refused).then_some(files))
}

/// WGSL and manifest of every member; `None` if one was refused.
fn wgsl(
    source: &Source,
    checked: &Checked,
    kernels: &[&CheckedKernel],
    arch: Option<&str>,
    io: &mut Io,
) -> Result<Option<Vec<ArtifactFile>>, String> {
    if arch.is_some() {
        return Err("the wgsl target makes one module for every device; leave out --arch".to_string());
    }
    let mut files = vec![];
    let mut refused = false;
    for kernel in kernels {
        let options = Options::scheduled(kernel, "wgsl");
        for member in &kernel.members {
            let emitted = lower_gpu(member, &GpuCaps::WGSL, &options).and_then(|mut simt| {
                simt.name = member_name(member, &kernel.members);
                einattn_target_wgsl::emit(&simt).map(|module| (simt, module))
            });
            match emitted {
                Ok((simt, module)) => {
                    let json = einattn_target_wgsl::manifest(&simt, &module);
                    files.push(ArtifactFile { name: format!("{}.wgsl", simt.name), bytes: module.text.into_bytes() });
                    files.push(ArtifactFile { name: format!("{}.json", simt.name), bytes: json.into_bytes() });
                }
                Err(refusals) => {
                    refused = true;
                    source.refusals(&refusals, &checked.spans, io)?;
                }
            }
        }
    }
    Ok((!refused).then_some(files))
}

/// The kernel's name, with what tells the member from the others: `mha_E64_Tbf16`.
fn member_name(c: &Cascade, members: &[Cascade]) -> String {
    let differs = |(i, pair): &(usize, &(String, String))| members.iter().any(|m| m.spec.get(*i) != Some(*pair));
    let spec = c.spec.iter().enumerate().filter(differs).map(|(_, (name, value))| format!("_{name}{value}"));
    let text = format!("{}{}", c.name, spec.collect::<String>());
    text.chars().map(|ch| if ch.is_ascii_alphanumeric() { ch } else { '_' }).collect()
}
