//! The driver: whether it is there, and its errors as errors of a launch.

use crate::Error;
use cudarc::driver::result::{self, DriverError};
use std::sync::OnceLock;

/// Names under which systems know the driver.
const NAMES: [&str; 3] = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"];

/// Starts the driver, once. Without a driver `cudarc` would panic, so it is looked for first.
pub(super) fn start() -> Result<(), Error> {
    static STARTED: OnceLock<Result<(), Error>> = OnceLock::new();
    STARTED.get_or_init(try_start).clone()
}

fn try_start() -> Result<(), Error> {
    // SAFETY: loading the driver runs its initialisation, as every program that uses it does.
    let there = |name: &str| unsafe { libloading::Library::new(name) }.is_ok();
    if !NAMES.iter().any(|name| there(name)) {
        return Err(Error::NoDevice { reason: "the driver of NVIDIA is not installed (libcuda)".into() });
    }
    result::init().map_err(|e| Error::NoDevice { reason: text(e) })
}

/// An error of the driver, with what it was doing.
pub(super) fn failed(what: &str) -> impl Fn(DriverError) -> Error {
    let what = what.to_string();
    move |e| Error::Device { reason: format!("{what}: {}", text(e)) }
}

fn text(e: DriverError) -> String {
    let part = |s: Result<&std::ffi::CStr, DriverError>| s.map(|s| s.to_string_lossy().into_owned()).ok();
    match (part(e.error_name()), part(e.error_string())) {
        (Some(name), Some(text)) => format!("{text} ({name})"),
        _ => format!("error {} of the driver", e.0 as u32),
    }
}
