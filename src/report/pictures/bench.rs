//! The throughput of passes.

use std::collections::BTreeMap;

use plotters::prelude::DrawingBackend;

use super::canvas::Draw;
use super::clip::Point;
use super::pen::{Area, Axes, COLORS, FAINT, Failed, INK, MARGIN, Pen, Stroke};
use super::scale::Scale;
use crate::report::{BenchReport, BenchResult};

/// The picture of a benchmark: bandwidth by size, a line for each engine and pass,
/// and the speed of reading memory.
pub(super) struct Throughput<'a> {
    pub(super) report: &'a BenchReport,
}

const WIDTH: u32 = 860;
const HEIGHT: u32 = 520;
const HEAD: u32 = 44;
const LEGEND: u32 = 266;

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
            let point = ((result.n as f64).log2(), result.gb_s);
            lines.entry((engine(result), result.pass)).or_default().push(point);
        }
        let points = || lines.values().flatten();
        let sizes =
            points().fold([f64::INFINITY, 0.0], |[low, high], point| [point.0.min(low), point.0.max(high)]);
        let sizes = if sizes[0] <= sizes[1] { sizes } else { [0.0, 1.0] };
        let fastest = points().map(|point| point.1).fold(self.report.read_gb_s, f64::max);
        let x = Scale::with_margin(sizes, 0.05);
        let y = Scale::new([0.0, fastest * 1.05]);
        let names = ["elements, a power of 2", "bandwidth in GB/s"];
        let axes = Axes { x: &x, y: &y, x_name: names[0], y_name: names[1], ticks: [9, 8] };
        let mut chart = pen.chart(&main, &axes)?;
        let read = y.place(self.report.read_gb_s);
        let ceiling = [(x.range().start, read), (x.range().end, read)];
        pen.draw_line(&mut chart, &axes.window(), &ceiling, Stroke::dashed(FAINT, 2))?;
        pen.write(&legend, "- - reading memory", (4, 12), 12, FAINT)?;
        for (k, ((engine, pass), points)) in (0u32..).zip(&lines) {
            let color = COLORS[k as usize % COLORS.len()];
            // Beyond the colours there are, lines are dashed.
            let is_dashed = k as usize / COLORS.len() % 2 == 1;
            let stroke = Stroke { is_dashed, ..Stroke::solid(color, 2) };
            let places: Vec<Point> = points.iter().map(|&(n, gb_s)| (x.place(n), y.place(gb_s))).collect();
            pen.draw_line(&mut chart, &axes.window(), &places, stroke)?;
            pen.draw_dots(&mut chart, &places, color, 3)?;
            let sample = if is_dashed { "- -" } else { "—" };
            pen.write(&legend, &format!("{sample} {engine}, {pass}"), (4, 34 + 20 * k), 12, color)?;
        }
        Ok(())
    }
}

/// The engine of a result, in as many letters as the legend has room for beside the
/// pass. Two backends of one adapter are two engines.
fn engine(result: &BenchResult) -> String {
    const MOST: usize = 16;
    let Some(adapter) = &result.adapter else { return result.engine.to_owned() };
    let backend = result.backend.as_deref().unwrap_or_default();
    let backend: String = backend.chars().take(MOST / 2).collect();
    let room = MOST.saturating_sub(backend.chars().count() + 1);
    // The first word of a name tells most.
    let name = if adapter.chars().count() <= room {
        adapter.clone()
    } else {
        let start: String = adapter.chars().take(room.saturating_sub(1)).collect();
        format!("{}…", start.trim_end())
    };
    format!("{name} {backend}")
}
