//! Predictions, read again; and inputs from a pipe.

use std::process::{Command, Output, Stdio};

use super::*;

/// Runs `linfit predict` for Y = X/2 − 3, with a file as its stdin.
fn predict(directory: &Path, x: &str, output: &str, dtype: &str, stdin: Option<&str>) -> Output {
    fs::write(directory.join("m.json"), r#"{"weight": 0.5, "bias": -3}"#).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    command.current_dir(directory).args(["predict", "m.json", x, "-o", output, "--dtype", dtype]);
    command.args(["--engine", "cpu", "--memory", "1000B", "-v"]);
    command.stdin(stdin.map_or(Stdio::null(), |name| fs::File::open(data().join(name)).unwrap().into()));
    command.output().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

#[track_caller]
fn fails(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(words.iter().all(|word| stderr.contains(word)), "{words:?} in {stderr}");
}

fn open(path: PathBuf, key: Option<&str>, reading: &Reading) -> Opened {
    reading.open(&Source { path, key: key.map(str::to_owned) }).unwrap()
}

#[test]
fn every_kind_of_file_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let image_shape = Shape(vec![ROWS, COLUMNS]);
    let row = Shape(vec![ROWS * COLUMNS]);
    let inputs = [("planar-tiles.tif:2", ElementType::U16, 1), ("deflated.npz:columns", ElementType::I16, 0)];
    for (x, kind, band) in inputs {
        let want: Vec<f64> = image(kind, band).iter().map(|x| x / 2.0 - 3.0).collect();
        let x = data().join(x).display().to_string();
        for (dtype, element) in [("f32", ElementType::F32), ("f64", ElementType::F64)] {
            let kinds = [
                ("npy", None, &image_shape),
                ("npz", Some("y"), &image_shape),
                ("safetensors", Some("y"), &image_shape),
                ("tif", None, &image_shape),
                ("raw", None, &image_shape),
                ("bin", None, &image_shape),
                ("dat", None, &image_shape),
                ("csv", Some("y"), &row),
                ("tsv", Some("y"), &row),
                ("parquet", Some("y"), &row),
                ("arrow", Some("y"), &row),
                ("feather", Some("y"), &row),
            ];
            for (extension, key, shape) in kinds {
                let name = format!("y.{extension}");
                let stderr = succeeds(&predict(directory.path(), &x, &name, dtype, None));
                assert!(stderr.contains("decoded to a temporary file"), "{stderr}");
                let raw = Some(RawLayout {
                    dtype: dtype.parse().unwrap(),
                    shape: Some(image_shape.clone()),
                    offset: 0,
                });
                let reading = Reading { raw, ..Reading::default() };
                for key in [None, key] {
                    let y = open(directory.path().join(&name), key, &reading);
                    assert_eq!(y.shape(), shape, "{name}");
                    let text = ["csv", "tsv"].contains(&extension);
                    assert_eq!(y.element(), if text { ElementType::F64 } else { element }, "{name}");
                    assert!(values(&y) == want, "{name} {dtype} from {x}");
                }
            }
        }
    }
    // Nothing is left of what was written beside.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 13);
}

#[test]
fn images_of_whole_numbers_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let x = data().join("planar-tiles.tif:2").display().to_string();
    let want: Vec<f64> =
        image(ElementType::U16, 1).iter().map(|x| (x / 2.0 - 3.0).round_ties_even()).collect();
    for (dtype, element) in [("u8", ElementType::U8), ("u16", ElementType::U16)] {
        for name in ["y.png", "y.tif"] {
            succeeds(&predict(directory.path(), &x, name, dtype, None));
            let y = open(directory.path().join(name), None, &Reading::default());
            assert_eq!((y.shape(), y.element()), (&Shape(vec![ROWS, COLUMNS]), element), "{name}");
            assert!(values(&y) == want, "{name} {dtype}");
        }
    }
    for dtype in ["f64", "i16", "u32"] {
        let ran = predict(directory.path(), &x, "z.png", dtype, None);
        fails(&ran, &["z.png", &format!("PNG cannot hold {dtype}"), "--dtype u8 or u16"]);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn an_image_stays_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let x = data().join("geo.tif").display().to_string();
    succeeds(&predict(directory.path(), &x, "y.tif", "f32", None));
    let y = open(directory.path().join("y.tif"), None, &Reading::default());
    let x = read("geo.tif").unwrap();
    assert!(y.metadata().georeference().is_some());
    assert_eq!(y.metadata().georeference(), x.metadata().georeference());
    assert_eq!(y.metadata().nodata(), Some(-9999.0));
}

#[test]
fn what_a_format_cannot_hold_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let x = data().join("one.safetensors").display().to_string();
    let refused = |output: &str, words: &[&str]| {
        fails(&predict(directory.path(), &x, output, "f32", None), words);
    };
    refused("y.tif", &["y.tif", "TIFF cannot hold", "300", ".npy"]);
    refused(
        "y.png",
        &["y.png", "PNG cannot hold f32", "0 to 255 or 65,535", "--dtype u8 or u16", "--clamp", ".tif"],
    );
    let vector = predict(directory.path(), &x, "y.png", "u16", None);
    fails(&vector, &["y.png", "PNG cannot hold an array of u16, shape 300", ".npy"]);
    refused("y.xlsx", &["y.xlsx", ".parquet"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn stdin_is_recognised_by_its_first_bytes() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("x.csv"), "a,b\n1,2\n3,4\n").unwrap();
    let from = |x: &str, stdin: &str| {
        succeeds(&predict(directory.path(), x, "y.npy", "f64", Some(stdin)));
        values(&open(directory.path().join("y.npy"), None, &Reading::default()))
    };
    let half = |values: Vec<f64>| values.iter().map(|x| x / 2.0 - 3.0).collect::<Vec<_>>();
    assert_eq!(from("-", "tiles.tif"), half(image(ElementType::U8, 0)));
    assert_eq!(from("-:3", "rgb.png"), half(image(ElementType::U8, 2)));
    assert_eq!(from("-:f64", "lz4.parquet"), half(vector(ElementType::F64)));
    assert_eq!(from("-:i32", "zstd.feather"), half(vector(ElementType::I32)));
    assert_eq!(from("-:f64", "zstd.arrows"), half(vector(ElementType::F64)));
    assert_eq!(from("-", "one.arrows"), half(vector(ElementType::F64)));
    assert_eq!(from("-:big", "stored.npz"), half(vector(ElementType::I32)));
    let csv = directory.path().join("x.csv").display().to_string();
    assert_eq!(from("-:b", &csv), [-2.0, -1.0]);
    // Plain numbers that begin as a stream of Arrow's does.
    let ones = directory.path().join("ones");
    fs::write(&ones, [0xff; 8]).unwrap();
    let mut raw = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    raw.current_dir(directory.path()).args(["predict", "m.json", "-", "-o", "y.npy", "--raw-dtype", "i32"]);
    succeeds(&raw.args(["--engine", "cpu"]).stdin(fs::File::open(ones).unwrap()).output().unwrap());
    let y = open(directory.path().join("y.npy"), None, &Reading::default());
    assert_eq!(values(&y), [-3.5, -3.5]);
    fails(
        &predict(directory.path(), "-:c", "y.npy", "f32", Some(&csv)),
        &["stdin", "no column \"c\"", "a (0)"],
    );
    fails(&predict(directory.path(), "-", "y.npy", "f32", None), &["stdin", "empty"]);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    fails(&command.args(["fit", "-:a", "-:b"]).stdin(Stdio::null()).output().unwrap(), &["both", "stdin"]);
}
