//! Predictions of images that are stored as X's is, and keep its texts.

use std::io::Cursor;

use ::tiff::decoder::Decoder;
use ::tiff::tags::Tag;

use super::*;

/// Runs `linfit predict` for Y = X; the notes.
fn predict(directory: &Path, x: &str, output: &str, options: &[&str]) -> String {
    fs::write(directory.join("m.json"), r#"{"weight": 1, "bias": 0}"#).unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    command
        .current_dir(directory)
        .args(["predict", "m.json", x, "-o", output, "--engine", "cpu"])
        .args(options);
    let ran = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{options:?}: {stderr}");
    stderr
}

fn input(name: &str) -> String {
    data().join(name).display().to_string()
}

/// The tags of a file that another library reads.
struct Tags(Decoder<Cursor<Vec<u8>>>);

impl Tags {
    fn of(path: &Path) -> Self {
        Self(Decoder::new(Cursor::new(fs::read(path).unwrap())).unwrap())
    }

    fn number(&mut self, tag: u16) -> Option<u64> {
        let numbers = self.0.find_tag_unsigned_vec::<u64>(Tag::from_u16_exhaustive(tag)).unwrap();
        numbers.map(|numbers| numbers[0])
    }

    fn text(&mut self, tag: u16) -> String {
        self.0.get_tag_ascii_string(Tag::from_u16_exhaustive(tag)).unwrap_or_default()
    }
}

const COMPRESSION: u16 = 259;
const ARTIST: u16 = 315;
const PREDICTOR: u16 = 317;
const PLANAR: u16 = 284;
const TILE: [u16; 2] = [322, 323];
const ROWS_PER_STRIP: u16 = 278;
const NOTES: u16 = 42_112;
const GEO_KEYS: u16 = 34_735;
const TIE_POINTS: u16 = 33_922;

#[test]
fn tiles_compression_and_texts_are_those_of_x() {
    let directory = tempfile::tempdir().unwrap();
    let (path, x) = (directory.path().join("y.tif"), input("profile-tiles.tif"));
    for (dtype, predictor) in [("u16", 2), ("f32", 3), ("f64", 3), ("i32", 2)] {
        for memory in ["64MiB", "20KB"] {
            let notes = predict(
                directory.path(),
                &format!("{x}:*"),
                "y.tif",
                &["--dtype", dtype, "--memory", memory],
            );
            assert!(notes.contains("overviews"), "{notes}");
            assert!(fs::read(&path).unwrap().starts_with(b"II+\0"), "no BigTIFF");
            let mut tags = Tags::of(&path);
            let found =
                [COMPRESSION, PREDICTOR, PLANAR, TILE[0], TILE[1]].map(|tag| tags.number(tag).unwrap());
            assert_eq!(found, [8, predictor, 1, 32, 16], "{dtype} {memory}");
            assert_eq!(tags.text(ARTIST), "make.py");
            let notes = tags.text(NOTES);
            for part in [
                // GDAL escapes twice.
                "name=\"MISSION\">a &amp;amp; b<",
                "sample=\"0\" role=\"description\">red<",
                "sample=\"2\" role=\"description\">near &amp;lt;infrared&amp;gt;<",
                "name=\"WAVELENGTH\" sample=\"2\">842<",
            ] {
                assert!(notes.contains(part), "{part} in {notes}");
            }
            assert!(!notes.contains("STATISTICS"), "{notes}");
            // Key 1025 says that places are of points.
            let keys: Vec<u64> =
                tags.0.find_tag_unsigned_vec(Tag::from_u16_exhaustive(GEO_KEYS)).unwrap().unwrap();
            assert!(keys.chunks(4).any(|key| key == [1025, 0, 1, 2]), "{keys:?}");
            for band in 0..3 {
                let y = Reading::default()
                    .open(&Source { path: path.clone(), key: Some((band + 1).to_string()) });
                assert_eq!(values(&y.unwrap()), image(ElementType::U16, band), "{dtype} {memory} {band}");
            }
        }
    }
}

#[test]
fn a_band_alone_has_its_own_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("y.tif");
    predict(directory.path(), &format!("{}:2", input("profile-tiles.tif")), "y.tif", &[]);
    let notes = Tags::of(&path).text(NOTES);
    assert!(notes.contains("sample=\"0\" role=\"description\">green<"), "{notes}");
    assert!(!notes.contains("red") && !notes.contains("WAVELENGTH"), "{notes}");
    assert_eq!(
        values(&Reading::default().open(&Source { path, key: None }).unwrap()),
        image(ElementType::U16, 1)
    );
}

#[test]
fn strips_and_ground_control_points_are_those_of_x() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("y.tif");
    let notes = predict(directory.path(), &input("profile-strips.tif"), "y.tif", &[]);
    assert_eq!(notes, "");
    assert!(fs::read(&path).unwrap().starts_with(b"II*\0"));
    let mut tags = Tags::of(&path);
    assert_eq!([COMPRESSION, ROWS_PER_STRIP].map(|tag| tags.number(tag)), [Some(5), Some(8)]);
    assert_eq!(tags.number(PREDICTOR), None);
    let ties = tags.0.get_tag_f64_vec(Tag::from_u16_exhaustive(TIE_POINTS)).unwrap();
    assert_eq!(ties.len(), 4 * 6);
    assert_eq!(ties[18..], [53.0, 37.0, 0.0, 9.7, 46.7, 0.0]);
    assert_eq!(
        values(&Reading::default().open(&Source { path, key: None }).unwrap()),
        image(ElementType::U16, 0)
    );
}

#[test]
fn the_compression_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("y.tif");
    for x in ["profile-tiles.tif:3", "profile-strips.tif", "big-endian.tif:1", "packbits.tif"] {
        let is_open = |x: &str| Reading::default().open(&source(x)).map(|opened| values(&opened)).unwrap();
        let want = is_open(x);
        for (name, number) in [("none", 1), ("lzw", 5), ("deflate", 8), ("zstd", 50_000)] {
            predict(directory.path(), &input(x), "y.tif", &["--compress", name, "--dtype", "f64", "-q"]);
            assert_eq!(Tags::of(&path).number(COMPRESSION), Some(number), "{x} {name}");
            let y = Reading::default().open(&Source { path: path.clone(), key: None }).unwrap();
            assert_eq!(values(&y), want, "{x} {name}");
        }
    }
    // The other library decodes what it knows.
    predict(directory.path(), &input("profile-tiles.tif:1"), "y.tif", &["--dtype", "u16", "-q"]);
    let mut decoder = Tags::of(&path).0;
    match decoder.read_image().unwrap() {
        ::tiff::decoder::DecodingResult::U16(pixels) => {
            let pixels: Vec<f64> = pixels.into_iter().map(f64::from).collect();
            assert_eq!(pixels, image(ElementType::U16, 0));
        }
        _ => panic!("other samples"),
    }
}

#[test]
fn less_memory_than_tiles_take_makes_them_lower() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("y.tif");
    let x = format!("{}:*", input("profile-strips.tif"));
    let notes = predict(directory.path(), &x, "y.tif", &["--memory", "8KB", "--dtype", "f64"]);
    assert!(notes.contains("rows, not the 8 of X's image"), "{notes}");
    let rows = Tags::of(&path).number(ROWS_PER_STRIP).unwrap();
    assert!(rows < 8, "{rows}");
    let y = Reading::default().open(&Source { path, key: None }).unwrap();
    assert_eq!(values(&y), image(ElementType::U16, 0));
}

#[test]
fn a_scale_is_applied_where_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let stored: Vec<f64> = image(ElementType::I16, 1);
    let raw = Reading::default().open(&source("scaled.tif:2")).unwrap();
    assert_eq!(values(&raw), stored);
    for memory_bytes in [0, u64::MAX] {
        let scaled = raw.clone().scaled(None, memory_bytes).unwrap();
        // GDAL's scale 0.5 and offset −3.
        let want: Vec<f64> = stored.iter().map(|x| x * 0.5 - 3.0).collect();
        assert_eq!((scaled.element(), values(&scaled)), (ElementType::F64, want));
    }
    // Bands of a stack have scalings of their own.
    let all = Reading::default().open_selected(&source("scaled.tif:*")).unwrap();
    let all = values(&all.scaled(None, u64::MAX).unwrap());
    let third: Vec<f64> = image(ElementType::I16, 2).iter().map(|x| x + 7.25).collect();
    let pixels = (ROWS * COLUMNS) as usize;
    assert_eq!(all[..pixels], image(ElementType::I16, 0));
    assert_eq!(all[2 * pixels..], third);
    // T = 1·band 3, so that of scaled values T − 7.25 = 2·(X + 3) − 11 + 22 + … by the formula.
    let fit = |options: &[&str]| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.args([
            "fit",
            &input("scaled.tif:2"),
            &input("scaled.tif:3"),
            "--solver",
            "exact",
            "--engine",
            "cpu",
        ]);
        let ran = command.args(["--json"]).args(options).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let number = |report: &serde_json::Value, name: &str| report[name].as_f64().unwrap();
    // Band 3 is band 2 plus 11 as they are stored.
    let raw = fit(&[]);
    assert!((number(&raw, "weight") - 1.0).abs() < 1e-12 && (number(&raw, "bias") - 11.0).abs() < 1e-9);
    // x' = x/2 − 3, t' = x + 11 + 7.25 = 2·x' + 24.25.
    let scaled = fit(&["--scaled"]);
    let (weight, bias) = (number(&scaled, "weight"), number(&scaled, "bias"));
    assert!((weight - 2.0).abs() < 1e-12 && (bias - 24.25).abs() < 1e-9, "{weight} {bias}");
    predict(directory.path(), &input("scaled.tif:2"), "y.tif", &["--scaled", "--dtype", "f64"]);
    let y = Reading::default().open(&Source { path: directory.path().join("y.tif"), key: None }).unwrap();
    assert_eq!(values(&y), stored.iter().map(|x| x * 0.5 - 3.0).collect::<Vec<f64>>());
    assert!(!y.has_scaling());
    let notes = predict(directory.path(), &input("profile-strips.tif"), "y.tif", &["--scaled"]);
    assert!(notes.contains("no scale or offset"), "{notes}");
}
