use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::engine::EngineArguments;
use super::error::CliError;
use super::paths::check_outputs;
use super::progress::Progress;
use super::reading::{ReadingArguments, tell_spooled};
use super::verbosity::Verbosity;
use super::{Outcome, interrupt};
use crate::data::results::{ResultFile, ResultFormat};
use crate::data::{Dataset, Element, ElementType, Real, Saturated, Source, Whole};
use crate::engine::{Cpu, Engine, EngineError};
use crate::report::{count, load_model};

/// Writes Y = X·W + b for a fitted model
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit fit x.npy t.npy --save model.json
  linfit predict model.json x.npy -o y.npy
  linfit predict model.json x.npy -o y.npy --dtype f64
  linfit predict model.json raw.tif -o calibrated.tif --dtype u16 --clamp
  linfit predict model.json today.tif:1 -o calibrated.tif")]
pub(super) struct PredictArguments {
    /// A model written by `fit --save`, or any JSON with the numbers `weight` and `bias`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The inputs: FILE or FILE:KEY, KEY a column, an array's name or a band; - is stdin
    #[arg(value_name = "X")]
    x: Source,

    /// The file to write, of X's shape and of the kind its name says: .npy .npz .csv .tsv .parquet
    /// .arrow .feather .tif .safetensors .raw .bin; an array or a column in it is called y
    #[arg(short, long, value_name = "Y")]
    output: PathBuf,

    /// The type of Y's elements; all but f32 are computed in f64, on the CPU. Whole numbers are
    /// rounded to the nearest, a half to the even one
    #[arg(long, value_enum, default_value_t = OutputType::F32)]
    dtype: OutputType,

    /// Set what is beyond the range of a --dtype of whole numbers to its least or greatest one
    #[arg(long)]
    clamp: bool,

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
    let model = load_model(&arguments.model)?;
    let memory_bytes = arguments.engine.host_bytes();
    let x = arguments.reading.within(memory_bytes).open(&arguments.x)?;
    tell_spooled(arguments.verbosity, &[&x]);
    let data = Dataset::inputs_within(x, memory_bytes)?;
    let data = if format.knows_order() { data } else { data.row_by_row() };
    let element = arguments.dtype.element();
    let mut file = ResultFile::create(format, &arguments.output, data.x(), element, data.order())?;
    let mut progress = Progress::new(arguments.verbosity.quiet, data.len() as u64, "elements");

    let mut saturated = Saturated::default();
    let result = if arguments.dtype == OutputType::F32 {
        let mut engine = arguments.engine.open(&data, arguments.verbosity)?.engine;
        arguments.verbosity.detail(&format_args!("computed by {}", engine.info()));
        // Inputs that are sent through tell what they lost only afterwards.
        let known = engine.notices().len();
        let done = engine.forward(model, &mut |ys| take(&mut file, &mut progress, ys));
        arguments.verbosity.notices(&engine.notices()[known..]);
        done.map_err(CliError::from)
    } else {
        let engine = Cpu::new(&data);
        arguments.verbosity.notices(engine.notices());
        let clamp = arguments.clamp;
        engine
            .forward_as(model, &mut |ys: &[f64]| match arguments.dtype {
                OutputType::F32 | OutputType::F64 => take(&mut file, &mut progress, ys),
                OutputType::U8 => take_whole::<u8>(&mut file, &mut progress, ys, clamp, &mut saturated),
                OutputType::I8 => take_whole::<i8>(&mut file, &mut progress, ys, clamp, &mut saturated),
                OutputType::U16 => take_whole::<u16>(&mut file, &mut progress, ys, clamp, &mut saturated),
                OutputType::I16 => take_whole::<i16>(&mut file, &mut progress, ys, clamp, &mut saturated),
                OutputType::U32 => take_whole::<u32>(&mut file, &mut progress, ys, clamp, &mut saturated),
                OutputType::I32 => take_whole::<i32>(&mut file, &mut progress, ys, clamp, &mut saturated),
            })
            .map_err(CliError::from)
    };
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
    Ok(Outcome::Done)
}

/// Rounds to whole numbers; those beyond the range are an error unless they
/// are to be clamped.
fn take_whole<W: Whole>(
    file: &mut ResultFile,
    progress: &mut Progress,
    ys: &[f64],
    clamp: bool,
    saturated: &mut Saturated,
) -> io::Result<()> {
    let rounded: Vec<W> = ys.iter().map(|&y| saturated.round(y)).collect();
    if saturated.total() > 0 && !clamp {
        let (least, most) = (W::LEAST, W::MOST);
        return Err(io::Error::other(format!(
            "elements of Y lie beyond the range of {}, {least} to {most}; \
             use --clamp to set them to its ends, or another --dtype",
            W::TYPE
        )));
    }
    write(file, progress, &rounded)
}

fn take<R: Real>(file: &mut ResultFile, progress: &mut Progress, ys: &[R]) -> io::Result<()> {
    if !ys.iter().all(|y| y.is_finite()) {
        let advice =
            if R::TYPE == ElementType::F64 { "the model is out of proportion" } else { "use --dtype f64" };
        return Err(io::Error::other(format!("elements of Y lie beyond the range of {}; {advice}", R::TYPE)));
    }
    write(file, progress, ys)
}

fn write<E: Element>(file: &mut ResultFile, progress: &mut Progress, ys: &[E]) -> io::Result<()> {
    if interrupt::requested() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    file.write(ys)?;
    progress.advance(ys.len() as u64);
    Ok(())
}
