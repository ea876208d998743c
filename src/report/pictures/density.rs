//! T against X: how many pairs are where, and the line.

use plotters::chart::ChartBuilder;
use plotters::prelude::{DrawingBackend, Rectangle};
use plotters::style::Color;

use super::canvas::Draw;
use super::colors::Colors;
use super::pen::{
    Area, Axes, BELOW, Chart, FAINT, Failed, INK, LEFT, LINE, MARGIN, Pen, RIGHT, SECOND, Stroke,
};
use super::scale::Scale;
use crate::math::{Affine, BinAxis, Bins};
use crate::report::view::FitView;

/// The picture of `fit`.
pub(super) struct Density<'a> {
    pub(super) view: &'a FitView,
}

/// The size of its parts, in units of length.
const WIDTH: u32 = 860;
const HEIGHT: u32 = 640;
const HEAD: u32 = 64;
const SIDE: u32 = 76;
const BAR: u32 = 110;

/// States of the descent whose lines are drawn.
const LINES: usize = 12;

impl Draw for Density<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let FitView { heading, caption, names, extremes, binned, .. } = self.view;
        let (head, body) = area.split_vertically(pen.px(HEAD));
        pen.write(&head, heading, (MARGIN + 8, 10), 17, INK)?;
        pen.write(&head, caption, (MARGIN + 8, 38), 12, INK)?;
        let (left, right) = body.split_horizontally(pen.px(WIDTH - SIDE - BAR));
        let (above, main) = left.split_vertically(pen.px(SIDE));
        let (_, right) = right.split_vertically(pen.px(SIDE));
        let (beside, bar) = right.split_horizontally(pen.px(SIDE));
        let (x, y) = (Scale::with_margin(extremes.x, 0.0), Scale::with_margin(extremes.t, 0.0));
        let axes = Axes { x: &x, y: &y, x_name: &names[0], y_name: &names[1], ticks: [7, 7] };

        let mut chart = pen.chart(&main, &axes)?;
        let colors = cells(&mut chart, &axes, &binned.t_of_x)?;
        self.lines(&mut chart, &axes, pen)?;
        self.legend(&head, pen)?;
        columns(&above, pen, &x, &binned.t_of_x)?;
        rows(&beside, pen, &y, &binned.t_of_x)?;
        colors.bar(&bar, pen, "pairs")
    }
}

impl Density<'_> {
    /// Draws the line of the fit, the 1:1 line and some of those before the end.
    fn lines<DB: DrawingBackend>(
        &self,
        chart: &mut Chart<'_, DB>,
        axes: &Axes<'_>,
        pen: Pen,
    ) -> Result<(), Failed<DB>> {
        let faint = Stroke { opacity: 0.6, ..Stroke::solid(FAINT, 1) };
        for model in path(self.view) {
            along(chart, axes, pen, model, faint)?;
        }
        along(chart, axes, pen, Affine::new(1.0, 0.0), Stroke::dashed(SECOND, 2))?;
        along(chart, axes, pen, self.view.model, Stroke::solid(LINE, 2))
    }

    /// Names the lines, in their colours, beside the heading.
    fn legend<DB: DrawingBackend>(&self, head: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let at = |k: u32| (WIDTH - 230 + k, 38);
        pen.write(head, "— the line", at(0), 12, LINE)?;
        pen.write(head, "- - T = X", at(80), 12, SECOND)?;
        if path(self.view).is_empty() { Ok(()) } else { pen.write(head, "— earlier", at(156), 12, FAINT) }
    }
}

/// W and b of some states before the last: close together at first, as the descent
/// is fast there.
fn path(view: &FitView) -> Vec<Affine> {
    let states = view.trace.states();
    let mut picked: Vec<usize> = Vec::new();
    let (mut next, last) = (1.0f64, states.len().saturating_sub(1));
    #[expect(clippy::cast_precision_loss, reason = "a thousand states")]
    let growth = (last as f64).max(1.0).powf(1.0 / (LINES - 1) as f64).max(1.05);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the states")]
    while (next as usize) <= last && picked.len() < LINES {
        if picked.last() != Some(&(next as usize - 1)) {
            picked.push(next as usize - 1);
        }
        next *= growth;
    }
    picked.into_iter().filter(|&k| k < last).map(|k| states[k].model).collect()
}

/// Draws a line of W and b from end to end.
pub(super) fn along<DB: DrawingBackend>(
    chart: &mut Chart<'_, DB>,
    axes: &Axes<'_>,
    pen: Pen,
    model: Affine,
    style: Stroke,
) -> Result<(), Failed<DB>> {
    let points = axes.x.ends().map(|x| (axes.x.place(x), axes.y.place(model.apply(x))));
    pen.draw_line(chart, &axes.window(), &points, style)
}

/// Fills every cell with pairs in it by the colour of their number.
pub(super) fn cells<DB: DrawingBackend>(
    chart: &mut Chart<'_, DB>,
    axes: &Axes<'_>,
    bins: &Bins,
) -> Result<Colors, Failed<DB>> {
    let (across, up) = (bins.x().bins(), bins.y().bins());
    let all = || (0..up).flat_map(move |row| (0..across).map(move |column| (column, row)));
    let colors = Colors::log(all().map(|(column, row)| bins.size(column, row)));
    let [x, y] = [(bins.x(), axes.x), (bins.y(), axes.y)].map(|(bins, scale)| places(bins, scale));
    for row in 0..up {
        let mut column = 0;
        while column < across {
            let color = |column: usize| {
                let size = bins.size(column, row);
                (size > 0.0).then(|| colors.of(size))
            };
            let (start, fill) = (column, color(column));
            // Neighbours of one colour are one rectangle.
            column += 1;
            while column < across && color(column) == fill {
                column += 1;
            }
            if let Some(fill) = fill {
                let corners = [(x[start], y[row]), (x[column], y[row + 1])];
                chart.draw_series([Rectangle::new(corners, fill.filled())])?;
            }
        }
    }
    Ok(colors)
}

/// The places of the edges of bins.
fn places(bins: &BinAxis, scale: &Scale) -> Vec<f64> {
    bins.edges().iter().map(|&edge| scale.place(edge)).collect()
}

/// The histogram of X above the chart.
fn columns<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, x: &Scale, bins: &Bins) -> Result<(), Failed<DB>> {
    let (sizes, edges) = (bins.columns(), places(bins.x(), x));
    let most = sizes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut builder = ChartBuilder::on(area);
    let mut chart = builder
        .margin_left(pen.px(MARGIN + LEFT))
        .margin_right(pen.px(RIGHT))
        .margin_top(pen.px(MARGIN))
        .build_cartesian_2d(x.range(), 0.0..1.0)?;
    let bars = sizes.iter().enumerate().filter(|(_, size)| **size > 0.0);
    let bars = bars.map(|(k, size)| [(edges[k], 0.0), (edges[k + 1], size / most)]);
    chart.draw_series(bars.map(|corners| Rectangle::new(corners, FAINT.filled())))?;
    Ok(())
}

/// The histogram of T beside it.
fn rows<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, y: &Scale, bins: &Bins) -> Result<(), Failed<DB>> {
    let (sizes, edges) = (bins.rows(), places(bins.y(), y));
    let most = sizes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut builder = ChartBuilder::on(area);
    let mut chart = builder
        .margin_top(pen.px(MARGIN))
        .margin_bottom(pen.px(MARGIN + BELOW))
        .margin_right(pen.px(MARGIN))
        .build_cartesian_2d(0.0..1.0, y.range())?;
    let bars = sizes.iter().enumerate().filter(|(_, size)| **size > 0.0);
    let bars = bars.map(|(k, size)| [(0.0, edges[k]), (size / most, edges[k + 1])]);
    chart.draw_series(bars.map(|corners| Rectangle::new(corners, FAINT.filled())))?;
    Ok(())
}
