use std::fmt::Write;

use super::frame::{Row, row};
use crate::array::Excluded;
use crate::engine::EngineInfo;
use crate::fit::Method;
use crate::report::dry_run::InputFile;
use crate::report::numbers::{bytes, count};

/// The origin of a fit.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The command as it was typed.
    pub command: String,
    /// The files that were read.
    pub files: Vec<InputFile>,
}

impl Provenance {
    /// The files, the elements that were excluded and why.
    pub(super) fn data(&self, excluded: Option<&Excluded>, masked_by: &[String]) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .files
            .iter()
            .map(|file| {
                let mut text = file.source.clone();
                if let (Some(shape), Some(dtype)) = (&file.shape, file.dtype) {
                    let _ = write!(text, ": {shape}, {dtype}");
                }
                if let Some(size) = file.bytes {
                    let _ = write!(text, ", a file of {}", bytes(size));
                }
                row(file.argument.trim_start_matches("--"), "", text)
            })
            .collect();
        if let Some(excluded) = excluded {
            rows.push(row("excluded pairs", "", count(excluded.total())));
            rows.extend(
                excluded.reasons().map(|(number, reason)| row("", "", format!("{} {reason}", count(number)))),
            );
        } else {
            rows.push(row("excluded pairs", "", "none"));
        }
        rows.extend(masked_by.iter().map(|by| row("masked by", "", by.clone())));
        rows
    }

    /// The command, and the program and the engine that it ran.
    pub(super) fn origin(&self, solver: Method, engine: &EngineInfo) -> Vec<Row> {
        vec![
            row("command", "", self.command.clone()),
            row("program", "", format!("linfit {}", env!("CARGO_PKG_VERSION"))),
            row("solver", "", solver.to_string()),
            row("engine", "", engine.to_string()),
        ]
    }
}
