use std::fmt;

use serde::Serialize;

use super::Timings;
use super::numbers::{count, seconds, short};
use super::table::{Column, Table};
use crate::array::{Excluded, Shape};
use crate::engine::EngineInfo;
use crate::fit::Method;
use crate::fit::{FitRow, ManyFits, StopReason};
use crate::io::fits::Keys;

/// The most fits that a summary shows in a table.
const MOST_SHOWN: usize = 20;

/// The most fits that the JSON lists.
const MOST_LISTED: usize = 1_000;

/// The results of many fits: `fit --json` prints it, and its
/// [`Display`](fmt::Display) is the summary.
#[derive(Debug, Clone, Serialize)]
pub struct ManyReport {
    /// All fits together.
    pub fits: FitsSummary,
    /// Each of up to 1,000 fits.
    pub results: Vec<GroupResult>,
    /// Valid elements.
    pub n: u64,
    /// Excluded elements, by reason; null if all are valid.
    pub excluded: Option<Excluded>,
    /// The masks and markers of X's and T's files that exclude elements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masked_by: Vec<String>,
    /// Σ w over the valid elements; null without weights.
    pub weight_sum: Option<f64>,
    /// The updates of the longest descent.
    pub steps: u64,
    /// The solver.
    pub solver: Method,
    /// η, where all fits have the same.
    pub learning_rate: Option<f64>,
    /// The reason for which most fits ended.
    pub stop_reason: StopReason,
    /// The number of fits that ended for each reason.
    pub stopped: Vec<Stopped>,
    /// The engine.
    pub engine: EngineInfo,
    /// The seconds that it took.
    pub timings: Timings,
}

/// The number of fits that ended for a reason.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stopped {
    /// The reason.
    pub reason: StopReason,
    /// The number of fits.
    pub count: u64,
}

/// The summary of many fits.
#[derive(Debug, Clone, Serialize)]
pub struct FitsSummary {
    /// The shape in which they are numbered.
    pub shape: Vec<u64>,
    /// The number of fits.
    pub count: u64,
    /// Those without a line.
    pub degenerate: u64,
    /// W.
    pub weight: Quartiles,
    /// b.
    pub bias: Quartiles,
    /// R²; null where T does not vary in any.
    pub r2: Option<Quartiles>,
}

/// The least, the greatest and the quartiles between them, interpolated as
/// `numpy.percentile` does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "named for what they are")]
pub struct Quartiles {
    pub min: f64,
    pub q1: f64,
    pub median: f64,
    pub q3: f64,
    pub max: f64,
}

/// One fit of many.
#[derive(Debug, Clone, Serialize)]
pub struct GroupResult {
    /// The label, or the index.
    pub group: serde_json::Value,
    /// W; null without a line, as all but `n`.
    pub weight: Option<f64>,
    /// b.
    pub bias: Option<f64>,
    /// Valid elements.
    pub n: u64,
    /// The mean squared error.
    pub loss: Option<f64>,
    /// R².
    pub r2: Option<f64>,
}

impl GroupResult {
    /// The result of a fit by its number.
    pub(super) fn of(row: &FitRow, keys: &Keys, shape: &Shape, fit: usize) -> Self {
        let some = |number: f64| number.is_finite().then_some(number);
        Self {
            group: keys.name_of(shape, fit),
            weight: some(row.weight),
            bias: some(row.bias),
            n: row.n,
            loss: some(row.loss),
            r2: some(row.r2),
        }
    }

    /// The label or the index as text for a terminal or a picture.
    pub(super) fn name(&self) -> String {
        match &self.group {
            serde_json::Value::String(text) => crate::array::harmless(text),
            other => other.to_string(),
        }
    }
}

impl Quartiles {
    /// Those of numbers, of which NaN are left out; `None` if there are no others.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| !value.is_nan());
        let last = values.len().checked_sub(1)?;
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a vector"
        )]
        let mut at = |share: f64| {
            let place = share * last as f64;
            let (_, low, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
            let low = *low;
            let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
            let part = place.fract();
            if part == 0.0 { low } else { low + part * (high - low) }
        };
        Some(Self { min, q1: at(0.25), median: at(0.5), q3: at(0.75), max })
    }

    fn cells(&self) -> [String; 5] {
        [self.min, self.q1, self.median, self.q3, self.max].map(short)
    }
}

impl ManyReport {
    /// The report of these fits. What the data are like is the caller's to add.
    #[must_use]
    pub fn new(fits: &ManyFits, keys: &Keys, solver: Method, engine: EngineInfo, timings: Timings) -> Self {
        let column = |number: fn(&FitRow) -> f64| fits.rows.iter().map(number).collect::<Vec<f64>>();
        let nan = Quartiles { min: f64::NAN, q1: f64::NAN, median: f64::NAN, q3: f64::NAN, max: f64::NAN };
        let summary = FitsSummary {
            shape: fits.shape.0.clone(),
            count: fits.rows.len() as u64,
            degenerate: fits.degenerate(),
            weight: Quartiles::of(column(|row| row.weight)).unwrap_or(nan),
            bias: Quartiles::of(column(|row| row.bias)).unwrap_or(nan),
            r2: Quartiles::of(column(|row| row.r2)),
        };
        let result = |(fit, row): (usize, &FitRow)| GroupResult::of(row, keys, &fits.shape, fit);
        let listed = if fits.rows.len() <= MOST_LISTED { &fits.rows[..] } else { &[] };
        let stopped: Vec<Stopped> =
            fits.stopped.iter().map(|&(reason, count)| Stopped { reason, count }).collect();
        let most = stopped.iter().max_by_key(|stopped| stopped.count);
        Self {
            fits: summary,
            results: listed.iter().enumerate().map(result).collect(),
            n: 0,
            excluded: None,
            masked_by: Vec::new(),
            weight_sum: None,
            steps: fits.steps,
            solver,
            learning_rate: None,
            stop_reason: most.map_or(StopReason::Exact, |stopped| stopped.reason),
            stopped,
            engine,
            timings,
        }
    }
}

impl fmt::Display for ManyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FitsSummary { shape, count: fits, degenerate, weight, bias, r2 } = &self.fits;
        let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
        writeln!(f, "{} fits of Y = X·W + b, in shape {}", count(*fits), extents.join("×"))?;
        writeln!(f)?;
        let columns = ["min", "q1", "median", "q3", "max"].map(Column::Numbers);
        let columns: Vec<Column> = [Column::Words("")].into_iter().chain(columns).collect();
        let mut table = Table::new(columns);
        for (name, quartiles) in [("weight", Some(weight)), ("bias", Some(bias)), ("R²", r2.as_ref())] {
            if let Some(quartiles) = quartiles {
                table.add([vec![format!("  {name}")], quartiles.cells().to_vec()].concat());
            }
        }
        writeln!(f, "{table}")?;
        writeln!(f)?;
        if self.results.len() <= MOST_SHOWN && !self.results.is_empty() {
            writeln!(f, "{}", self.table())?;
            writeln!(f)?;
        }
        if *degenerate > 0 {
            writeln!(f, "  degenerate {:<24} fits without a line", count(*degenerate))?;
        }
        writeln!(f, "  elements   {}", count(self.n))?;
        if let Some(excluded) = self.excluded {
            let reasons: Vec<_> =
                excluded.reasons().map(|(number, reason)| format!("{} {reason}", count(number))).collect();
            writeln!(f, "  excluded   {:<24} {}", count(excluded.total()), reasons.join(", "))?;
        }
        self.masked_by.iter().try_for_each(|by| writeln!(f, "  masked     {by}"))?;
        if let Some(weight_sum) = self.weight_sum {
            writeln!(f, "  weights    {:<24} in sum", short(weight_sum))?;
        }
        let ended: Vec<String> = self
            .stopped
            .iter()
            .filter(|stopped| stopped.count > 0)
            .map(|stopped| format!("{} {}", count(stopped.count), ended(stopped.reason)))
            .collect();
        writeln!(f, "  solver     {:<24} {}", self.solver.to_string(), ended.join(", "))?;
        if self.steps > 0 {
            writeln!(f, "  steps      {:<24} of the longest descent", count(self.steps))?;
        }
        writeln!(f, "  engine     {}", self.engine)?;
        let t = &self.timings;
        write!(
            f,
            "  time       load {}, prepare {}, moments {} ({:.1} GB/s), fit {}",
            seconds(t.load_s),
            seconds(t.prepare_s),
            seconds(t.moments_s),
            t.bandwidth_gb_s,
            seconds(t.fit_s),
        )
    }
}

impl ManyReport {
    /// A row for each fit.
    fn table(&self) -> Table {
        let columns = ["weight", "bias", "n", "loss", "R²"].map(Column::Numbers);
        let columns: Vec<Column> = [Column::Words("  group")].into_iter().chain(columns).collect();
        let mut table = Table::new(columns);
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        for result in &self.results {
            table.add([
                format!("  {}", result.name()),
                number(result.weight),
                number(result.bias),
                count(result.n),
                number(result.loss),
                number(result.r2),
            ]);
        }
        table
    }
}

/// The end of a fit, in words.
fn ended(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Steps => "took all steps",
        StopReason::Tolerance => "reached the tolerance",
        StopReason::Diverged => "diverged",
        StopReason::Interrupted => "interrupted",
        StopReason::Exact => "in closed form",
        StopReason::Patience => "ran out of patience",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([1, 2, 3, 4, 10], [25, 50, 75])` is 2, 3, 4, and of four
    /// numbers 1, 2, 4, 8 it is 1.75, 3, 5.
    #[test]
    fn quartiles_are_those_of_numpy() {
        let of = |values: &[f64]| Quartiles::of(values.to_vec()).unwrap();
        let five = Quartiles { min: 1.0, q1: 2.0, median: 3.0, q3: 4.0, max: 10.0 };
        assert_eq!(of(&[10.0, 2.0, f64::NAN, 4.0, 1.0, 3.0]), five);
        let four = Quartiles { min: 1.0, q1: 1.75, median: 3.0, q3: 5.0, max: 8.0 };
        assert_eq!(of(&[8.0, 1.0, 4.0, 2.0]), four);
        assert_eq!(of(&[7.0]), Quartiles { min: 7.0, q1: 7.0, median: 7.0, q3: 7.0, max: 7.0 });
        assert_eq!(Quartiles::of(vec![f64::NAN]), None);
    }
}
