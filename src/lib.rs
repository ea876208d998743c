//! Fits **Y = X·W + b** to a target T by mean squared error.
pub mod data;
pub mod math;
