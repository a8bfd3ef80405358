//! What runs on a GPU: the vectors, random shapes, repeats, and timings. One binary, `gpu_check`, does all of it with the compiler
//! linked in, so that the machine with the GPU needs nothing but its driver.

pub mod bench;
pub mod checks;
pub mod guarded;
pub mod supervise;
