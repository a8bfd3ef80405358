//! Helpers shared by the test suites.

pub mod compiled;
pub mod generator;
pub mod launch;
pub mod oracle;
pub mod safety;
pub mod systems;
pub mod vectors;
