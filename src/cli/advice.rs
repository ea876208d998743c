//! Advice on a fit that could be had sooner.

use super::verbosity::Verbosity;
use crate::fit::Fit;
use crate::report::{Method, count};

/// Seconds of a descent that are worth a word.
const LONG: f64 = 2.0;

/// Tells the user of a long descent that its steps need no passes.
pub(super) fn on_time(fit: &Fit, method: Method, verbosity: Verbosity) {
    if method == Method::GradientDescent && fit.seconds > LONG && fit.steps > 0 {
        verbosity.note(&format_args!(
            "the {} steps took {:.1} s, a pass over the data each; --solver moments makes the same steps from \
             one pass",
            count(fit.steps),
            fit.seconds
        ));
    }
}
