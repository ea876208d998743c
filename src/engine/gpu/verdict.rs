//! The drivers of this machine that may be opened, as far as trials have shown it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Adapters, Found};

/// The fault of those that a trial waited for in vain.
pub(super) const NO_ANSWER: &str = "did not answer within";

/// A driver or a layer that breaks the process it is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenDriver {
    /// The file that names it to the system, or the graphics API whose drivers
    /// can't be told apart.
    pub driver: String,
    /// Its library, as that file gives it.
    pub library: Option<String>,
    /// The fault, as in `crashed with signal 11 while …`.
    pub reason: String,
}

impl fmt::Display for BrokenDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driver, library, reason } = self;
        write!(f, "the driver {driver}")?;
        if let Some(library) = library {
            write!(f, " ({library})")?;
        }
        write!(f, " {reason}")
    }
}

/// The findings of trials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The drivers that may not be opened.
    pub broken: Vec<BrokenDriver>,
    /// The way to open the others, if some are broken; `None`: no driver may be opened.
    pub rest: Option<Rest>,
    /// The offer of the drivers that may be opened, if it was found out.
    pub found: Option<Found>,
}

impl Verdict {
    /// True if it rests on a time limit alone for some drivers: on a machine that
    /// had much to do good ones may have been too slow as well.
    #[must_use]
    pub fn is_of_time(&self) -> bool {
        self.broken.iter().any(|broken| broken.reason.contains(NO_ANSWER))
    }
}

/// The way to open all drivers but the broken ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Graphics APIs, separated by commas.
    pub backends: String,
    /// The variables that the environment has to have for them when the process starts.
    pub environment: Vec<(String, String)>,
}

impl Rest {
    /// True if this process has it.
    #[must_use]
    pub fn has_its_environment(&self) -> bool {
        self.environment.iter().all(|(name, value)| std::env::var_os(name).is_some_and(|set| set == **value))
    }
}

impl Adapters {
    /// Like [`enumerate`](Self::enumerate), but asks only the drivers that a
    /// verdict allows. Without it having any [`rest`](Verdict::rest), or if this
    /// process was not started in the environment that the rest needs, these are
    /// none.
    #[must_use]
    pub fn allowed_by(verdict: &Verdict) -> Self {
        match &verdict.rest {
            _ if verdict.broken.is_empty() => Self::enumerate(),
            Some(rest) if rest.has_its_environment() => {
                Self::of(wgpu::Backends::from_comma_list(&rest.backends))
            }
            _ => Self::of(wgpu::Backends::empty()),
        }
    }
}
