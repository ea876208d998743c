//! The parts that pictures have in common: text, axes, lines and dots.

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::{
    Cartesian2d, Circle, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoFont, PathElement, RGBColor,
    Text,
};
use plotters::style::{Color, ShapeStyle, TextStyle};

use super::clip::{Point, Window};
use super::scale::Scale;

/// A part of a picture.
pub(super) type Area<DB> = DrawingArea<DB, Shift>;

/// The failure to draw.
pub(super) type Failed<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

/// Axes, and the room between them.
pub(super) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Text and axes. A page may show this colour and the next as others.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);

/// Lines that only guide the eye.
pub(super) const FAINT: RGBColor = RGBColor(0x8c, 0x8c, 0x8c);

/// The line that was found; told from viridis by everyone, and in grey.
pub(super) const LINE: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

/// A second thing beside it.
pub(super) const SECOND: RGBColor = RGBColor(0x00, 0x72, 0xb2);

/// Colours that everyone can tell apart (M. Okabe, K. Ito, 2008).
pub(super) const COLORS: [RGBColor; 6] = [
    LINE,
    SECOND,
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// The name of the font. Readers of SVG have it in some shape; a PNG has the one
/// that is in the program.
pub(super) const FONT: &str = "sans-serif";

/// The size of everything on a surface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    scale: u32,
}

/// Sides of a chart and the room for numbers and titles there, in units of length.
pub(super) const LEFT: u32 = 66;
pub(super) const BELOW: u32 = 46;

/// Room on the right of a chart, for half a number.
pub(super) const RIGHT: u32 = 16;

/// Room around a chart.
pub(super) const MARGIN: u32 = 8;

/// Room for the title of a chart.
const TITLE: u32 = 34;

impl Pen {
    /// A pen on a surface with so many pixels for a unit of length.
    pub(super) fn new(scale: u32) -> Self {
        Self { scale }
    }

    /// Pixels of so many units of length.
    pub(super) fn px(self, units: u32) -> u32 {
        units * self.scale
    }

    /// The width of a line of so many units.
    pub(super) fn line(self, color: RGBColor, units: u32) -> ShapeStyle {
        color.stroke_width(self.px(units))
    }

    /// Text of a size in units.
    pub(super) fn font(self, units: u32, color: RGBColor) -> TextStyle<'static> {
        // Backends take the size of a line, not that of the letters.
        let size = f64::from(self.px(units)) * 1.24;
        (FONT, size).into_font().color(&color)
    }

    /// Writes a line of text at a place from the left upper corner.
    pub(super) fn write<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        text: &str,
        at: (u32, u32),
        size: u32,
        color: RGBColor,
    ) -> Result<(), Failed<DB>> {
        let at = (signed(self.px(at.0)), signed(self.px(at.1)));
        area.draw(&Text::new(text.to_owned(), at, self.font(size, color)))
    }

    /// Writes what a chart shows; the rest of its area.
    pub(super) fn titled<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        title: &str,
    ) -> Result<Area<DB>, Failed<DB>> {
        let (head, body) = area.split_vertically(self.px(TITLE));
        self.write(&head, title, (MARGIN + 6, 12), 13, INK)?;
        Ok(body)
    }

    /// Axes with numbers below and on the left.
    pub(super) fn chart<'a, DB: DrawingBackend>(
        self,
        area: &'a Area<DB>,
        axes: &Axes<'_>,
    ) -> Result<Chart<'a, DB>, Failed<DB>> {
        let Axes { x, y, x_name, y_name, ticks } = *axes;
        let mut builder = ChartBuilder::on(area);
        let mut chart = builder
            .margin(self.px(MARGIN))
            .margin_right(self.px(RIGHT))
            .set_label_area_size(LabelAreaPosition::Left, self.px(LEFT))
            .set_label_area_size(LabelAreaPosition::Bottom, self.px(BELOW))
            .build_cartesian_2d(x.range(), y.range())?;
        let (small, title) = (self.font(11, INK), self.font(12, INK));
        chart
            .configure_mesh()
            .disable_mesh()
            .set_all_tick_mark_size(self.px(5))
            .axis_style(self.line(INK, 1))
            .label_style(small)
            .axis_desc_style(title)
            .x_labels(ticks[0])
            .y_labels(ticks[1])
            .x_desc(x.title(x_name))
            .y_desc(y.title(y_name))
            .x_label_formatter(&|place| x.tick(*place))
            .y_label_formatter(&|place| y.tick(*place))
            .draw()?;
        Ok(chart)
    }

    /// Draws a line of points, as far as it is within the axes.
    pub(super) fn draw_line<DB: DrawingBackend>(
        self,
        chart: &mut Chart<'_, DB>,
        window: &Window,
        points: &[Point],
        style: Stroke,
    ) -> Result<(), Failed<DB>> {
        let color = style.color.mix(style.opacity);
        for part in window.line(points) {
            let look = color.stroke_width(self.px(style.width));
            if style.is_dashed {
                let (dash, gap) = (self.px(7), self.px(5));
                chart.draw_series([DashedPathElement::new(part, dash, gap, look)])?;
            } else {
                chart.draw_series([PathElement::new(part, look)])?;
            }
        }
        Ok(())
    }

    /// Draws dots.
    pub(super) fn draw_dots<DB: DrawingBackend>(
        self,
        chart: &mut Chart<'_, DB>,
        points: &[Point],
        color: RGBColor,
        radius: u32,
    ) -> Result<(), Failed<DB>> {
        let dots = points.iter().map(|&at| Circle::new(at, self.px(radius), color.filled()));
        chart.draw_series(dots)?;
        Ok(())
    }
}

/// The axes of a chart.
#[derive(Clone, Copy)]
pub(super) struct Axes<'a> {
    pub(super) x: &'a Scale,
    pub(super) y: &'a Scale,
    pub(super) x_name: &'a str,
    pub(super) y_name: &'a str,
    /// About so many numbers along x and y.
    pub(super) ticks: [usize; 2],
}

impl Axes<'_> {
    /// The places within.
    pub(super) fn window(&self) -> Window {
        let ordered = |range: std::ops::Range<f64>| range.start.min(range.end)..range.start.max(range.end);
        Window { x: ordered(self.x.range()), y: ordered(self.y.range()) }
    }
}

/// The look of a line.
#[derive(Clone, Copy)]
pub(super) struct Stroke {
    pub(super) color: RGBColor,
    pub(super) width: u32,
    pub(super) opacity: f64,
    pub(super) is_dashed: bool,
}

impl Stroke {
    pub(super) fn solid(color: RGBColor, width: u32) -> Self {
        Self { color, width, opacity: 1.0, is_dashed: false }
    }

    pub(super) fn dashed(color: RGBColor, width: u32) -> Self {
        Self { is_dashed: true, ..Self::solid(color, width) }
    }
}

/// Pixels as plotters counts them.
pub(super) fn signed(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}
