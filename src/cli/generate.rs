use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::paths::check_outputs;
use super::progress::Progress;
use super::values::{ShapeArgument, TypeArgument};
use super::verbosity::Verbosity;
use super::{Outcome, interrupt};
use crate::array::Order;
use crate::io::npy;
use crate::io::synthetic::Recipe;
use crate::math::Affine;

/// Writes a synthetic pair: random X, and T = X·W + b + noise
#[derive(Debug, Args)]
#[command(after_help = "\
Floating-point X is standard normal; integers are uniform, over the whole range of 8- and 16-bit
types and up to ±1,000,000 in wider ones. The same seed gives the same files on any machine.

Examples:
  linfit generate -x x.npy -t t.npy --shape 8192x8192
  linfit generate -x x.npy -t t.npy --shape 1000x1000 --weight 0.5 --bias 10 --noise 2 --dtype u8")]
pub(super) struct GenerateArguments {
    /// The .npy file for X
    #[arg(short, value_name = "X.npy")]
    x: PathBuf,

    /// The .npy file for T
    #[arg(short, value_name = "T.npy")]
    t: PathBuf,

    /// Rows and columns, or any number of dimensions: 8192x8192, 1000, 10x20x30
    #[arg(long, default_value = "1024x1024", value_name = "RxC")]
    shape: ShapeArgument,

    /// The weight W that T is made with
    #[arg(long, default_value_t = 2.0, value_name = "W", allow_hyphen_values = true)]
    weight: f64,

    /// The bias b that T is made with
    #[arg(long, default_value_t = 1.0, value_name = "B", allow_hyphen_values = true)]
    bias: f64,

    /// The standard deviation of the noise on T
    #[arg(long, default_value_t = 0.1, value_name = "S", allow_hyphen_values = true)]
    noise: f64,

    /// The type of the elements: u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    dtype: TypeArgument,

    /// The seed of the random numbers
    #[arg(long, default_value_t = 0, value_name = "SEED", allow_hyphen_values = true)]
    seed: u64,

    #[command(flatten)]
    verbosity: Verbosity,
}

pub(super) fn run(arguments: &GenerateArguments) -> Result<Outcome, CliError> {
    let recipe = Recipe {
        model: Affine::new(arguments.weight, arguments.bias),
        noise: arguments.noise,
        element: arguments.dtype.0,
        seed: arguments.seed,
    };
    if !recipe.model.is_finite() {
        return Err(CliError::Usage("--weight and --bias must be finite numbers".to_owned()));
    }
    if !(recipe.noise >= 0.0 && recipe.noise.is_finite()) {
        return Err(CliError::Usage(format!(
            "--noise must be 0 or a positive number, not {:?}",
            recipe.noise
        )));
    }
    check_outputs(&[("-x", Some(arguments.x.as_path())), ("-t", Some(arguments.t.as_path()))], &[])?;
    let shape = &arguments.shape.0;
    let kind = recipe.element;
    arguments.verbosity.detail(&format_args!("{shape} elements of {kind}, seed {}", recipe.seed));
    let elements = shape.elements().unwrap_or(0);
    let mut x = npy::create(&arguments.x, shape, recipe.element, Order::C)?;
    let mut t = npy::create(&arguments.t, shape, recipe.element, Order::C)?;
    let mut progress = Progress::new(arguments.verbosity.quiet, elements, "elements");
    let listening = interrupt::Watch::brief();
    let written = recipe.write(elements, &mut x, &mut t, |done| {
        progress.show(done, String::new);
        !interrupt::requested()
    })?;
    drop(listening);
    progress.end();
    if interrupt::requested() {
        return Ok(Outcome::Interrupted);
    }
    x.flush()?;
    t.flush()?;
    x.finish()?;
    t.finish()?;
    if written.saturated > 0 {
        let count = written.saturated;
        arguments.verbosity.note(&format!(
            "{count} of {elements} elements of T lay beyond {kind} and were stored as its limit"
        ));
    }
    Ok(Outcome::Done)
}
