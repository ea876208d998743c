//! The ways to find W and b.
//!
//! A solver is a configuration that asks an [`Engine`](crate::engine::Engine)
//! for passes and reports every state to an observer, which may end the fit:
//! [`GradientDescent`] descends, pass by pass or, from the moments, without
//! them; [`Exact`] takes the closed form, [`ClosedForm`] that of other lines;
//! [`Robust`] weighs by residuals, round after round. `descend` is the one loop of every descent, over a
//! [`Stepper`](crate::engine::Stepper): an engine's device, or, in `host`, the
//! passes of an engine or the moments. All of them go by one
//! [`DescentRule`](crate::engine::DescentRule). `many` fits groups by their moments or
//! step by step together, `each` one by one by their elements. [`Coordinates`] are those that
//! the steps are made in. [`Statistics`] say how good the line is, [`Forecast`]
//! how far a descent gets; `refine` finds the line and its residuals with digits that
//! the moments have not.

mod batches;
mod closed_form;
mod coordinates;
mod course;
mod descend;
mod each;
mod error;
mod exact;
mod forecast;
mod from_moments;
mod gradient_descent;
mod host;
mod many;
mod merge_groups;
mod method;
mod modes;
mod normal;
mod parameter;
mod progress;
mod refine;
mod result;
mod robust;
mod robust_start;
mod schedule;
mod shard;
mod shard_groups;
mod solve;
mod solve_many;
mod solver;
mod statistics;
mod steps;

pub use batches::BatchDescent;
pub use closed_form::ClosedForm;
pub use coordinates::Coordinates;
pub use course::Course;
pub use error::{ConfigError, FitError};
pub use exact::Exact;
pub use forecast::Forecast;
pub use gradient_descent::{GradientDescent, Update};
pub use many::{FitRow, ManyFits};
pub use merge_groups::{MergedGroups, merge_groups};
pub use method::Method;
pub use normal::{normal_quantile, normal_share};
pub use parameter::Parameter;
pub use progress::Progress;
pub use result::{Fit, State, StopReason};
pub use robust::{Robust, RobustFit};
pub use schedule::{Schedule, ScheduleError};
pub use shard::{Merged, Shard, ShardError, ShardNumber, ShardNumberError, merge_shards};
pub use shard_groups::ShardGroups;
pub use solve::Solution;
pub use solve_many::ManyObserver;
pub use solver::Solver;
pub use statistics::Statistics;
pub use steps::{StepsPerSubmit, StepsPerSubmitError};
