use std::fmt::Write;

use super::frame::{Page, Row, Section, row};
use super::provenance::Provenance;
use crate::fit::StopReason;
use crate::math::{Affine, Loss};
use crate::report::numbers::{count, counted, exact, near_one, short};
use crate::report::pictures::{PictureError, density, descent, inline, residuals};
use crate::report::summary::{FitReport, line};
use crate::report::view::FitView;

/// The page of a fit. The same fit gives the same bytes: it says neither times nor
/// dates.
///
/// # Errors
/// [`PictureError`].
pub fn page(report: &FitReport, view: &FitView, provenance: &Provenance) -> Result<String, PictureError> {
    let mut sections = vec![
        Section::Rows("Numbers", numbers(report)),
        Section::Figure("The line over the data", inline(density, view)?),
        Section::Figure("Residuals", inline(residuals, view)?),
    ];
    if report.learning_rate.is_some() && report.steps > 0 {
        sections.push(Section::Figure("Descent", inline(descent, view)?));
    }
    sections.push(Section::Rows("Data", provenance.data(report.excluded.as_ref(), &report.masked_by)));
    sections.push(Section::Rows("Made by", provenance.origin(report.solver, &report.engine)));
    let heading = line(Affine::new(report.weight, report.bias));
    Ok(Page { heading, sentences: summary(report, view), sections }.html())
}

/// The fit in sentences.
fn summary(report: &FitReport, view: &FitView) -> Vec<String> {
    let [x, t] = &view.names;
    let mut first = format!(
        "One unit of {x} more goes with {} of {t}, and where {x} is 0 the line is at {}.",
        short(report.weight),
        short(report.bias)
    );
    let _ = write!(
        first,
        " The line was found from {}; {}.",
        counted(report.n, "pair"),
        match report.stop_reason {
            StopReason::Exact => format!("it is {}, in closed form", report.line_name()),
            StopReason::Tolerance =>
                format!("the descent reached its tolerance after {}", counted(report.steps, "step")),
            StopReason::Diverged => "the descent diverged, and this is its last finite state".to_owned(),
            StopReason::Interrupted =>
                format!("the descent was interrupted after {}", counted(report.steps, "step")),
            StopReason::Patience => format!(
                "the descent ended after {}, as its loss stopped shrinking",
                counted(report.steps, "step")
            ),
            StopReason::Steps => format!("the descent ended after {}", counted(report.steps, "step")),
        }
    );
    let mut sentences = vec![first];
    let s = &report.statistics;
    if let Some(r2) = s.r2 {
        let mut second =
            format!("{} explains {} of the variance of {t} (R²).", capital(&report.line_name()), share(r2));
        if let Some(deviation) = s.residual_std {
            let _ = write!(second, " Residuals have a standard deviation of {}.", short(deviation));
        }
        if let (Some(weight), Some(error)) = (s.weight, s.stderr_weight) {
            let _ =
                write!(second, " Its weight is {} ± {} (one standard error).", short(weight), short(error));
        }
        sentences.push(second);
    }
    if report.far_by.is_some() {
        sentences.push(format!("This line is still far from {}.", report.line_name()));
    }
    if let Some(excluded) = report.excluded {
        sentences.push(format!(
            "{} excluded; below is why.",
            if excluded.total() == 1 {
                "One pair was".to_owned()
            } else {
                format!("{} pairs were", count(excluded.total()))
            }
        ));
    }
    sentences
}

/// A sentence that begins with these words.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A share in percent, or how little is missing to all.
fn share(value: f64) -> String {
    if value > 0.9995 && value < 1.0 {
        format!("all but {:.1e}", 1.0 - value)
    } else {
        format!("{:.1} %", value * 100.0)
    }
}

fn numbers(report: &FitReport) -> Vec<Row> {
    let loss = match report.loss_kind {
        Loss::Squared => "loss, the mean squared error",
        Loss::Huber { .. } => "loss, the mean Huber loss",
    };
    let mut rows = vec![
        row("weight W", "weight", exact(report.weight)),
        row("bias b", "bias", exact(report.bias)),
        row(loss, "loss", exact(report.loss)),
        row("gradient of W", "grad_weight", exact(report.grad_weight)),
        row("gradient of b", "grad_bias", exact(report.grad_bias)),
        row("pairs", "n", count(report.n)),
        row("steps", "steps", count(report.steps)),
    ];
    rows.extend(report.learning_rate.map(|rate| row("learning rate", "learning_rate", exact(rate))));
    rows.extend(report.weight_sum.map(|sum| row("sum of the sample weights", "weight_sum", exact(sum))));
    let s = &report.statistics;
    let statistics = [
        ("weight of the best line", "statistics.weight", s.weight),
        ("bias of the best line", "statistics.bias", s.bias),
        ("standard deviation of the residuals", "statistics.residual_std", s.residual_std),
        ("standard error of the weight", "statistics.stderr_weight", s.stderr_weight),
        ("standard error of the bias", "statistics.stderr_bias", s.stderr_bias),
        ("p value of the weight", "statistics.p_value", s.p_value),
        ("condition number", "statistics.condition", s.condition),
    ];
    rows.extend(s.r2.map(|r2| row("R²", "", near_one(r2))));
    rows.extend(
        statistics.into_iter().filter_map(|(name, field, value)| Some(row(name, field, exact(value?)))),
    );
    rows
}
