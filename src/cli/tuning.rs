//! Tunings that `linfit bench --tune` found, kept in the user's cache
//! directory for whatever opens the same adapter later.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::cache;
use super::error::CliError;
use super::verbosity::Verbosity;
use crate::array::shown;
use crate::engine::gpu::{Adapter, Tuning};

/// Goes up when older files no longer mean the same.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct TuningArguments {
    /// Use the default launch configurations of GPUs, not those that `linfit bench --tune` found
    #[arg(long)]
    no_tuning: bool,
}

impl TuningArguments {
    /// The tunings found on this machine. A file that can't be used is ignored,
    /// with a note.
    pub(super) fn load(self, verbosity: Verbosity) -> Tunings {
        match location() {
            Some(path) if !self.no_tuning => Tunings::load(path, verbosity),
            _ => Tunings { path: PathBuf::new(), entries: Vec::new(), verbosity },
        }
    }
}

/// The file that keeps the tunings, if the user has a place for such things.
fn location() -> Option<PathBuf> {
    cache::file("tuning.json")
}

/// The tunings of this machine's adapters.
pub(super) struct Tunings {
    path: PathBuf,
    entries: Vec<Entry>,
    verbosity: Verbosity,
}

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    adapters: Vec<Entry>,
}

/// An adapter as it was when it was measured, and its fastest configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    backend: String,
    driver: String,
    tuning: Tuning,
}

impl Entry {
    fn is_of(&self, adapter: &Adapter) -> bool {
        self.name == adapter.name() && self.backend == adapter.backend()
    }
}

impl Tunings {
    fn load(path: PathBuf, verbosity: Verbosity) -> Self {
        let entries = read(&path).unwrap_or_else(|reason| {
            ignore(verbosity, &path, &reason);
            Vec::new()
        });
        Self { path, entries, verbosity }
    }

    /// The tuning of an adapter: as measured with its current driver, else the
    /// default of its kind.
    pub(super) fn of(&self, adapter: &Adapter) -> Tuning {
        let default = Tuning::default_for(adapter);
        let Some(entry) = self.entries.iter().find(|entry| entry.is_of(adapter)) else { return default };
        let name = adapter.name();
        if entry.driver != adapter.driver() {
            self.verbosity.detail(&format_args!("{name}: tuned for another driver, {}", entry.driver));
            return default;
        }
        match entry.tuning.check(adapter) {
            Ok(()) => {
                self.verbosity.detail(&format_args!("{name}: tuned by {}", shown(&self.path)));
                entry.tuning
            }
            Err(reason) => {
                ignore(self.verbosity, &self.path, &reason);
                default
            }
        }
    }
}

fn ignore(verbosity: Verbosity, path: &Path, reason: &str) {
    let path = shown(path);
    verbosity.note(&format!(
        "{path}: ignored ({reason}); `linfit bench --tune` writes it anew, --no-tuning does without"
    ));
}

/// The entries of a file; none if there is no file.
fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let contents = cache::read(path, FORMAT).map_err(|reason| format!("no file of tunings: {reason}"))?;
    Ok(contents.map_or_else(Vec::new, |contents: Contents| contents.adapters))
}

/// Keeps a tuning in the place of an earlier one of the adapter; returns where.
pub(super) fn save(adapter: &Adapter, tuning: Tuning) -> Result<PathBuf, CliError> {
    let path = location().ok_or_else(|| {
        CliError::Usage("the tuning is not saved: no cache directory; set XDG_CACHE_HOME or HOME".to_owned())
    })?;
    // A file that can't be read is replaced.
    let mut adapters = read(&path).unwrap_or_default();
    adapters.retain(|entry| !entry.is_of(adapter));
    adapters.push(Entry {
        name: adapter.name().to_owned(),
        backend: adapter.backend(),
        driver: adapter.driver(),
        tuning,
    });
    cache::write(&path, &Contents { format: FORMAT, adapters })?;
    Ok(path)
}
