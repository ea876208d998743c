//! Grey and colour images.

use super::*;

#[test]
fn grey_and_colours_are_read() {
    is_image("grey8.png", ElementType::U8, 0);
    is_image("interlaced.png", ElementType::U8, 0);
    is_image("grey16.png", ElementType::U16, 0);
    for (name, bands, element) in [
        ("rgb.png", 3, ElementType::U8),
        ("rgba.png", 4, ElementType::U8),
        ("rgb16.png", 3, ElementType::U16),
    ] {
        for band in 0..bands {
            is_image(&format!("{name}:{}", band + 1), element, band);
        }
        is_refused(name, &[&format!("{bands} bands"), &format!("{name}:BAND")]);
        is_refused(&format!("{name}:5"), &["no band \"5\"", "1, 2, 3"]);
    }
}

#[test]
fn samples_of_less_than_a_byte_are_bytes() {
    for bits in [1, 2, 4] {
        let matrix = read(&format!("bits-{bits}.png")).unwrap();
        assert_eq!((matrix.shape(), matrix.element()), (&Shape(vec![ROWS, COLUMNS]), ElementType::U8));
        assert!(values(&matrix) == packed(bits, 0), "{bits}");
    }
    let want: Vec<f64> =
        image(ElementType::U8, 0).iter().map(|value| f64::from(u8::from(*value > 99.0))).collect();
    assert_eq!(values(&read("bilevel.png").unwrap()), want);
}

#[test]
fn others_are_errors() {
    is_refused("palette.png", &["colours", "greyscale"]);
}
