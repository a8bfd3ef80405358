//! `attnc build`: the files that it makes.

use super::harness::{ATTENTION, Folder, SCALED};

#[test]
fn cranelift_makes_objects_headers_and_manifests() {
    let folder = Folder::new("cranelift_makes_objects");
    folder.write("scaled.attn", SCALED);
    let run = folder.attnc(&["build", "scaled.attn", "--target", "cranelift", "-o", "made"]);
    run.succeeded();
    let files = ["scaled_Tf32", "scaled_Tbf16"].map(|n| ["o", "h", "json"].map(|e| format!("made/{n}.{e}")));
    assert_eq!(run.out.lines().collect::<Vec<_>>(), files.concat());
    let text = std::fs::read_to_string(folder.path("made/scaled_Tbf16.json")).expect("a manifest");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["kernel"], "scaled_Tbf16");
    assert_eq!(json["specialised"], "T = bf16, W = 2");
    assert_eq!(json["tensors"][0]["dtype"], "bf16");
    assert_eq!(json["float_scalars"][0], "a");
    let header = std::fs::read_to_string(folder.path("made/scaled_Tf32.h")).expect("a header");
    assert!(header.contains("void scaled_Tf32_prepare("), "{header}");
}

#[test]
fn wgsl_makes_modules_and_manifests() {
    let folder = Folder::new("wgsl_makes_modules");
    folder.write("scaled.attn", SCALED);
    let run = folder.attnc(&["build", "scaled.attn", "--target", "wgsl", "-o", "made"]);
    run.succeeded();
    let files = ["scaled_Tf32", "scaled_Tbf16"].map(|n| ["wgsl", "json"].map(|e| format!("made/{n}.{e}")));
    assert_eq!(run.out.lines().collect::<Vec<_>>(), files.concat());
    let text = std::fs::read_to_string(folder.path("made/scaled_Tbf16.json")).expect("a manifest");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["target"], &json["args"]["binding"]), (&"wgsl".into(), &0.into()));
    let module = std::fs::read_to_string(folder.path("made/scaled_Tbf16.wgsl")).expect("a module");
    assert!(module.contains("@compute @workgroup_size("), "{module}");
    let run = folder.attnc(&["build", "scaled.attn", "--target", "wgsl", "-o", "made", "--arch", "sm_80"]);
    assert_eq!(run.code, Some(2));
}

#[test]
fn other_processors_and_single_members() {
    let folder = Folder::new("other_processors");
    folder.write("two.attn", &format!("{SCALED}{ATTENTION}"));
    let args =
        ["build", "two.attn", "scaled", "--target", "cranelift", "-o", ".", "--arch", "aarch64", "--set", "T=bf16"];
    let run = folder.attnc(&args);
    run.succeeded();
    assert_eq!(run.out, "./scaled.o\n./scaled.h\n./scaled.json\n");
    let object = std::fs::read(folder.path("scaled.o")).expect("an object");
    // ELF header: the machine is 183, AArch64.
    assert!(!cfg!(target_os = "linux") || object[18..20] == [183, 0], "{:?}", &object[..20]);
    let args = ["build", "two.attn", "nothing", "--target", "cranelift", "-o", "."];
    folder.attnc(&args).failed("`two.attn` has no kernel `nothing`");
    let run = folder.attnc(&["build", "two.attn", "--target", "cranelift", "-o", ".", "--arch", "pdp11"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("`pdp11`"), "{}", run.err);
}

#[test]
fn rust_makes_one_source_a_kernel() {
    let folder = Folder::new("rust_makes_one_source");
    folder.write("two.attn", &format!("{SCALED}{ATTENTION}"));
    let run = folder.attnc(&["build", "two.attn", "--target", "rust", "-o", "made"]);
    run.succeeded();
    assert_eq!(run.out, "made/scaled.rs\nmade/attention.rs\n");
    let text = std::fs::read_to_string(folder.path("made/attention.rs")).expect("a source");
    for part in ["// Made by attnc from two.attn", "pub struct attention", "avx2", "portable"] {
        assert!(text.contains(part), "no `{part}`");
    }
    let args = ["build", "two.attn", "--target", "rust", "-o", "made", "--arch", "aarch64"];
    folder.attnc(&args).failed("the rust target makes one source for every processor; leave out --arch");
}
