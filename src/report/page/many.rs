use super::frame::{Page, Row, Section, row};
use super::provenance::Provenance;
use crate::report::many::{ManyReport, Quartiles};
use crate::report::many_view::ManyView;
use crate::report::numbers::{count, counted, exact, near_one, short};
use crate::report::pictures::{PictureError, inline, many};

/// The page of many fits. The same fits give the same bytes.
///
/// # Errors
/// [`PictureError`].
pub fn many_page(
    report: &ManyReport,
    view: &ManyView,
    provenance: &Provenance,
) -> Result<String, PictureError> {
    let sections = vec![
        Section::Rows("Numbers", numbers(report)),
        Section::Figure("The fits", inline(many, view)?),
        worst(view),
        Section::Rows("Data", provenance.data(report.excluded.as_ref(), &report.masked_by)),
        Section::Rows("Made by", provenance.origin(report.solver, &report.engine)),
    ];
    Ok(Page { heading: view.heading.clone(), sentences: summary(report), sections }.html())
}

/// The fits in sentences.
fn summary(report: &ManyReport) -> Vec<String> {
    let fits = &report.fits;
    let r2 = fits.r2.map(|r2| format!(" The median R² is {}.", near_one(r2.median))).unwrap_or_default();
    let first = format!(
        "Half of the fits have a weight between {} and {}, and a bias between {} and {}.{r2}",
        short(fits.weight.q1),
        short(fits.weight.q3),
        short(fits.bias.q1),
        short(fits.bias.q3)
    );
    let mut sentences = vec![first];
    if fits.degenerate > 0 {
        sentences.push(format!(
            "{} without a line: they have fewer than two valid elements, or X does not vary within them.",
            if fits.degenerate == 1 {
                "One fit is".to_owned()
            } else {
                format!("{} fits are", count(fits.degenerate))
            }
        ));
    }
    if report.steps > 0 {
        sentences.push(format!("The longest descent took {}.", counted(report.steps, "step")));
    }
    sentences
}

fn numbers(report: &ManyReport) -> Vec<Row> {
    let fits = &report.fits;
    let mut rows = vec![
        row("fits", "fits.count", count(fits.count)),
        row("fits without a line", "fits.degenerate", count(fits.degenerate)),
        row("pairs", "n", count(report.n)),
    ];
    rows.extend(report.weight_sum.map(|sum| row("sum of the sample weights", "weight_sum", exact(sum))));
    let fields: [(&str, [&str; 5], Option<&Quartiles>); 3] = [
        (
            "weight W",
            ["fits.weight.min", "fits.weight.q1", "fits.weight.median", "fits.weight.q3", "fits.weight.max"],
            Some(&fits.weight),
        ),
        (
            "bias b",
            ["fits.bias.min", "fits.bias.q1", "fits.bias.median", "fits.bias.q3", "fits.bias.max"],
            Some(&fits.bias),
        ),
        (
            "R²",
            ["fits.r2.min", "fits.r2.q1", "fits.r2.median", "fits.r2.q3", "fits.r2.max"],
            fits.r2.as_ref(),
        ),
    ];
    for (name, fields, quartiles) in fields {
        let Some(Quartiles { min, q1, median, q3, max }) = quartiles.copied() else { continue };
        let parts = ["least", "first quartile", "median", "third quartile", "greatest"];
        for ((part, field), value) in parts.into_iter().zip(fields).zip([min, q1, median, q3, max]) {
            rows.push(row(&format!("{name}, {part}"), field, exact(value)));
        }
    }
    rows
}

/// The worst fits.
fn worst(view: &ManyView) -> Section {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
    let cells = view.worst.iter().map(|fit| {
        let r2 = fit.r2.map_or_else(|| "-".to_owned(), near_one);
        vec![fit.name(), count(fit.n), number(fit.weight), number(fit.bias), number(fit.loss), r2]
    });
    Section::Table(view.worst_title.clone(), vec!["group", "n", "W", "b", "loss", "R²"], cells.collect())
}
