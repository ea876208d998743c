use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::paths::check_outputs;
use super::save_fits::save_fits;
use super::verbosity::Verbosity;
use super::{Outcome, print, to_json};
use crate::array::{LabelNames, Shape};
use crate::fit::{GradientDescent, Method, Shard, ShardGroups, Solver, merge_groups, merge_shards};
use crate::io::fits::{FitsFormat, Keys};
use crate::io::output::OutputFile;
use crate::io::{Document, Metadata, read_object};
use crate::math::{Affine, LineKind, Moments, scaled};
use crate::report::{FitReport, ManyReport};

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

    /// The line that is fitted, as `fit --line` has it
    #[arg(long, value_name = "LINE", default_value_t = LineKind::LeastSquares, help_heading = "Solver")]
    line: LineKind,

    /// The weight to start from, or that of --line offset [default: 0; 1 with --line offset]
    #[arg(long, value_name = "W", help_heading = "Solver", allow_hyphen_values = true)]
    w0: Option<f64>,

    /// The bias to start from, or that of --line through-origin [default: 0]
    #[arg(long, value_name = "B", help_heading = "Solver", allow_hyphen_values = true)]
    b0: Option<f64>,

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
        let first_weight = if let LineKind::Offset { weight } = self.line { weight } else { 0.0 };
        let start = Affine::new(self.w0.unwrap_or(first_weight), self.b0.unwrap_or(0.0));
        if self.solver == MergeSolver::Exact {
            let (fixes_weight, fixes_bias) = (
                matches!(self.line, LineKind::Offset { .. }),
                matches!(self.line, LineKind::ThroughOrigin { .. }),
            );
            let given = [
                ("--lr", self.lr.is_some()),
                ("--steps", self.steps.is_some()),
                ("--w0", self.w0.is_some() && !fixes_weight),
                ("--b0", self.b0.is_some() && !fixes_bias),
            ];
            return if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
                Err(CliError::Usage(format!(
                    "--solver exact takes no steps; remove {option}, or use --solver moments"
                )))
            } else {
                let descent = GradientDescent { start, ..GradientDescent::default() };
                Ok(Solver { line: self.line, descent, ..Solver::default() })
            };
        }
        if self.line.is_symmetric() {
            return Err(CliError::Usage(format!(
                "--line {} is found without steps, not by descent; use --solver exact",
                self.line
            )));
        }
        let default = GradientDescent::default();
        let descent = GradientDescent {
            start,
            learning_rate: self.lr.unwrap_or(default.learning_rate),
            steps: self.steps.unwrap_or(default.steps),
            ..default
        };
        Ok(Solver {
            method: Method::Moments,
            line: self.line,
            descent,
            best_rate: self.lr.is_none(),
            ..Solver::default()
        })
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
    let source = format!("from the moments of {count} part{}", if count == 1 { "" } else { "s" });
    if shards.iter().any(|(_, shard)| shard.groups.is_some()) {
        return run_groups(arguments, &solver, shards, source);
    }
    let merged = merge_shards(shards)?;
    if !merged.is_as_one {
        arguments.verbosity.note(
            &"a part but the last ends within 65536 elements, so that the last digits may differ from those of one \
             fit over all of them",
        );
    }
    let solution = solver.solve_moments(&merged.moments, &mut |_| ControlFlow::Continue(()))?;
    let mut report = FitReport::from_moments(&solution, solver.method, source);
    report.weight_sum = weight_sum(&merged.moments);
    let save = arguments.save.as_deref().map(OutputFile::create).transpose()?;
    if let Some(file) = save {
        file.finish_with(to_json(&report)?.as_bytes())?;
    }
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}

/// Merges shards of which each group has a fit.
fn run_groups(
    arguments: &MergeArguments,
    solver: &Solver,
    shards: Vec<(String, Shard)>,
    source: String,
) -> Result<Outcome, CliError> {
    let format = arguments.save.as_deref().map(FitsFormat::of).transpose()?;
    let merged = merge_groups(shards)?;
    let (shape, keys) = match merged.groups {
        ShardGroups::Along { axes, shape } => (Shape(shape), Keys::along(axes)),
        ShardGroups::Whole(labels) => {
            (Shape(vec![labels.len() as u64]), Keys::Labels(LabelNames::Whole(labels)))
        }
        ShardGroups::Text(labels) => {
            (Shape(vec![labels.len() as u64]), Keys::Labels(LabelNames::Text(labels)))
        }
    };
    let moments = &merged.moments;
    let fits = solver.solve_many_moments(shape, moments, &mut |_, _| ControlFlow::Continue(()))?;
    if fits.degenerate() == fits.rows.len() as u64 {
        return Err(CliError::Usage(format!(
            "none of {} fits has a line; merge more parts",
            fits.rows.len()
        )));
    }
    let report = ManyReport::from_moments(&fits, moments, &keys, solver.method, source);
    if let Some((path, format)) = arguments.save.as_deref().zip(format) {
        save_fits(path, format, &fits, &keys, &Metadata::default(), &report)?;
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
