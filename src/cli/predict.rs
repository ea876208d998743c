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
use crate::data::{Dataset, ElementType, Real, Source};
use crate::engine::{Cpu, Engine, EngineError};
use crate::report::load_model;

/// Writes Y = X·W + b for a fitted model
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit fit x.npy t.npy --save model.json
  linfit predict model.json x.npy -o y.npy
  linfit predict model.json x.npy -o y.npy --dtype f64
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

    /// The type of Y's elements; f64 is computed in f64, on the CPU
    #[arg(long, value_enum, default_value_t = OutputType::F32)]
    dtype: OutputType,

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
}

pub(super) fn run(arguments: &PredictArguments) -> Result<Outcome, CliError> {
    let inputs = [("MODEL", arguments.model.as_path()), ("X", arguments.x.path.as_path())];
    check_outputs(&[("-o", Some(arguments.output.as_path()))], &inputs)?;
    let format = ResultFormat::of(&arguments.output)?;
    let model = load_model(&arguments.model)?;
    let memory_bytes = arguments.engine.host_bytes();
    let x = arguments.reading.within(memory_bytes).open(&arguments.x)?;
    tell_spooled(arguments.verbosity, &[&x]);
    let data = Dataset::inputs_within(x, memory_bytes)?;
    let data = if format.knows_order() { data } else { data.row_by_row() };
    let element = match arguments.dtype {
        OutputType::F32 => ElementType::F32,
        OutputType::F64 => ElementType::F64,
    };
    let mut file = ResultFile::create(format, &arguments.output, data.x(), element, data.order())?;
    let mut progress = Progress::new(arguments.verbosity.quiet, data.len() as u64, "elements");

    let result = match arguments.dtype {
        OutputType::F64 if !arguments.engine.allows_cpu() => {
            Err(CliError::Usage("--dtype f64 is computed on the CPU; use --engine cpu with it".to_owned()))
        }
        OutputType::F64 => {
            let engine = Cpu::new(&data);
            arguments.verbosity.notices(engine.notices());
            engine
                .forward_as(model, &mut |ys: &[f64]| take(&mut file, &mut progress, ys))
                .map_err(CliError::from)
        }
        OutputType::F32 => {
            let mut engine = arguments.engine.open(&data, arguments.verbosity)?.engine;
            arguments.verbosity.detail(&format_args!("computed by {}", engine.info()));
            // Inputs that are sent through tell what they lost only afterwards.
            let known = engine.notices().len();
            let done = engine.forward(model, &mut |ys| take(&mut file, &mut progress, ys));
            arguments.verbosity.notices(&engine.notices()[known..]);
            done.map_err(CliError::from)
        }
    };
    progress.end();
    match result {
        Ok(()) => {}
        Err(_) if interrupt::requested() => return Ok(Outcome::Interrupted),
        Err(CliError::Engine(EngineError::Sink(source))) => return Err(file.failed(source).into()),
        Err(error) => return Err(error),
    }
    file.finish()?;
    Ok(Outcome::Done)
}

fn take<R: Real>(file: &mut ResultFile, progress: &mut Progress, ys: &[R]) -> io::Result<()> {
    if interrupt::requested() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    if !ys.iter().all(|y| y.is_finite()) {
        let advice =
            if R::TYPE == ElementType::F64 { "the model is out of proportion" } else { "use --dtype f64" };
        return Err(io::Error::other(format!("elements of Y lie beyond the range of {}; {advice}", R::TYPE)));
    }
    file.write(ys)?;
    progress.advance(ys.len() as u64);
    Ok(())
}
