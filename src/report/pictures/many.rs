//! Many fits: W, b and R² as maps or histograms, and the worst of them.

use plotters::prelude::{DrawingBackend, Rectangle};
use plotters::style::Color;

use super::canvas::Draw;
use super::colors::Colors;
use super::pen::{Area, Axes, FAINT, Failed, INK, MARGIN, Pen};
use super::raster::Raster;
use super::scale::Scale;
use crate::math::Bins;
use crate::report::many_view::{ManyView, NumberView, Shown};

/// The picture of many fits.
pub(super) struct Many<'a> {
    pub(super) view: &'a ManyView,
}

const WIDTH: u32 = 860;
const HEAD: u32 = 64;
const HEIGHT: u32 = HEAD + 640;

/// The width of a chart.
const HALF: u32 = WIDTH / 2;

impl Draw for Many<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let ManyView { heading, caption, numbers, .. } = self.view;
        let (head, body) = area.split_vertically(pen.px(HEAD));
        pen.write(&head, heading, (MARGIN + 8, 10), 17, INK)?;
        pen.write(&head, caption, (MARGIN + 8, 38), 12, INK)?;
        let (upper, lower) = body.split_vertically(pen.px((HEIGHT - HEAD) / 2));
        let (first, second) = upper.split_horizontally(pen.px(HALF));
        let (third, fourth) = lower.split_horizontally(pen.px(HALF));
        for (area, number) in [first, second, third].iter().zip(numbers) {
            draw_number(area, pen, number)?;
        }
        self.worst(&fourth, pen)
    }
}

/// The numbers of all fits, over rows and columns or by their size.
fn draw_number<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, number: &NumberView) -> Result<(), Failed<DB>> {
    let NumberView { name, range, beyond, shown } = number;
    match shown {
        None => pen.titled(area, &format!("{name}: no fit has one")).map(|_| ()),
        Some(Shown::Map(map)) => {
            let title = match beyond {
                0 => (*name).to_owned(),
                _ => format!("{name}, {beyond} beyond the colours"),
            };
            let raster = Raster {
                extents: map.extents,
                blocks: map.blocks,
                value: &|row, column| map.mean(row, column),
                colors: Colors::within(*range),
                title: &title,
                name,
            };
            raster.draw(area, pen, HALF)
        }
        Some(Shown::Histogram(bins)) => {
            let title = match beyond {
                0 => (*name).to_owned(),
                _ => format!("{name}, {beyond} outside of this range"),
            };
            histogram(&pen.titled(area, &title)?, pen, name, bins)
        }
    }
}

fn histogram<DB: DrawingBackend>(
    area: &Area<DB>,
    pen: Pen,
    name: &str,
    bins: &Bins,
) -> Result<(), Failed<DB>> {
    let (sizes, edges) = (bins.columns(), bins.x().edges());
    let most = sizes.iter().copied().fold(0.0, f64::max);
    let x = Scale::with_margin(bins.x().range(), 0.02);
    let y = Scale::new([0.0, if most > 0.0 { most * 1.05 } else { 1.0 }]);
    let axes = Axes { x: &x, y: &y, x_name: name, y_name: "fits", ticks: [6, 6] };
    let mut chart = pen.chart(area, &axes)?;
    let bars = sizes.iter().enumerate().filter(|(_, size)| **size > 0.0).map(|(k, size)| {
        let corners = [(x.place(edges[k]), y.place(0.0)), (x.place(edges[k + 1]), y.place(*size))];
        Rectangle::new(corners, FAINT.filled())
    });
    chart.draw_series(bars)?;
    Ok(())
}

impl Many<'_> {
    /// The worst fits, a line each.
    fn worst<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        /// The places of the columns.
        const COLUMNS: [(&str, u32); 5] = [("group", 14), ("n", 122), ("R²", 200), ("W", 262), ("b", 344)];
        const LINE: u32 = 22;
        let body = pen.titled(area, &self.view.worst_title)?;
        for (title, x) in COLUMNS {
            pen.write(&body, title, (x, 8), 11, FAINT)?;
        }
        for (k, result) in (1u32..).zip(&self.view.worst) {
            let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), brief);
            let cells = [
                shortened(&result.name()),
                crate::report::count(result.n),
                result.r2.map_or_else(|| "-".to_owned(), |r2| format!("{r2:.4}")),
                number(result.weight),
                number(result.bias),
            ];
            for ((_, x), text) in COLUMNS.into_iter().zip(cells) {
                pen.write(&body, &text, (x, 8 + LINE * k), 11, INK)?;
            }
        }
        Ok(())
    }
}

/// A name in at most so many letters as there is room for.
fn shortened(name: &str) -> String {
    const MOST: usize = 13;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    let start: String = name.chars().take(MOST - 1).collect();
    format!("{start}…")
}

/// A number in at most ten letters.
fn brief(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e6).contains(&size) => {
            let text = format!("{value:.*}", if size < 10.0 { 5 } else { usize::from(size < 1e4) * 2 });
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_short() {
        assert_eq!(brief(0.415_756), "0.41576");
        assert_eq!(brief(-12_345.678), "-12346");
        assert_eq!(brief(99.5), "99.5");
        assert_eq!((brief(0.0), brief(-1.25e-9)), ("0".to_owned(), "-1.25e-9".to_owned()));
        assert_eq!(brief(-1.25e-300), "-1.25e-300");
        assert_eq!(
            (shortened("Ideal"), shortened("Very good and long")),
            ("Ideal".to_owned(), "Very good an…".to_owned())
        );
    }
}
