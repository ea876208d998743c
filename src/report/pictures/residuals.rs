//! The residuals of a fit, in four charts.

use plotters::prelude::{DrawingBackend, Rectangle};
use plotters::style::Color;

use super::canvas::Draw;
use super::colors::Colors;
use super::density::{along, cells};
use super::pen::{Area, Axes, FAINT, Failed, LINE, Pen, SECOND, Stroke};
use super::raster::{BAR, Raster};
use super::scale::Scale;
use crate::engine::BlockMeans;
use crate::fit::{normal_quantile, normal_share};
use crate::math::{Affine, Bins};
use crate::report::view::FitView;

/// The picture of residuals.
pub(super) struct Residuals<'a> {
    pub(super) view: &'a FitView,
}

const WIDTH: u32 = 860;
const HEIGHT: u32 = 680;

/// Bars of the histogram, at most.
const BARS: usize = 64;

/// Standard deviations to either side in the normal plot.
const REACH: f64 = 4.0;

impl Draw for Residuals<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let (upper, lower) = area.split_vertically(pen.px(HEIGHT / 2));
        let (first, second) = upper.split_horizontally(pen.px(WIDTH / 2 - BAR / 2));
        let (third, fourth) = lower.split_horizontally(pen.px(WIDTH / 2 - BAR / 2));
        self.histogram(&first, pen)?;
        self.against_x(&second, pen)?;
        self.against_normal(&third, pen)?;
        self.over_array(&fourth, pen)
    }
}

impl Residuals<'_> {
    /// The number of residuals by their size, and that of a normal distribution.
    fn histogram<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let body = pen.titled(area, "Residuals Y − T, and the normal curve of their size")?;
        let (edges, sizes) = bars(&self.view.binned.residuals, BARS);
        let most = sizes.iter().copied().fold(0.0, f64::max);
        let x = Scale::with_margin([edges[0], edges[edges.len() - 1]], 0.02);
        let total: f64 = sizes.iter().sum::<f64>() + self.view.binned.beyond[0] + self.view.binned.beyond[1];
        let deviation = self.view.deviation;
        let width = edges[1] - edges[0];
        let normal = |r: f64| {
            let z = r / deviation;
            total * width / deviation * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
        };
        let has_curve = deviation > 0.0 && normal(0.0).is_finite();
        let high = if has_curve { most.max(normal(0.0)) } else { most };
        let y = Scale::new([0.0, if high > 0.0 { high * 1.05 } else { 1.0 }]);
        let axes = Axes { x: &x, y: &y, x_name: "residual", y_name: "pairs", ticks: [6, 6] };
        let mut chart = pen.chart(&body, &axes)?;
        let bars = sizes.iter().enumerate().filter(|(_, size)| **size > 0.0).map(|(k, size)| {
            let corners = [(x.place(edges[k]), y.place(0.0)), (x.place(edges[k + 1]), y.place(*size))];
            Rectangle::new(corners, FAINT.filled())
        });
        chart.draw_series(bars)?;
        if has_curve {
            let [low, high] = x.ends();
            let at = |k: u32| low + (high - low) * f64::from(k) / 200.0;
            let points: Vec<_> = (0..=200).map(|k| (x.place(at(k)), y.place(normal(at(k))))).collect();
            pen.draw_line(&mut chart, &axes.window(), &points, Stroke::solid(LINE, 2))?;
        }
        Ok(())
    }

    /// The density of residuals against X.
    fn against_x<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let body = pen.titled(area, "Residuals against X")?;
        let (main, bar) = body.split_horizontally(pen.px(WIDTH / 2 - BAR / 2));
        let extremes = &self.view.extremes;
        let (x, y) = (Scale::with_margin(extremes.x, 0.0), Scale::with_margin(extremes.residual, 0.0));
        let axes = Axes { x: &x, y: &y, x_name: &self.view.names[0], y_name: "residual", ticks: [6, 6] };
        let mut chart = pen.chart(&main, &axes)?;
        let colors = cells(&mut chart, &axes, &self.view.binned.residual_of_x)?;
        along(&mut chart, &axes, pen, Affine::new(0.0, 0.0), Stroke::solid(LINE, 1))?;
        colors.bar(&bar, pen, "pairs")
    }

    /// Quantiles of the residuals against those of a normal distribution.
    fn against_normal<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let body = pen.titled(area, "Quantiles of the residuals against normal ones")?;
        let points = quantiles(self.view);
        let spread = points.iter().map(|point| point.1.abs()).fold(0.0, f64::max);
        let spread = if spread > 0.0 { spread } else { 1.0 };
        let x = Scale::new([-REACH, REACH]);
        let y = Scale::with_margin([-spread, spread], 0.04);
        let names = ["normal quantile", "residual"];
        let axes = Axes { x: &x, y: &y, x_name: names[0], y_name: names[1], ticks: [8, 6] };
        let mut chart = pen.chart(&body, &axes)?;
        let line = Affine::new(self.view.deviation, 0.0);
        along(&mut chart, &axes, pen, line, Stroke::dashed(LINE, 2))?;
        let places: Vec<_> = points.iter().map(|&(z, r)| (x.place(z), y.place(r))).collect();
        pen.draw_dots(&mut chart, &places, SECOND, 3)
    }

    /// The mean residual of blocks: a map, or a line over the elements in order.
    fn over_array<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let blocks = &self.view.binned.blocks;
        if blocks.extents[0] > 1 { map(area, pen, blocks) } else { series(area, pen, blocks) }
    }
}

/// The mean residual over rows and columns.
fn map<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, blocks: &BlockMeans) -> Result<(), Failed<DB>> {
    let all = || (0..blocks.blocks[0]).flat_map(|row| (0..blocks.blocks[1]).map(move |column| (row, column)));
    let raster = Raster {
        extents: blocks.extents,
        blocks: blocks.blocks,
        value: &|row, column| blocks.mean(row, column),
        colors: Colors::linear(all().filter_map(|(row, column)| blocks.mean(row, column))),
        title: "Residuals by row and column",
        name: "mean residual",
    };
    raster.draw(area, pen, WIDTH / 2 + BAR / 2)
}

/// The mean residual over the elements in order.
fn series<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, blocks: &BlockMeans) -> Result<(), Failed<DB>> {
    /// Points of the line.
    const POINTS: usize = 512;
    let count = blocks.blocks[1];
    let each = count.div_ceil(POINTS);
    let elements = blocks.extents[1].div_ceil(count) * each;
    let title = match elements {
        1 => "Residuals in order".to_owned(),
        _ => format!("Residuals in order, means of {elements}"),
    };
    let body = pen.titled(area, &title)?;
    #[expect(clippy::cast_precision_loss, reason = "a number of elements")]
    let (width, step) = (blocks.extents[1] as f64, blocks.extents[1] as f64 / count as f64);
    let points: Vec<(f64, f64)> = (0..count)
        .step_by(each)
        .filter_map(|start| {
            let range = start..count.min(start + each);
            let means: Vec<f64> = range.filter_map(|k| blocks.mean(0, k)).collect();
            #[expect(clippy::cast_precision_loss, reason = "a few blocks")]
            let point =
                ((start as f64 + each as f64 / 2.0) * step, means.iter().sum::<f64>() / means.len() as f64);
            (!means.is_empty()).then_some(point)
        })
        .collect();
    let spread = points.iter().map(|point| point.1.abs()).fold(0.0, f64::max);
    let spread = if spread > 0.0 { spread } else { 1.0 };
    let (x, y) = (Scale::new([0.0, width]), Scale::with_margin([-spread, spread], 0.04));
    let axes = Axes { x: &x, y: &y, x_name: "element", y_name: "residual", ticks: [6, 6] };
    let mut chart = pen.chart(&body, &axes)?;
    along(&mut chart, &axes, pen, Affine::new(0.0, 0.0), Stroke::solid(LINE, 1))?;
    let places: Vec<_> = points.iter().map(|&(k, r)| (x.place(k), y.place(r))).collect();
    pen.draw_dots(&mut chart, &places, SECOND, 2)
}

/// Bins put together to at most `most` bars: edges and sizes.
fn bars(bins: &Bins, most: usize) -> (Vec<f64>, Vec<f64>) {
    let (sizes, edges) = (bins.columns(), bins.x().edges());
    let each = sizes.len().div_ceil(most);
    let sums = sizes.chunks(each).map(|sizes| sizes.iter().sum()).collect();
    let mut ends: Vec<f64> = edges[..sizes.len()].iter().step_by(each).copied().collect();
    ends.push(edges[sizes.len()]);
    (ends, sums)
}

/// Normal quantiles and those of the residuals, as far out as there are pairs.
pub(super) fn quantiles(view: &FitView) -> Vec<(f64, f64)> {
    let total = view.binned.t_of_x.total();
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    let least = 0.5 / total as f64;
    let each = |share: f64| {
        let is_there = share >= least && share <= 1.0 - least;
        // A quantile is known to a bin; of residuals that are all alike it is exact.
        let [low, high] = view.extremes.residual;
        let inside = |r: f64| if low <= high { r.clamp(low, high) } else { r };
        view.binned.quantile(share).filter(|_| is_there).map(|r| (normal_quantile(share), inside(r)))
    };
    if total <= 64 {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        return (0..total).filter_map(|k| each((k as f64 + 0.5) / total as f64)).collect();
    }
    (-32..=32).filter_map(|k| each(normal_share(f64::from(k) * REACH / 32.0))).collect()
}
