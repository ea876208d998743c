use std::path::Path;

use bytesize::ByteSize;
use clap::Args;

use super::columns::ColumnArguments;
use super::error::CliError;
use super::grouping::{Grouping, GroupingArguments};
use super::progress::Progress;
use super::reading::{Masks, ReadingArguments, tell_details};
use super::validity::ValidityArguments;
use super::verbosity::Verbosity;
use crate::array::{DataError, MaskedArray, MemoryPlan, Problem, ValidityRules, shown};
use crate::engine::EngineError;
use crate::io::{Metadata, Opened, Source, check_keys};
use crate::report::InputFile;

/// The data of a command that compares predictions from X with T.
#[derive(Debug, Args)]
pub(super) struct PairArguments {
    /// The inputs: FILE or FILE:KEY, KEY a column, an array's name or a band; - is stdin
    #[arg(value_name = "X", help_heading = None::<&'static str>)]
    x: Source,

    /// The targets, of the same shape
    #[arg(value_name = "T", required_unless_present = "t_column", help_heading = None::<&'static str>)]
    t: Option<Source>,

    #[command(flatten)]
    columns: ColumnArguments,

    #[command(flatten)]
    validity: ValidityArguments,

    #[command(flatten)]
    reading: ReadingArguments,
}

impl PairArguments {
    /// Every file that is read, by the argument that names it.
    fn sources(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        let given = |name, source: Option<_>| source.map(|source| (name, source));
        let companions = [
            given("--mask", self.validity.mask.as_ref()),
            given("--weights", self.validity.weights.as_ref()),
        ];
        let t = self.t.as_ref().unwrap_or(&self.x);
        [("X", &self.x), ("T", t)].into_iter().chain(companions.into_iter().flatten())
    }

    /// The files, which no output may replace.
    pub(super) fn paths(&self) -> Vec<(&'static str, &Path)> {
        self.sources().map(|(name, source)| (name, source.path.as_path())).collect()
    }

    /// Every file that is read, with the keys that are given beside it.
    pub(super) fn resolved(&self) -> Result<Vec<(&'static str, Source)>, CliError> {
        let [x, t] = self.columns.of(&self.x, self.t.as_ref())?;
        let companions = self.sources().skip(2).map(|(name, source)| (name, source.clone()));
        Ok([("X", x), ("T", t)].into_iter().chain(companions).collect())
    }

    /// The files and their size, for people who wait.
    fn reads(&self) -> String {
        let mut paths: Vec<&Path> = self.sources().map(|(_, source)| source.path.as_path()).collect();
        paths.dedup();
        let bytes = paths.iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum();
        let names: Vec<_> = paths.iter().map(|path| shown(path).to_string()).collect();
        format!("reading {}, {}", names.join(", "), ByteSize::b(bytes).display().iec())
    }

    /// Opens one of them.
    pub(super) fn open_one(&self, source: &Source, memory_bytes: u64) -> Result<Opened, CliError> {
        Ok(self.reading.within(memory_bytes).open(source)?)
    }

    /// Opens and checks the data, of which no more than a bound is in memory.
    pub(super) fn load(&self, memory_bytes: u64, verbosity: Verbosity) -> Result<LoadedPair, CliError> {
        self.load_in(false, memory_bytes, verbosity)
    }

    /// The same, gone through row by row if batches ask for that, however they are stored.
    pub(super) fn load_in(
        &self,
        row_by_row: bool,
        memory_bytes: u64,
        verbosity: Verbosity,
    ) -> Result<LoadedPair, CliError> {
        self.load_as(None, row_by_row, memory_bytes, verbosity).map(|(pair, _)| pair)
    }

    /// The same with a fit for each group.
    pub(super) fn load_grouped(
        &self,
        grouping: &GroupingArguments,
        memory_bytes: u64,
        verbosity: Verbosity,
    ) -> Result<(LoadedPair, Grouping), CliError> {
        self.load_as(Some(grouping), true, memory_bytes, verbosity)
    }

    fn load_as(
        &self,
        grouping: Option<&GroupingArguments>,
        row_by_row: bool,
        memory_bytes: u64,
        verbosity: Verbosity,
    ) -> Result<(LoadedPair, Grouping), CliError> {
        let piped: Vec<&str> =
            self.sources().filter(|(_, source)| source.is_stdin()).map(|(name, _)| name).collect();
        if let [first, second, ..] = piped[..] {
            return Err(CliError::Usage(format!(
                "{first} and {second} cannot both come from stdin; save one to a file"
            )));
        }
        let progress = Progress::of_work(verbosity.quiet, &self.reads());
        let memory = MemoryPlan::new(memory_bytes);
        let reading = self.reading.within(memory.array_bytes(self.sources().count()));
        let grouping = grouping.map_or(Ok(Grouping::One), |grouping| grouping.load(&reading))?;
        let named = self.resolved()?;
        let sources: Vec<&Source> = named.iter().map(|(_, source)| source).collect();
        let mut opened = reading.open_all_selected(&sources)?.into_iter();
        let (Some(x), Some(t)) = (opened.next(), opened.next()) else {
            return Err(DataError::Empty { path: self.x.path.clone() }.into());
        };
        let (mask, weights) = (
            self.validity.mask.as_ref().and_then(|_| opened.next()),
            self.validity.weights.as_ref().and_then(|_| opened.next()),
        );
        progress.end();
        let all: Vec<&Opened> =
            [Some(&x), Some(&t), mask.as_ref(), weights.as_ref()].into_iter().flatten().collect();
        check_keys(all.iter().copied())?;
        tell_details(verbosity, &all, Masks::Given);
        tell_places(verbosity, &x, &t);
        let files =
            named.iter().zip(&all).map(|((name, source), opened)| input(name, source, opened)).collect();
        let fitted = [Some(&x), Some(&t), weights.as_ref()].into_iter().flatten();
        let masked_by = fitted.flat_map(exclusions).collect();
        let (mask, weights) = (mask.map(MaskedArray::from), weights.map(MaskedArray::from));
        let rules = ValidityRules { mask, weights, ..self.validity.values() };
        tell_replaced(verbosity, &x, rules.x_nodata);
        tell_replaced(verbosity, &t, rules.t_nodata);
        let progress = Progress::of_work(verbosity.quiet, "looking for valid elements");
        let metadata = t.metadata().clone();
        let rank = t.shape().0.len();
        let mut problem = Problem::builder(x).target(t).rules(rules).memory(memory);
        if let Grouping::Axes(axes) = &grouping {
            let place = |axis: isize| if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
            problem = problem.along(axes.iter().filter_map(|&axis| usize::try_from(place(axis)?).ok()));
        }
        let problem = if row_by_row { problem.row_by_row() } else { problem };
        let problem = problem.build()?.grouped(grouping.groups()).map_err(EngineError::from)?;
        progress.end();
        Ok((LoadedPair { problem, metadata, masked_by, files }, grouping))
    }
}

/// A problem read from files.
pub(super) struct LoadedPair {
    pub(super) problem: Problem,
    /// The metadata of the file of T.
    pub(super) metadata: Metadata,
    /// The notes of the files on the elements that they exclude themselves.
    pub(super) masked_by: Vec<String>,
    /// The files.
    pub(super) files: Vec<InputFile>,
}

/// The account of a file that was opened.
fn input(argument: &'static str, source: &Source, opened: &Opened) -> InputFile {
    InputFile {
        argument,
        source: source.to_string(),
        bytes: source.path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len()),
        shape: Some(opened.shape().to_string()),
        dtype: Some(opened.element().name()),
        elements: Some(opened.len() as u64),
    }
}

fn exclusions(opened: &Opened) -> Vec<String> {
    let notes = opened.metadata().notes().iter().filter(|note| note.is_exclusion() && !note.is_detail());
    notes.map(|note| format!("{}: {note}", opened.label())).collect()
}

/// Tells a user whose nodata value replaces the file's own, whose elements are
/// then valid.
pub(super) fn tell_replaced(verbosity: Verbosity, opened: &Opened, given: Option<f64>) {
    let Some((own, given)) = opened.metadata().nodata().zip(given) else { return };
    if own != given && !(own.is_nan() && given.is_nan()) {
        verbosity.note(&format_args!(
            "{}: its own nodata value {own:?} is replaced by {given:?}, as asked for, so {own:?} is valid; use --mask \
             or --valid-range to exclude both",
            opened.label()
        ));
    }
}

/// Tells a user whose images are of different places.
fn tell_places(verbosity: Verbosity, x: &Opened, t: &Opened) {
    let places = x.metadata().georeference().zip(t.metadata().georeference());
    let difference = places.and_then(|(x, t)| x.difference(t));
    if let Some(what) = difference {
        verbosity.note(&format_args!(
            "{} and {} say different {what}: their pixels may not be the same places on Earth; if so, \
             warp one to the other's, for example with gdalwarp",
            x.label(),
            t.label()
        ));
    }
}
