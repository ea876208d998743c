//! `linfit predict`: the arguments and the course of a prediction. An `output`
//! takes Y to its file in the `types` that it can have.

mod many;
mod output;
mod types;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::engine::{Auto, EngineArguments, Opened};
use super::error::CliError;
use super::hint::told;
use super::pair::tell_replaced;
use super::paths::check_outputs;
use super::reading::{Masks, ReadingArguments, tell_details};
use super::validity::{ValidRange, nodata};
use super::verbosity::Verbosity;
use super::{Outcome, interrupt};
use crate::array::{ElementType, Problem, ValidityRules, shown};
use crate::engine::{Cpu, EngineError};
use crate::io::fits::load_fits;
use crate::io::results::{self, Append, ResultFile, ResultFormat, ResultPlan};
use crate::io::{ImageCompression, Opened as OpenedArray, Source, load_model};
use crate::math::Affine;
use output::{Output, shortest};
use types::{OutputType, holds};

/// Writes Y = X·W + b for a fitted model
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit fit x.npy t.npy --save model.json
  linfit predict model.json x.npy -o y.npy
  linfit predict model.json x.npy -o y.npy --dtype f64
  linfit predict model.json raw.tif -o calibrated.tif --dtype u16 --clamp
  linfit predict model.json grey.png -o calibrated.png --dtype u8 --clamp
  linfit predict model.json today.tif:1 -o calibrated.tif
  linfit predict model.json table.parquet:height -o with_weight.parquet --append=weight
  linfit predict model.json today.tif:1 -o calibrated.tif --dtype u16 --clamp --y-nodata 65535")]
pub(super) struct PredictArguments {
    /// A model written by `fit --save`, or any JSON with the numbers `weight` and `bias`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The inputs: FILE or FILE:KEY, KEY a column, an array's name or a band; - is stdin
    #[arg(value_name = "X")]
    x: Source,

    /// The file to write, of X's shape and in the format of its name: .npy .npz .csv .tsv .parquet
    /// .arrow .feather .tif .png (with --dtype u8 or u16) .safetensors .raw .bin .dat; an array or a
    /// column in it is called y
    #[arg(short, long, value_name = "Y")]
    output: PathBuf,

    /// Write all columns of X's .parquet, .arrow or .feather table, and Y as one more, called y or NAME:
    /// to one of these formats
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "y")]
    append: Option<String>,

    /// The type of Y's elements; all but f32 are computed in f64, on the CPU. Types of whole numbers
    /// get the nearest one, and of two equally near the even one
    #[arg(long, value_enum, default_value_t = OutputType(ElementType::F32))]
    dtype: OutputType,

    /// Set elements beyond the range of a --dtype of whole numbers to its least or greatest number
    #[arg(long)]
    clamp: bool,

    /// The compression of a .tif. Default: that of X's image, whose tiles or strips, predictor, BigTIFF,
    /// interleaving, names of bands and other metadata Y has too
    #[arg(long, value_enum, value_name = "METHOD")]
    compress: Option<Compress>,

    /// The nodata value of X, a number or nan. Default: the file's own (GDAL's tag of a .tif, else
    /// _FillValue)
    #[arg(long, visible_alias = "x-nodata", value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    nodata: Option<f64>,

    /// Elements of X below LO or above HI are missing
    #[arg(long, visible_alias = "x-valid-range", value_name = "LO,HI", allow_hyphen_values = true)]
    valid_range: Option<ValidRange>,

    /// The nodata value of Y, a number or nan: Y has it where X is missing, and a .tif gets the tag.
    /// Default: that of X, and nan for nulls, which .parquet, .arrow, .feather, .csv and .tsv keep
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    y_nodata: Option<f64>,

    /// The labels of X's elements, for a model of `fit --groups`
    #[arg(long, value_name = "FILE[:KEY]")]
    groups: Option<Source>,

    #[command(flatten)]
    engine: EngineArguments,

    #[command(flatten)]
    verbosity: Verbosity,

    #[command(flatten)]
    reading: ReadingArguments,
}

/// The compression of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compress {
    None,
    Deflate,
    Zstd,
    Lzw,
}

impl PredictArguments {
    fn compression(&self) -> Option<ImageCompression> {
        self.compress.map(|compress| match compress {
            Compress::None => ImageCompression::None,
            Compress::Deflate => ImageCompression::Deflate,
            Compress::Zstd => ImageCompression::Zstd,
            Compress::Lzw => ImageCompression::Lzw,
        })
    }

    fn append(&self) -> Option<Append<'_>> {
        self.append.as_ref().map(|column| Append { table: &self.x.path, column })
    }

    /// Tells how the file is written.
    fn tell_notes(&self, file: &ResultFile) {
        let label = shown(&self.output);
        file.notes().iter().for_each(|note| self.verbosity.note(&format_args!("{label}: {}", told(note))));
    }

    fn check(&self) -> Result<(), CliError> {
        let element = self.dtype.0;
        if self.append.is_some() && !ResultFormat::of(&self.output)?.holds_tables() {
            return Err(CliError::Usage(
                "--append writes a table; write .parquet, .arrow or .feather, or remove it".to_owned(),
            ));
        }
        if self.append.is_some() && self.x.is_stdin() {
            return Err(CliError::Usage(
                "--append reads X's file again; save stdin to a file first".to_owned(),
            ));
        }
        if self.compress.is_some() && ResultFormat::of(&self.output)? != ResultFormat::Tiff {
            return Err(CliError::Usage("--compress is for a .tif; remove it, or write one".to_owned()));
        }
        if self.clamp && element.is_float() {
            return Err(CliError::Usage(format!(
                "--clamp is for whole numbers, and --dtype is {element}; use --dtype u8, i8, u16, i16, u32 or i32"
            )));
        }
        if element != ElementType::F32 && !self.engine.allows_cpu() {
            return Err(CliError::Usage(format!(
                "--dtype {element} is computed on the CPU; use --engine cpu with it"
            )));
        }
        Ok(())
    }

    /// Opens and checks X, in an order that the format can write.
    fn load(&self, format: ResultFormat) -> Result<(OpenedArray, Problem), CliError> {
        let x = self.open()?;
        let problem = self.problem(&x, ValidityRules::default(), !format.knows_order())?;
        Ok((x, problem))
    }

    fn problem(&self, x: &OpenedArray, rules: ValidityRules, by_rows: bool) -> Result<Problem, CliError> {
        let rules = ValidityRules { valid_range: self.valid_range.map(|range| range.0), ..rules };
        let problem = Problem::builder(x).rules(rules).memory_bytes(self.engine.host_bytes());
        Ok(if by_rows { problem.row_by_row() } else { problem }.build()?)
    }

    fn open(&self) -> Result<OpenedArray, CliError> {
        let mut x = self.reading.within(self.engine.host_bytes()).open_selected(&self.x)?;
        self.reading.tell_unscaled(&[&x], self.verbosity);
        if self.nodata.is_some() {
            tell_replaced(self.verbosity, &x, self.nodata);
            x.set_nodata(self.nodata);
        }
        let (x, _) = self.reading.scaled(x, None, self.engine.host_bytes())?;
        tell_details(self.verbosity, &[&x], Masks::None);
        Ok(x)
    }

    /// The nodata value of Y: the user's, else that of X, else NaN where X has
    /// nulls that the format doesn't keep, or elements outside the valid range. Fails if Y's type has no such value.
    fn nodata_of_y(
        &self,
        x: &OpenedArray,
        keeps_nulls: bool,
        excludes_range: bool,
    ) -> Result<Option<f64>, CliError> {
        let element = self.dtype.0;
        if let Some(nodata) = self.y_nodata {
            if !holds(element, nodata) {
                return Err(CliError::Usage(format!(
                    "--y-nodata {}: no element of type {element} has this value; use another, or another --dtype",
                    shortest(nodata)
                )));
            }
            return Ok(Some(nodata));
        }
        let (fill, has_nulls) = (x.metadata().fill(), x.metadata().has_nulls());
        if fill.is_some() || ((!has_nulls || keeps_nulls) && !excludes_range) {
            return Ok(fill);
        }
        if !element.is_float() && excludes_range {
            return Err(CliError::Usage(format!(
                "{}: some elements are outside the valid range, for which {element} has no value; give one with \
                 --y-nodata VALUE",
                x.label()
            )));
        }
        if !element.is_float() {
            return Err(CliError::Usage(format!(
                "{}: has nulls, for which {element} has no value; give one with --y-nodata VALUE, or write \
                 .parquet, .arrow or .csv",
                x.label()
            )));
        }
        Ok(Some(f64::NAN))
    }
}

pub(super) fn run(arguments: &PredictArguments) -> Result<Outcome, CliError> {
    arguments.check()?;
    let inputs = [("MODEL", arguments.model.as_path()), ("X", arguments.x.path.as_path())];
    check_outputs(&[("-o", Some(arguments.output.as_path()))], &inputs)?;
    if let Some(fits) = load_fits(&arguments.model)? {
        return many::run(arguments, &fits);
    }
    if arguments.groups.is_some() {
        return Err(CliError::Usage("--groups is for a model of many fits; remove it".to_owned()));
    }
    let format = ResultFormat::of(&arguments.output)?;
    let element = arguments.dtype.0;
    let engine = match element {
        ElementType::F32 => Some(arguments.engine.choose(Auto::Cpu, arguments.verbosity)?),
        _ => None,
    };
    let model = load_model(&arguments.model)?;
    let (x, data) = arguments.load(format)?;
    let keeps_nulls = format.holds_nulls();
    let excludes_range = data.validity().is_some_and(|validity| validity.excluded().range > 0);
    let nodata = arguments.nodata_of_y(&x, keeps_nulls, excludes_range)?;
    // Before there is an output: a driver that takes the program with it leaves
    // no unfinished file.
    let engine = engine.filter(|_| data.valid_len() > 0);
    let engine = engine.map(|engine| engine.open(&data, arguments.verbosity)).transpose()?;
    let (shape, metadata) = (x.shape(), x.metadata());
    let (order, compression, memory_bytes) =
        (data.order(), arguments.compression(), arguments.engine.host_bytes());
    let plan = ResultPlan {
        shape,
        metadata,
        element,
        order,
        nodata,
        append: arguments.append(),
        compression,
        memory_bytes,
    };
    let file = results::create(format, &arguments.output, &plan)?;
    arguments.tell_notes(&file);
    let mut output = Output::new(file, &data, &plan, keeps_nulls, arguments.clamp, arguments.verbosity);

    let result = predict(&mut output, &data, engine, model, arguments.verbosity);
    ended(output, result, arguments.verbosity)
}

/// Puts an output in its place, unless what was to be written to it failed.
fn ended(
    output: Output<'_>,
    result: Result<(), EngineError>,
    verbosity: Verbosity,
) -> Result<Outcome, CliError> {
    output.progress.end();
    match result {
        Ok(()) => {}
        Err(_) if interrupt::requested() => return Ok(Outcome::Interrupted),
        Err(EngineError::Sink(source)) => return Err(output.file.failed(source).into()),
        Err(error) => return Err(error.into()),
    }
    output.finish(verbosity)?;
    Ok(Outcome::Done)
}

/// Computes Y on an engine, or in f64 on the CPU if none was opened.
fn predict(
    output: &mut Output<'_>,
    data: &Problem,
    engine: Option<Opened>,
    model: Affine,
    verbosity: Verbosity,
) -> Result<(), EngineError> {
    if data.valid_len() == 0 {
        return output.fill().map_err(EngineError::Sink);
    }
    let _listening = interrupt::Watch::brief();
    let Some(Opened { mut engine, .. }) = engine else {
        let mut engine = Cpu::new(data);
        verbosity.notices_of(&mut engine);
        return engine.predict_as(model, &mut |ys: &[f64]| output.write_f64(ys));
    };
    verbosity.detail(&format_args!("computed by {}", engine.info()));
    // Inputs that are streamed tell what they lost only afterwards.
    let done = engine.predict(model, &mut |ys| output.write_real(ys));
    verbosity.notices_of(engine.as_mut());
    done
}
