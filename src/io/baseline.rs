use std::path::Path;

use serde::Deserialize;

use super::document::{Document, DocumentError, from_object};

/// The results of an earlier benchmark, to compare with.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    /// The passes.
    pub results: Vec<BaselineResult>,
}

/// One pass of one engine over one size, as it was measured then.
#[derive(Debug, Deserialize)]
pub struct BaselineResult {
    /// `cpu` or `gpu`.
    pub engine: String,
    /// The adapter's name, for a GPU.
    pub adapter: Option<String>,
    /// The pass.
    pub pass: String,
    /// Elements of X.
    pub n: u64,
    /// The type of the elements.
    pub dtype: String,
    /// Median seconds of a pass.
    pub median_s: f64,
}

impl Baseline {
    /// Reads the file that `bench --export-json` or `--json` wrote.
    ///
    /// # Errors
    /// [`DocumentError`]: the file can't be read, or isn't that.
    pub fn load(path: &Path) -> Result<Self, DocumentError> {
        Document::Benchmark.read(path, |text| {
            let baseline: Self = from_object(text)?;
            match baseline.results.iter().find(|result| result.median_s <= 0.0) {
                Some(result) => Err(format!("a median of {} s", result.median_s)),
                None => Ok(baseline),
            }
        })
    }
}
