use std::fmt;

use serde::Serialize;

use super::numbers::{count, seconds};
use super::table::Column::{Numbers, Words};
use super::table::Table;
use crate::array::shown;
use crate::engine::gpu::{Reduction, Tuning};

/// The measurements of one adapter's launch configurations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReport {
    /// The adapter's name.
    pub adapter: String,
    /// The graphics API.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// Elements of X.
    pub n: u64,
    /// The default of its kind.
    pub default: Tuning,
    /// Launch configurations, each measured in turns with the others of its round.
    pub results: Vec<TuningResult>,
    /// A step in one workgroup and dispatched, by the number of elements.
    pub alone: Vec<AloneResult>,
    /// The fastest configuration.
    pub best: Tuning,
    /// The default's median over that of `best`, measured in turns: above 1 is
    /// faster.
    pub gain: f64,
    /// The file that keeps `best`, if one could be written.
    pub saved: Option<String>,
}

/// The time of a pass by one launch configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningResult {
    /// The round: results of one were measured in turns.
    pub round: u32,
    /// The configuration.
    #[serde(flatten)]
    pub tuning: Tuning,
    /// Median seconds of a residual pass.
    pub median_s: f64,
    /// 10⁹ bytes of X and T a second.
    pub gb_s: f64,
    /// The default's median in the same round over this one.
    pub gain: f64,
}

/// The time of a step of a descent on the device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AloneResult {
    /// Elements of X.
    pub n: u64,
    /// Median seconds of a step in one workgroup.
    pub alone_s: f64,
    /// Median seconds of a step whose pass is dispatched.
    pub dispatched_s: f64,
}

/// The reports of all adapters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReports {
    /// The reports, one for each adapter.
    pub adapters: Vec<TuningReport>,
}

impl fmt::Display for TuningReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, report) in self.adapters.iter().enumerate() {
            if k > 0 {
                write!(f, "\n\n")?;
            }
            report.fmt(f)?;
        }
        Ok(())
    }
}

fn reduction(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Invocation => "nothing",
        Reduction::Workgroup => "workgroup",
        Reduction::Subgroup => "subgroup",
    }
}

impl fmt::Display for TuningReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}, {}): {} elements", self.adapter, self.backend, self.driver, count(self.n))?;
        writeln!(f)?;
        let mut table = Table::new([
            Numbers("workgroups"),
            Numbers("of"),
            Words("order"),
            Numbers("loads"),
            Words("added up by"),
            Numbers("median"),
            Numbers("GB/s"),
            Numbers("× default"),
            Words(""),
        ]);
        let last = self.results.last().map_or(0, |result| result.round);
        for result in &self.results {
            let tuning = &result.tuning;
            let same = |other: &Tuning| Tuning { alone_elements: other.alone_elements, ..*tuning } == *other;
            let mark = match (same(&self.best) && result.round == last, same(&self.default)) {
                (true, _) => "← best",
                (false, true) => "default",
                _ => "",
            };
            table.add([
                count(tuning.workgroups.into()),
                tuning.workgroup_size.to_string(),
                if tuning.contiguous { "contiguous" } else { "coalesced" }.to_owned(),
                tuning.loads.to_string(),
                reduction(tuning.reduction).to_owned(),
                seconds(result.median_s),
                format!("{:.2}", result.gb_s),
                format!("{:.2}", result.gain),
                mark.to_owned(),
            ]);
        }
        writeln!(f, "{table}")?;
        writeln!(f)?;
        for AloneResult { n, alone_s, dispatched_s } in &self.alone {
            let (alone, dispatched) = (seconds(*alone_s), seconds(*dispatched_s));
            writeln!(
                f,
                "a step over {} elements: {alone} in one workgroup, {dispatched} dispatched",
                count(*n)
            )?;
        }
        let most = count(self.best.alone_elements.into());
        writeln!(f, "one workgroup takes whole steps up to {most} elements")?;
        if self.best == self.default {
            write!(f, "nothing is faster than the default")?;
        } else {
            write!(f, "a pass is {:.2} times as fast as by default", self.gain)?;
        }
        match &self.saved {
            Some(path) => write!(f, "; saved in {}", shown(path.as_ref())),
            None => write!(f, "; not saved"),
        }
    }
}
