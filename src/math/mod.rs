//! The numbers of the fit: parameters, sums over the data, loss and gradients.
//!
//! Everything here is plain `f64` arithmetic on a handful of values. Nothing
//! reads a file, starts a thread or knows of a device; every other module is
//! built on this one. A pass over data yields [`LossSums`], at one W and b,
//! or [`Moments`], for all of them; an [`Evaluation`] is what they mean. A [`Loss`]
//! is what residuals cost, a [`RobustWeight`] what they count. [`Quadratic`] is the loss as
//! a whole, and [`Curvature`] what its shape says about learning rates. Where f64
//! has too few digits there is [`Double`], and a [`Line`] made of them; a
//! [`Reading`] brings elements into f64's range and digits. A file of a kind of sums
//! has their arithmetic; what follows from moments stands in files of its own
//! (`least_squares`, `lines`, `quadratic`).

mod affine;
mod bins;
mod compensated;
mod curvature;
mod double;
mod evaluation;
mod least_squares;
mod line;
mod lines;
mod loss;
mod loss_sums;
mod moments;
mod number;
mod permutation;
mod quadratic;
mod reading;
mod robust;
mod shifted_sums;
mod six_digits;
mod sums;
mod units;

pub use affine::Affine;
pub use bins::{BinAxis, Bins};
pub use compensated::Compensated;
pub use curvature::Curvature;
pub use double::{Double, exponent_of, scaled, two_sum};
pub use evaluation::Evaluation;
pub use line::Line;
pub use lines::{LineKind, LineKindError, LineStatistics};
pub use loss::{Loss, LossError};
pub use loss_sums::LossSums;
pub use moments::Moments;
pub use permutation::Permutation;
pub use quadratic::{Quadratic, Slopes};
pub use reading::{Reading, Readings};
pub use robust::{MedianSearch, RobustWeight, RobustWeightError, SizeCounts, SizeRange};
pub use shifted_sums::ShiftedSums;
pub use six_digits::six_digits_below;
pub use sums::SumsAccumulator;
