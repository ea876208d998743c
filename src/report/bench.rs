use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use super::comparison::trimmed;
use super::numbers::{count, seconds};
use crate::array::{DataError, Hint, Hinted, shown};
use crate::io::output::OutputFile;

/// Warm runs of one thing: the median duration and how the runs spread.
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

/// How fast the machine reads memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReadBandwidth {
    /// Bytes of the buffer that was read.
    pub bytes: u64,
    /// The durations of reading it once.
    #[serde(flatten)]
    pub timing: Timing,
}

impl ReadBandwidth {
    /// In 10⁹ bytes a second, by the median.
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
    /// How that was measured.
    pub read: ReadBandwidth,
    /// The passes.
    pub results: Vec<BenchResult>,
}

/// No sweep is nearly as long; what is was given by mistake.
const MAX_BASELINE_BYTES: u64 = 16 << 20;

/// An earlier run to compare with.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    results: Vec<BaselineResult>,
}

#[derive(Debug, Deserialize)]
struct BaselineResult {
    engine: String,
    adapter: Option<String>,
    pass: String,
    n: u64,
    dtype: String,
    median_s: f64,
}

/// Why a file is not a baseline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum BaselineError {
    #[error("{}: {source}", shown(path))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: not a benchmark's results ({reason})", shown(path))]
    Invalid { path: PathBuf, reason: String },
}

impl Hinted for BaselineError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Invalid { .. } => vec![Hint::ExportedBenchmark],
            Self::Read { .. } => Vec::new(),
        }
    }
}

impl Baseline {
    /// Reads what `--export-json` or `--json` wrote.
    ///
    /// # Errors
    /// [`BaselineError`]: the file can't be read, or isn't that.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let failed = |source| BaselineError::Read { path: path.to_owned(), source };
        let invalid = |reason: String| BaselineError::Invalid { path: path.to_owned(), reason };
        let mut text = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BASELINE_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_BASELINE_BYTES {
            return Err(invalid(format!("it is longer than {MAX_BASELINE_BYTES} bytes")));
        }
        // By way of a map, since a bare list would pass for the struct too.
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&text).map_err(|e| invalid(e.to_string()))?;
        let baseline: Self = serde_json::from_value(object.into()).map_err(|e| invalid(e.to_string()))?;
        match baseline.results.iter().find(|result| result.median_s <= 0.0) {
            Some(result) => Err(invalid(format!("a median of {} s", result.median_s))),
            None => Ok(baseline),
        }
    }

    fn median_of(&self, result: &BenchResult) -> Option<f64> {
        let same = |earlier: &&BaselineResult| {
            earlier.engine == result.engine
                && earlier.adapter == result.adapter
                && earlier.pass == result.pass
                && earlier.n == result.n
                && earlier.dtype == result.dtype
        };
        self.results.iter().find(same).map(|earlier| earlier.median_s)
    }
}

/// The columns for people, and whether they are numbers.
const COLUMNS: [(&str, bool); 11] = [
    ("engine", false),
    ("adapter", false),
    ("pass", false),
    ("elements", true),
    ("dtype", false),
    ("median", true),
    ("IQR", true),
    ("on device", true),
    ("GB/s", true),
    ("Melements/s", true),
    ("of read", true),
];

/// The last column, if there is a baseline.
const BASELINE_COLUMN: (&str, bool) = ("× baseline", true);

impl BenchReport {
    /// Fills in the ratios to an earlier run; says how many results it has in
    /// common with this one.
    pub fn compare_with(&mut self, baseline: &Baseline) -> usize {
        for result in &mut self.results {
            result.baseline_ratio = baseline.median_of(result).map(|median_s| median_s / result.median_s);
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

    /// Writes the table as Markdown.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn write_markdown(&self, path: &Path, mut file: OutputFile) -> Result<(), DataError> {
        let columns = self.columns();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("{}\n\n", self.headline());
        text += &line(columns.iter().map(|(name, _)| (*name).to_owned()).collect());
        text += &line(columns.iter().map(|(_, right)| if *right { "---:" } else { "---" }.into()).collect());
        for result in &self.results {
            text += &line(self.cells(result).iter().map(|cell| cell.replace('|', "\\|")).collect());
        }
        file.write_all(text.as_bytes())
            .map_err(|source| DataError::Write { path: path.to_owned(), source })?;
        file.finish()
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

    fn has_baseline(&self) -> bool {
        self.results.iter().any(|result| result.baseline_ratio.is_some())
    }

    fn columns(&self) -> Vec<(&'static str, bool)> {
        COLUMNS.into_iter().chain(self.has_baseline().then_some(BASELINE_COLUMN)).collect()
    }

    fn cells(&self, r: &BenchResult) -> Vec<String> {
        let mut cells = vec![
            r.engine.to_owned(),
            r.adapter.clone().unwrap_or_default(),
            r.pass.to_owned(),
            count(r.n),
            r.dtype.to_owned(),
            seconds(r.median_s),
            seconds(r.q3_s - r.q1_s),
            r.device_s.map_or_else(|| "-".to_owned(), seconds),
            format!("{:.2}", r.gb_s),
            format!("{:.0}", r.elements_s / 1e6),
            format!("{:.0} %", r.fraction_of_read * 100.0),
        ];
        if self.has_baseline() {
            cells.push(r.baseline_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")));
        }
        cells
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        writeln!(f)?;
        let columns = self.columns();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(columns.iter().map(|(name, _)| *name));
        for result in &self.results {
            table.add_row(self.cells(result));
        }
        for (k, (_, right)) in columns.iter().enumerate() {
            if let (true, Some(column)) = (right, table.column_mut(k)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        write!(f, "{}", trimmed(&table))
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
