//! Tunings that `linfit bench --tune` found, kept in the user's cache
//! directory for whatever opens the same adapter later.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use directories::ProjectDirs;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::verbosity::Verbosity;
use crate::array::{DataError, shown};
use crate::engine::gpu::{Adapter, Tuning};
use crate::io::output::OutputFile;

/// Goes up when older files no longer mean the same.
const FORMAT: u32 = 1;

/// No machine has as many adapters; what is longer is something else.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct TuningArguments {
    /// Use GPUs as is usual for their kind, whatever `linfit bench --tune` found
    #[arg(long)]
    no_tuning: bool,
}

impl TuningArguments {
    /// What was found on this machine. A file that can't be used is told and
    /// ignored.
    pub(super) fn load(self, verbosity: Verbosity) -> Tunings {
        match location() {
            Some(path) if !self.no_tuning => Tunings::load(path, verbosity),
            _ => Tunings { path: PathBuf::new(), entries: Vec::new(), verbosity },
        }
    }
}

/// Where the tunings are kept, if the user has a place for such things.
fn location() -> Option<PathBuf> {
    cached("tuning.json")
}

/// A file in the user's cache directory, if there is one.
pub(super) fn cached(name: &str) -> Option<PathBuf> {
    let directories = ProjectDirs::from("", "", "linfit")?;
    Some(directories.cache_dir().join(name))
}

/// The tunings of this machine's adapters.
pub(super) struct Tunings {
    path: PathBuf,
    entries: Vec<Entry>,
    verbosity: Verbosity,
}

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    adapters: Vec<Entry>,
}

/// An adapter as it was when it was measured, and what suited it.
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

    /// What suits an adapter: as measured with its current driver, else as is
    /// usual for its kind.
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
    /// For a message before all of it is read.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(e.to_string()),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    let invalid = |e: serde_json::Error| format!("not a file of tunings: {e}");
    let Format { format } = serde_json::from_slice(&text).map_err(invalid)?;
    if format != FORMAT {
        return Err(format!("of format {format}, where this version of linfit knows {FORMAT}"));
    }
    let contents: Contents = serde_json::from_slice(&text).map_err(invalid)?;
    Ok(contents.adapters)
}

/// Keeps a tuning in the place of what was found on the adapter before; where
/// it is now.
pub(super) fn save(adapter: &Adapter, tuning: Tuning) -> Result<PathBuf, CliError> {
    let path = location().ok_or_else(|| {
        CliError::Usage("the tuning is not saved: no cache directory; set XDG_CACHE_HOME or HOME".to_owned())
    })?;
    let failed = |source| DataError::Write { path: path.clone(), source };
    // What can't be read is replaced.
    let mut adapters = read(&path).unwrap_or_default();
    adapters.retain(|entry| !entry.is_of(adapter));
    adapters.push(Entry {
        name: adapter.name().to_owned(),
        backend: adapter.backend(),
        driver: adapter.driver(),
        tuning,
    });
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut file = OutputFile::create(&path)?;
    let text = super::to_json(&Contents { format: FORMAT, adapters })?;
    writeln!(file, "{text}").map_err(failed)?;
    file.finish()?;
    Ok(path)
}
