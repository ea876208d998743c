//! Files of astronomy and remote sensing, models in shards and folders of tables, which
//! science.py wrote with their own programs.

use super::*;

const ROWS: u64 = 13;
const COLUMNS: u64 = 17;
const LENGTH: u64 = 40;

/// The numbers that science.py puts in bands.
fn image(element: ElementType, band: u64) -> Vec<f64> {
    let places = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    let value = |(row, column)| (5 * row + 3 * column + 11 * band) as f64;
    places.map(value).map(|value| if element.is_float() { value / 2.0 } else { value }).collect()
}

#[track_caller]
fn is_image(name: &str, element: ElementType, band: u64) -> Opened {
    let name = format!("science/{name}");
    let opened = read(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((opened.element(), &opened.shape().0[..]), (element, &[ROWS, COLUMNS][..]), "{name}");
    assert_eq!(values(&opened), image(element, band), "{name}");
    opened
}

/// What astropy makes of the same file.
fn saved(name: &str) -> Vec<f64> {
    values(&linfit::io::npy::open(&data().join("science").join(name)).unwrap())
}

#[test]
fn fits_images_of_every_type() {
    for (name, element) in [
        ("plain.fits", ElementType::F32),
        ("plain.fits:0", ElementType::F32),
        ("plain.fits:PRIMARY", ElementType::F32),
        ("plain.fits:U1", ElementType::U8),
        ("plain.fits:u1", ElementType::U8),
        ("plain.fits:4", ElementType::U8),
        ("plain.fits:I8", ElementType::I64),
        ("plain.fits:F8", ElementType::F64),
        ("unsigned.fits:U2", ElementType::U16),
        ("unsigned.fits:U4", ElementType::U32),
        ("unsigned.fits:U8", ElementType::U64),
        ("unsigned.fits:I1", ElementType::I8),
        ("rice.fits:I2", ElementType::I16),
        ("rice.fits:I4", ElementType::I32),
        ("rice.fits:U1", ElementType::U8),
        ("rice.fits:U2", ElementType::U16),
        ("rice.fits:TILES", ElementType::I16),
        ("gzip.fits:G1", ElementType::I16),
        ("gzip.fits:G2", ElementType::I32),
        ("gzip.fits:F4", ElementType::F32),
        ("gzip.fits:F8", ElementType::F64),
    ] {
        is_image(name, element, 0);
    }
    assert_eq!(is_image("plain.fits:BLANKED", ElementType::I16, 0).metadata().nodata(), Some(20.0));
    let cube = read("science/plain.fits:CUBE,2").unwrap();
    assert_eq!(cube.shape().0, [3, ROWS, COLUMNS]);
    let bands = (0..3).flat_map(|band| image(ElementType::I32, band)).collect::<Vec<_>>();
    assert_eq!(values(&cube), bands);
    assert_eq!(values(&read("science/rice.fits:WILD").unwrap()), saved("wild.npy"));
}

#[test]
fn scaled_pixels_are_as_they_are_stored() {
    let scaled = read("science/plain.fits:SCALED").unwrap();
    let notes: Vec<String> = scaled.metadata().notes().iter().map(ToString::to_string).collect();
    assert_eq!(values(&scaled), image(ElementType::I16, 0));
    assert!(notes[..] == ["read as it is stored, not with its scale 0.5 and offset 3.0"], "{notes:?}");
}

#[test]
fn quantized_pixels_are_those_of_astropy() {
    for name in ["quantized-none", "quantized-one", "quantized-two", "quantized-gzip"] {
        let found = values(&Reading::default().open(&source(&format!("science/{name}.fits:Q"))).unwrap());
        let want = saved(&format!("{name}.npy"));
        assert!(want.iter().filter(|value| value.is_nan()).count() == 1, "{name}");
        let differ = found
            .iter()
            .zip(&want)
            .filter(|(a, b)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()));
        assert_eq!(differ.count(), 0, "{name}");
    }
}

#[test]
fn columns_of_binary_tables() {
    let column = |name: &str| {
        let name = format!("science/table.fits:EVENTS.{name}");
        read(&name).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    for (name, element, value) in [
        ("x", ElementType::F64, (|k| k * 0.25) as fn(f64) -> f64),
        ("t", ElementType::F32, |k| k * 0.5 + 1.0),
        ("i", ElementType::I32, |k| k - 7.0),
        ("s", ElementType::I16, |k| k),
        ("k", ElementType::I64, |k| k * 1e15),
        ("b", ElementType::U8, |k| k),
        ("u", ElementType::U16, |k| k + 40000.0),
        ("ok", ElementType::Bool, |k| f64::from(u8::from(k % 3.0 == 0.0))),
        ("0", ElementType::F64, |k| k * 0.25),
    ] {
        let found = column(name);
        assert_eq!(found.element(), element, "{name}");
        let want: Vec<f64> = (0..LENGTH).map(|k| value(k as f64)).collect();
        assert_eq!(values(&found), want, "{name}");
    }
    assert_eq!(column("i").metadata().nodata(), Some(5.0));
    let pair = column("pair");
    assert_eq!(pair.shape().0, [LENGTH, 2]);
    assert_eq!(values(&pair)[2..4], [1.0, 2.0]);
}

#[test]
fn fits_files_that_are_not_read_say_the_way_out() {
    for (name, words) in [
        ("gzip.fits:PLIO", &["PLIO_1", "funpack"][..]),
        ("gzip.fits", &["has 6 HDUs", "G1 (1)", "F8 (4)"]),
        ("gzip.fits:NONE", &["no HDU \"NONE\"", "G1 (1)"]),
        ("gzip.fits:6", &["no HDU \"6\""]),
        ("empty.fits", &["no elements"]),
        ("plain.fits:U1.x", &["no binary table"]),
        ("table.fits:EVENTS", &["has 10 columns", "1.x"]),
        ("table.fits:EVENTS.y", &["no column \"y\"", "1.x"]),
        ("table.fits:EVENTS.name", &["name", "text"]),
    ] {
        is_refused(&format!("science/{name}"), words);
    }
}

#[test]
fn envi_bands_of_every_type_and_interleave() {
    for (dtype, element) in [
        ("u1", ElementType::U8),
        ("i2", ElementType::I16),
        ("i4", ElementType::I32),
        ("f4", ElementType::F32),
        ("f8", ElementType::F64),
        ("u2", ElementType::U16),
        ("u4", ElementType::U32),
        ("i8", ElementType::I64),
        ("u8", ElementType::U64),
    ] {
        for interleave in ["bsq", "bil", "bip"] {
            let name = format!("envi-{dtype}-{interleave}");
            if !data().join(format!("science/{name}.hdr")).exists() {
                continue;
            }
            for band in 0..3 {
                let opened = is_image(&format!("{name}.hdr:{}", band + 1), element, band);
                assert_eq!(opened.metadata().nodata(), Some(11.0));
                assert!(!opened.is_spooled());
                is_image(&format!("{name}.img:{}", band + 1), element, band);
            }
            is_image(&format!("{name}.hdr:near infrared"), element, 1);
        }
    }
    is_refused("science/envi-u1-bsq.hdr", &["3 bands", "red (1), near infrared (2), blue (3)"]);
    is_refused("science/envi-u1-bsq.hdr:4", &["no band \"4\""]);
    is_refused("science/envi-u1-bsq.img:bleu", &["did you mean \"blue\""]);
}

#[test]
fn tensors_of_a_model_in_shards() {
    let index = "model.safetensors.index.json";
    is_image(&format!("{index}:a.weight"), ElementType::F32, 0);
    is_image(&format!("{index}:b.weight"), ElementType::F32, 1);
    is_refused(&format!("science/{index}"), &["3 tensors", "a.bias, a.weight, b.weight"]);
    is_refused(&format!("science/{index}:c"), &["no tensor \"c\""]);
}

#[cfg(feature = "parquet")]
#[test]
fn a_folder_of_parquet_files_is_one_table() {
    for memory_bytes in [u64::MAX, 100] {
        let reading = Reading { memory_bytes, ..Reading::default() };
        let [x, t] =
            ["x", "t"].map(|name| reading.open_selected(&source(&format!("science/parts/:{name}"))).unwrap());
        assert_eq!((x.shape().0[..].to_vec(), t.len() as u64), (vec![LENGTH], LENGTH));
        let k = |k: usize| k as f64;
        assert!((0..LENGTH as usize).all(|n| x.metadata().is_null(n) == (n == 20)));
        assert!(values(&x).iter().enumerate().all(|(n, &value)| n == 20 || value == k(n) * 0.25));
        assert!(values(&t).iter().enumerate().all(|(n, &value)| value == k(n) * 0.5 + 1.0));
    }
}

#[test]
fn text_as_other_programs_write_it() {
    for name in [
        "savetxt-header.txt",
        "savetxt-comma.txt",
        "savetxt-fixed.dat",
        "plain.csv.gz",
        "members.csv.gz",
        "plain.tsv.gz",
        "savetxt.txt.gz",
        "plain.csv.zst",
    ] {
        let column = |key: &str| values(&read(&format!("science/{name}:{key}")).unwrap());
        let [want_x, want_t] = expected();
        assert_eq!((column("x"), column("t")), (want_x.clone(), want_t), "{name}");
        assert_eq!(column("0"), want_x, "{name}");
    }
    let plain = |key: &str| values(&read(&format!("science/savetxt.txt:{key}")).unwrap());
    assert_eq!([plain("0"), plain("1")], expected());
    let text =
        linfit::io::TextRules { decimal: linfit::io::Decimal::Comma, ..linfit::io::TextRules::default() };
    for name in ["german.csv", "german-utf16.csv", "german-utf16-big.csv"] {
        let column = |key: &str| {
            let reading = Reading { text, ..Reading::default() };
            values(&reading.open(&source(&format!("science/{name}:{key}"))).unwrap())
        };
        assert_eq!([column("x"), column("t")], expected(), "{name}");
        is_refused(&format!("science/{name}:x"), &["0,0", "decimal comma"]);
        is_refused(&format!("science/{name}:größe"), &["\"a\""]);
    }
}

fn expected() -> [Vec<f64>; 2] {
    let of = |value: fn(f64) -> f64| (0..LENGTH).map(|k| value(k as f64)).collect();
    [of(|k| k * 0.25), of(|k| k * 0.5 + 1.0)]
}

/// Opens bytes under another name, with little memory; the values, or a message of one
/// line that names the file.
fn open_part(path: &Path, bytes: &[u8], key: &str) -> Result<Vec<f64>, String> {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    let reading = Reading { memory_bytes: 1 << 20, ..Reading::default() };
    match reading.open(&Source { path: path.to_owned(), key: Some(key.to_owned()) }) {
        Ok(array) if array.len() < 1 << 20 => Ok(values(&array)),
        Ok(_) => Ok(Vec::new()),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("damaged"), "{text}");
            Err(text)
        }
    }
}

/// Files, a key, and whether every part of the file that begins it is refused.
const WHOLE: [(&str, &str, bool); 17] = [
    ("plain.fits", "CUBE", false),
    ("plain.fits", "F8", true),
    ("unsigned.fits", "U2", false),
    ("unsigned.fits", "I1", true),
    ("table.fits", "EVENTS.u", true),
    ("table.fits", "EVENTS.ok", true),
    ("rice.fits", "TILES", false),
    ("rice.fits", "U1", false),
    ("gzip.fits", "G2", false),
    ("quantized-one.fits", "Q", true),
    ("quantized-gzip.fits", "Q", true),
    ("plain.csv.gz", "x", true),
    ("members.csv.gz", "t", false),
    ("plain.csv.zst", "x", true),
    ("savetxt.txt.gz", "x", true),
    ("savetxt-fixed.dat", "0", false),
    ("model-00001-of-00002.safetensors", "a.bias", true),
];

/// A part of a file is refused, or has the values of the whole, or, of a text, the first
/// of them; the last one may be cut.
#[test]
fn every_prefix_is_refused_or_read_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    for (name, key, all_refused) in WHOLE {
        let bytes = fs::read(data().join("science").join(name)).unwrap();
        let path = directory.path().join(format!("damaged-{name}"));
        let whole = open_part(&path, &bytes, key).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_fits = Path::new(name).extension().is_some_and(|extension| extension == "fits");
        let near_an_end = |at: usize| at < 200 || at + 200 > bytes.len();
        let (mut read, mut refused) = (0, 0);
        for at in (0..bytes.len()).filter(|&at| near_an_end(at) || at % 61 == 0) {
            match open_part(&path, &bytes[..at], key) {
                Ok(values) => {
                    let exact = if is_fits { whole.len() } else { values.len().saturating_sub(1) };
                    let bits =
                        |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                    assert!(values.len() >= exact, "{name}: {at}");
                    assert_eq!(bits(&values[..exact]), bits(&whole[..exact]), "{name}: {at}");
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
        // The padding after the data of the last part of a FITS file says nothing.
        let is_padding = if is_fits { 2880 } else { 0 };
        assert!(
            refused > 0 && (!all_refused || read <= is_padding),
            "{name}: {read} read, {refused} refused"
        );
        assert!(all_refused || read > 0, "{name}: {refused} refused, none read");
    }
}

#[test]
fn changed_bytes_are_refused_or_read_in_time() {
    let directory = tempfile::tempdir().unwrap();
    for (name, key, _) in WHOLE {
        let bytes = fs::read(data().join("science").join(name)).unwrap();
        let path = directory.path().join(format!("damaged-{name}"));
        let mut refused = 0;
        for at in (0..bytes.len()).step_by(bytes.len() / 300 + 1) {
            for change in [0x01, 0x10, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                let begun = Instant::now();
                refused += usize::from(open_part(&path, &bytes, key).is_err());
                assert!(begun.elapsed() < Duration::from_secs(5), "{name}: {at} {change}");
            }
        }
        assert!(refused > 0, "{name}");
    }
}

/// A text that grows a thousandfold is read line by line; its one endless line, and a
/// window of more memory than there may be, are errors.
#[test]
fn what_decompresses_to_much_is_bounded() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.csv.gz");
    let packed = |text: &[u8], times: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        (0..times).for_each(|_| encoder.write_all(text).unwrap());
        encoder.finish().unwrap()
    };
    let rows = packed(&b"12,34\n".repeat(1000), 500);
    assert!(rows.len() < 20_000, "{}", rows.len());
    let reading = Reading { memory_bytes: 1 << 20, ..Reading::default() };
    fs::write(&path, &rows).unwrap();
    let opened = reading.open(&Source { path: path.clone(), key: Some("0".to_owned()) }).unwrap();
    assert_eq!((opened.len(), opened.is_spooled()), (500_000, true));
    let line = packed(&vec![b'1'; 1 << 16], 1 << 10);
    let error = open_part(&path, &line, "0").unwrap_err();
    assert!(error.contains("more than 16 MiB"), "{error}");
    // A frame whose header claims a window of 2 GiB.
    let error = open_part(&path, b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", "0").unwrap_err();
    assert!(error.contains("memory"), "{error}");
}

#[test]
fn absurd_headers_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.fits");
    let fits = |cards: &[&str]| {
        let mut bytes: Vec<u8> = cards.iter().flat_map(|card| format!("{card:<80}").into_bytes()).collect();
        bytes.extend(format!("{:<80}", "END").bytes());
        bytes.resize(bytes.len().next_multiple_of(2880) + 2880, b' ');
        bytes
    };
    let simple = "SIMPLE  =                    T";
    for (cards, words) in [
        (&[simple][..], "how many data"),
        (&[simple, "BITPIX  = 12", "NAXIS   = 1", "NAXIS1  = 4"], "BITPIX is 12"),
        (&[simple, "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = -4"], "how many data"),
        (&[simple, "BITPIX  = 8", "NAXIS   = 1000"], "how many data"),
        (&[simple, "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 99999999999"], "truncated"),
        (
            &[simple, "BITPIX  = -64", "NAXIS   = 2", "NAXIS1  = 9223372036854775807", "NAXIS2  = 9"],
            "how many data",
        ),
    ] {
        let error = open_part(&path, &fits(cards), "0").unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    // A header without an end is not read beyond the bound of memory.
    let endless = [fits(&[simple])[..80].to_vec(), vec![b' '; 20 << 20]].concat();
    let error = open_part(&path, &endless, "0").unwrap_err();
    assert!(error.contains("header"), "{error}");

    let header = directory.path().join("damaged.hdr");
    fs::write(directory.path().join("damaged"), [0; 100]).unwrap();
    for (text, words) in [
        ("ENVI\nsamples = 10\nlines = 11\nbands = 2\ndata type = 1\n", "truncated"),
        ("ENVI\nsamples = 10\nlines = 10\ndata type = 6\n", "complex"),
        ("ENVI\nsamples = 10\nlines = 10\ndata type = 99\n", "99"),
        ("ENVI\nsamples = 10\nlines = x\ndata type = 1\n", "\"x\""),
        ("ENVI\nsamples = 10\nlines = 10\ndata type = 1\ninterleave = tile\n", "\"tile\""),
        ("ENVI\nsamples = 10\nlines = 10\ndata type = 1\nfile compression = 1\n", "gunzip"),
        ("ENVI\nsamples = 10\nlines = 10\n", "data type"),
        ("ENVI\nsamples = 10\ndata type = 1\n", "lines"),
        ("ENVI\nlines = 10\ndata type = 1\n", "samples"),
        ("ENVI\nsamples = 9999999999999999999\nlines = 9\ndata type = 5\n", "larger than any memory"),
        ("ENVI\nsamples = 1\nlines = 1\ndata type = 5\nheader offset = 18446744073709551615\n", "truncated"),
        ("\nENVI\n", "first line"),
    ] {
        let error = open_part(&header, text.as_bytes(), "1").unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    fs::remove_file(directory.path().join("damaged")).unwrap();
    let error = open_part(&header, b"ENVI\nsamples = 1\nlines = 1\ndata type = 1\n", "1").unwrap_err();
    assert!(error.contains("not beside it"), "{error}");

    let index = directory.path().join("damaged.safetensors.index.json");
    for (text, words) in [
        ("{\"weight_map\": {\"1\": \"../other.safetensors\"}}", "not a file beside it"),
        ("{\"weight_map\": {\"1\": \"/etc/passwd\"}}", "not a file beside it"),
        ("{\"weight_map\": {\"2\": \"a.safetensors\"}}", "no tensor"),
        ("{\"weight_map\": {\"1\"", "not a valid"),
        ("{}", "weight_map"),
    ] {
        let error = open_part(&index, text.as_bytes(), "1").unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn a_folder_whose_files_differ_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let part = |from: &str, to: &str| {
        fs::copy(data().join(from), directory.path().join(to)).unwrap();
    };
    part("science/parts/part-0.parquet", "a.parquet");
    part("nulls.parquet", "b.parquet");
    let source = Source { path: directory.path().to_owned(), key: Some("x".to_owned()) };
    let error = Reading::default().open_selected(&source).unwrap_err().to_string();
    assert!(error.contains("b.parquet: its column number") && error.contains("a.parquet has"), "{error}");
    fs::remove_file(directory.path().join("b.parquet")).unwrap();
    assert_eq!(Reading::default().open_selected(&source).unwrap().len(), 15);
    fs::create_dir(directory.path().join("year=1")).unwrap();
    let error = Reading::default().open_selected(&source).unwrap_err().to_string();
    assert!(error.contains("year=1") && error.contains("files alone"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let source = Source { path: empty.path().to_owned(), key: None };
    let error = Reading::default().open_selected(&source).unwrap_err().to_string();
    assert!(error.contains("is a directory"), "{error}");
}
