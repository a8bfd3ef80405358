//! passes

mod direction;
pub mod fuse;
mod lower_cascade;
pub(crate) mod repair_check;
mod separate;
mod stages;
mod terms;

pub use lower_cascade::to_stream;
pub use stages::stages;
