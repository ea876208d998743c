use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::engine::{Auto, EngineArguments, Opened};
use super::error::CliError;
use super::holes::nodata;
use super::pair::tell_replaced;
use super::paths::check_outputs;
use super::progress::Progress;
use super::reading::{ReadingArguments, tell_details};
use super::verbosity::Verbosity;
use super::{Outcome, interrupt};
use crate::array::{Element, ElementType, Problem, Real, Saturated, Whole};
use crate::engine::{Cpu, Engine, EngineError};
use crate::io::results::{self, ResultFile, ResultFormat, ResultPlan};
use crate::io::{Metadata, Opened as OpenedArray, Source};
use crate::report::{count, load_model};

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
  linfit predict model.json today.tif:1 -o calibrated.tif --dtype u16 --clamp --y-nodata 65535")]
pub(super) struct PredictArguments {
    /// A model written by `fit --save`, or any JSON with the numbers `weight` and `bias`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The inputs: FILE or FILE:KEY, KEY a column, an array's name or a band; - is stdin
    #[arg(value_name = "X")]
    x: Source,

    /// The file to write, of X's shape and of the kind its name says: .npy .npz .csv .tsv .parquet
    /// .arrow .feather .tif .png (with --dtype u8 or u16) .safetensors .raw .bin .dat; an array or a
    /// column in it is called y
    #[arg(short, long, value_name = "Y")]
    output: PathBuf,

    /// The type of Y's elements; all but f32 are computed in f64, on the CPU. Whole numbers are
    /// rounded to the nearest, a half to the even one
    #[arg(long, value_enum, default_value_t = OutputType::F32)]
    dtype: OutputType,

    /// Set what is beyond the range of a --dtype of whole numbers to its least or greatest one
    #[arg(long)]
    clamp: bool,

    /// The value that stands for nothing in X, also nan. Default: what the file says (a .tif by GDAL's
    /// tag, others by _FillValue)
    #[arg(long, visible_alias = "x-nodata", value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    nodata: Option<f64>,

    /// The value that stands for nothing in Y, also nan: Y has it where X has nothing, and a .tif says so.
    /// Default: that of X, and nan for nulls, which .parquet, .arrow, .feather, .csv and .tsv keep
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    y_nodata: Option<f64>,

    #[command(flatten)]
    reading: ReadingArguments,

    #[command(flatten)]
    engine: EngineArguments,

    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputType {
    F32,
    F64,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
}

impl OutputType {
    fn element(self) -> ElementType {
        match self {
            Self::F32 => ElementType::F32,
            Self::F64 => ElementType::F64,
            Self::U8 => ElementType::U8,
            Self::I8 => ElementType::I8,
            Self::U16 => ElementType::U16,
            Self::I16 => ElementType::I16,
            Self::U32 => ElementType::U32,
            Self::I32 => ElementType::I32,
        }
    }
}

impl PredictArguments {
    fn check(&self) -> Result<(), CliError> {
        let name = self.dtype.element().name();
        if self.clamp && self.dtype.element().is_float() {
            return Err(CliError::Usage(format!(
                "--clamp is for whole numbers, and --dtype is {name}; use --dtype u8, i8, u16, i16, u32 or i32"
            )));
        }
        if self.dtype != OutputType::F32 && !self.engine.allows_cpu() {
            return Err(CliError::Usage(format!(
                "--dtype {name} is computed on the CPU; use --engine cpu with it"
            )));
        }
        Ok(())
    }
}

pub(super) fn run(arguments: &PredictArguments) -> Result<Outcome, CliError> {
    arguments.check()?;
    let inputs = [("MODEL", arguments.model.as_path()), ("X", arguments.x.path.as_path())];
    check_outputs(&[("-o", Some(arguments.output.as_path()))], &inputs)?;
    let format = ResultFormat::of(&arguments.output)?;
    let engine = match arguments.dtype {
        OutputType::F32 => Some(arguments.engine.choose(Auto::Cpu, arguments.verbosity)?),
        _ => None,
    };
    let model = load_model(&arguments.model)?;
    let memory_bytes = arguments.engine.host_bytes();
    let mut x = arguments.reading.within(memory_bytes).open(&arguments.x)?;
    tell_details(arguments.verbosity, &[&x]);
    if arguments.nodata.is_some() {
        tell_replaced(arguments.verbosity, &x, arguments.nodata);
        x.set_nodata(arguments.nodata);
    }
    let problem = Problem::builder(&x).memory_bytes(memory_bytes);
    let problem = if format.knows_order() { problem } else { problem.row_by_row() };
    let data = problem.build()?;
    let element = arguments.dtype.element();
    let nulls_stay = format.holds_nulls();
    let nodata = nodata_of_y(arguments, &x, nulls_stay)?;
    // Before there is an output: a driver that takes the program with it leaves
    // no unfinished file.
    let engine = engine.filter(|_| data.valid_len() > 0);
    let engine = engine.map(|engine| engine.open(&data, arguments.verbosity)).transpose()?;
    let (shape, metadata) = (x.shape(), x.metadata());
    let plan = ResultPlan { shape, metadata, element, order: data.order(), nodata };
    let mut output = Output {
        file: results::create(format, &arguments.output, &plan)?,
        progress: Progress::new(arguments.verbosity.quiet, data.len() as u64, "elements"),
        data: &data,
        metadata,
        nodata,
        nulls_stay,
        written: 0,
        alike: 0,
        clamp: arguments.clamp,
        saturated: Saturated::default(),
    };

    let result = if data.valid_len() == 0 {
        output.take_nothing(arguments.dtype)
    } else if let Some(Opened { mut engine, .. }) = engine {
        arguments.verbosity.detail(&format_args!("computed by {}", engine.info()));
        // Inputs that are sent through tell what they lost only afterwards.
        let known = engine.notices().len();
        let listening = interrupt::Watch::brief();
        let done = engine.forward(model, &mut |ys| output.take(ys));
        drop(listening);
        arguments.verbosity.notices(&engine.notices()[known..]);
        done.map_err(CliError::from)
    } else {
        let engine = Cpu::new(&data);
        arguments.verbosity.notices(engine.notices());
        let _listening = interrupt::Watch::brief();
        engine
            .forward_as(model, &mut |ys: &[f64]| output.take_as(arguments.dtype, ys))
            .map_err(CliError::from)
    };
    let Output { file, progress, saturated, alike, .. } = output;
    progress.end();
    match result {
        Ok(()) => {}
        Err(_) if interrupt::requested() => return Ok(Outcome::Interrupted),
        Err(CliError::Engine(EngineError::Sink(source))) => return Err(file.failed(source).into()),
        Err(error) => return Err(error),
    }
    file.finish()?;
    if saturated.total() > 0 {
        let (below, above) = (count(saturated.below), count(saturated.above));
        arguments.verbosity.note(&format!(
            "{} of {} elements of Y saturated: {below} below the range of {element}, {above} above it",
            count(saturated.total()),
            count(data.len() as u64)
        ));
    }
    if let Some(nodata) = nodata.filter(|_| alike > 0) {
        let equal = if alike == 1 { "element of Y equals" } else { "elements of Y equal" };
        arguments.verbosity.note(&format!(
            "{} {equal} the nodata value {nodata} and will be taken for nothing; choose another with --y-nodata",
            count(alike)
        ));
    }
    Ok(Outcome::Done)
}

/// What stands for nothing in Y: what the user says, else that of X, else NaN
/// where X has nulls that Y's format doesn't. Fails if Y's type has no such
/// value.
fn nodata_of_y(
    arguments: &PredictArguments,
    x: &OpenedArray,
    nulls_stay: bool,
) -> Result<Option<f64>, CliError> {
    let element = arguments.dtype.element();
    if let Some(nodata) = arguments.y_nodata {
        if !holds(arguments.dtype, nodata) {
            return Err(CliError::Usage(format!(
                "--y-nodata {nodata}: no element of type {element} has this value; use another, or another --dtype"
            )));
        }
        return Ok(Some(nodata));
    }
    let (fill, has_nulls) = (x.metadata().fill(), x.metadata().has_nulls());
    if fill.is_some() || !has_nulls || nulls_stay {
        return Ok(fill);
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

/// Whether a type has a value for this number: itself or, with fractions, the
/// nearest.
fn holds(dtype: OutputType, number: f64) -> bool {
    fn is_whole<W: Whole>(number: f64) -> bool {
        whole::<W>(number).is_some()
    }
    match dtype {
        OutputType::F32 => !number.is_finite() || number.to_f32().is_finite(),
        OutputType::F64 => true,
        OutputType::U8 => is_whole::<u8>(number),
        OutputType::I8 => is_whole::<i8>(number),
        OutputType::U16 => is_whole::<u16>(number),
        OutputType::I16 => is_whole::<i16>(number),
        OutputType::U32 => is_whole::<u32>(number),
        OutputType::I32 => is_whole::<i32>(number),
    }
}

/// A number in a type of whole numbers, if the type has it.
fn whole<W: Whole>(number: f64) -> Option<W> {
    let nearest: W = Saturated::default().round(number);
    Some(nearest).filter(|nearest| nearest.to_f64() == number)
}

/// Where Y goes.
struct Output<'d> {
    file: ResultFile,
    progress: Progress,
    data: &'d Problem,
    metadata: &'d Metadata,
    /// What stands for nothing.
    nodata: Option<f64>,
    /// Whether the file has nulls where X has.
    nulls_stay: bool,
    /// Elements so far.
    written: usize,
    /// Those of them that are predictions, but equal what stands for nothing.
    alike: u64,
    clamp: bool,
    saturated: Saturated,
}

impl Output<'_> {
    /// What stands for nothing wherever it is asked for: nothing is predicted from
    /// nothing, so no engine is needed.
    fn take_nothing(&mut self, dtype: OutputType) -> Result<(), CliError> {
        const RUN_ELEMENTS: usize = 1 << 16;
        let zeros = vec![0f64; RUN_ELEMENTS.min(self.data.len())];
        while self.written < self.data.len() {
            let ys = &zeros[..RUN_ELEMENTS.min(self.data.len() - self.written)];
            self.take_as(dtype, ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }

    /// Predictions in f64, of which the file shall have another type.
    fn take_as(&mut self, dtype: OutputType, ys: &[f64]) -> io::Result<()> {
        match dtype {
            OutputType::F32 => {
                let ys: Vec<f32> = ys.iter().map(|y| y.to_f32()).collect();
                self.take(&ys)
            }
            OutputType::F64 => self.take(ys),
            OutputType::U8 => self.take_whole::<u8>(ys),
            OutputType::I8 => self.take_whole::<i8>(ys),
            OutputType::U16 => self.take_whole::<u16>(ys),
            OutputType::I16 => self.take_whole::<i16>(ys),
            OutputType::U32 => self.take_whole::<u32>(ys),
            OutputType::I32 => self.take_whole::<i32>(ys),
        }
    }

    /// Fractions as they are, and nodata where X has it.
    fn take<R: Real>(&mut self, ys: &[R]) -> io::Result<()> {
        let finite = |ys: &[R]| ys.iter().all(|y| y.is_finite());
        let beyond = || {
            let advice = if R::TYPE == ElementType::F64 {
                "the model is out of proportion"
            } else {
                "use --dtype f64"
            };
            io::Error::other(format!("elements of Y lie beyond the range of {}; {advice}", R::TYPE))
        };
        let nodata = self.nodata.map(R::from_element);
        if self.data.validity().is_none() {
            if !finite(ys) {
                return Err(beyond());
            }
            self.count_alike(ys, nodata, &[]);
            return self.write(ys);
        }
        let mut ys = ys.to_vec();
        let holes = self.holes(ys.len());
        // Whatever came of a hole, it is not beyond any range.
        holes.iter().for_each(|&k| ys[k] = R::zeroed());
        if !finite(&ys) {
            return Err(beyond());
        }
        self.count_alike(&ys, nodata, &holes);
        let nodata = nodata.unwrap_or(R::from_element(f64::NAN));
        self.without_nulls(holes).into_iter().for_each(|k| ys[k] = nodata);
        self.write(&ys)
    }

    /// Rounds to whole numbers; those beyond the range are an error unless they
    /// are to be clamped.
    fn take_whole<W: Whole>(&mut self, ys: &[f64]) -> io::Result<()> {
        let holes = self.holes(ys.len());
        let mut rounded = Vec::with_capacity(ys.len());
        let mut next_hole = holes.iter().copied().peekable();
        for (k, &y) in ys.iter().enumerate() {
            let is_hole = next_hole.next_if_eq(&k).is_some();
            rounded.push(if is_hole { W::zeroed() } else { self.saturated.round(y) });
        }
        let (least, most) = (W::LEAST, W::MOST);
        if self.saturated.total() > 0 && !self.clamp {
            return Err(io::Error::other(format!(
                "elements of Y lie beyond the range of {}, {least} to {most}; \
                 use --clamp to set them to its ends, or another --dtype",
                W::TYPE
            )));
        }
        let nodata = self.nodata.and_then(whole::<W>);
        self.count_alike(&rounded, nodata, &holes);
        let holes = self.without_nulls(holes);
        if !holes.is_empty() {
            let nodata = nodata.ok_or_else(|| {
                io::Error::other(format!(
                    "the nodata value {} is no {}, {least} to {most}; give Y another with --y-nodata VALUE, or use \
                     another --dtype",
                    self.nodata.unwrap_or(f64::NAN),
                    W::TYPE
                ))
            })?;
            holes.into_iter().for_each(|k| rounded[k] = nodata);
        }
        self.write(&rounded)
    }

    /// Counts the predictions that whoever reads them will take for nothing.
    fn count_alike<E: Element>(&mut self, ys: &[E], nodata: Option<E>, holes: &[usize]) {
        let Some(nodata) = nodata.map(E::to_f64) else { return };
        let is_alike = |y: E| y.to_f64() == nodata;
        let all = ys.iter().filter(|&&y| is_alike(y)).count();
        let of_holes = holes.iter().filter(|&&k| is_alike(ys[k])).count();
        self.alike += (all - of_holes) as u64;
    }

    /// The places of the next elements of Y that X has nothing for.
    fn holes(&self, elements: usize) -> Vec<usize> {
        let is_hole = |k: &usize| self.data.validity().is_some_and(|v| !v.contains(self.written + k));
        (0..elements).filter(is_hole).collect()
    }

    /// Those of the holes that the file has no null for.
    fn without_nulls(&self, mut holes: Vec<usize>) -> Vec<usize> {
        holes.retain(|k| !(self.nulls_stay && self.metadata.is_null(self.written + k)));
        holes
    }

    fn write<E: Element>(&mut self, ys: &[E]) -> io::Result<()> {
        if interrupt::requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.file.write(ys)?;
        self.written += ys.len();
        self.progress.advance(ys.len() as u64);
        Ok(())
    }
}
