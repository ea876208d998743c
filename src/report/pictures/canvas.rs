//! The surfaces that pictures are drawn on, and the parts that they have in common.

use std::sync::Once;

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::{
    BitMapBackend, Cartesian2d, Circle, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea,
    IntoFont, PathElement, RGBColor, Rectangle, SVGBackend, Text,
};
use plotters::style::colors::colormaps::ViridisRGB;
use plotters::style::{Color, FontStyle, ShapeStyle, TextStyle, WHITE, register_font};

use super::clip::{Point, Window};
use super::format::{PictureError, PictureFormat};
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

/// The name of the font. Readers of SVG have it in some shape; a PNG has the one
/// that is in the program.
const FONT: &str = "sans-serif";

static FONT_BYTES: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// Pixels of a PNG for a unit of length.
const PNG_SCALE: u32 = 2;

/// Something to draw.
pub(super) trait Draw {
    /// Width and height in units of length, pixels of a screen.
    fn size(&self) -> (u32, u32);

    /// Draws it.
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>>;
}

/// Draws a picture in a format.
pub(super) fn drawn(picture: &impl Draw, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // Without a font every picture fails, with an error.
        let _ = register_font(FONT, FontStyle::Normal, FONT_BYTES);
    });
    match format {
        PictureFormat::Svg | PictureFormat::Inline => {
            svg(picture, format == PictureFormat::Svg).map(String::into_bytes)
        }
        PictureFormat::Png => png(picture),
    }
}

/// Draws a picture as SVG.
fn svg(picture: &impl Draw, has_background: bool) -> Result<String, PictureError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, picture.size()).into_drawing_area();
        if has_background {
            area.fill(&WHITE).map_err(PictureError::of)?;
        }
        picture.draw(&area, Pen { scale: 1 }).map_err(PictureError::of)?;
        area.present().map_err(PictureError::of)?;
    }
    // What is so by default: about a third of a picture of many cells.
    Ok(text.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", ""))
}

/// Draws a picture as PNG.
fn png(picture: &impl Draw) -> Result<Vec<u8>, PictureError> {
    let (width, height) = picture.size();
    let size = (width * PNG_SCALE, height * PNG_SCALE);
    let mut pixels = vec![255u8; size.0 as usize * size.1 as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        picture.draw(&area, Pen { scale: PNG_SCALE }).map_err(PictureError::of)?;
        area.present().map_err(PictureError::of)?;
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(PictureError::of)?;
    writer.write_image_data(&pixels).map_err(PictureError::of)?;
    writer.finish().map_err(PictureError::of)?;
    Ok(file)
}

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

impl Pen {
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
        Window { x: self.x.range(), y: self.y.range() }
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

/// Pixels as plotters counts them.
pub(super) fn signed(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}
