//! Advice on a fit that could be had sooner.

use crate::fit::Fit;
use crate::report::{Method, count};

/// Seconds of a descent that are worth a word.
const LONG: f64 = 2.0;

/// The advice after a long descent: its steps need no passes.
pub(super) fn on_time(fit: &Fit, method: Method) -> Option<String> {
    let is_long = method == Method::GradientDescent && fit.seconds > LONG && fit.steps > 0;
    is_long.then(|| {
        format!(
            "the {} steps took {:.1} s, with a pass over the data for each; --solver moments makes the same steps \
             after one pass",
            count(fit.steps),
            fit.seconds
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Progress, StopReason};
    use crate::math::{Affine, Evaluation};

    #[test]
    fn a_long_descent_is_told_of_a_short_one() {
        let fit = |seconds, steps| Fit {
            model: Affine::default(),
            evaluation: Evaluation::default(),
            steps,
            last: Affine::default(),
            progress: Progress::default(),
            stop_reason: StopReason::Steps,
            n: 4,
            seconds,
            step_median_seconds: 0.01,
        };
        let advice = on_time(&fit(2.5, 1000), Method::GradientDescent).unwrap();
        assert!(advice.starts_with("the 1,000 steps took 2.5 s") && advice.contains("--solver moments"));
        for (seconds, steps, method) in [
            (1.9, 1000, Method::GradientDescent),
            (2.5, 0, Method::GradientDescent),
            (2.5, 1000, Method::Moments),
            (2.5, 0, Method::Exact),
        ] {
            assert_eq!(on_time(&fit(seconds, steps), method), None);
        }
    }
}
