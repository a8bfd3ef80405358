//! What runs on a GPU: the vectors, random shapes, repeats, and timings. One binary, `gpu_check`, does all of it with the compiler
//! linked in, so that the machine with the GPU needs nothing but its driver.

use attnc::cuda::{self, Arch};
use einattn::cuda::Device;

/// The family that kernels are made for: that of the first device, or what `EINATTN_GPU_ARCH` names.
///
/// # Errors
///
/// There is no device, or no family of that name.
pub fn arch() -> Result<Arch, String> {
    if let Ok(name) = std::env::var("EINATTN_GPU_ARCH") {
        return Arch::by_name(&name).ok_or_else(|| format!("there is no family `{name}`"));
    }
    cuda::arch(Device::get(0).map_err(|e| e.to_string())?)
}

pub mod bench;
pub mod checks;
pub mod guarded;
pub mod supervise;
