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
use crate::array::{Condition, DataError, MaskedArray, MemoryPlan, Problem, Selection, ValidityRules, shown};
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
        let elsewhere = self.validity.conditions.iter().filter_map(|row| Some(("--where", row.path()?)));
        self.sources().map(|(name, source)| (name, source.path.as_path())).chain(elsewhere).collect()
    }

    /// Every file that is read, with the keys that are given beside it.
    pub(super) fn resolved(&self) -> Result<Vec<(&'static str, Source)>, CliError> {
        let [x, t] = self.columns.of(&self.x, self.t.as_ref())?;
        let companions = self.sources().skip(2).map(|(name, source)| (name, source.clone()));
        let conditions = self.conditions().map(|(_, source)| ("--where", source));
        Ok([("X", x), ("T", t)].into_iter().chain(companions).chain(conditions).collect())
    }

    /// The conditions on rows, each with its column.
    fn conditions(&self) -> impl Iterator<Item = (&Condition, Source)> {
        self.validity.conditions.iter().map(|row| (&row.condition, row.column(&self.x)))
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
        self.load_in(Needs::default(), memory_bytes, verbosity)
    }

    /// The same as a fit needs them.
    pub(super) fn load_in(
        &self,
        needs: Needs,
        memory_bytes: u64,
        verbosity: Verbosity,
    ) -> Result<LoadedPair, CliError> {
        self.load_as(None, needs, memory_bytes, verbosity).map(|(pair, _)| pair)
    }

    /// The same with a fit for each group.
    pub(super) fn load_grouped(
        &self,
        grouping: &GroupingArguments,
        is_shard: bool,
        memory_bytes: u64,
        verbosity: Verbosity,
    ) -> Result<(LoadedPair, Grouping), CliError> {
        self.load_as(Some(grouping), Needs { row_by_row: true, is_shard }, memory_bytes, verbosity)
    }

    fn load_as(
        &self,
        grouping: Option<&GroupingArguments>,
        needs: Needs,
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
        let arrays = self.sources().count() + self.validity.conditions.len();
        let reading = self.reading.within(memory.array_bytes(arrays));
        let grouping = grouping.map_or(Ok(Grouping::One), |grouping| grouping.load(&reading))?;
        let mut named = self.resolved()?;
        let mut rows = Rows::default();
        // Columns of text are read by themselves, before those of numbers.
        let mut of_numbers = Vec::new();
        for (condition, source) in self.conditions() {
            match reading.open_texts(&source)? {
                Some(texts) => {
                    rows.select(condition.of_texts(&texts.ids, &texts.texts)?)?;
                    let is_it = |(name, other): &(&str, Source)| *name == "--where" && *other == source;
                    named.retain(|named| !is_it(named));
                }
                None => of_numbers.push(condition),
            }
        }
        let sources: Vec<&Source> = named.iter().map(|(_, source)| source).collect();
        let mut opened = reading.open_all_selected(&sources)?.into_iter();
        let (Some(x), Some(t)) = (opened.next(), opened.next()) else {
            return Err(DataError::Empty { path: self.x.path.clone() }.into());
        };
        let (mask, weights) = (
            self.validity.mask.as_ref().and_then(|_| opened.next()),
            self.validity.weights.as_ref().and_then(|_| opened.next()),
        );
        let columns: Vec<Opened> = opened.collect();
        for (condition, column) in of_numbers.into_iter().zip(&columns) {
            rows.select(condition.of_numbers(&MaskedArray::from(column))?)?;
        }
        progress.end();
        self.reading.tell_unscaled(&[&x, &t], verbosity);
        let mut values = self.validity.values();
        tell_replaced(verbosity, &x, values.x_nodata);
        tell_replaced(verbosity, &t, values.t_nodata);
        let (x, is_scaled) = self.reading.scaled(x, values.x_nodata, reading.memory_bytes)?;
        values.x_nodata = values.x_nodata.filter(|_| !is_scaled);
        let (t, is_scaled) = self.reading.scaled(t, values.t_nodata, reading.memory_bytes)?;
        values.t_nodata = values.t_nodata.filter(|_| !is_scaled);
        let all: Vec<&Opened> =
            [Some(&x), Some(&t), mask.as_ref(), weights.as_ref()].into_iter().flatten().collect();
        check_keys(all.iter().copied().chain(&columns))?;
        tell_details(verbosity, &all, Masks::Given);
        tell_places(verbosity, &x, &t);
        tell_squeezed(verbosity, &x, &t);
        let files = named
            .iter()
            .zip(all.iter().copied().chain(&columns))
            .map(|((name, source), opened)| input(name, source, opened))
            .collect();
        let fitted = [Some(&x), Some(&t), weights.as_ref()].into_iter().flatten();
        let masked_by = fitted.flat_map(exclusions).collect();
        let (mask, weights) = (mask.map(MaskedArray::from), weights.map(MaskedArray::from));
        let rules = ValidityRules { mask, weights, selection: rows.0, ..values };
        let progress = Progress::of_work(verbosity.quiet, "looking for valid elements");
        let metadata = t.metadata().clone();
        let rank = t.shape().0.len();
        let mut problem = Problem::builder(x).target(t).rules(rules).memory(memory);
        if let Grouping::Axes(axes) = &grouping {
            let place = |axis: isize| if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
            problem = problem.along(axes.iter().filter_map(|&axis| usize::try_from(place(axis)?).ok()));
        }
        let problem = if needs.row_by_row { problem.row_by_row() } else { problem };
        let problem = if needs.is_shard { problem.may_be_none() } else { problem };
        let problem = problem.build()?.grouped(grouping.groups()).map_err(EngineError::from)?;
        progress.end();
        Ok((LoadedPair { problem, metadata, masked_by, files }, grouping))
    }
}

/// The rows for which all conditions so far hold.
#[derive(Default)]
struct Rows(Option<Selection>);

impl Rows {
    fn select(&mut self, more: Selection) -> Result<(), DataError> {
        self.0 = Some(match self.0.take() {
            Some(rows) => rows.and(&more)?,
            None => more,
        });
        Ok(())
    }
}

/// How a fit needs its data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    /// Gone through row by row, as batches are, however they are stored.
    pub(super) row_by_row: bool,
    /// A part of others, of which it may be that no pair is valid.
    pub(super) is_shard: bool,
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

/// Tells a user whose X and T have shapes that differ by axes of one index.
fn tell_squeezed(verbosity: Verbosity, x: &Opened, t: &Opened) {
    if x.shape() != t.shape() && x.shape().is_squeezed(t.shape()) {
        verbosity.note(&format_args!(
            "{} has the shape {} and {} {}: they differ only by axes of length 1, and the fit is over the latter's",
            x.label(),
            x.shape(),
            t.label(),
            t.shape()
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
