//! Predictions by a model of many fits.

use super::PredictArguments;
use super::output::Output;
use crate::array::{Array, Groups, MaskedArray, Problem, ValidityRules, shown};
use crate::cli::error::CliError;
use crate::cli::grouping::labels;
use crate::cli::{Outcome, interrupt};
use crate::engine::{Cpu, EngineError};
use crate::io::Opened;
use crate::io::fits::{Keys, SavedFits};
use crate::io::results::{self, ResultFormat, ResultPlan};
use crate::math::Affine;

pub(super) fn run(arguments: &PredictArguments, fits: &SavedFits) -> Result<Outcome, CliError> {
    if !arguments.engine.allows_cpu() {
        return Err(CliError::Usage(
            "a model of many fits is applied on the CPU; use --engine cpu".to_owned(),
        ));
    }
    let format = ResultFormat::of(&arguments.output)?;
    let x = arguments.open()?;
    let groups = groups(arguments, fits, &x)?;
    let models: Vec<Affine> =
        fits.weight.iter().zip(&fits.bias).map(|(&weight, &bias)| Affine { weight, bias }).collect();
    let data = arguments.problem(&x, ValidityRules::default(), true)?;
    let data = data.grouped(groups.clone()).map_err(EngineError::from)?;
    if data.fits().shape() != &fits.shape {
        return Err(CliError::Usage(format!(
            "{} has fits in shape {}, and X of shape {} would have them in shape {}; give an X that is grouped as the \
             one that was fitted",
            shown(&arguments.model),
            fits.shape,
            x.shape(),
            data.fits().shape()
        )));
    }
    let (data, has_missing) = match without_line(&data, &models) {
        Some(mask) => {
            let rules = ValidityRules { mask: Some(MaskedArray::from(mask)), ..ValidityRules::default() };
            let data = arguments.problem(&x, rules, true)?;
            (data.grouped(groups).map_err(EngineError::from)?, true)
        }
        None => (data, false),
    };
    let excludes_range = data.validity().is_some_and(|validity| validity.excluded().range > 0);
    let keeps_nulls = format.holds_nulls() && !has_missing;
    let nodata = match arguments.nodata_of_y(&x, keeps_nulls, excludes_range)? {
        None if has_missing && arguments.dtype.0.is_float() => Some(f64::NAN),
        None if has_missing => {
            return Err(CliError::Usage(format!(
                "some fits have no line, for which {} has no value; give one with --y-nodata VALUE",
                arguments.dtype.0
            )));
        }
        nodata => nodata,
    };
    let (shape, metadata, element) = (x.shape(), x.metadata(), arguments.dtype.0);
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
    let result = {
        let _listening = interrupt::Watch::brief();
        if data.valid_len() == 0 {
            output.fill().map_err(EngineError::Sink)
        } else {
            let mut engine = Cpu::new(&data);
            arguments.verbosity.notices_of(&mut engine);
            engine.predict_fits(&models, &mut |ys| output.write_f64(ys))
        }
    };
    super::ended(output, result, arguments.verbosity)
}

/// The groups of X's elements.
fn groups(arguments: &PredictArguments, fits: &SavedFits, x: &Opened) -> Result<Groups, CliError> {
    let signed = |axis: usize| isize::try_from(axis).unwrap_or(isize::MAX);
    if arguments.groups.is_some() && !matches!(fits.keys, Keys::Labels(_)) {
        return Err(CliError::Usage(format!(
            "--groups is for a model of labels, and {} is none; remove it",
            shown(&arguments.model)
        )));
    }
    Ok(match &fits.keys {
        Keys::Along(axes) => Groups::Axes(axes.iter().copied().map(signed).collect()),
        Keys::Numbering(axes) => {
            Groups::Axes((0..x.shape().0.len()).filter(|axis| !axes.contains(axis)).map(signed).collect())
        }
        &Keys::Tiles { rows, columns } => Groups::Tiles { rows, columns },
        Keys::Labels(names) => {
            let source = arguments.groups.as_ref().ok_or_else(|| {
                CliError::Usage(format!(
                    "{} has a fit for each label; give the labels of X with --groups FILE[:KEY]",
                    shown(&arguments.model)
                ))
            })?;
            let (own, own_names) = labels(source, &arguments.reading.within(arguments.engine.host_bytes()))?;
            Groups::Labels(own.renumbered(&own_names, names)?)
        }
    })
}

/// A mask of the elements whose fit has a line, unless all have.
fn without_line(data: &Problem, models: &[Affine]) -> Option<Array> {
    const RUN_ELEMENTS: usize = 1 << 16;
    let has_line: Vec<bool> = models.iter().map(|model| model.is_finite()).collect();
    let (mut mask, mut fits) = (Vec::with_capacity(data.len()), Vec::new());
    for start in (0..data.len()).step_by(RUN_ELEMENTS) {
        data.fits().fill(start..data.len().min(start + RUN_ELEMENTS), &mut fits);
        let has_line = |&fit: &u64| usize::try_from(fit).ok().and_then(|fit| has_line.get(fit).copied());
        mask.extend(fits.iter().map(|fit| u8::from(has_line(fit).unwrap_or(false))));
    }
    mask.contains(&0).then(|| Array::from_vec("fits with a line", &data.x().shape().0, mask))
}
