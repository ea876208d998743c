//! A fit of many groups: the arguments of `fit`, and another course.

use std::ops::ControlFlow;
use std::time::Instant;

use super::FitArguments;
use crate::array::{LabelNames, Shape, Validity, Window};
use crate::cli::engine::Auto;
use crate::cli::error::CliError;
use crate::cli::grouping::Grouping;
use crate::cli::pair::LoadedPair;
use crate::cli::pictures::FoundMany;
use crate::cli::progress::Progress;
use crate::cli::save_fits::save_fits;
use crate::cli::solver::Solver;
use crate::cli::{Outcome, interrupt, print, tell};
use crate::engine::{Engine, EngineError};
use crate::fit::{FitRow, ManyFits, Method, ShardGroups, StopReason};
use crate::io::fits::{FitsFormat, Keys};
use crate::math::{Affine, LineKind, Moments};
use crate::report::{ManyReport, Timings, far_by};

/// The most fits whose history is written.
const MOST_HISTORIES: u64 = 1_000;

pub(super) fn run(arguments: &FitArguments, solver: &Solver<'_>) -> Result<Outcome, CliError> {
    let format = arguments.save.as_deref().map(FitsFormat::of).transpose()?;
    if arguments.history.is_some() {
        return Err(CliError::Usage(format!(
            "--history is of one fit; fit one group alone with --mask, or look at the result of up to {MOST_HISTORIES} \
             with --json"
        )));
    }
    solver.check_for_many(arguments.grouping.is_window())?;
    if arguments.dry_run {
        return Err(CliError::Usage(
            "--dry-run is for one fit; remove it, or the option that groups elements".to_owned(),
        ));
    }
    let engine = arguments.engine.choose(Auto::Cpu, arguments.verbosity)?;
    let started = Instant::now();
    let (LoadedPair { problem: data, masked_by, metadata, files }, grouping) = arguments.pair.load_grouped(
        &arguments.grouping,
        arguments.shards.is_given(),
        arguments.engine.host_bytes(),
        arguments.verbosity,
    )?;
    let load_s = started.elapsed().as_secs_f64();

    let shard_groups = arguments
        .shards
        .is_given()
        .then(|| shard_groups(&grouping, &keys(&grouping, data.x().shape()), data.fits().shape()))
        .transpose()?;
    let started = Instant::now();
    let opened = engine.open(&data, arguments.verbosity)?;
    let mut engine = opened.engine;
    let prepare_s = started.elapsed().as_secs_f64();

    let pictures = arguments.pictures.begin()?;
    let listening = interrupt::Watch::patient();
    let started = Instant::now();
    let mut timings = Timings { load_s, prepare_s, ..Timings::default() };
    let mut far = 0;
    let fits = if let Grouping::Window(window) = grouping {
        let rows = neighbourhoods(solver, engine.as_mut(), window)?;
        timings.moments_s = started.elapsed().as_secs_f64();
        timings.fit_s = timings.moments_s;
        rows
    } else {
        let over = data.grid().chunks();
        let partials = engine.moments(over)?;
        let moments = if let Some(groups) = shard_groups {
            let (_, moments) = partials.totals().map_err(EngineError::from)?;
            arguments.shards.finish(arguments.shards.begin()?, &data, partials, Some(groups))?;
            moments
        } else {
            partials.into_totals().map_err(EngineError::from)?.1
        };
        timings.moments_s = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let shape = data.fits().shape().clone();
        let fits = solved(arguments, solver, engine.as_mut(), shape, &moments)?;
        timings.fit_s = started.elapsed().as_secs_f64();
        let is_of_moments = solver.option_of_elements().is_none();
        if arguments.solver.method() != Method::Exact
            && solver.whole.line == LineKind::LeastSquares
            && is_of_moments
        {
            far = ended_far(&fits, &moments);
        }
        fits
    };
    drop(listening);
    arguments.verbosity.notices_of(engine.as_mut());
    if fits.degenerate() == fits.rows.len() as u64 && arguments.shards.is_given() {
        arguments.verbosity.note(&"no fit of this shard has a line of its own");
        return Ok(Outcome::Done);
    }
    if fits.degenerate() == fits.rows.len() as u64 {
        return Err(CliError::Usage(format!(
            "none of {} fits has a line: each has fewer than two valid elements, or X does not vary within it; \
             choose other groups",
            fits.rows.len()
        )));
    }
    #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
    let bandwidth_gb_s = engine.pass_bytes() as f64 / timings.moments_s.max(1e-9) / 1e9;
    timings.bandwidth_gb_s = bandwidth_gb_s;
    let keys = keys(&grouping, data.x().shape());
    let mut report = ManyReport::new(&fits, &keys, arguments.solver.method(), engine.info().clone(), timings);
    report.n = data.valid_len();
    report.excluded = data.validity().map(Validity::excluded);
    report.masked_by = masked_by;
    report.weight_sum = data.weights().map(|_| data.weight_sum());
    report.learning_rate = solver.fixed_rate();
    if let Some((path, format)) = arguments.save.as_deref().zip(format) {
        save_fits(path, format, &fits, &keys, &metadata, &report)?;
    }
    pictures.draw_many(FoundMany { fits: &fits, keys: &keys, report: &report, files })?;
    let diverged = tell_of_ends(arguments, &fits, far);
    print(&report, arguments.json)?;
    Ok(match (diverged, stopped(&fits, StopReason::Interrupted)) {
        (_, 1..) => Outcome::Interrupted,
        (1.., _) => Outcome::CheckFailed,
        _ => Outcome::Done,
    })
}

/// Notes the fits without a line and those that ended far from theirs, and tells how
/// many diverged: their number.
fn tell_of_ends(arguments: &FitArguments, fits: &ManyFits, far: usize) -> u64 {
    let degenerate = fits.degenerate();
    if degenerate > 0 {
        arguments.verbosity.note(&format_args!(
            "{} of {} fits have no line: fewer than two valid elements, or X does not vary; their numbers are NaN",
            degenerate, fits.rows.len()
        ));
    }
    if far > 0 {
        arguments.verbosity.note(&format_args!(
            "{far} of {} descents ended far from their least-squares lines, with more than 1.01 times the least \
             loss; use more --steps, --lr auto, --standardize or --solver exact",
            fits.rows.len()
        ));
    }
    let diverged = stopped(fits, StopReason::Diverged);
    if diverged > 0 {
        tell(&format_args!(
            "linfit: {diverged} of {} fits diverged; their last finite W and b are given; use --lr auto",
            fits.rows.len()
        ));
    }
    diverged
}

/// The number of fits that stopped for a reason.
fn stopped(fits: &ManyFits, reason: StopReason) -> u64 {
    fits.stopped.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
}

/// The number of descents that ended far from their least-squares lines.
fn ended_far(fits: &ManyFits, moments: &[Moments]) -> usize {
    let is_far = |(row, moments): &(&FitRow, &Moments)| {
        !row.is_degenerate() && far_by(row.model(), row.loss, Affine::default(), moments).is_some()
    };
    fits.rows.iter().zip(moments).filter(is_far).count()
}

/// The fits of groups with these moments.
fn solved(
    arguments: &FitArguments,
    solver: &Solver<'_>,
    engine: &mut dyn Engine,
    shape: Shape,
    moments: &[Moments],
) -> Result<ManyFits, CliError> {
    if solver.option_of_elements().is_some() {
        return Ok(ManyFits::each(engine, shape, moments, &solver.whole, &interrupt::requested)?);
    }
    let descends = arguments.solver.method() == Method::GradientDescent;
    let quiet = arguments.verbosity.quiet || !descends;
    let mut progress = Progress::new(quiet, arguments.solver.steps(), "steps");
    let mut observe = |step: u64, stopped: usize| {
        progress.show(step, || format!("{stopped} fits done"));
        // A fit from the moments that is not made has no numbers, where a descent has some.
        if descends { go_on() } else { ControlFlow::Continue(()) }
    };
    let fits = solver.whole.fits_of(engine, shape, moments, &mut observe);
    progress.end();
    Ok(fits?)
}

/// The fits of the neighbourhoods of all elements, from their moments.
fn neighbourhoods(
    solver: &Solver<'_>,
    engine: &mut dyn Engine,
    window: Window,
) -> Result<ManyFits, CliError> {
    let fits = solver.whole.solve_windows(engine, window, &mut |_, _| go_on())?;
    // Those of the first elements are no map.
    if stopped(&fits, StopReason::Interrupted) > 0 { Err(CliError::Interrupted) } else { Ok(fits) }
}

fn go_on() -> ControlFlow<()> {
    if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The keys of the fits, for the files that they are saved to.
fn keys(grouping: &Grouping, shape: &Shape) -> Keys {
    let rank = shape.0.len();
    match grouping {
        Grouping::Axes(axes) => {
            let place = |axis: isize| if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
            Keys::along(axes.iter().filter_map(|&axis| usize::try_from(place(axis)?).ok()).collect())
        }
        Grouping::Tiles([rows, columns]) => Keys::Tiles { rows: *rows as u64, columns: *columns as u64 },
        Grouping::Labels(_, names) => Keys::Labels(names.clone()),
        Grouping::Window(_) | Grouping::One => Keys::along(Vec::new()),
    }
}

/// The groups of a shard.
fn shard_groups(grouping: &Grouping, keys: &Keys, fits: &Shape) -> Result<ShardGroups, CliError> {
    match (grouping, keys) {
        (Grouping::Axes(_), Keys::Along(axes)) => {
            Ok(ShardGroups::Along { axes: axes.clone(), shape: fits.0.clone() })
        }
        (Grouping::Labels(_, LabelNames::Whole(labels)), _) => Ok(ShardGroups::Whole(labels.clone())),
        (Grouping::Labels(_, LabelNames::Text(labels)), _) => Ok(ShardGroups::Text(labels.clone())),
        _ => Err(CliError::Usage(
            "--save-moments is of one fit, or of those of --axis or --groups; tiles and windows of shards are not those \
             of the whole"
                .to_owned(),
        )),
    }
}
