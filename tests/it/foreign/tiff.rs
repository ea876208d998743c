//! Images as libtiff, GDAL, tifffile and ImageJ write them.

use super::*;

#[test]
fn every_type_is_read_from_strips_and_tiles() {
    let types = [
        ("u1", ElementType::U8),
        ("u2", ElementType::U16),
        ("u4", ElementType::U32),
        ("i1", ElementType::I8),
        ("i2", ElementType::I16),
        ("i4", ElementType::I32),
        ("f4", ElementType::F32),
        ("f8", ElementType::F64),
    ];
    for (name, element) in types {
        is_image(&format!("strips-{name}.tif"), element, 0);
        is_image(&format!("strips-{name}.tif:1"), element, 0);
        is_image(&format!("tiles-{name}-deflate.tif"), element, 0);
    }
}

#[test]
fn every_layout_and_compression_is_read() {
    let kinds = [
        ("big-endian.tif", ElementType::U16),
        ("big-endian-tiles.tif", ElementType::F32),
        ("bigtiff.tif", ElementType::F32),
        ("tiles.tif", ElementType::U8),
        ("lzw.tif", ElementType::U16),
        ("lzw-predictor.tif", ElementType::U16),
        ("packbits.tif", ElementType::U8),
        ("deflate-float-predictor.tif", ElementType::F32),
        ("zstd.tif", ElementType::F32),
        // What is white is 0, and read as 0.
        ("white-is-zero.tif", ElementType::U8),
        ("white-is-zero-lzw.tif", ElementType::U16),
    ];
    for (name, element) in kinds {
        is_image(name, element, 0);
    }
}

#[test]
fn bands_are_numbered_from_1() {
    let kinds = [
        ("chunky.tif", 5, ElementType::U16),
        ("chunky-tiles.tif", 5, ElementType::F32),
        ("planar.tif", 5, ElementType::U16),
        ("planar-tiles.tif", 5, ElementType::U16),
        ("rgb.tif", 3, ElementType::U8),
        ("pages.tif", 3, ElementType::I16),
        ("rgb-4.tif", 4, ElementType::U8),
        ("rgb-4-lzw.tif", 4, ElementType::U8),
        ("rgb-and-two.tif", 5, ElementType::U8),
        ("rgba-deflate.tif", 4, ElementType::U16),
        ("rgb-6-tiles.tif", 6, ElementType::U16),
        ("rgb-6-float.tif", 6, ElementType::F32),
        ("rgb-4-planar.tif", 4, ElementType::U8),
        ("rgb-5-planar-tiles.tif", 5, ElementType::U16),
        ("rgb-4-big.tif", 4, ElementType::U16),
        ("grey-and-alpha.tif", 2, ElementType::U8),
        ("cmyk.tif", 4, ElementType::U8),
        ("colours-and-grey.tif", 5, ElementType::U8),
    ];
    for (name, bands, element) in kinds {
        for band in 0..bands {
            is_image(&format!("{name}:{}", band + 1), element, band);
        }
        let list = (1..=bands).map(|band| band.to_string()).collect::<Vec<_>>().join(", ");
        is_refused(name, &[&format!("{bands} bands"), &format!("{name}:BAND, from: {list}")]);
        for band in ["0", "7", "red"] {
            is_refused(&format!("{name}:{band}"), &[&format!("no band {band:?}"), &list]);
        }
    }
}

#[test]
fn nodata_and_georeference_are_carried() {
    let matrix = read("geo.tif").unwrap();
    assert_eq!(matrix.metadata().nodata(), Some(-9999.0));
    let mut want = image(ElementType::I16, 0);
    want[3 * COLUMNS as usize + 4] = -9999.0;
    assert_eq!(values(&matrix), want);
    let text = format!("{:?}", matrix.metadata().georeference().unwrap());
    assert!(text.contains("600000.0") && text.contains("32632") && text.contains("UTM zone 32N"), "{text}");
    assert!(read("nodata-nan.tif").unwrap().metadata().nodata().unwrap().is_nan());
    assert_eq!(read("nodata-empty.tif").unwrap().metadata().nodata(), None);
    is_unclear("nodata-unclear.tif", &["GDAL_NODATA tag is \"n/a\""]);
    let plain = read("tiles.tif").unwrap();
    assert!(plain.metadata().nodata().is_none() && plain.metadata().georeference().is_none());
}

#[test]
fn others_are_errors() {
    is_refused("jpeg.tif", &["compressed by JPEG", "gdal_translate"]);
    is_refused("ycbcr-jpeg.tif:1", &["compressed by JPEG"]);
    for (file, name) in [
        ("lzma", "LZMA"),
        ("lerc", "LERC"),
        ("png", "PNG"),
        ("jpeg2000", "JPEG 2000"),
        ("jpegxl", "JPEG XL"),
        ("webp:1", "WebP"),
    ] {
        let file = match file.split_once(':') {
            Some((file, band)) => format!("compressed-{file}.tif:{band}"),
            None => format!("compressed-{file}.tif"),
        };
        is_refused(&file, &[&format!("compressed by {name},"), "linfit does not read", "gdal_translate"]);
    }
    is_refused("predictor.tif", &["predictor 34892,", "linfit does not read", "gdal_translate"]);
    is_refused("complex.tif", &["complex", "64 bits", "convert"]);
    is_refused("bits-5.tif", &["whole numbers (5 bits)", "64 bits"]);
    is_refused("palette.tif", &["numbers of colours", "gdal_translate -expand rgb", "MINISBLACK"]);
    is_refused("lab.tif:1", &["L*a*b*", "convert it"]);
}

#[test]
fn samples_of_less_than_a_byte_are_bytes() {
    let is_packed = |name: &str, bits: u32, band: u64| {
        let matrix = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((matrix.shape(), matrix.element()), (&Shape(vec![ROWS, COLUMNS]), ElementType::U8));
        assert!(values(&matrix) == packed(bits, band), "{name}");
    };
    is_packed("bits-1-bool.tif", 1, 0);
    // What is white is 0, and read as 0.
    is_packed("bits-1-white.tif", 1, 0);
    for bits in [1, 2, 4] {
        is_packed(&format!("bits-{bits}.tif"), bits, 0);
        for band in 0..3 {
            is_packed(&format!("bits-{bits}-tiles.tif:{}", band + 1), bits, band);
            is_packed(&format!("bits-{bits}-planes.tif:{}", band + 1), bits, band);
        }
    }
}

/// The places at which make.py's masks are 0.
fn is_masked(k: usize) -> bool {
    let (row, column) = (k as u64 / COLUMNS, k as u64 % COLUMNS);
    row * column % 7 == 2
}

#[test]
fn masks_of_their_own_are_nulls_of_all_bands() {
    let bands = |file: &'static str, count: u64| (0..count).map(move |band| (file, band));
    let cases = bands("mask.tif", 2).chain(bands("mask-tiles.tif", 2)).chain(bands("mask-cog.tif", 2));
    for (file, band) in cases {
        let name = format!("{file}:{}", band + 1);
        is_image(&name, ElementType::U16, band);
        let matrix = read(&name).unwrap();
        assert!((0..matrix.len()).all(|k| matrix.metadata().is_null(k) == is_masked(k)), "{name}");
    }
    for band in 0..3 {
        let name = format!("mask-pages.tif:{}", band + 1);
        is_image(&name, ElementType::I16, band);
        let matrix = read(&name).unwrap();
        // The second page has none.
        assert!(
            (0..matrix.len()).all(|k| matrix.metadata().is_null(k) == (band != 1 && is_masked(k))),
            "{name}"
        );
    }
    assert!(!read("tiles.tif").unwrap().metadata().has_nulls());
    // It masks nothing: it is the one image to read.
    let alone = values(&read("mask-alone.tif").unwrap());
    assert!(alone.iter().enumerate().all(|(k, value)| *value == if is_masked(k) { 0.0 } else { 255.0 }));
}

#[test]
fn masks_of_their_own_exclude_in_any_order() {
    let places = || 0..(ROWS * COLUMNS) as usize;
    let masked = places().filter(|&k| is_masked(k)).count() as u64;
    let band = |band: u64| read(&format!("mask-tiles.tif:{}", band + 1)).unwrap();
    let data = Problem::pair(band(0), band(1)).unwrap();
    let validity = data.validity().unwrap();
    assert!(places().all(|k| validity.contains(k) != is_masked(k)));
    assert_eq!(validity.excluded().x_nodata, masked);
    // X and T lie column by column, and the mask and the weights row by row.
    let columns = || read("stored.npz:columns").unwrap();
    let rules = [
        ValidityRules { mask: Some(band(1).into()), ..ValidityRules::default() },
        ValidityRules { weights: Some(band(1).into()), ..ValidityRules::default() },
    ];
    for rules in rules {
        let data = Problem::builder(columns()).target(columns()).rules(rules).build().unwrap();
        assert_eq!(data.order(), Order::Fortran);
        let validity = data.validity().unwrap();
        for (k, place) in places().map(|k| (k, k % ROWS as usize * COLUMNS as usize + k / ROWS as usize)) {
            assert_eq!(validity.contains(k), !is_masked(place), "{k}");
        }
    }
}

#[test]
fn other_masks_are_errors() {
    is_refused(
        "mask-size.tif",
        &["its mask has another size", "53×36, not 53×37", "exclude elements by a mask"],
    );
    is_refused("mask-two.tif", &["several masks", "exclude elements by a mask"]);
    is_refused("mask-lzma.tif", &["its mask", "compressed by LZMA", "exclude elements by a mask"]);
    is_refused("mask-wide.tif", &["its mask", "16 bits", "exclude elements by a mask"]);
}

#[test]
fn scales_and_offsets_are_told_and_not_applied() {
    let remarks = [None, Some("scale 0.5 and offset -3.0"), Some("scale 1.0 and offset 7.25")];
    for (band, remark) in (0..).zip(remarks) {
        let name = format!("scaled.tif:{}", band + 1);
        is_image(&name, ElementType::I16, band);
        let matrix = read(&name).unwrap();
        match remark {
            Some(words) => assert!(
                matrix.metadata().notes()[0].to_string().contains(words),
                "{:?}",
                matrix.metadata().notes()
            ),
            None => assert!(matrix.metadata().notes().is_empty(), "{:?}", matrix.metadata().notes()),
        }
    }
}

#[test]
fn stacks_of_one_directory_are_bands() {
    for band in 0..3 {
        is_image(&format!("stack.tif:{}", band + 1), ElementType::U16, band);
        is_image(&format!("stack-pages.tif:{}", band + 1), ElementType::U16, band);
        is_image(&format!("stack-shape.tif:{}", band + 1), ElementType::U16, band);
        is_image(&format!("stack-float.tif:{}", band + 1), ElementType::F32, band);
    }
    is_refused("stack.tif", &["3 bands", "from: 1, 2, 3"]);
    is_refused("stack-deflate.tif:1", &["3 images", "compressed", "save them as pages"]);
    // Its last image is cut off.
    let stack = fs::read(data().join("stack.tif")).unwrap();
    assert!(open(&stack[..stack.len() - 1], "2").is_ok());
    assert!(open(&stack[..stack.len() - 1], "3").unwrap_err().contains("truncated"));
}

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const MEANING: u16 = 262;
const FILL_ORDER: u16 = 266;
const OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const COUNTS: u16 = 279;
const FORMAT: u16 = 339;
const SUBSAMPLING: u16 = 530;

const PACKBITS: u32 = 32_773;

/// A file of one directory whose values are all LONGs, with the data from
/// byte 8 on: what no library writes, though the specification has it.
fn handmade(entries: &[(u16, &[u32])], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    bytes.extend(data);
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
    bytes[4..8].copy_from_slice(&start.to_le_bytes());
    bytes.extend(directory);
    bytes.extend([0; 4]);
    bytes
}

fn open(bytes: &[u8], band: &str) -> Result<Vec<f64>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.tif");
    fs::write(&path, bytes).unwrap();
    let matrix = Reading::default().open(&Source { path, key: Some(band.to_owned()) });
    matrix.map(|matrix| values(&matrix)).map_err(|error| error.to_string())
}

#[test]
fn a_strip_without_a_number_of_rows_is_the_image() {
    let data = [1, 2, 3, 4, 5, 6];
    let mut entries: Vec<(u16, &[u32])> =
        vec![(WIDTH, &[3]), (HEIGHT, &[2]), (BITS, &[8]), (MEANING, &[1]), (OFFSETS, &[8]), (COUNTS, &[6])];
    let want = data.map(f64::from);
    assert_eq!(open(&handmade(&entries, &data), "1").unwrap(), want);
    // The greatest number there is means the same.
    entries.push((ROWS_PER_STRIP, &[u32::MAX]));
    assert_eq!(open(&handmade(&entries, &data), "1").unwrap(), want);
    entries.push((COMPRESSION, &[PACKBITS]));
    entries[5].1 = &[7];
    assert_eq!(open(&handmade(&entries, &[5, 1, 2, 3, 4, 5, 6]), "1").unwrap(), want);
}

/// Two pixels of five samples, of which a decoder of colours knows three.
#[test]
fn colours_without_a_word_on_the_others_are_read() {
    let data = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15];
    let of = |bits: &[u32], meaning: &[u32], more: &[(u16, &[u32])]| {
        let mut entries: Vec<(u16, &[u32])> = vec![
            (WIDTH, &[2]),
            (HEIGHT, &[1]),
            (BITS, bits),
            (MEANING, meaning),
            (OFFSETS, &[8]),
            (SAMPLES, &[5]),
            (COUNTS, &[10]),
        ];
        entries.extend(more);
        entries.retain(|(_, values)| !values.is_empty());
        open(&handmade(&entries, &data), "4")
    };
    let want = Ok(vec![4.0, 14.0]);
    for meaning in [0, 1, 2, 4, 5, 9, 32_803, 34_892] {
        assert_eq!(of(&[8; 5], &[meaning], &[]), want, "{meaning}");
    }
    assert_eq!(of(&[8], &[2], &[]), want);
    assert_eq!(of(&[8], &[2], &[(FILL_ORDER, &[1])]), want);
    assert_eq!(of(&[8], &[6], &[(SUBSAMPLING, &[1, 1])]), want);
    for (result, words) in [
        (of(&[8], &[6], &[]), "YCbCr, of fewer pixels"),
        (of(&[8], &[6], &[(SUBSAMPLING, &[2, 1])]), "YCbCr, of fewer pixels"),
        (of(&[8], &[3], &[]), "numbers of colours"),
        (of(&[8, 8, 8, 8, 16], &[2], &[]), "bits"),
        (of(&[8], &[2], &[(FORMAT, &[1, 1, 1, 2, 1])]), "sample format"),
        (of(&[8], &[], &[]), "interpretation"),
        (of(&[8], &[1], &[(FILL_ORDER, &[2])]), "bits are in reverse order"),
    ] {
        let error = result.unwrap_err();
        assert!(error.contains(words) && error.contains("linfit does not read"), "{words}: {error}");
    }
}

#[test]
fn strips_are_as_many_as_there_are() {
    const STRIPS: u32 = 70_000;
    let data: Vec<u8> = (0..STRIPS).flat_map(|k| [0, (k % 251) as u8]).collect();
    let offsets: Vec<u32> = (0..STRIPS).map(|k| 8 + 2 * k).collect();
    let want: Vec<f64> = (0..STRIPS).map(|k| f64::from(k % 251)).collect();
    for (compression, skipped, bytes) in [(PACKBITS, 0, 2), (1, 1, 1)] {
        let offsets: Vec<u32> = offsets.iter().map(|offset| offset + skipped).collect();
        let entries: [(u16, &[u32]); 8] = [
            (WIDTH, &[1]),
            (HEIGHT, &[STRIPS]),
            (BITS, &[8]),
            (COMPRESSION, &[compression]),
            (MEANING, &[1]),
            (OFFSETS, &offsets),
            (ROWS_PER_STRIP, &[1]),
            (COUNTS, &vec![bytes; STRIPS as usize]),
        ];
        assert!(open(&handmade(&entries, &data), "1").unwrap() == want);
    }
}
