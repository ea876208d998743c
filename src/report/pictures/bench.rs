//! The throughput of passes.

use std::collections::BTreeMap;

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

use super::canvas::{Area, Axes, Draw, FAINT, Failed, INK, LINE, MARGIN, Pen, SECOND, Stroke};
use super::clip::Point;
use super::scale::Scale;
use crate::report::BenchReport;

/// The picture of a benchmark: bandwidth by size, a line for each engine and pass,
/// and the speed of reading memory.
pub(super) struct Throughput<'a> {
    pub(super) report: &'a BenchReport,
}

const WIDTH: u32 = 860;
const HEIGHT: u32 = 520;
const HEAD: u32 = 44;
const LEGEND: u32 = 230;

/// Colours that everyone can tell apart (M. Okabe, K. Ito, 2008).
const COLORS: [RGBColor; 6] = [
    LINE,
    SECOND,
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

impl Draw for Throughput<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of elements")]
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let (head, body) = area.split_vertically(pen.px(HEAD));
        pen.write(&head, "Throughput by size", (MARGIN + 6, 12), 17, INK)?;
        let (main, legend) = body.split_horizontally(pen.px(WIDTH - LEGEND));
        let mut lines: BTreeMap<(String, &str), Vec<(f64, f64)>> = BTreeMap::new();
        for result in &self.report.results {
            let engine = result.adapter.clone().unwrap_or_else(|| result.engine.to_owned());
            let point = ((result.n as f64).log2(), result.gb_s);
            lines.entry((engine, result.pass)).or_default().push(point);
        }
        let points = || lines.values().flatten();
        let sizes =
            points().fold([f64::INFINITY, 0.0], |[low, high], point| [point.0.min(low), point.0.max(high)]);
        let sizes = if sizes[0] <= sizes[1] { sizes } else { [0.0, 1.0] };
        let fastest = points().map(|point| point.1).fold(self.report.read_gb_s, f64::max);
        let x = Scale::with_margin(sizes, 0.05);
        let y = Scale::new([0.0, fastest * 1.05]);
        let names = ["elements, a power of 2", "GB/s"];
        let axes = Axes { x: &x, y: &y, x_name: names[0], y_name: names[1], ticks: [9, 8] };
        let mut chart = pen.chart(&main, &axes)?;
        let read = y.place(self.report.read_gb_s);
        let ceiling = [(x.range().start, read), (x.range().end, read)];
        pen.draw_line(&mut chart, &axes.window(), &ceiling, Stroke::dashed(FAINT, 2))?;
        pen.write(&legend, "- - reading memory", (4, 12), 12, FAINT)?;
        for (k, ((engine, pass), points)) in (0u32..).zip(&lines) {
            let color = COLORS[k as usize % COLORS.len()];
            let places: Vec<Point> = points.iter().map(|&(n, gb_s)| (x.place(n), y.place(gb_s))).collect();
            pen.draw_line(&mut chart, &axes.window(), &places, Stroke::solid(color, 2))?;
            pen.draw_dots(&mut chart, &places, color, 3)?;
            let name: String = format!("— {engine}, {pass}").chars().take(34).collect();
            pen.write(&legend, &name, (4, 34 + 20 * k), 12, color)?;
        }
        Ok(())
    }
}
