//! Helpers shared by the test suites.

pub mod generator;
pub mod launch;
pub mod oracle;
pub mod systems;
pub mod vectors;
