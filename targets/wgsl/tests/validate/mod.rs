//! Validation of modules: naga with the capabilities that WebGPU has without features, writers of every driver's language, the validator of
//! SPIR-V, and, where it is installed, the compiler of browsers.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::io::Write;
use std::process::{Command, Stdio};

/// What is wrong with a module.
pub(crate) fn problems(text: &str) -> Vec<String> {
    let module = match naga::front::wgsl::parse_str(text) {
        Ok(m) => m,
        Err(e) => return vec![e.emit_to_string(text)],
    };
    // `unpack2x16float` is in the core of WebGPU; naga counts it as a capability because WebGL lacks it.
    let core = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let info = match Validator::new(ValidationFlags::all(), core).validate(&module) {
        Ok(info) => info,
        Err(e) => return vec![e.emit_to_string(text)],
    };
    let mut out = vec![];
    match spirv(&module, &info) {
        Ok(words) => out.extend(tool("spirv-val", &["--target-env", "vulkan1.1", "-"], &words)),
        Err(e) => out.push(e),
    }
    out.extend(metal(&module, &info).err());
    out.extend(direct3d(&module, &info).err());
    out.extend(tint(text));
    out
}

fn spirv(module: &naga::Module, info: &ModuleInfo) -> Result<Vec<u8>, String> {
    let words = spv::write_vec(module, info, &spv::Options::default(), None).map_err(|e| format!("SPIR-V: {e}"))?;
    Ok(words.iter().flat_map(|w| w.to_le_bytes()).collect())
}

fn metal(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let options = msl::Options { fake_missing_bindings: true, ..msl::Options::default() };
    let written = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
    let (text, _) = written.map_err(|e| format!("MSL: {e}"))?;
    if text.contains("kernel void") { Ok(()) } else { Err("MSL without an entry point".to_string()) }
}

fn direct3d(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let mut text = String::new();
    let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).map_err(|e| format!("HLSL: {e}"))?;
    if text.contains("numthreads") { Ok(()) } else { Err("HLSL without an entry point".to_string()) }
}

/// The compiler of Chromium, whose uniformity analysis is that of the standard.
fn tint(text: &str) -> Option<String> {
    if Command::new("tint").arg("--help").output().is_err() {
        println!("tint is not installed: the compiler of browsers did not see this module");
        return None;
    }
    let path = std::env::temp_dir().join(format!("einattn-{}-{:p}.wgsl", std::process::id(), text.as_ptr()));
    std::fs::write(&path, text).ok()?;
    let problem = tool("tint", &["--format", "wgsl", path.to_str()?], &[]);
    std::fs::remove_file(&path).ok()?;
    problem
}

/// What a tool says when it refuses its input, or why it does not run.
fn tool(name: &str, args: &[&str], input: &[u8]) -> Option<String> {
    let piped =
        Command::new(name).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match piped {
        Ok(child) => child,
        Err(e) => return Some(format!("{name} does not run: {e}")),
    };
    child.stdin.take()?.write_all(input).ok()?;
    let done = child.wait_with_output().ok()?;
    let said = || format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (!done.status.success()).then(|| format!("{name}: {}", said()))
}
