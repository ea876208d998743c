//! Writes the results of many fits to a file.

use std::path::Path;

use super::error::CliError;
use super::to_json;
use crate::fit::{FitRow, ManyFits};
use crate::io::Metadata;
use crate::io::fits::{FitsFormat, FitsPlan, Keys, write_fits};
use crate::report::ManyReport;

/// Writes a row for each fit, in the format that the file's name says; JSON has the report too.
pub(super) fn save_fits(
    path: &Path,
    format: FitsFormat,
    fits: &ManyFits,
    keys: &Keys,
    metadata: &Metadata,
    report: &ManyReport,
) -> Result<(), CliError> {
    let summary = if format == FitsFormat::Json { Some(to_json(report)?) } else { None };
    let plan = FitsPlan {
        shape: &fits.shape,
        names: &FitRow::NAMES,
        numbers: &|fit| fits.rows[fit].numbers(),
        count: fits.rows.len(),
        keys,
        metadata,
        summary: summary.as_deref(),
    };
    write_fits(path, format, &plan).map_err(CliError::from)
}
