//! Helpers shared by the test suites.

pub mod generator;
pub mod vectors;
