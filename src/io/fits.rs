//! Files of many fits: maps of W and b and of what is known of them, and tables with a
//! row for each fit.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

pub use super::fits_plan::{FitsPlan, Keys, NUMBERS};
use super::output::OutputFile;
use super::source::{Reading, Source};
use super::{npz, safetensors};
use crate::array::{Array, DataError, LabelNames, Order, Shape};

const FORMATS: &str = ".npz .tif .parquet .arrow .feather .csv .safetensors .json";

/// A kind of file that many fits are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitsFormat {
    /// NumPy's archive: an array for each number.
    Npz,
    /// An image of rows and columns: a band for each number.
    Tiff,
    /// A table.
    Parquet,
    /// A table, in Arrow IPC.
    Arrow,
    /// A table, as text.
    Csv,
    /// A tensor for each number.
    Safetensors,
    /// The summary, and a list for each number.
    Json,
}

impl FitsFormat {
    /// The format that a file's extension asks for.
    ///
    /// # Errors
    /// [`DataError::OutputFormat`].
    pub fn of(path: &Path) -> Result<Self, DataError> {
        Self::named(path).ok_or_else(|| DataError::OutputFormat {
            path: path.to_owned(),
            what: "many fits",
            formats: FORMATS,
        })
    }

    fn named(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        Some(match extension.as_str() {
            "npz" => Self::Npz,
            "tif" | "tiff" => Self::Tiff,
            "parquet" => Self::Parquet,
            "arrow" | "feather" => Self::Arrow,
            "csv" => Self::Csv,
            "safetensors" => Self::Safetensors,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

/// Writes many fits.
///
/// # Errors
/// [`DataError::Write`]; [`DataError::FitsOutput`] for fits that the format cannot hold.
pub fn write_fits(path: &Path, format: FitsFormat, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    match format {
        FitsFormat::Npz => npz::write_fits(path, plan),
        FitsFormat::Safetensors => safetensors::write_fits(path, plan),
        FitsFormat::Csv => write_csv(path, plan),
        FitsFormat::Json => write_json(path, plan),
        #[cfg(feature = "tiff")]
        FitsFormat::Tiff => super::tiff::write_fits(path, plan),
        #[cfg(feature = "parquet")]
        FitsFormat::Parquet => super::parquet::write_fits(path, plan),
        #[cfg(feature = "parquet")]
        FitsFormat::Arrow => super::arrow::write_fits(path, plan),
        #[cfg(not(feature = "tiff"))]
        FitsFormat::Tiff => Err(DataError::not_built(path, "TIFF", "tiff")),
        #[cfg(not(feature = "parquet"))]
        FitsFormat::Parquet | FitsFormat::Arrow => {
            Err(DataError::not_built(path, "Parquet and Arrow", "parquet"))
        }
    }
}

fn write_csv(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    let mut file = OutputFile::create(path)?;
    let keys = plan.keys.columns(plan.shape);
    let texts = match plan.keys {
        Keys::Labels(LabelNames::Text(texts)) => Some(texts),
        _ => None,
    };
    let mut write = || -> io::Result<()> {
        let names = texts.iter().map(|_| "group").chain(keys.iter().map(|(name, _)| name.as_str()));
        writeln!(file, "{}", names.chain(plan.names.iter().copied()).collect::<Vec<_>>().join(","))?;
        let mut text = String::new();
        for fit in 0..plan.count {
            use std::fmt::Write as _;
            text.clear();
            if let Some(texts) = texts {
                let _ = write!(text, "\"{}\",", texts[fit].replace('"', "\"\""));
            }
            keys.iter().for_each(|(_, number)| {
                let _ = write!(text, "{},", number(fit));
            });
            for (k, number) in (plan.numbers)(fit).into_iter().enumerate() {
                let comma = if k + 1 < NUMBERS { "," } else { "" };
                // An empty field is a missing value to every reader.
                let _ = match number {
                    number if number.is_nan() => write!(text, "{comma}"),
                    number if k == super::fits_plan::COUNT => write!(text, "{number}{comma}"),
                    number => write!(text, "{number:?}{comma}"),
                };
            }
            writeln!(file, "{text}")?;
        }
        Ok(())
    };
    write().map_err(|e| DataError::write(path, e))?;
    file.finish()
}

fn write_json(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    let failed = |e: serde_json::Error| DataError::write(path, e.into());
    let mut object: Map<String, Value> =
        serde_json::from_str(plan.summary.unwrap_or("{}")).map_err(failed)?;
    // The lists have all of them.
    object.remove("results");
    let mut model = Map::new();
    model.insert("shape".to_owned(), plan.shape.0.clone().into());
    match plan.keys {
        Keys::Along(axes) => model.insert("axis".to_owned(), axes.clone().into()),
        Keys::Numbering(axes) => model.insert("numbering".to_owned(), axes.clone().into()),
        Keys::Tiles { rows, columns } => model.insert("tile".to_owned(), vec![*rows, *columns].into()),
        Keys::Labels(names) => {
            let names = (0..names.len()).map(|fit| plan.keys.name_of(plan.shape, fit)).collect::<Vec<_>>();
            model.insert("groups".to_owned(), names.into())
        }
    };
    for (column, name) in plan.names.iter().enumerate() {
        let number = |fit: usize| {
            let number = (plan.numbers)(fit)[column];
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            if column == super::fits_plan::COUNT { Value::from(number as i64) } else { Value::from(number) }
        };
        model.insert((*name).to_owned(), (0..plan.count).map(number).collect::<Vec<_>>().into());
    }
    object.insert("model".to_owned(), model.into());
    let mut text = serde_json::to_vec_pretty(&Value::from(object)).map_err(failed)?;
    text.push(b'\n');
    OutputFile::create(path)?.finish_with(&text)
}

/// Many fits that were saved.
#[derive(Debug, Clone)]
pub struct SavedFits {
    /// The shape in which they are numbered row by row.
    pub shape: Shape,
    /// The keys that number them.
    pub keys: Keys,
    /// W of each; NaN without a line.
    pub weight: Vec<f64>,
    /// b of each.
    pub bias: Vec<f64>,
}

/// Reads many fits that [`write_fits`] wrote; `None` if the file holds one model, or is of
/// a format that holds no more.
///
/// # Errors
/// [`DataError::NoFits`]: the file has no such fits. Those of opening its arrays.
pub fn load_fits(path: &Path) -> Result<Option<SavedFits>, DataError> {
    let Some(format) = FitsFormat::named(path).filter(|_| path.is_file()) else { return Ok(None) };
    match format {
        FitsFormat::Json => load_json(path),
        FitsFormat::Safetensors | FitsFormat::Npz => load_arrays(path, format),
        FitsFormat::Tiff => load_image(path).map(Some),
        FitsFormat::Parquet | FitsFormat::Arrow | FitsFormat::Csv => load_table(path).map(Some),
    }
}

fn open(path: &Path, key: &str) -> Result<Array, DataError> {
    let source = Source { path: path.to_owned(), key: Some(key.to_owned()) };
    let opened = Reading::default().open(&source)?;
    Ok((*opened).clone())
}

fn numbers(array: &Array) -> Vec<f64> {
    let mut numbers = vec![0f64; array.len()];
    array.read(Order::C, 0, &mut numbers);
    numbers
}

/// Numbers of a file that are whole and not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are checked")]
fn wholes(array: &Array) -> Option<Vec<u64>> {
    let whole = |number: f64| {
        (number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53)).then_some(number as u64)
    };
    numbers(array).into_iter().map(whole).collect()
}

fn no_fits(path: &Path, reason: &'static str) -> DataError {
    DataError::NoFits { path: path.to_owned(), reason }
}

/// Fits of the same shape, if W and b are there for each.
fn checked(
    path: &Path,
    shape: Shape,
    keys: Keys,
    [weight, bias]: [Vec<f64>; 2],
) -> Result<SavedFits, DataError> {
    let count = shape.elements();
    if count != Some(weight.len() as u64) || count != Some(bias.len() as u64) {
        return Err(no_fits(path, "its weights and biases are not as many as its shape has"));
    }
    if let Keys::Labels(names) = &keys
        && names.len() != weight.len()
    {
        return Err(no_fits(path, "it has not as many labels as fits"));
    }
    Ok(SavedFits { shape, keys, weight, bias })
}

fn labels_of(array: &Array) -> LabelNames {
    LabelNames::Whole(array.all_wholes())
}

fn load_arrays(path: &Path, format: FitsFormat) -> Result<Option<SavedFits>, DataError> {
    let weight = match open(path, "weight") {
        // Another reader says what is wrong with a file of one model.
        Err(_) if format == FitsFormat::Safetensors => return Ok(None),
        weight => weight?,
    };
    let axis = open(path, "axis");
    let tile = open(path, "tile");
    let keys = match (axis, tile) {
        (Ok(axis), _) => {
            let axes = wholes(&axis).ok_or_else(|| no_fits(path, "its axes are no numbers of axes"))?;
            Keys::Along(axes.into_iter().map(|axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect())
        }
        (_, Ok(tile)) => match wholes(&tile).as_deref() {
            Some(&[rows, columns]) if rows > 0 && columns > 0 => Keys::Tiles { rows, columns },
            _ => return Err(no_fits(path, "its tile is not of rows and columns")),
        },
        _ => match open(path, "groups") {
            Ok(groups) => Keys::Labels(labels_of(&groups)),
            // A model of one fit, or none at all, for the reader of models to say.
            Err(_) if format == FitsFormat::Safetensors => return Ok(None),
            Err(_) => return Err(no_fits(path, "it does not say what its fits are along")),
        },
    };
    let bias = open(path, "bias")?;
    let shape = weight.shape().clone();
    checked(path, shape, keys, [numbers(&weight), numbers(&bias)]).map(Some)
}

fn load_image(path: &Path) -> Result<SavedFits, DataError> {
    let (weight, bias) = (open(path, "1")?, open(path, "2")?);
    #[cfg(feature = "tiff")]
    let notes = Reading::default().gdal_notes(&Source { path: path.to_owned(), key: None })?;
    #[cfg(not(feature = "tiff"))]
    let notes: Option<String> = None;
    let notes = notes.ok_or_else(|| no_fits(path, "it does not say what its bands are"))?;
    let item = |name: &str| {
        let (_, rest) = notes.split_once(&format!("<Item name=\"{name}\">"))?;
        rest.split_once('<').map(|(value, _)| value.to_owned())
    };
    let keys = if let Some(axes) = item("LINFIT_AXIS") {
        Keys::Along(axes.split(',').filter_map(|axis| axis.parse().ok()).collect())
    } else if let Some((rows, columns)) = item("LINFIT_TILE").as_deref().and_then(|tile| tile.split_once('x'))
    {
        let extents =
            rows.parse().ok().zip(columns.parse().ok()).filter(|(rows, columns)| *rows > 0 && *columns > 0);
        let (rows, columns) = extents.ok_or_else(|| no_fits(path, "its tile is not of rows and columns"))?;
        Keys::Tiles { rows, columns }
    } else {
        return Err(no_fits(path, "it does not say what its fits are along"));
    };
    let shape = weight.shape().clone();
    checked(path, shape, keys, [numbers(&weight), numbers(&bias)])
}

fn load_table(path: &Path) -> Result<SavedFits, DataError> {
    let column = |name: &str| open(path, name);
    let models =
        || -> Result<[Vec<f64>; 2], DataError> { Ok([nullable(path, "weight")?, nullable(path, "bias")?]) };
    let count = models()?[0].len() as u64;
    let source = Source { path: path.to_owned(), key: Some("group".to_owned()) };
    if let Ok(Some(texts)) = Reading::default().open_texts(&source) {
        let names: Option<Vec<String>> = texts
            .ids
            .as_slice::<u32>(Order::C)
            .unwrap_or_default()
            .iter()
            .map(|&id| texts.texts.get(id as usize).cloned())
            .collect();
        let names = names.ok_or_else(|| no_fits(path, "a label is missing"))?;
        return checked(path, Shape(vec![count]), Keys::Labels(LabelNames::Text(names)), models()?);
    }
    if let Ok(group) = Reading::default().open_whole(&source) {
        return checked(path, Shape(vec![count]), Keys::Labels(labels_of(&group)), models()?);
    }
    // The extent along an axis is that of its greatest index.
    let (mut numbering, mut shape) = (Vec::new(), Vec::new());
    for axis in 0..64 {
        if let Ok(indices) = column(&format!("axis{axis}")) {
            let indices = wholes(&indices).ok_or_else(|| no_fits(path, "an index is not a whole number"))?;
            numbering.push(axis);
            shape.push(indices.iter().max().map_or(0, |most| most + 1));
        }
    }
    if let (Ok(rows), Ok(columns)) = (column("row"), column("column")) {
        let mut extents = [0; 2];
        for (extent, places) in extents.iter_mut().zip([rows, columns]) {
            let places =
                wholes(&places).ok_or_else(|| no_fits(path, "a row or column is not a whole number"))?;
            let step = places.iter().copied().filter(|&place| place > 0).min();
            *extent = step.unwrap_or(u64::from(u32::MAX));
            shape.push(places.iter().max().map_or(0, |most| most / *extent + 1));
        }
        let keys = Keys::Tiles { rows: extents[0], columns: extents[1] };
        return checked(path, Shape(shape), keys, models()?);
    }
    if numbering.is_empty() && count != 1 {
        return Err(no_fits(path, "it has no column group, axis0, axis1, …, or row and column"));
    }
    checked(path, Shape(shape), Keys::Numbering(numbering), models()?)
}

/// A column, NaN where it is null.
fn nullable(path: &Path, name: &str) -> Result<Vec<f64>, DataError> {
    let source = Source { path: path.to_owned(), key: Some(name.to_owned()) };
    let opened = Reading::default().open(&source)?;
    let mut numbers = numbers(&opened);
    let nulls = |(k, number): (usize, &mut f64)| {
        if opened.metadata().is_null(k) {
            *number = f64::NAN;
        }
    };
    numbers.iter_mut().enumerate().for_each(nulls);
    Ok(numbers)
}

fn load_json(path: &Path) -> Result<Option<SavedFits>, DataError> {
    let text = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    let Ok(Value::Object(object)) = serde_json::from_slice(&text) else { return Ok(None) };
    let Some(Value::Object(model)) = object.get("model") else { return Ok(None) };
    let list = |name: &str| model.get(name).and_then(Value::as_array);
    let numbers = |name| -> Option<Vec<f64>> {
        list(name)?
            .iter()
            .map(|number| if number.is_null() { Some(f64::NAN) } else { number.as_f64() })
            .collect()
    };
    let wholes = |name| -> Option<Vec<u64>> { list(name)?.iter().map(Value::as_u64).collect() };
    let axes =
        |axes: Vec<u64>| axes.into_iter().map(|axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect();
    let keys = if let Some(along) = wholes("axis") {
        Keys::Along(axes(along))
    } else if let Some(numbering) = wholes("numbering") {
        Keys::Numbering(axes(numbering))
    } else if let Some(&[rows, columns]) = wholes("tile").as_deref()
        && rows > 0
        && columns > 0
    {
        Keys::Tiles { rows, columns }
    } else if let Some(labels) = list("groups") {
        let whole = |label: &Value| label.as_i64().map(i128::from).or_else(|| label.as_u64().map(i128::from));
        let texts = labels.iter().map(|label| label.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
        let names = match (labels.iter().map(whole).collect::<Option<Vec<_>>>(), texts) {
            (Some(labels), _) => LabelNames::Whole(labels),
            (None, Some(labels)) => LabelNames::Text(labels),
            _ => return Err(no_fits(path, "its labels are neither whole numbers nor texts")),
        };
        Keys::Labels(names)
    } else {
        return Err(no_fits(path, "it does not say what its fits are along"));
    };
    let shape = wholes("shape").ok_or_else(|| no_fits(path, "it does not say the shape of its fits"))?;
    let models = numbers("weight").zip(numbers("bias"));
    let (weight, bias) = models.ok_or_else(|| no_fits(path, "its weights or biases are not numbers"))?;
    checked(path, Shape(shape), keys, [weight, bias]).map(Some)
}
