//! The report of a fit for a browser: one file that needs no other, no network and
//! no script.

use std::fmt::{self, Write};

use super::dry_run::InputFile;
use super::numbers::{bytes, count, counted, exact, near_one, short};
use super::pictures::{PictureError, density, descent, inline, residuals};
use super::summary::{FitReport, line};
use super::view::FitView;
use crate::fit::StopReason;
use crate::math::{Affine, Loss};

/// The origin of a fit.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The command as it was typed.
    pub command: String,
    /// The files that were read.
    pub files: Vec<InputFile>,
}

/// Colours by the reader's choice of light or dark, and always light on paper.
const STYLE: &str = "
:root { --Ink: #222; --Paper: #fff; --Soft: #666; --Rule: #ddd; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) {
  :root { --Ink: #ddd; --Paper: #17191c; --Soft: #999; --Rule: #3a3d42; }
  svg [fill='#222222'] { fill: var(--Ink); }
  svg [stroke='#222222'] { stroke: var(--Ink); }
}
body { margin: 0; background: var(--Paper); color: var(--Ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 880px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid var(--Rule); }
th { font-weight: 500; color: var(--Soft); white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 0; } svg { width: 100%; height: auto; display: block; }
code { font: .85rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.soft { color: var(--Soft); }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; }
  figure, table, h2 { break-inside: avoid; } h2 { break-after: avoid; } }
";

/// Text within a page.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The page. The same fit gives the same bytes: it says neither times nor dates.
///
/// # Errors
/// [`PictureError`].
pub fn page(report: &FitReport, view: &FitView, provenance: &Provenance) -> Result<String, PictureError> {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, report, view, provenance, &figures(report, view)?);
    Ok(page)
}

/// The pictures, each with a heading.
fn figures(report: &FitReport, view: &FitView) -> Result<Vec<(&'static str, String)>, PictureError> {
    let mut figures =
        vec![("The line over the data", inline(density, view)?), ("Residuals", inline(residuals, view)?)];
    if report.learning_rate.is_some() && report.steps > 0 {
        figures.push(("Descent", inline(descent, view)?));
    }
    Ok(figures)
}

fn write_page(
    page: &mut String,
    report: &FitReport,
    view: &FitView,
    provenance: &Provenance,
    figures: &[(&str, String)],
) -> fmt::Result {
    let heading = line(Affine::new(report.weight, report.bias));
    let heading = Escaped(&heading);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{heading}</h1>\n"
    )?;
    for sentence in summary(report, view) {
        writeln!(page, "<p>{}</p>", Escaped(&sentence))?;
    }
    section(page, "Numbers", &numbers(report))?;
    for (title, svg) in figures {
        let labelled = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title}\" "), 1);
        write!(page, "<h2>{title}</h2>\n<figure>\n{labelled}</figure>\n")?;
    }
    section(page, "Data", &data(report, provenance))?;
    section(page, "Made by", &origin(report, provenance))?;
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

/// A row of a table: its name, the field of `fit --json` with the same number, and
/// its text.
struct Row {
    name: String,
    field: &'static str,
    text: String,
}

fn row(name: &str, field: &'static str, text: impl Into<String>) -> Row {
    Row { name: name.to_owned(), field, text: text.into() }
}

fn section(page: &mut String, title: &str, rows: &[Row]) -> fmt::Result {
    write!(page, "<h2>{title}</h2>\n<table>\n")?;
    for Row { name, field, text } in rows {
        let mark = if field.is_empty() { String::new() } else { format!(" data-field=\"{field}\"") };
        writeln!(page, "<tr><th>{}</th><td{mark}>{}</td></tr>", Escaped(name), Escaped(text))?;
    }
    page.push_str("</table>\n");
    Ok(())
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

fn data(report: &FitReport, provenance: &Provenance) -> Vec<Row> {
    let mut rows: Vec<Row> = provenance
        .files
        .iter()
        .map(|file| {
            let mut text = file.source.clone();
            if let (Some(shape), Some(dtype)) = (&file.shape, file.dtype) {
                let _ = write!(text, ": {shape}, {dtype}");
            }
            if let Some(size) = file.bytes {
                let _ = write!(text, ", a file of {}", bytes(size));
            }
            row(file.argument.trim_start_matches("--"), "", text)
        })
        .collect();
    if let Some(excluded) = report.excluded {
        rows.push(row("excluded pairs", "", count(excluded.total())));
        rows.extend(
            excluded.reasons().map(|(number, reason)| row("", "", format!("{} {reason}", count(number)))),
        );
    } else {
        rows.push(row("excluded pairs", "", "none"));
    }
    rows.extend(report.masked_by.iter().map(|by| row("masked by", "", by.clone())));
    rows
}

fn origin(report: &FitReport, provenance: &Provenance) -> Vec<Row> {
    vec![
        row("command", "", provenance.command.clone()),
        row("program", "", format!("linfit {}", env!("CARGO_PKG_VERSION"))),
        row("solver", "", report.solver.to_string()),
        row("engine", "", report.engine.to_string()),
    ]
}
