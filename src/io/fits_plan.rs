//! The results of many fits, as files hold them.

#[cfg(feature = "tiff")]
use std::fmt::Write as _;

use serde_json::Value;

use super::metadata::Metadata;
use crate::array::{LabelNames, Shape};

/// The numbers of each fit.
pub const NUMBERS: usize = 8;

/// The place among them of the number of elements, which is whole.
pub(super) const COUNT: usize = 2;

/// The number of each fit in a column of a table.
type Numbers<'p> = Box<dyn Fn(usize) -> i128 + 'p>;

/// The keys that number the fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// All axes of X but these, along which they run.
    Along(Vec<usize>),
    /// These axes of X.
    Numbering(Vec<usize>),
    /// The axes of X, the last two in tiles.
    Tiles {
        /// The rows of a tile.
        rows: u64,
        /// The columns of a tile.
        columns: u64,
    },
    /// Labels.
    Labels(LabelNames),
}

impl Keys {
    /// The keys of fits along some axes, from 0.
    #[must_use]
    pub fn along(axes: Vec<usize>) -> Self {
        Self::Along(axes)
    }

    /// The name of a fit: its label, its index along the one axis, or its indices.
    #[must_use]
    pub fn name_of(&self, shape: &Shape, fit: usize) -> Value {
        if let Self::Labels(names) = self {
            return match names {
                LabelNames::Whole(labels) => labels.get(fit).map_or(Value::Null, |label| {
                    i64::try_from(*label)
                        .map(Value::from)
                        .or_else(|_| u64::try_from(*label).map(Value::from))
                        .unwrap_or(Value::Null)
                }),
                LabelNames::Text(labels) => {
                    labels.get(fit).map_or(Value::Null, |label| label.as_str().into())
                }
            };
        }
        match &index(shape, fit)[..] {
            [one] => (*one).into(),
            indices => indices.to_vec().into(),
        }
    }

    /// The columns by which a table names its fits, with their numbers: of labels
    /// `group`, of tiles their first row and column, else an index along each axis.
    pub(super) fn columns(&self, shape: &Shape) -> Vec<(String, Numbers<'_>)> {
        let rank = shape.0.len();
        let shape = shape.clone();
        let axis = move |place: usize, times: u64| -> Numbers<'static> {
            let shape = shape.clone();
            Box::new(move |fit| i128::from(index(&shape, fit)[place] * times))
        };
        match self {
            Self::Labels(LabelNames::Whole(labels)) => {
                vec![("group".to_owned(), Box::new(move |fit| labels[fit]))]
            }
            Self::Labels(LabelNames::Text(_)) => Vec::new(),
            Self::Tiles { rows, columns } => (0..rank)
                .map(|place| match rank - place {
                    2 => ("row".to_owned(), axis(place, *rows)),
                    1 => ("column".to_owned(), axis(place, *columns)),
                    _ => (format!("axis{place}"), axis(place, 1)),
                })
                .map(|(name, number)| (name, number as Numbers<'static>))
                .collect(),
            Self::Along(_) | Self::Numbering(_) => {
                let numbering = self.numbering(rank);
                (0..rank)
                    .map(|place| (format!("axis{}", numbering[place]), axis(place, 1) as Numbers<'static>))
                    .collect()
            }
        }
    }

    /// The axes of X that number fits, of which there are so many.
    fn numbering(&self, count: usize) -> Vec<usize> {
        match self {
            Self::Along(along) => (0..).filter(|axis| !along.contains(axis)).take(count).collect(),
            Self::Numbering(axes) => axes.clone(),
            Self::Tiles { .. } | Self::Labels(_) => (0..count).collect(),
        }
    }
}

/// The index along each axis of a number, row by row.
fn index(shape: &Shape, number: usize) -> Vec<u64> {
    let mut number = number as u64;
    let mut index = vec![0; shape.0.len()];
    for (place, &extent) in index.iter_mut().zip(&shape.0).rev() {
        *place = number % extent.max(1);
        number /= extent.max(1);
    }
    index
}

/// The contents of a file of many fits.
pub struct FitsPlan<'a> {
    /// The shape in which they are numbered row by row.
    pub shape: &'a Shape,
    /// The names of their numbers, the third of which is whole.
    pub names: &'a [&'static str; NUMBERS],
    /// The numbers of a fit.
    pub numbers: &'a (dyn Fn(usize) -> [f64; NUMBERS] + Sync),
    /// The number of fits.
    pub count: usize,
    /// The keys that number them.
    pub keys: &'a Keys,
    /// The metadata of the file of X: images keep its place on Earth.
    pub metadata: &'a Metadata,
    /// The summary that a JSON file begins with, an object.
    pub summary: Option<&'a str>,
}

impl FitsPlan<'_> {
    /// One number of each of some fits, as bytes: counts as whole numbers of 64 bits.
    pub(super) fn bytes(&self, column: usize, fits: std::ops::Range<usize>) -> Vec<u8> {
        let numbers = fits.map(|fit| (self.numbers)(fit)[column]);
        if column == COUNT {
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            let counts: Vec<i64> = numbers.map(|number| number as i64).collect();
            bytemuck::cast_slice(&counts).to_vec()
        } else {
            bytemuck::cast_slice(&numbers.collect::<Vec<f64>>()).to_vec()
        }
    }

    /// Notes in an image on what its bands are, in GDAL's form, and what numbers the
    /// fits.
    #[cfg(feature = "tiff")]
    pub(super) fn gdal_metadata(&self) -> String {
        let mut text = "<GDALMetadata>\n".to_owned();
        for (band, name) in self.names.iter().enumerate() {
            let _ = writeln!(
                text,
                "  <Item name=\"DESCRIPTION\" sample=\"{band}\" role=\"description\">{name}</Item>"
            );
        }
        let (name, value) = match self.keys {
            Keys::Tiles { rows, columns } => ("LINFIT_TILE", format!("{rows}x{columns}")),
            Keys::Along(axes) => {
                ("LINFIT_AXIS", axes.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
            }
            Keys::Numbering(_) | Keys::Labels(_) => ("LINFIT_FITS", String::new()),
        };
        let _ = writeln!(text, "  <Item name=\"{name}\">{value}</Item>");
        text + "</GDALMetadata>\n"
    }
}
