//! Missing pixels of images: masks of their own and in
//! files beside them, nodata values, transparent colours and alpha bands, held
//! against what rasterio (GDAL) takes them for (tests/foreign/make.py); and
//! headers that claim more than there is.

#![cfg(all(feature = "tiff", feature = "png"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linfit::array::{Array, DataError, Hinted, MaskedArray, Order, Problem, ValidityRules};
use linfit::io::{Opened, Reading, Source};

const ROWS: usize = 9;
const COLUMNS: usize = 12;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/data")
}

fn open(name: &str, band: Option<usize>, reading: &Reading) -> Result<Opened, DataError> {
    let key = band.map(|band| band.to_string());
    reading.open(&Source { path: data().join(name), key })
}

fn values(matrix: &Array) -> Vec<f64> {
    let mut values = vec![f64::NAN; matrix.len()];
    matrix.read(Order::C, 0, &mut values);
    values
}

/// 1 where an element counts, as the dataset that engines get says it.
fn valid(x: impl Into<MaskedArray>, nodata: Option<f64>) -> String {
    let rules = ValidityRules { x_nodata: nodata, ..ValidityRules::default() };
    let data = Problem::builder(x).rules(rules).build().unwrap();
    let is_valid = |k| data.validity().is_none_or(|validity| validity.contains(k));
    (0..data.len()).map(|k| if is_valid(k) { '1' } else { '0' }).collect()
}

#[derive(serde::Deserialize)]
struct Said {
    file: String,
    band: usize,
    valid: String,
}

fn said() -> Vec<Said> {
    serde_json::from_str(&fs::read_to_string(data().join("markers.json")).unwrap()).unwrap()
}

#[test]
fn pixels_count_where_gdal_says_so() {
    let said = said();
    let mut bands: BTreeMap<&str, usize> = BTreeMap::new();
    said.iter().for_each(|said| *bands.entry(&said.file).or_default() += 1);
    assert!(bands.len() > 40 && said.len() > 70, "{} of {} files", said.len(), bands.len());
    for Said { file, band, valid: want } in &said {
        for memory_bytes in [u64::MAX, 50] {
            let reading = Reading { memory_bytes, ..Reading::default() };
            let band = (bands[file.as_str()] > 1).then_some(*band);
            let x = open(file, band, &reading).unwrap_or_else(|error| panic!("{error}"));
            let notes = format!("{:?}", x.metadata().notes());
            assert_eq!(&valid(x, None), want, "{file} {band:?}: {notes}");
        }
    }
}

/// The same rule for a value that the user gives, in the place of the file's.
#[test]
fn a_nodata_value_that_is_given_is_compared_alike() {
    let files = [
        "f4-short",
        "f4-shorter",
        "f4-tenth",
        "f8-short",
        "f8-tenth",
        "f8-tiny",
        "u1-fraction",
        "i2-fraction",
        "i8",
    ];
    let said = said();
    for name in files {
        let file = format!("nodata-{name}.tif");
        let want = said.iter().find(|said| said.file == file).unwrap();
        let mut x = open(&file, None, &Reading::default()).unwrap();
        let nodata = x.metadata().nodata();
        assert!(nodata.is_some(), "{file}");
        x.set_nodata(None);
        assert_eq!(valid(x, nodata), want.valid, "{file}");
    }
    // It takes the place of a nodata value, not of a mask.
    let x = || open("msk.tif", Some(1), &Reading::default()).unwrap();
    let (masked, sevens) = (valid(x(), None), values(&x()));
    let want: String = masked.chars().zip(&sevens).map(|(c, x)| if *x == 7.0 { '0' } else { c }).collect();
    assert!(want != masked);
    assert_eq!(valid(x(), Some(7.0)), want);
}

/// In a table there is no GDAL: 9999.9 is itself.
#[test]
fn arrays_are_compared_exactly() {
    let values = vec![9999.9, 9999.9001, 9999.9 + 2e-12, 1.0];
    assert_eq!(valid(Array::from_vec("x", &[4], values), Some(9999.9)), "0111");
}

#[test]
fn each_marker_is_named_in_a_note() {
    for (file, band, words) in [
        ("mask.tif", 1, &["its own mask"][..]),
        ("mask-nodata.tif", 0, &["excluded by its own mask; its nodata value", "is not used beside it"]),
        ("msk.tif", 2, &["27 pixels are excluded by msk.tif.msk"]),
        ("msk.png", 0, &["msk.png.msk"]),
        ("msk-mute.tif", 0, &["msk-mute.tif.msk excludes no pixels", "give it as the mask"]),
        ("aux.tif", 2, &["nodata value 12 comes from aux.tif.aux.xml"]),
        ("aux-values.tif", 1, &["NODATA_VALUES 0 0"]),
        ("values-pixel.tif", 1, &["NODATA_VALUES 3 200 3"]),
        ("values-few.tif", 1, &["NODATA_VALUES 3 200 excludes no pixels", "by a mask or a nodata value"]),
        ("trns-8.png", 0, &["nodata value 9 ", "tRNS"]),
        ("trns-rgb-16.png", 3, &["tRNS", "771 51400 771"]),
        ("alpha-grey.tif", 1, &["26 pixels are excluded by its alpha band 2", "ignore the alpha band"]),
        ("alpha-rgb.png", 1, &["alpha band 4", "ignore the alpha band"]),
        ("alpha-second-of-five.tif", 1, &["its alpha band 2 excludes no pixels", "give it as the mask"]),
        ("reduced-first.tif", 0, &["first image calls itself a reduced copy"]),
        ("reduced-beneath.tif", 0, &["first image calls itself a reduced copy"]),
        ("reduced-only.tif", 0, &["only image calls itself a reduced copy"]),
        ("unsized.tif", 0, &["no sizes"]),
    ] {
        let x = open(file, Some(band).filter(|band| *band > 0), &Reading::default()).unwrap();
        let notes = x.metadata().notes().iter().map(|note| note.worded(|hint| hint.to_string()));
        let notes: Vec<String> = notes.collect();
        let notes = notes.join("; ");
        assert!(words.iter().all(|word| notes.contains(word)), "{file}: {notes}");
        assert!(x.metadata().notes().iter().any(|note| !note.is_detail()), "{file}: {notes}");
    }
}

#[test]
fn transparent_pixels_count_if_asked_for() {
    for (file, bands) in [("alpha-grey.tif", 2), ("alpha-rgb-planes.tif", 4), ("alpha-rgb-16.png", 4)] {
        let reading = Reading { alpha: false, ..Reading::default() };
        for band in 1..=bands {
            let x = open(file, Some(band), &reading).unwrap();
            assert!(!x.metadata().has_nulls() && x.metadata().notes().is_empty(), "{file}:{band}");
        }
        // The alpha band itself is whole.
        assert!(!open(file, Some(bands), &Reading::default()).unwrap().metadata().has_nulls(), "{file}");
    }
}

fn full() -> Vec<f64> {
    let value = |k: usize| (1 + k / COLUMNS + 3 * (k % COLUMNS)) as u32;
    (0..ROWS * COLUMNS).map(|k| f64::from(value(k))).collect()
}

#[test]
fn a_reduced_copy_is_not_taken_for_the_image() {
    for file in ["reduced-beneath.tif", "reduced-first.tif", "reduced-only.tif"] {
        assert_eq!(values(&open(file, None, &Reading::default()).unwrap()), full(), "{file}");
    }
}

/// As libtiff calculates it, where that is sure.
#[test]
fn sizes_that_are_not_there_are_calculated_or_refused() {
    for name in ["", "-strips", "-tiles", "-big", "-deflate", "-lzw"] {
        let file = format!("unsized{name}.tif");
        assert_eq!(values(&open(&file, None, &Reading::default()).unwrap()), full(), "{file}");
    }
    let error = open("unsized-deflate-strips.tif", None, &Reading::default()).unwrap_err().to_string();
    assert!(error.contains("places but no sizes") && error.contains("gdal_translate"), "{error}");
}

/// A file of one directory whose values are all LONGs, and what its tags say.
fn tiff(entries: &[(u16, &[u32])], pages: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    bytes.extend(data);
    let mut link = 4;
    for _ in 0..pages {
        let mut directory = (entries.len() as u16).to_le_bytes().to_vec();
        for (tag, values) in entries {
            directory.extend([tag.to_le_bytes(), 4u16.to_le_bytes()].concat());
            directory.extend((values.len() as u32).to_le_bytes());
            let at = bytes.len() as u32;
            directory.extend(if let [value] = values { *value } else { at }.to_le_bytes());
            if values.len() > 1 {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        let start = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&start.to_le_bytes());
        bytes.extend(directory);
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

fn png(width: u32, height: u32, depth: u8, interlaced: bool, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let head =
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, 0, 0, 0, interlaced.into()]].concat();
    for (kind, data) in [(b"IHDR", &head[..]), (b"IDAT", data), (b"IEND", &[])] {
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(kind);
        bytes.extend(data);
        // Nobody gets as far as the checksums.
        bytes.extend([0; 4]);
    }
    bytes
}

/// Claims of headers of a few bytes are refused at once: one that is
/// believed takes gigabytes, and seconds to fill them.
#[test]
fn claims_beyond_what_is_there_are_refused_at_once() {
    let image =
        |width: u32, height: u32, compression: u32, offsets: &'static [u32], counts: &'static [u32]| {
            let sides = [width, height, compression];
            let [width, height, compression] = &sides;
            let one = std::slice::from_ref;
            tiff(
                &[
                    (256, one(width)),
                    (257, one(height)),
                    (258, &[8]),
                    (259, one(compression)),
                    (262, &[1]),
                    (273, offsets),
                    (277, &[1]),
                    (278, &[1 << 30]),
                    (279, counts),
                ],
                1,
                &[0; 64],
            )
        };
    let samples = [(256, &[1][..]), (257, &[1]), (258, &[8]), (273, &[8]), (277, &[65_535]), (279, &[1])];
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        (
            "sparse",
            image(1 << 20, 1 << 15, 1, &[0], &[0]),
            "x.tif",
            "34359738368 bytes of pixels of which it has none",
        ),
        ("stored", image(1 << 20, 1 << 15, 1, &[8], &[64]), "x.tif", "truncated"),
        ("unsized", image(1 << 20, 1 << 15, 1, &[8], &[0]), "x.tif", "truncated"),
        (
            "lzw",
            image(1 << 20, 1 << 15, 5, &[8], &[64]),
            "x.tif",
            "claims a strip or tile of 34359738368 bytes",
        ),
        ("deflate", image(1 << 31, 1, 8, &[8], &[64]), "x.tif", "claims a strip or tile"),
        ("packbits", image(1 << 16, 1 << 16, 32_773, &[8], &[64]), "x.tif", "claims a strip or tile"),
        ("zstd", image(1 << 31, 1 << 20, 50_000, &[8], &[64]), "x.tif", "claims a strip or tile"),
        ("size", image(u32::MAX, 1 << 30, 1, &[0], &[0]), "x.tif", "of which it has none"),
        ("strips", image(8, 8, 1, &[], &[]), "x.tif", "fewer strips"),
        ("samples", tiff(&samples, 20_000, &[0; 64]), "x.tif", "has 1310700000 bands"),
        ("png row", png((1 << 31) - 1, 1, 8, false, &[0; 12]), "x.png", "claims 2147483647 × 1 pixels"),
        ("png bits", png((1 << 31) - 1, 37, 1, false, &[0; 69]), "x.png", "claims 2147483647 × 37 pixels"),
        ("png passes", png(1 << 20, 1 << 20, 16, true, &[0; 12]), "x.png", "claims 1048576 × 1048576 pixels"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (case, bytes, name, words) in cases {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let start = Instant::now();
        let error = Reading::default().open(&Source { path, key: None }).unwrap_err().to_string();
        assert!(error.contains(words), "{case}: {error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{case}: {:?}", start.elapsed());
    }
}

/// Many strips of the same few bytes, each of which has what it claims.
#[test]
fn strips_that_share_their_bytes_have_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let image = |strips: u32, compression: u32, stored: &[u8], width: u32| {
        let (offsets, counts) = (vec![8; strips as usize], vec![stored.len() as u32; strips as usize]);
        let (height, width) = ([strips], [width]);
        let bytes = tiff(
            &[
                (256, &width),
                (257, &height),
                (258, &[8]),
                (259, &[compression]),
                (262, &[1]),
                (273, &offsets),
                (277, &[1]),
                (278, &[1]),
                (279, &counts),
            ],
            1,
            stored,
        );
        let path = directory.path().join("x.tif");
        fs::write(&path, bytes).unwrap();
        Reading::default().open(&Source { path, key: None })
    };
    // 128 bytes each.
    let packed = [129, 7].repeat(1 << 13);
    for (case, opened) in [
        ("packbits", image(10_000, 32_773, &packed, 1 << 20)),
        ("stored", image(10_000, 1, &[7; 1 << 14], 1 << 14)),
    ] {
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("share the same") && error.contains("bytes of its own"), "{case}: {error}");
    }
    let shared = image(50, 32_773, &packed, 1 << 20).unwrap();
    assert_eq!(shared.len(), 50 << 20);
}

/// As some writers store equal tiles.
#[test]
fn tiles_that_share_their_bytes_are_read() {
    let tile: Vec<u8> = (0..=255).collect();
    let other: Vec<u8> = (0..=255).rev().collect();
    let bytes = tiff(
        &[
            (256, &[48]),
            (257, &[16]),
            (258, &[8]),
            (259, &[1]),
            (262, &[1]),
            (277, &[1]),
            (322, &[16]),
            (323, &[16]),
            (324, &[8, 264, 8]),
            (325, &[256; 3]),
        ],
        1,
        &[tile, other].concat(),
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.tif");
    fs::write(&path, bytes).unwrap();
    let x = Reading::default().open(&Source { path, key: None }).unwrap();
    let want = |row: u32, column: u32| {
        let place = 16 * row + column % 16;
        f64::from(if column / 16 == 1 { 255 - place } else { place })
    };
    let want: Vec<f64> = (0..16).flat_map(|row| (0..48).map(move |column| want(row, column))).collect();
    assert_eq!(values(&x), want);
}

/// An image of one column of one strip, and what its text tag of that number
/// says, after its size.
fn column(bits: u32, format: u32, data: &[u8], nodata: &str) -> Vec<u8> {
    let rows = [data.len() as u32 * 8 / bits];
    let text = format!("{nodata}\0\0\0\0\0");
    let at = [8 + data.len() as u32];
    let (bits, format, count) = ([bits], [format], [data.len() as u32]);
    let entries: &[(u16, &[u32])] = &[
        (256, &[1]),
        (257, &rows),
        (258, &bits),
        (259, &[1]),
        (262, &[1]),
        (273, &[8]),
        (277, &[1]),
        (278, &rows),
        (279, &count),
        (339, &format),
        (42_113, &at),
    ];
    let mut bytes = tiff(entries, 1, &[data, text.as_bytes()].concat());
    // The last entry is a text.
    let entry = bytes.len() - 16;
    bytes[entry + 2..entry + 4].copy_from_slice(&2u16.to_le_bytes());
    bytes[entry + 4..entry + 8].copy_from_slice(&(text.len() as u32).to_le_bytes());
    bytes
}

fn open_alone(directory: &Path, bytes: &[u8]) -> Opened {
    let path = directory.join("x.tif");
    fs::write(&path, bytes).unwrap();
    Reading::default().open(&Source { path, key: None }).unwrap()
}

/// f64 has none of these: it takes the first two for their neighbour.
#[test]
fn a_nodata_value_of_64_bits_is_itself() {
    let directory = tempfile::tempdir().unwrap();
    let near = 9_007_199_254_740_993i64;
    let signed = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    for (format, values, nodata) in [
        (2, vec![near - 1, near, near + 1, -near, 5], "9007199254740993"),
        (1, vec![near - 1, near, near + 1, near + 2, 5], " 9007199254740993"),
        (2, vec![i64::MIN, i64::MIN + 1, i64::MIN + 2, 0, 5], "-9223372036854775807"),
        (1, vec![-1, -2, -3, 0, 5], "18446744073709551614"),
    ] {
        let x = open_alone(directory.path(), &column(64, format, &signed(&values), nodata));
        assert_eq!(valid(x, None), "10111", "{nodata}");
    }
    // A value that is given takes its place.
    let bytes = column(64, 2, &signed(&[near, 5]), "9007199254740993");
    assert_eq!(valid(open_alone(directory.path(), &bytes), Some(5.0)), "10");
}

/// As Windows wrote it; a value of metres is none.
#[test]
fn infinity_has_another_spelling() {
    let directory = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = [1.0, f32::NEG_INFINITY, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let x = open_alone(directory.path(), &column(32, 3, &bytes, "-1.#INF"));
    assert_eq!(valid(x, None), "101");
    let x = open_alone(directory.path(), &column(32, 3, &bytes, "-9999m"));
    let error = Problem::builder(x).build().unwrap_err().to_string();
    assert!(error.contains("-9999m"), "{error}");
}

/// A file beside an image, as it is written and as it is not whole.
#[test]
fn notes_beside_an_image_are_read_as_gdal_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let beside = |xml: &str| {
        fs::write(directory.path().join("x.tif.aux.xml"), xml).unwrap();
        open_alone(directory.path(), &column(8, 1, &[14, 15], "15"))
    };
    let whole =
        "<PAMDataset><PAMRasterBand band='01'><NoDataValue>14</NoDataValue></PAMRasterBand></PAMDataset>";
    assert_eq!(valid(beside(whole), None), "01");
    assert_eq!(valid(beside(&whole.to_uppercase()), None), "01");
    for xml in [whole.strip_suffix("</PAMDataset>").unwrap(), &whole[..70], ""] {
        let x = beside(xml);
        let notes: Vec<String> = x.metadata().notes().iter().map(ToString::to_string).collect();
        assert_eq!(valid(x, None), "10", "{xml}");
        assert!(notes.join("; ").contains("x.tif.aux.xml excludes no pixels: it is cut off"), "{notes:?}");
    }
}

/// As many bits of a chunk's two bytes are read as a sample has.
#[test]
fn a_transparent_grey_has_the_bits_of_a_sample() {
    use ::png::{BitDepth, ColorType, Encoder};
    let directory = tempfile::tempdir().unwrap();
    for (depth, byte, value, pixels) in [
        (BitDepth::One, 0b0100_0000, 0x17, 2),
        (BitDepth::Two, 0b0011_0000, 0x17, 2),
        (BitDepth::Four, 0x57, 0x17, 2),
    ] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, pixels, 1);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(depth);
        encoder.set_trns(vec![0, value]);
        encoder.write_header().unwrap().write_image_data(&[byte]).unwrap();
        let path = directory.path().join("x.png");
        fs::write(&path, bytes).unwrap();
        let x = Reading::default().open(&Source { path, key: None }).unwrap();
        assert_eq!(valid(x, None), "10", "{depth:?}");
    }
}
