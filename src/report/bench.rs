use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::numbers::{count, seconds};
use super::table::Column::{Numbers, Words};
use super::table::{Table, cell};
use crate::array::DataError;
use crate::io::Baseline;
use crate::io::output::OutputFile;

/// Durations of warm runs: their median and quartiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// Runs that the other numbers are taken of.
    pub runs: usize,
    /// Median seconds.
    pub median_s: f64,
    /// The first quartile: a quarter of the runs were faster.
    pub q1_s: f64,
    /// The third quartile: a quarter of the runs were slower.
    pub q3_s: f64,
}

impl Timing {
    /// Median and quartiles of some durations; `None` of none.
    #[must_use]
    pub fn of(mut durations: Vec<f64>) -> Option<Self> {
        durations.sort_by(f64::total_cmp);
        let at = |quarters: usize| durations.get(durations.len() * quarters / 4).copied();
        Some(Self { runs: durations.len(), median_s: at(2)?, q1_s: at(1)?, q3_s: at(3)? })
    }
}

/// One pass of one engine over one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchResult {
    /// `cpu` or `gpu`.
    pub engine: &'static str,
    /// The adapter's name, for a GPU.
    pub adapter: Option<String>,
    /// The graphics API, for a GPU.
    pub backend: Option<String>,
    /// `forward`, `residual_sums`, `step` or `steps`.
    pub pass: &'static str,
    /// Elements of X.
    pub n: u64,
    /// The type of the elements.
    pub dtype: &'static str,
    /// Runs that the times are taken of.
    pub runs: usize,
    /// Median seconds of a pass.
    pub median_s: f64,
    /// Its first quartile.
    pub q1_s: f64,
    /// Its third quartile.
    pub q3_s: f64,
    /// Median seconds of a pass by the device's own clock, where it has one.
    pub device_s: Option<f64>,
    /// 10⁹ bytes of X and T (forward: of X and Y) a second, by the median.
    pub gb_s: f64,
    /// Elements a second, by the median.
    pub elements_s: f64,
    /// `gb_s` as a part of the machine's read bandwidth.
    pub fraction_of_read: f64,
    /// The baseline's median over this one: above 1 is faster than it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_ratio: Option<f64>,
}

/// The read bandwidth of the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReadBandwidth {
    /// Bytes of the buffer that was read.
    pub bytes: u64,
    /// The durations of reading it once.
    #[serde(flatten)]
    pub timing: Timing,
}

impl ReadBandwidth {
    /// The bandwidth in 10⁹ bytes a second, by the median.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
    pub fn gb_s(&self) -> f64 {
        self.bytes as f64 / self.timing.median_s / 1e9
    }
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// linfit's version.
    pub version: &'static str,
    /// The CPU engine's threads and vector instructions.
    pub cpu: String,
    /// The machine's read bandwidth in 10⁹ bytes a second.
    pub read_gb_s: f64,
    /// The measurement of that.
    pub read: ReadBandwidth,
    /// The passes.
    pub results: Vec<BenchResult>,
}

impl BenchReport {
    /// Fills in the ratios to an earlier run; says how many results it has in
    /// common with this one.
    pub fn compare_with(&mut self, baseline: &Baseline) -> usize {
        for result in &mut self.results {
            let earlier = baseline.results.iter().find(|earlier| {
                let was =
                    (&earlier.engine[..], &earlier.adapter, &earlier.pass[..], earlier.n, &earlier.dtype[..]);
                was == (result.engine, &result.adapter, result.pass, result.n, result.dtype)
            });
            result.baseline_ratio = earlier.map(|earlier| earlier.median_s / result.median_s);
        }
        self.results.iter().filter(|result| result.baseline_ratio.is_some()).count()
    }

    /// Writes the results as CSV, one row a result.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn write_csv(&self, path: &Path, file: OutputFile) -> Result<(), DataError> {
        let failed = |e: csv::Error| DataError::Write { path: path.to_owned(), source: e.into() };
        let mut rows = csv::Writer::from_writer(file);
        rows.write_record([
            "engine",
            "adapter",
            "backend",
            "pass",
            "n",
            "dtype",
            "runs",
            "median_s",
            "q1_s",
            "q3_s",
            "device_s",
            "gb_s",
            "elements_s",
            "fraction_of_read",
            "baseline_ratio",
        ])
        .map_err(failed)?;
        for r in &self.results {
            let what = (r.engine, &r.adapter, &r.backend, r.pass, r.n, r.dtype, r.runs);
            let times = (r.median_s, r.q1_s, r.q3_s, r.device_s);
            let rates = (r.gb_s, r.elements_s, r.fraction_of_read, r.baseline_ratio);
            rows.serialize((what, times, rates)).map_err(failed)?;
        }
        let file = rows
            .into_inner()
            .map_err(|e| DataError::Write { path: path.to_owned(), source: e.into_error() })?;
        file.finish()
    }

    /// The table as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        format!("{}\n\n{}", self.headline(), self.table().to_markdown())
    }

    fn headline(&self) -> String {
        let ReadBandwidth { bytes, timing } = &self.read;
        format!(
            "linfit {}, {}; reads memory at {:.1} GB/s (a buffer of {} MiB, {}, IQR {}, {} runs)",
            self.version,
            self.cpu,
            self.read_gb_s,
            bytes >> 20,
            seconds(timing.median_s),
            seconds(timing.q3_s - timing.q1_s),
            timing.runs
        )
    }

    fn table(&self) -> Table {
        let has_baseline = self.results.iter().any(|result| result.baseline_ratio.is_some());
        let mut columns = vec![
            Words("engine"),
            Words("adapter"),
            Words("pass"),
            Numbers("elements"),
            Words("dtype"),
            Numbers("median"),
            Numbers("IQR"),
            Numbers("on device"),
            Numbers("GB/s"),
            Numbers("Melements/s"),
            Numbers("of read"),
        ];
        columns.extend(has_baseline.then_some(Numbers("× baseline")));
        let mut table = Table::new(columns);
        for r in &self.results {
            let mut cells = vec![
                r.engine.to_owned(),
                r.adapter.clone().unwrap_or_default(),
                r.pass.to_owned(),
                count(r.n),
                r.dtype.to_owned(),
                seconds(r.median_s),
                seconds(r.q3_s - r.q1_s),
                cell(r.device_s, seconds),
                format!("{:.2}", r.gb_s),
                format!("{:.0}", r.elements_s / 1e6),
                format!("{:.0} %", r.fraction_of_read * 100.0),
            ];
            cells.extend(has_baseline.then(|| cell(r.baseline_ratio, |ratio| format!("{ratio:.2}"))));
            table.add(cells);
        }
        table
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", self.headline(), self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_runs() {
        let timing = Timing::of(vec![8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0]).unwrap();
        assert_eq!(timing, Timing { runs: 8, median_s: 5.0, q1_s: 3.0, q3_s: 7.0 });
        assert_eq!(Timing::of(vec![2.0]).unwrap().median_s, 2.0);
        assert_eq!(Timing::of(Vec::new()), None);
    }
}
