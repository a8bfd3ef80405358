//! Rules that hold for the workspace as a whole: who may depend on whom, licences, file sizes.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace").to_path_buf()
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Normal (not dev, not build) dependencies of a package, by name.
fn dependencies(package: &Value) -> BTreeSet<String> {
    let list = package["dependencies"].as_array().expect("dependencies is a list");
    list.iter().filter(|d| d["kind"].is_null()).map(|d| text(d, "name").to_string()).collect()
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().expect("packages is a list")
}

fn ours(metadata: &Value) -> Vec<&Value> {
    packages(metadata).iter().filter(|p| p["source"].is_null()).collect()
}

/// Internal dependencies that each crate may have; `None`: any.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "einattn-compiler" => &[],
        "einattn-target-rust" | "einattn-target-cranelift" | "einattn-target-ptx" | "einattn-target-wgsl" => {
            &["einattn-compiler"]
        }
        "einattn-macros" => &["einattn-compiler", "einattn-target-rust"],
        "einattn" => &["einattn-macros"],
        "attnc" => &[
            "einattn-compiler",
            "einattn-target-rust",
            "einattn-target-cranelift",
            "einattn-target-ptx",
            "einattn-target-wgsl",
            "einattn",
        ],
        "einattn-tests" => return None,
        other => panic!("`{other}` is not in the dependency rule"),
    })
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let metadata = metadata();
    for package in ours(&metadata) {
        let name = text(package, "name");
        let Some(allowed) = allowed(name) else { continue };
        for dependency in dependencies(package) {
            let internal = dependency.starts_with("einattn") || dependency == "attnc";
            assert!(!internal || allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_compiler_has_no_heavy_dependency() {
    let metadata = metadata();
    let compiler = ours(&metadata).into_iter().find(|p| text(p, "name") == "einattn-compiler").expect("a member");
    let expected: BTreeSet<String> = ["proc-macro2", "quote", "syn"].map(String::from).into();
    assert_eq!(dependencies(compiler).difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
}

const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
];

/// True if some alternative of an SPDX expression (without nested parentheses) uses accepted licences only.
fn accepted(expression: &str) -> bool {
    let one = |term: &str| LICENCES.contains(&term.trim().trim_matches(['(', ')']).trim());
    let all = |term: &str| term.split(" AND ").all(|t| t.split(" OR ").any(one));
    let distributed = expression.replace('/', " OR ");
    distributed.split(" OR ").any(all) && !distributed.contains(" AND ") || all(&distributed)
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    assert!(accepted("MIT OR GPL-3.0") && accepted("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!accepted("GPL-3.0") && !accepted("MIT AND GPL-3.0") && !accepted(""));
    let metadata = metadata();
    let list = packages(&metadata);
    let refused = list.iter().filter(|p| !accepted(text(p, "license")));
    let refused: Vec<_> = refused.map(|p| format!("{} ({})", text(p, "name"), text(p, "license"))).collect();
    assert!(list.len() > 20, "the dependency graph was read");
    assert!(refused.is_empty(), "licences not accepted: {refused:?}");
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn source_files_stay_readable() {
    let mut files = vec![];
    rust_files(&root(), &mut files);
    assert!(files.len() > 30, "the sources were found");
    for file in files {
        let lines = std::fs::read_to_string(&file).expect("UTF-8").lines().count();
        assert!(lines <= 800, "{} has {lines} lines; split it", file.display());
    }
}
