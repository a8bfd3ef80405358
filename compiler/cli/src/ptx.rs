//! Files of the PTX target: the text, an object with `prepare` for the host, and a manifest that says how both are called.

use crate::gpu::host_part;
use einattn_compiler::simt::SimtKernel;
use einattn_compiler::target::ArtifactFile;
use einattn_target_cranelift::{Arch as HostArch, emit_object, manifest};
use einattn_target_ptx::{Arch, Module, emit};
use serde_json::{Value, json};

/// The files of one member.
pub(crate) fn files(kernel: &SimtKernel, arch: Arch) -> Result<Vec<ArtifactFile>, String> {
    let module = emit(kernel, arch).map_err(|e| e.to_string())?;
    let host: HostArch = "native".parse().map_err(|e: einattn_target_cranelift::Error| e.to_string())?;
    let object = emit_object(&host_part(kernel), &host).map_err(|e| e.to_string())?;
    let manifest = described(kernel, &module, arch, &host)?;
    let file = |end: &str, bytes: Vec<u8>| ArtifactFile { name: format!("{}.{end}", kernel.name), bytes };
    Ok(vec![
        file("ptx", module.text.into_bytes()),
        file("o", object),
        file("json", format!("{manifest:#}\n").into_bytes()),
    ])
}

/// The manifest of the host's part, with the entries as its stages.
fn described(kernel: &SimtKernel, module: &Module, arch: Arch, host: &HostArch) -> Result<Value, String> {
    let mut all: Value = serde_json::from_str(&manifest(&host_part(kernel), host)).map_err(|e| e.to_string())?;
    let stages = module.entries.iter().zip(&kernel.stages).enumerate().map(|(i, (e, s))| {
        json!({
            "name": s.name, "entry": e.name, "threads": e.threads, "shared_bytes": e.shared_bytes,
            "blocks": if e.scratch { "any" } else { "items" },
            "items_slot": kernel.ints.items(i), "scratch_bytes_slot": kernel.ints.scratch(i),
        })
    });
    all["stages"] = stages.collect();
    all["host_arch"] = all["arch"].take();
    all["arch"] = json!(arch.name());
    all["target"] = json!("ptx");
    all["scratch_alignment"] = json!(256);
    for (tensor, bytes) in all["tensors"].as_array_mut().into_iter().flatten().zip(&module.alignment) {
        tensor["alignment"] = json!(bytes);
    }
    Ok(all)
}
