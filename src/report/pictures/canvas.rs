//! The surfaces that pictures are drawn on: SVG and PNG.

use std::sync::Once;

use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::{FontStyle, WHITE, register_font};

use super::format::{PictureError, PictureFormat};
use super::pen::{Area, FONT, Failed, Pen};

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
        picture.draw(&area, Pen::new(1)).map_err(PictureError::of)?;
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
        picture.draw(&area, Pen::new(PNG_SCALE)).map_err(PictureError::of)?;
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
