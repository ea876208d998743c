//! How W and b are found.
//!
//! A solver is a configuration that asks an [`Engine`](crate::engine::Engine)
//! for passes and reports every state to an observer, which may end the fit. A
//! `path` is where the states come from: updates by the host after every pass,
//! or many steps at a time from a device.

mod path;
mod sgd;
mod steps;

pub use sgd::{ConfigError, Fit, FitError, Sgd, State, StopReason, Update};
pub use steps::{StepsPerSubmit, StepsPerSubmitError};
