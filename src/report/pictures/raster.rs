//! A map of numbers over rows and columns, with its colour bar.

use plotters::prelude::{DrawingBackend, Rectangle};
use plotters::style::Color;

use super::colors::Colors;
use super::pen::{Area, Axes, Failed, Pen};
use super::scale::Scale;

/// Room for the colour bar, in units of length.
pub(super) const BAR: u32 = 100;

/// Numbers over rows and columns, one for each block of them.
pub(super) struct Raster<'a> {
    /// Rows and columns.
    pub(super) extents: [usize; 2],
    /// Rows and columns of blocks.
    pub(super) blocks: [usize; 2],
    /// The number of a block, if it has one.
    pub(super) value: &'a dyn Fn(usize, usize) -> Option<f64>,
    pub(super) colors: Colors,
    pub(super) title: &'a str,
    /// The name of the numbers, beside the colour bar.
    pub(super) name: &'a str,
}

impl Raster<'_> {
    /// Draws it in an area that is so many units wide.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
        units: u32,
    ) -> Result<(), Failed<DB>> {
        let title = match [0, 1].map(|axis| self.extents[axis].div_ceil(self.blocks[axis])) {
            [1, 1] => self.title.to_owned(),
            [rows, columns] => format!("{}, means of {rows}×{columns}", self.title),
        };
        let body = pen.titled(area, &title)?;
        let (main, bar) = body.split_horizontally(pen.px(units - BAR));
        #[expect(clippy::cast_precision_loss, reason = "rows and columns")]
        let [height, width] = self.extents.map(|extent| extent as f64);
        let (x, y) = (Scale::new([0.0, width]), Scale::new([0.0, height]).reversed());
        let axes = Axes { x: &x, y: &y, x_name: "column", y_name: "row", ticks: [6, 6] };
        let mut chart = pen.chart(&main, &axes)?;
        let [rows, columns] = self.blocks;
        #[expect(clippy::cast_precision_loss, reason = "rows and columns")]
        let place = |k: usize, count: usize, scale: &Scale, extent: f64| {
            scale.place(k as f64 / count as f64 * extent)
        };
        for row in 0..rows {
            let color = |column: usize| (self.value)(row, column).map(|value| self.colors.of(value));
            let mut column = 0;
            while column < columns {
                let (start, fill) = (column, color(column));
                // Neighbours of one colour are one rectangle.
                column += 1;
                while column < columns && color(column) == fill {
                    column += 1;
                }
                if let Some(fill) = fill {
                    let from = (place(start, columns, &x, width), place(row, rows, &y, height));
                    let to = (place(column, columns, &x, width), place(row + 1, rows, &y, height));
                    chart.draw_series([Rectangle::new([from, to], fill.filled())])?;
                }
            }
        }
        self.colors.bar(&bar, pen, self.name)
    }
}
