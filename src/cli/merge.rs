use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::paths::check_outputs;
use super::verbosity::Verbosity;
use super::{Outcome, print, to_json};
use crate::fit::{GradientDescent, Method, Shard, Solver, merge_shards};
use crate::io::output::OutputFile;
use crate::io::{Document, read_object};
use crate::math::{Moments, scaled};
use crate::report::FitReport;

/// Merges the moments of shards that `fit --save-moments` wrote, and solves
#[derive(Debug, Args)]
#[command(after_help = "\
Shards that were numbered with --shard are merged in that order, and all of them must be there;
others are merged in the order given. Where all but the last have a multiple of 65,536 elements,
W and b have the same bits as those of one fit over all shards in that order.

Example:
  linfit fit x1.npy t1.npy --solver exact --save-moments part1.json --shard 1/2
  linfit fit x2.npy t2.npy --solver exact --save-moments part2.json --shard 2/2
  linfit merge part1.json part2.json")]
pub(super) struct MergeArguments {
    /// The files of the shards
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,

    /// The method that finds W and b
    #[arg(long, value_enum, default_value_t = MergeSolver::Exact, help_heading = "Solver")]
    solver: MergeSolver,

    /// With --solver moments, the learning rate η; without it, the one that converges fastest
    #[arg(long, value_name = "RATE", help_heading = "Solver", allow_hyphen_values = true)]
    lr: Option<f64>,

    /// With --solver moments, the most steps [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Solver")]
    steps: Option<u64>,

    /// Write the result to this file, for `linfit predict` and --init
    #[arg(long, value_name = "MODEL", help_heading = "Output")]
    save: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,
}

/// The values of `--solver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MergeSolver {
    /// The least-squares line in closed form, without steps
    Exact,
    /// Gradient descent, its steps from the moments
    Moments,
}

impl MergeArguments {
    fn solver(&self) -> Result<Solver, CliError> {
        if self.solver == MergeSolver::Exact {
            let given = [("--lr", self.lr.is_some()), ("--steps", self.steps.is_some())];
            return match given.iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(CliError::Usage(format!(
                    "--solver exact takes no steps; remove {option}, or use --solver moments"
                ))),
                None => Ok(Solver::default()),
            };
        }
        let default = GradientDescent::default();
        let descent = GradientDescent {
            learning_rate: self.lr.unwrap_or(default.learning_rate),
            steps: self.steps.unwrap_or(default.steps),
            ..default
        };
        Ok(Solver { method: Method::Moments, descent, best_rate: self.lr.is_none(), ..Solver::default() })
    }
}

pub(super) fn run(arguments: &MergeArguments) -> Result<Outcome, CliError> {
    let solver = arguments.solver()?;
    solver.check()?;
    let inputs: Vec<_> = arguments.parts.iter().map(|part| ("PART", part.as_path())).collect();
    check_outputs(&[("--save", arguments.save.as_deref())], &inputs)?;
    let read = |part: &PathBuf| -> Result<(String, Shard), CliError> {
        Ok((part.display().to_string(), read_object(Document::Part, part)?))
    };
    let shards = arguments.parts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let count = shards.len();
    let merged = merge_shards(shards)?;
    if !merged.is_as_one {
        arguments.verbosity.note(
            &"a part but the last ends within 65536 elements, so that the last digits may differ from those of one \
             fit over all of them",
        );
    }
    let solution = solver.solve_moments(&merged.moments, &mut |_| ControlFlow::Continue(()))?;
    let source = format!("from the moments of {count} part{}", if count == 1 { "" } else { "s" });
    let mut report = FitReport::from_moments(&solution, solver.method, source);
    report.weight_sum = weight_sum(&merged.moments);
    let save = arguments.save.as_deref().map(OutputFile::create).transpose()?;
    if let Some(file) = save {
        file.finish_with(to_json(&report)?.as_bytes())?;
    }
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}

/// The sum of the weights, unless each is 1.
fn weight_sum(moments: &Moments) -> Option<f64> {
    let sum = scaled(moments.weight_sum, -moments.weight_exponent());
    #[expect(clippy::cast_precision_loss, reason = "an element count beyond 2^53 cannot be stored anywhere")]
    let is_count = sum == moments.n as f64;
    (!is_count).then_some(sum)
}
