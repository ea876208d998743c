use std::f64::consts::PI;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The learning rate of each step, as a share of the one that is set: a pure function
/// of the number of steps before it, and so the same wherever a descent is resumed.
///
/// A schedule is a product of parts, each as `torch.optim.lr_scheduler` defines it.
/// Its text has them one after the other, separated by commas:
///
/// | part | the rate of the step that follows k steps | torch |
/// |---|---|---|
/// | `constant` | η | |
/// | `step:EVERY:GAMMA` | η·γ^⌊k/EVERY⌋ | `StepLR` |
/// | `multistep:A,B,…:GAMMA` | η·γ for each of A, B, … that is at most k | `MultiStepLR` |
/// | `exponential:GAMMA` | η·γᵏ | `ExponentialLR` |
/// | `cosine:STEPS[:FLOOR]` | φ + (η − φ)·(1 + cos(π·k/STEPS))/2, φ the rate FLOOR or 0 | `CosineAnnealingLR` |
/// | `warmup:STEPS` | η·(k + 1)/STEPS, from step STEPS on η | `LinearLR` |
/// | `inverse:POWER` | η/(k + 1)^POWER | `LambdaLR` |
///
/// ```
/// use linfit::fit::Schedule;
///
/// let schedule: Schedule = "warmup:4,step:10:0.5".parse()?;
/// let rates = [0, 1, 3, 9, 10, 20].map(|step| schedule.rate(0.4, step));
/// assert_eq!(rates, [0.1, 0.2, 0.4, 0.4, 0.2, 0.1]);
/// # Ok::<(), linfit::fit::ScheduleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Schedule {
    parts: [Part; MOST_PARTS],
}

/// The most parts of a schedule; each number of a `multistep` is one.
const MOST_PARTS: usize = 12;

/// A factor of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Part {
    /// 1.
    #[default]
    Constant,
    /// γ more after so many steps each.
    Every { steps: u32, gamma: f64 },
    /// γ from this step on.
    From { step: u32, gamma: f64 },
    /// γ more after each step.
    Exponential { gamma: f64 },
    /// Half a wave down to a rate, and up again.
    Cosine { steps: u32, floor: f64 },
    /// Up to 1 in so many steps.
    Warmup { steps: u32 },
    /// A power of the number of the step.
    Inverse { power: f64 },
}

/// The reason why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A part is none of those there are.
    #[error(
        "{0:?} is none of constant, step:EVERY:GAMMA, multistep:A,B,…:GAMMA, exponential:GAMMA, \
         cosine:STEPS[:FLOOR], warmup:STEPS and inverse:POWER, which commas may join"
    )]
    Part(String),
    /// A number is beyond what it can be.
    #[error("{number:?} in {part:?} must be {must}")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Number { part: String, number: String, must: &'static str },
    /// Too many parts.
    #[error("a schedule has at most {MOST_PARTS} parts, each number of steps in multistep one")]
    Length,
}

impl Schedule {
    /// The rate of the step that follows `step` steps.
    #[must_use]
    #[inline]
    pub fn rate(&self, learning_rate: f64, step: u64) -> f64 {
        if self.is_constant() {
            return learning_rate;
        }
        self.parts.iter().fold(learning_rate, |rate, part| rate * part.factor(learning_rate, step))
    }

    /// Whether every step has the same rate.
    #[must_use]
    #[inline]
    pub fn is_constant(&self) -> bool {
        self.parts[0] == Part::Constant
    }

    /// Bounds of the rates of a range of steps, 0 aside.
    #[must_use]
    pub fn extremes(&self, learning_rate: f64, steps: &Range<u64>) -> [f64; 2] {
        let ends = [steps.start, steps.end.saturating_sub(1).max(steps.start)];
        self.parts.iter().fold([learning_rate; 2], |[least, most], part| {
            let [a, b] = match *part {
                // Down to where the wave is nearest to 0, but for 0 itself.
                Part::Cosine { steps, floor } => {
                    // sin²(π/2·STEPS), with sin x ≥ 2·x/π.
                    let rest = f64::from(steps).powi(-2);
                    [(floor / learning_rate).max(rest).min(1.0), 1f64.max(floor / learning_rate)]
                }
                _ => ends.map(|step| part.factor(learning_rate, step)),
            };
            [least * a.min(b), most * a.max(b)]
        })
    }

    /// Adds a part; `constant` is none.
    fn push(&mut self, part: Part) -> Result<(), ScheduleError> {
        if part == Part::Constant {
            return Ok(());
        }
        let free = self.parts.iter_mut().find(|part| **part == Part::Constant);
        *free.ok_or(ScheduleError::Length)? = part;
        Ok(())
    }
}

impl Part {
    #[expect(clippy::cast_precision_loss, reason = "steps beyond 2^53 are never made")]
    fn factor(&self, learning_rate: f64, step: u64) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Every { steps, gamma } => gamma.powf((step / u64::from(steps)) as f64),
            Self::From { step: from, gamma } => {
                if step >= u64::from(from) {
                    gamma
                } else {
                    1.0
                }
            }
            Self::Exponential { gamma } => gamma.powf(step as f64),
            Self::Cosine { steps, floor } => {
                // Of whole turns nothing is left, and no digits are lost to them.
                let turn = 2 * u64::from(steps);
                let wave = f64::midpoint(1.0, (PI * (step % turn) as f64 / f64::from(steps)).cos());
                let floor = floor / learning_rate;
                floor + (1.0 - floor) * wave
            }
            Self::Warmup { steps } => ((step + 1) as f64 / f64::from(steps)).min(1.0),
            Self::Inverse { power } => (step as f64 + 1.0).powf(-power),
        }
    }

    /// The parts of one text, such as `step:10:0.5`.
    fn each_of(
        text: &str,
        mut each: impl FnMut(Self) -> Result<(), ScheduleError>,
    ) -> Result<(), ScheduleError> {
        let number = |number: &str, must: &'static str, is_possible: fn(f64) -> bool| {
            let refused = || ScheduleError::Number { part: text.to_owned(), number: number.to_owned(), must };
            let value = number.parse::<f64>().ok().filter(|value| value.is_finite() && is_possible(*value));
            value.ok_or_else(refused)
        };
        let factor = |text| number(text, "a factor above 0", |gamma| gamma > 0.0);
        let steps = |steps: &str| {
            let must = "a whole number of steps from 1 to 4294967295";
            let refused = || ScheduleError::Number { part: text.to_owned(), number: steps.to_owned(), must };
            steps.parse::<u32>().ok().filter(|&steps| steps > 0).ok_or_else(refused)
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["constant"] => each(Self::Constant),
            ["step", every, gamma] => each(Self::Every { steps: steps(every)?, gamma: factor(gamma)? }),
            ["multistep", list, gamma] => {
                let gamma = factor(gamma)?;
                list.split(',').try_for_each(|step| each(Self::From { step: steps(step)?, gamma }))
            }
            ["exponential", gamma] => each(Self::Exponential { gamma: factor(gamma)? }),
            ["cosine", half] => each(Self::Cosine { steps: steps(half)?, floor: 0.0 }),
            ["cosine", half, floor] => {
                let floor = number(floor, "a rate of 0 or above", |floor| floor >= 0.0)?;
                each(Self::Cosine { steps: steps(half)?, floor })
            }
            ["warmup", rise] => each(Self::Warmup { steps: steps(rise)? }),
            ["inverse", power] => {
                each(Self::Inverse { power: number(power, "a power of 0 or above", |power| power >= 0.0)? })
            }
            _ => Err(ScheduleError::Part(text.to_owned())),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut schedule = Self::default();
        // A comma is within a part if a number follows it.
        let is_next = |rest: &str| {
            rest.strip_prefix(',').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let mut start = 0;
        let ends =
            text.char_indices().map(|(at, _)| at).filter(|&at| is_next(&text[at..])).chain([text.len()]);
        for end in ends {
            Part::each_of(&text[start..end], |part| schedule.push(part))?;
            start = end + 1;
        }
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_constant() {
            return f.write_str("constant");
        }
        let parts = self.parts.iter().filter(|part| **part != Part::Constant);
        for (place, part) in parts.enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            match part {
                Part::Constant => Ok(()),
                Part::Every { steps, gamma } => write!(f, "step:{steps}:{gamma}"),
                Part::From { step, gamma } => write!(f, "multistep:{step}:{gamma}"),
                Part::Exponential { gamma } => write!(f, "exponential:{gamma}"),
                Part::Cosine { steps, floor: 0.0 } => write!(f, "cosine:{steps}"),
                Part::Cosine { steps, floor } => write!(f, "cosine:{steps}:{floor}"),
                Part::Warmup { steps } => write!(f, "warmup:{steps}"),
                Part::Inverse { power } => write!(f, "inverse:{power}"),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    #[test]
    fn rates_by_hand() {
        for (text, want) in [
            ("constant", [0.5, 0.5, 0.5, 0.5, 0.5]),
            ("step:2:0.5", [0.5, 0.5, 0.25, 0.25, 0.125]),
            ("multistep:1,3:0.5", [0.5, 0.25, 0.25, 0.125, 0.125]),
            ("exponential:2", [0.5, 1.0, 2.0, 4.0, 8.0]),
            ("cosine:2", [0.5, 0.25, 0.0, 0.25, 0.5]),
            ("cosine:2:0.25", [0.5, 0.375, 0.25, 0.375, 0.5]),
            ("warmup:4", [0.125, 0.25, 0.375, 0.5, 0.5]),
            ("inverse:1", [0.5, 0.25, 0.5 / 3.0, 0.125, 0.1]),
            ("warmup:2,multistep:2,4:0.5,exponential:0.5", [0.25, 0.25, 0.0625, 0.03125, 0.007_812_5]),
        ] {
            let rates = [0, 1, 2, 3, 4].map(|step| schedule(text).rate(0.5, step));
            let off = |(got, want): (&f64, &f64)| (got - want).abs() > 1e-16;
            assert!(!rates.iter().zip(&want).any(off), "{text}: {rates:?}");
        }
    }

    /// After any number of whole turns a cosine is where it was.
    #[test]
    fn no_digits_are_lost_to_turns() {
        let turns = 1_000_000_000_000_000;
        let rate = |step| schedule("cosine:5").rate(0.5, step);
        assert_eq!([0, 1, 5, 7].map(|step| rate(turns + step)), [0, 1, 5, 7].map(rate));
        assert_eq!(rate(turns), 0.5);
    }

    #[test]
    fn reads_what_it_prints() {
        for text in [
            "constant",
            "step:7:0.5",
            "cosine:50:0.02",
            "cosine:9",
            "warmup:3,inverse:0.5",
            "exponential:1.01",
        ] {
            assert_eq!(schedule(text).to_string(), text);
        }
        let several = schedule("warmup:3,multistep:5,20:0.3,constant,exponential:0.9");
        assert_eq!(several.to_string(), "warmup:3,multistep:5:0.3,multistep:20:0.3,exponential:0.9");
        assert_eq!(schedule(&several.to_string()), several);
    }

    #[test]
    fn refuses_what_is_no_schedule() {
        for text in [
            "",
            "linear",
            "step",
            "step:5",
            "step:5:0.5:1",
            "multistep:0.5",
            ",",
            "step:5:0.5,",
            "warmup:",
            "cosine:1:2:3",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text:?}");
        }
        for (text, number) in [
            ("step:0:0.5", "0"),
            ("step:2.5:0.5", "2.5"),
            ("step:2:-1", "-1"),
            ("step:2:0", "0"),
            ("multistep:3,x:0.5", "multistep:3"),
            ("multistep:3,0:0.5", "0"),
            ("exponential:nan", "nan"),
            ("cosine:10:-1", "-1"),
            ("warmup:4294967296", "4294967296"),
            ("inverse:-0.5", "-0.5"),
            ("warmup:3,inverse:inf", "inf"),
        ] {
            let error = text.parse::<Schedule>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{number:?}")), "{text}: {error}");
        }
        assert_eq!(
            "multistep:1,2,3,4,5,6,7,8,9,10,11,12,13:0.5".parse::<Schedule>(),
            Err(ScheduleError::Length)
        );
        assert!("multistep:1,2,3,4,5,6,7,8,9,10,11,12:0.5".parse::<Schedule>().is_ok());
    }

    #[test]
    fn no_rate_is_beyond_the_extremes() {
        for text in [
            "constant",
            "step:7:0.5",
            "exponential:1.01",
            "cosine:40:0.2",
            "cosine:40",
            "cosine:64:3",
            "warmup:20,multistep:5,6:2,inverse:0.3",
        ] {
            for steps in [0..100, 30..31, 50..50] {
                let [least, most] = schedule(text).extremes(0.3, &steps);
                for rate in steps.map(|step| schedule(text).rate(0.3, step)).filter(|&rate| rate > 1e-16) {
                    assert!(
                        least <= rate * 1.000_001 && rate <= most * 1.000_001,
                        "{text}: {least} {rate} {most}"
                    );
                }
            }
        }
    }
}
