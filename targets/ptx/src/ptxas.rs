//! NVIDIA's assembler, where it is installed: it checks a text and says what its entries need. Only tests and people need it, the driver
//! of a GPU has its own.
//!
//! `pip install nvidia-cuda-nvcc-cu12` is enough; a CUDA toolkit in `PATH` or a path in `EINATTN_PTXAS` serves as well.

use crate::Arch;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What an entry needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entry.
    pub entry: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of registers that are kept in memory, written and read.
    pub spills: [u32; 2],
    /// Bytes of a thread's own memory, arrays and spills.
    pub stack: u32,
}

/// The assembler.
///
/// # Errors
///
/// Says how to install it.
pub fn find() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("EINATTN_PTXAS") {
        return Ok(PathBuf::from(path));
    }
    let runs =
        |path: &PathBuf| Command::new(path).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let in_path = PathBuf::from("ptxas");
    if runs(&in_path).is_ok_and(|s| s.success()) {
        return Ok(in_path);
    }
    let script = "import nvidia.cuda_nvcc as n; print(list(n.__path__)[0])";
    let folder = Command::new("python3").args(["-c", script]).output().map_err(|e| format!("python3: {e}"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&folder.stdout).trim()).join("bin/ptxas");
    match runs(&path) {
        Ok(s) if s.success() => Ok(path),
        _ => Err("there is no ptxas: `pip install nvidia-cuda-nvcc-cu12`, or set EINATTN_PTXAS".to_string()),
    }
}

/// Assembles a text.
///
/// # Errors
///
/// The assembler's messages. Warnings are errors.
pub fn assemble(text: &str, arch: Arch) -> Result<Vec<Usage>, String> {
    run(text, arch, "3").map(|report| usages(&report))
}

/// Assembles a text without optimisation, which is several times as fast.
///
/// # Errors
///
/// As above.
pub fn check(text: &str, arch: Arch) -> Result<(), String> {
    run(text, arch, "0").map(|_| ())
}

fn run(text: &str, arch: Arch, optimise: &str) -> Result<String, String> {
    let fail = |e: std::io::Error| format!("ptxas: {e}");
    let mut child = Command::new(find()?)
        .args(["-v", "--opt-level", optimise, "-arch", arch.name(), "-o", "/dev/null", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(fail)?;
    }
    let done = child.wait_with_output().map_err(fail)?;
    let report = [done.stdout, done.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).concat();
    if done.status.success() && !report.contains("warning") { Ok(report) } else { Err(report) }
}

/// What the verbose report says.
fn usages(report: &str) -> Vec<Usage> {
    let mut all: Vec<Usage> = vec![];
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let entry = rest.split('\'').next().unwrap_or_default().to_string();
            all.push(Usage { entry, ..Usage::default() });
        }
        let Some(last) = all.last_mut() else { continue };
        let numbers: Vec<u32> = line.split([' ', ',']).filter_map(|w| w.parse().ok()).collect();
        match numbers[..] {
            [stack, stores, loads] if line.contains("spill stores") => {
                (last.stack, last.spills) = (stack, [stores, loads]);
            }
            [registers, ..] if line.contains("Used ") => last.registers = registers,
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Usage, usages};

    #[test]
    fn reports_are_read() {
        let report = "ptxas info    : 0 bytes gmem\n\
            ptxas info    : Compiling entry function 'k_0' for 'sm_80'\n\
            ptxas info    : Function properties for k_0\n    24 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n\
            ptxas info    : Used 255 registers, used 1 barriers, 24 bytes cumulative stack size, 380 bytes cmem[0]\n";
        let expected = Usage { entry: "k_0".to_string(), registers: 255, spills: [8, 12], stack: 24 };
        assert_eq!(usages(report), [expected]);
    }
}
