//! How W and b are found.
//!
//! A solver is a configuration that asks an [`Engine`](crate::engine::Engine)
//! for passes and reports every state to an observer, which may end the fit.

mod sgd;

pub use sgd::{ConfigError, Fit, FitError, Sgd, State, StopReason};
