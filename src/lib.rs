//! Fits **Y = X·W + b** to a target T by mean squared error.
pub mod cli;
pub mod data;
pub mod engine;
pub mod fit;
pub mod math;
pub mod report;
