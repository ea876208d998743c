//! How W and b are found.
//!
//! A solver is a configuration that asks an [`Engine`](crate::engine::Engine)
//! for passes and reports every state to an observer, which may end the fit:
//! [`GradientDescent`] descends, pass by pass or, from the moments, without them; [`Exact`]
//! takes the closed form. A `path` is where the states come from: updates by
//! the host after every pass, or many steps at a time from a device or from
//! the moments. [`Coordinates`] are those that the steps are made in.
//! [`Statistics`] say how good the line is, [`Forecast`] how far a descent gets.

mod coordinates;
mod descend;
mod error;
mod exact;
mod forecast;
mod gradient_descent;
mod path;
mod replay;
mod statistics;
mod steps;

pub use coordinates::Coordinates;
pub use descend::{Fit, State, StopReason};
pub(crate) use error::to_six_digits;
pub use error::{ConfigError, FitError};
pub use exact::Exact;
pub use forecast::Forecast;
pub use gradient_descent::{GradientDescent, Update};
pub use statistics::Statistics;
pub use steps::{StepsPerSubmit, StepsPerSubmitError};
