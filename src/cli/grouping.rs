use std::str::FromStr;

use clap::Args;

use super::error::CliError;
use crate::array::{Groups, LabelNames, Labels, MaskedArray, Window};
use crate::engine::EngineError;
use crate::io::{Reading, Source};

/// The elements that are fitted together: one way at most.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many fits")]
#[group(id = "grouping", multiple = false)]
pub(super) struct GroupingArguments {
    /// Fit along these axes, each fit at an index of the others: 0 for a line of each pixel of a
    /// stack of frames, 1,2 for one of each band of an image; -1 is the last axis
    #[arg(
        long,
        value_name = "A[,B]",
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Many fits"
    )]
    axis: Option<Vec<isize>>,

    /// Fit the elements of each label: a file of X's shape of whole numbers of any type, or a column of
    /// text of .parquet, .arrow, .csv or .tsv
    #[arg(long, value_name = "FILE[:KEY]", help_heading = "Many fits")]
    pub(super) groups: Option<Source>,

    /// Fit each tile of so many rows and columns of the last two axes
    #[arg(long, value_name = "RxC", help_heading = "Many fits")]
    tile: Option<Extent>,

    /// Fit the neighbourhood of each element, of an odd number of rows and columns of the last two axes
    #[arg(long, value_name = "RxC", help_heading = "Many fits")]
    window: Option<Extent>,
}

/// Rows and columns, as `64x64`.
#[derive(Debug, Clone, Copy)]
struct Extent([usize; 2]);

impl FromStr for Extent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let extents: Vec<usize> =
            text.split(['x', 'X', '×']).filter_map(|extent| extent.trim().parse().ok()).collect();
        match extents[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok(Self([rows, columns])),
            _ => Err("expected rows and columns, such as 64x64".to_owned()),
        }
    }
}

/// The way in which elements are grouped.
#[derive(Debug, Clone)]
pub(super) enum Grouping {
    /// All elements are one fit.
    One,
    /// Along axes.
    Axes(Vec<isize>),
    /// In tiles of rows and columns.
    Tiles([usize; 2]),
    /// By neighbourhoods.
    Window(Window),
    /// By labels, which are called so.
    Labels(Labels, LabelNames),
}

impl Grouping {
    /// The groups of a problem.
    pub(super) fn groups(&self) -> Groups {
        match self {
            Self::One | Self::Window(_) => Groups::One,
            Self::Axes(axes) => Groups::Axes(axes.clone()),
            Self::Tiles([rows, columns]) => Groups::Tiles { rows: *rows as u64, columns: *columns as u64 },
            Self::Labels(labels, _) => Groups::Labels(labels.clone()),
        }
    }
}

impl GroupingArguments {
    /// Whether there are many fits.
    pub(super) fn is_given(&self) -> bool {
        self.axis.is_some() || self.groups.is_some() || self.tile.is_some() || self.window.is_some()
    }

    /// Whether each fit is of a neighbourhood.
    pub(super) fn is_window(&self) -> bool {
        self.window.is_some()
    }

    /// Checks the options and reads the labels.
    pub(super) fn load(&self, reading: &Reading) -> Result<Grouping, CliError> {
        if let Some(axes) = &self.axis {
            return Ok(Grouping::Axes(axes.clone()));
        }
        if let Some(Extent([rows, columns])) = self.window {
            let window = Window::new(rows, columns).map_err(EngineError::from)?;
            return Ok(Grouping::Window(window));
        }
        if let Some(Extent(extent)) = self.tile {
            return Ok(Grouping::Tiles(extent));
        }
        match &self.groups {
            Some(source) => {
                let (labels, names) = labels(source, reading)?;
                Ok(Grouping::Labels(labels, names))
            }
            None => Ok(Grouping::One),
        }
    }
}

/// The labels of a file.
pub(super) fn labels(source: &Source, reading: &Reading) -> Result<(Labels, LabelNames), CliError> {
    if let Some(texts) = reading.open_texts(source)? {
        return Ok(Labels::of_texts(&texts.ids, &texts.texts)?);
    }
    let opened = reading.open_whole(source)?;
    Ok(Labels::of(&MaskedArray::from(opened), reading.memory_bytes)?)
}
