//! Fits **Y = X·W + b** to a target T by mean squared error and gradient
//! descent. X and T are matrices of the same shape, of any size; W (weight)
//! and b (bias) are two scalars, applied to every element.
//!
//! With r = y − t over N elements:
//!
//! | | |
//! |---|---|
//! | loss | L = (1/N) Σ r² |
//! | gradient of W | ∂L/∂W = (1/N) Σ 2·r·x |
//! | gradient of b | ∂L/∂b = (1/N) Σ 2·r |
//! | update | W ← W − η·∂L/∂W, b ← b − η·∂L/∂b, η = 0.01 unless given |
//!
//! # The worked example
//!
//! X = [[1, 2], [3, 4]] and T = [[3, 5], [7, 9]], which is 2·X + 1, so N = 4.
//! At W = 0, b = 0 every prediction is 0 and r = −t:
//!
//! - L = (9 + 25 + 49 + 81) / 4 = 41
//! - ∂L/∂W = 2·(−3·1 − 5·2 − 7·3 − 9·4) / 4 = −35
//! - ∂L/∂b = 2·(−3 − 5 − 7 − 9) / 4 = −12
//! - update with η = 0.01: W = 0 + 0.35 = 0.35, b = 0 + 0.12 = 0.12
//!
//! ```
//! use linfit::array::{Problem, Array};
//! use linfit::engine::{Engine, Reference, StepState};
//! use linfit::fit::GradientDescent;
//! use linfit::math::{Affine, Evaluation};
//!
//! let x = Array::from_vec("x", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
//! let t = Array::from_vec("t", &[2, 2], vec![3.0, 5.0, 7.0, 9.0]);
//! let data = Problem::pair(x, t)?;
//! let start = Affine::new(0.0, 0.0);
//! let here = Evaluation::from_sums(&Reference::new(&data).loss_sums_at(start)?);
//! assert_eq!((here.loss, here.grad_weight, here.grad_bias), (41.0, -35.0, -12.0));
//! let mut state = StepState::start(start);
//! GradientDescent::default().rule().step(&mut state, here.gradient(), 0.01);
//! assert_eq!(state.model, Affine::new(0.01 * 35.0, 0.01 * 12.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is laid out
//!
//! Each module names only those before it:
//! [`math`] (plain numbers) ← [`mod@array`] (what is fitted) ← [`engine`] (where a
//! pass over it is computed) ← [`fit`] (how W and b are found) ← [`report`]
//! (what people and programs read) ← [`cli`]. [`io`] (files to arrays and back)
//! stands on [`mod@array`] beside [`engine`]; neither names the other. Data flow
//! once: file → array → device → sums → loss and gradients → update → report.

pub mod array;
pub mod cli;
pub mod engine;
pub mod fit;
pub mod io;
pub mod math;
pub mod report;

/// The examples of the guide, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct Guide;
