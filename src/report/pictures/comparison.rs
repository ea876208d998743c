//! The errors of engines against the reference.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

use super::canvas::Draw;
use super::clip::Point;
use super::pen::{Area, Axes, COLORS, FAINT, Failed, INK, LEFT, MARGIN, Pen, Stroke};
use super::pen::{BELOW, LINE};
use super::scale::Scale;
use crate::report::{Comparison, EngineComparison};

/// The picture of a comparison: a row for each engine, with its errors.
pub(super) struct Errors<'a> {
    pub(super) comparison: &'a Comparison,
}

const WIDTH: u32 = 860;
const HEAD: u32 = 70;

/// Room for an engine: its name, and a lane for each error.
const ROW: u32 = 76;
const NAME: u32 = 24;

/// The decimal logarithm of the least error that has a place of its own: below the
/// rounding of f64.
const LEAST: f64 = -17.0;

/// An error of an engine.
type ErrorOf = fn(&EngineComparison) -> Option<f64>;

/// The errors in the order of their lanes, with their names.
const KINDS: [(&str, ErrorOf); 4] = [
    ("loss", |result| result.rel_error_loss),
    ("∂L/∂W", |result| result.rel_error_grad_weight),
    ("∂L/∂b", |result| result.rel_error_grad_bias),
    ("moments", |result| result.rel_error_moments),
];

impl Errors<'_> {
    fn rows(&self) -> u32 {
        u32::try_from(self.comparison.results.len()).unwrap_or(1).clamp(1, 64)
    }
}

impl Draw for Errors<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEAD + self.rows() * ROW + 2 * MARGIN + BELOW)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let (head, body) = area.split_vertically(pen.px(HEAD));
        pen.write(&head, "Errors by engine, against the f64 reference", (MARGIN + 6, 12), 17, INK)?;
        legend(&head, pen)?;
        let Comparison { results, tolerance, .. } = self.comparison;
        let all = results.iter().flat_map(|result| KINDS.iter().filter_map(|(_, error)| error(result)));
        let worst = all.filter(|error| error.is_finite()).fold(*tolerance, f64::max);
        let x = Scale::powers([LEAST, (worst.log10().floor() + 1.0).max(LEAST + 1.0)]);
        let y = Scale::new([0.0, f64::from(self.rows())]).reversed();
        let name = "relative error; one of 0 is at the left end";
        let axes = Axes { x: &x, y: &y, x_name: name, y_name: "", ticks: [18, 0] };
        let mut chart = pen.chart(&body, &axes)?;
        let place = |error: f64| if error > 0.0 { error.log10().max(LEAST) } else { LEAST };
        let limit = [(place(*tolerance), 0.0), (place(*tolerance), f64::from(self.rows()))];
        pen.draw_line(&mut chart, &axes.window(), &limit, Stroke::dashed(LINE, 2))?;
        for (k, result) in (0u32..self.rows()).zip(results) {
            if k > 0 {
                let between = [(LEAST, f64::from(k)), (x.range().end, f64::from(k))];
                pen.draw_line(&mut chart, &axes.window(), &between, Stroke::solid(FAINT, 1))?;
            }
            let at = (LEFT + MARGIN + 8, MARGIN + k * ROW + 6);
            pen.write(&body, &label(result), at, 12, INK)?;
            for (lane, (_, error)) in (0u32..).zip(KINDS) {
                let height = f64::from(k) + f64::from(NAME + 6 + 12 * lane) / f64::from(ROW);
                let dot = error(result).filter(|error| error.is_finite()).map(|error| (place(error), height));
                let dots: Vec<Point> = dot.into_iter().collect();
                pen.draw_dots(&mut chart, &dots, color(lane), 4)?;
            }
        }
        Ok(())
    }
}

/// The colour of a lane; not that of the tolerance.
fn color(lane: u32) -> RGBColor {
    COLORS[(lane as usize + 1) % COLORS.len()]
}

fn legend<DB: DrawingBackend>(head: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
    let mut at = MARGIN + 6;
    for (lane, (name, _)) in (0u32..).zip(KINDS) {
        pen.write(head, &format!("• {name}"), (at, 44), 12, color(lane))?;
        at += 84;
    }
    pen.write(head, "from top to bottom", (at + 8, 44), 12, FAINT)?;
    pen.write(head, "- - tolerance", (at + 180, 44), 12, LINE)
}

/// The engine of a row, and its mismatch or failure.
fn label(result: &EngineComparison) -> String {
    let mut label = result.adapter.clone().unwrap_or_else(|| result.engine.to_owned());
    if let Some(precision) = result.precision {
        label = format!("{label}, {precision}");
    }
    let is_whole = KINDS.iter().all(|(_, error)| error(result).is_some_and(f64::is_finite));
    match (&result.error, result.ok) {
        (Some(_), _) => format!("{label}: FAILED"),
        (None, false) if !is_whole => format!("{label}: MISMATCH, not a number"),
        (None, false) => format!("{label}: MISMATCH"),
        (None, true) => label,
    }
}
