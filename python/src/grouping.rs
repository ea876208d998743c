//! The elements that are fitted together, from keywords.

use linfit::array::{DataError, Groups, LabelNames, Labels, MaskedArray, Nodata, Window};
use linfit::io::fits::Keys;
use linfit::io::{Reading, Source};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::of_engine;
use crate::problem::Input;

/// An axis, or several.
#[derive(FromPyObject)]
pub(crate) enum Axes {
    One(isize),
    Several(Vec<isize>),
}

crate::keywords::keywords! {
    /// The keywords of groups, of which one at most is given.
    Settings {
        axis: Axes,
        groups: Py<PyAny>,
        label_names: Vec<String>,
        tile: [u64; 2],
        window: [usize; 2],
    }
}

/// The way in which elements are grouped.
pub(crate) enum Grouping {
    Axes(Vec<isize>),
    Tiles([u64; 2]),
    Window(Window),
    /// Labels of a file.
    File(Source),
    /// Labels, or, with names, their numbers: −1 for none.
    Labels(MaskedArray, Option<Vec<String>>),
}

/// The groups of a problem, and what they are called.
pub(crate) struct Grouped {
    pub(crate) groups: Groups,
    pub(crate) keys: Keys,
    /// The labels, where they are whole numbers.
    pub(crate) wholes: Option<Vec<i128>>,
    /// The labels, where a file has them as text.
    pub(crate) texts: Option<Vec<String>>,
}

impl Settings {
    /// The grouping, if one is asked for.
    ///
    /// # Errors
    /// `ValueError`: two of them, or sizes that mean nothing.
    pub(crate) fn grouping(self, py: Python<'_>) -> PyResult<Option<Grouping>> {
        let Self { axis, groups, label_names, tile, window } = self;
        let given = [
            ("axis", axis.is_some()),
            ("groups", groups.is_some()),
            ("tile", tile.is_some()),
            ("window", window.is_some()),
        ];
        let names: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if let [one, other, ..] = names[..] {
            return Err(PyValueError::new_err(format!(
                "{one}= and {other}= are two groupings; give one of them"
            )));
        }
        Ok(Some(if let Some(axes) = axis {
            Grouping::Axes(match axes {
                Axes::One(axis) => vec![axis],
                Axes::Several(axes) => axes,
            })
        } else if let Some(tile) = tile {
            Grouping::Tiles(tile)
        } else if let Some([rows, columns]) = window {
            Grouping::Window(Window::new(rows, columns).map_err(|error| of_engine(error.into()))?)
        } else if let Some(groups) = groups {
            let groups = groups.bind(py);
            if let Ok(name) = groups.extract::<String>() {
                let source = name.parse();
                Grouping::File(source.unwrap_or_else(|_| Source { path: name.into(), key: None }))
            } else {
                let mut labels = MaskedArray::from(Input::of("groups", groups)?);
                if label_names.is_some() {
                    labels.missing.nodata = Some(Nodata::Number(-1.0));
                }
                Grouping::Labels(labels, label_names)
            }
        } else {
            return Ok(None);
        }))
    }
}

impl Grouping {
    /// The axes that fits run along, of data of so many, where these are the groups.
    pub(crate) fn along(&self, rank: usize) -> Option<Vec<usize>> {
        let Self::Axes(axes) = self else { return None };
        let place = |axis: isize| if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
        Some(axes.iter().filter_map(|&axis| usize::try_from(place(axis)?).ok()).collect())
    }

    /// The groups, of which labels in a file are read: of data of so many axes.
    pub(crate) fn grouped(self, rank: usize, memory_bytes: u64) -> Result<Grouped, DataError> {
        let plain = |groups, keys| Grouped { groups, keys, wholes: None, texts: None };
        let along = self.along(rank);
        Ok(match self {
            Self::Axes(axes) => plain(Groups::Axes(axes), Keys::along(along.unwrap_or_default())),
            Self::Tiles([rows, columns]) => {
                plain(Groups::Tiles { rows, columns }, Keys::Tiles { rows, columns })
            }
            Self::Window(_) => plain(Groups::One, Keys::along(Vec::new())),
            Self::File(source) => {
                let reading = Reading { memory_bytes, ..Reading::default() };
                let (labels, names) = match reading.open_texts(&source)? {
                    Some(texts) => Labels::of_texts(&texts.ids, &texts.texts)?,
                    None => Labels::of(&MaskedArray::from(reading.open_whole(&source)?), memory_bytes)?,
                };
                named(labels, names)
            }
            Self::Labels(array, texts) => {
                let (labels, names) = Labels::of(&array, memory_bytes)?;
                match texts {
                    // The caller has them.
                    Some(texts) => {
                        let keys = Keys::Labels(LabelNames::Text(texts));
                        plain(Groups::Labels(labels), keys)
                    }
                    None => named(labels, names),
                }
            }
        })
    }
}

fn named(labels: Labels, names: LabelNames) -> Grouped {
    let (wholes, texts) = match &names {
        LabelNames::Whole(wholes) => (Some(wholes.clone()), None),
        LabelNames::Text(texts) => (None, Some(texts.clone())),
    };
    Grouped { groups: Groups::Labels(labels), keys: Keys::Labels(names), wholes, texts }
}
