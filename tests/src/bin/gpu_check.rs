//! Checks and times kernels on the first NVIDIA GPU.
//!
//! ```text
//! gpu_check [PART ..] [--skip PART] [--json FILE]    checks whose names have all parts
//! gpu_check list [PART ..]                           their names
//! gpu_check bench [B,H,N,D[,TYPE][,causal] ..]       timings, one JSON line each
//! ```
//!
//! The vectors are in the folder `EINATTN_VECTORS`. Progress goes to the error stream; the report is written to FILE
//! (`gpu_check.json`, in `$OUT` if that is set). The exit code is 1 if something is wrong.

use einattn::cuda::Device;
use einattn_tests::gpu::bench::{Shape, time};
use einattn_tests::gpu::checks;
use einattn_tests::gpu::supervise::{Choice, Finding, run, work};
use einattn_tests::vectors::suite;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Timed launches of a shape.
const REPEATS: usize = 30;

fn main() -> ExitCode {
    match start() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Args {
    words: Vec<String>,
    skip: Vec<String>,
    first: usize,
    json: Option<PathBuf>,
}

fn args() -> Result<Args, String> {
    let mut out = Args::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match &*word {
            "--skip" => out.skip.push(value()?),
            "--first" => out.first = value()?.parse().map_err(|_| "`--first` needs a number")?,
            "--json" => out.json = Some(PathBuf::from(value()?)),
            _ => out.words.push(word),
        }
    }
    Ok(out)
}

fn start() -> Result<bool, String> {
    let mut args = args()?;
    let verb = args.words.first().filter(|w| ["work", "list", "bench"].contains(&w.as_str())).cloned();
    if verb.is_some() {
        args.words.remove(0);
    }
    let choice = Choice { only: args.words.clone(), skip: args.skip.clone() };
    match verb.as_deref() {
        Some("work") => work(&choice, args.first).map(|()| true),
        Some("list") => {
            for (name, _) in checks::all(suite()?).iter().filter(|(name, _)| choice.takes(name)) {
                println!("{name}");
            }
            Ok(true)
        }
        Some(_) => bench(&args),
        None => check(&choice, &args),
    }
}

fn write(args: &Args, name: &str, report: &Json) -> Result<(), String> {
    let folder = std::env::var_os("OUT").map(PathBuf::from).unwrap_or_default();
    let path = args.json.clone().unwrap_or_else(|| folder.join(name));
    std::fs::write(&path, format!("{report:#}\n")).map_err(|e| format!("{}: {e}", path.display()))
}

fn device() -> Result<Json, String> {
    let device = Device::get(0).map_err(|e| e.to_string())?;
    let (major, minor) = device.capability().map_err(|e| e.to_string())?;
    let name = device.name().map_err(|e| e.to_string())?;
    Ok(json!({ "name": name, "capability": format!("{major}.{minor}") }))
}

fn check(choice: &Choice, args: &Args) -> Result<bool, String> {
    let device = device()?;
    eprintln!("{device}");
    let mut findings: Vec<Finding> = vec![];
    let ended = run(choice, &mut |f| {
        eprintln!("{:>4} {:50} {:12} {:6.2} s  {}", findings.len(), f.name, f.kind, f.seconds, first_line(&f.text));
        findings.push(f.clone());
        // Written after every check, so that a cut run leaves what it found.
        let _ = write(args, "gpu_check.json", &report(&device, &findings));
    });
    write(args, "gpu_check.json", &report(&device, &findings))?;
    for f in findings.iter().filter(|f| f.kind == "failed") {
        println!("FAILED {}: {}", f.name, f.text);
    }
    for (family, counts) in counts(&findings) {
        let counts: Vec<String> = counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        println!("{family:16} {}", counts.join(", "));
    }
    ended?;
    Ok(findings.iter().all(|f| f.kind != "failed"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

/// Outcomes of each kind, by the first and the last part of the names: `vector f32`.
fn counts(findings: &[Finding]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut out: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for f in findings {
        let parts: Vec<&str> = f.name.split('/').collect();
        let family = format!("{} {}", parts[0], parts.get(2).unwrap_or(&""));
        *out.entry(family).or_default().entry(f.kind.clone()).or_default() += 1;
    }
    out
}

fn report(device: &Json, findings: &[Finding]) -> Json {
    let one = |f: &Finding| json!({ "name": f.name, "kind": f.kind, "text": f.text, "seconds": f.seconds });
    let checks: Vec<Json> = findings.iter().map(one).collect();
    json!({ "device": device, "counts": counts(findings), "checks": checks })
}

fn bench(args: &Args) -> Result<bool, String> {
    eprintln!("{}", device()?);
    let device = Device::get(0).map_err(|e| e.to_string())?;
    let shapes = args.words.iter().map(|s| Shape::parse(s)).collect::<Result<Vec<_>, _>>()?;
    let shapes = if shapes.is_empty() { Shape::defaults() } else { shapes };
    let mut lines = vec![];
    for shape in &shapes {
        let line = time(device, shape, REPEATS).unwrap_or_else(|e| json!({ "case": format!("{shape:?}"), "error": e }));
        println!("{line}");
        lines.push(line);
    }
    write(args, "gpu_bench.json", &Json::Array(lines))?;
    Ok(true)
}
