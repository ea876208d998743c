//! The colours of numbers, and the bar that explains them.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::prelude::{DrawingBackend, RGBColor, Rectangle};
use plotters::style::Color;
use plotters::style::colors::colormaps::ViridisRGB;

use super::pen::{Area, BELOW, Failed, INK, LEFT, MARGIN, Pen};
use super::scale::Scale;

/// A colour for numbers above 0, by their logarithm or as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colors {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Colors {
    /// Colours of the logarithm of all that is above 0.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extremes(values.filter(|&value| value > 0.0));
        Self { low: low.log10(), high: high.log10(), is_log: true }
    }

    /// Colours of numbers as they are.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extremes(values);
        Self { low, high, is_log: false }
    }

    /// Colours of numbers within these bounds; those beyond have the colour of the end.
    pub(super) fn within([low, high]: [f64; 2]) -> Self {
        Self { low, high, is_log: false }
    }

    pub(super) fn of(&self, value: f64) -> RGBColor {
        let value = if self.is_log { value.log10() } else { value };
        self.at(value)
    }

    fn at(&self, value: f64) -> RGBColor {
        if self.low < self.high {
            let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
            ViridisRGB::get_color(share)
        } else {
            ViridisRGB::get_color(0.5)
        }
    }

    /// Draws the bar that explains them, with the numbers on its right.
    pub(super) fn bar<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
        name: &str,
    ) -> Result<(), Failed<DB>> {
        const STEPS: u32 = 64;
        let (low, high) =
            if self.low < self.high { (self.low, self.high) } else { (self.low - 0.5, self.low + 0.5) };
        let scale = if self.is_log { Scale::plain([low, high]) } else { Scale::new([low, high]) };
        let mut builder = ChartBuilder::on(area);
        let mut chart = builder
            .margin_top(pen.px(MARGIN))
            .margin_bottom(pen.px(MARGIN + BELOW))
            .margin_left(pen.px(MARGIN))
            .margin_right(pen.px(MARGIN))
            .set_label_area_size(LabelAreaPosition::Right, pen.px(LEFT))
            .build_cartesian_2d(0.0..1.0, scale.range())?;
        let places = scale.range();
        let at = |k: u32| places.start + (places.end - places.start) * f64::from(k) / f64::from(STEPS);
        let steps = (0..STEPS).map(|k| {
            let middle = low + (high - low) * (f64::from(k) + 0.5) / f64::from(STEPS);
            Rectangle::new([(0.0, at(k)), (1.0, at(k + 1))], self.at(middle).filled())
        });
        chart.draw_series(steps)?;
        let is_log = self.is_log;
        let tick = move |place: &f64| {
            if is_log { counted(10f64.powf(*place)) } else { scale.tick(*place) }
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .set_all_tick_mark_size(pen.px(5))
            .axis_style(pen.line(INK, 1))
            .label_style(pen.font(11, INK))
            .axis_desc_style(pen.font(12, INK))
            .y_labels(6)
            .y_label_formatter(&tick)
            .y_desc(if is_log { name.to_owned() } else { scale.title(name) })
            .draw()?;
        Ok(())
    }
}

/// A number beside a colour, in three digits.
fn counted(value: f64) -> String {
    match value {
        _ if value >= 1e4 => {
            let text = format!("{value:.1e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let digits = digits.trim_end_matches(".0");
            let power = format!("10{}", super::scale::superscript(exponent.parse().unwrap_or(0)));
            if digits == "1" { power } else { format!("{digits}·{power}") }
        }
        _ if value >= 10.0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.*}", if value >= 1.0 { 1 } else { 3 });
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(low, high), value| (low.min(value), high.max(value)));
    if low <= high { (low, high) } else { (1.0, 1.0) }
}
