use std::fmt;
use std::str::FromStr;

use crate::engine::MOST_EVALUATIONS;

/// The number of steps that a device takes for one submission and one answer.
///
/// The results are the same for every number. A submission takes at most
/// about 50 ms if the number is chosen, so that a fit can be watched and
/// stopped, and half a second if it is given, because operating systems reset
/// a GPU that seems to hang: where so many steps take longer, they are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StepsPerSubmit {
    /// The most that the time allows, by measurement, so that round trips take
    /// the smallest share: 1,024 steps of 3 µs or more, or 50 ms of them, make
    /// a round trip of 0.15 ms less than 5 %.
    #[default]
    Auto,
    /// This many; see [`fixed`](Self::fixed).
    Fixed(u32),
}

/// The reason why there is no such number of steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected auto or a number of steps from 1 to {max}", max = StepsPerSubmit::MAX)]
pub struct StepsPerSubmitError;

impl StepsPerSubmit {
    /// The most steps in one submission.
    pub const MAX: u32 = MOST_EVALUATIONS;

    /// Seconds that a submission should take at most.
    const AUTO_SECONDS: f64 = 0.05;
    const FIXED_SECONDS: f64 = 0.5;

    /// Exactly this many, from 1 to [`MAX`](Self::MAX).
    ///
    /// # Errors
    /// [`StepsPerSubmitError`]: there are none, or too many.
    pub fn fixed(steps: u32) -> Result<Self, StepsPerSubmitError> {
        if (1..=Self::MAX).contains(&steps) { Ok(Self::Fixed(steps)) } else { Err(StepsPerSubmitError) }
    }

    /// The steps of the next submission if each took this long in the last
    /// one and at most `left` are left. The first takes one, to learn how
    /// long that is.
    pub(super) fn next(self, seconds: Option<f64>, left: u64) -> u32 {
        let (most, limit) = match self {
            Self::Auto => (Self::MAX, Self::AUTO_SECONDS),
            Self::Fixed(steps) => (steps, Self::FIXED_SECONDS),
        };
        let most = most.min(u32::try_from(left).unwrap_or(u32::MAX)).max(1);
        let Some(seconds) = seconds else { return 1 };
        let fitting = limit / seconds.max(1e-9);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `most`")]
        let fitting = fitting.clamp(1.0, f64::from(most)) as u32;
        fitting
    }
}

impl FromStr for StepsPerSubmit {
    type Err = StepsPerSubmitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Self::fixed(text.parse().map_err(|_| StepsPerSubmitError)?)
    }
}

impl fmt::Display for StepsPerSubmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(steps) => write!(f, "{steps}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_as_long_as_its_time_allows() {
        let auto = StepsPerSubmit::Auto;
        assert_eq!(auto.next(None, 1_000), 1, "nothing is known yet");
        assert_eq!(auto.next(Some(1e-3), 1_000), 50);
        assert_eq!(auto.next(Some(1e-6), 1_000_000), 1_024);
        assert_eq!(auto.next(Some(0.2), 1_000), 1, "never none");
        assert_eq!(auto.next(Some(1e-3), 7), 7);
        let given = StepsPerSubmit::Fixed(300);
        assert_eq!(given.next(Some(1e-3), 1_000), 300);
        assert_eq!(given.next(Some(1e-2), 1_000), 50, "no submission runs into a watchdog");
    }

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        for text in ["auto", "1", "1024"] {
            assert_eq!(text.parse::<StepsPerSubmit>().unwrap().to_string(), text);
        }
        for text in ["0", "1025", "-1", "1.5", "", "many"] {
            assert!(text.parse::<StepsPerSubmit>().is_err(), "{text}");
        }
    }
}
