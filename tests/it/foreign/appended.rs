//! Predictions that are a column more of X's table.

use std::process::{Command, Output};

use super::*;

fn predict(directory: &Path, x: &str, output: &str, options: &[&str]) -> Output {
    fs::write(directory.join("m.json"), r#"{"weight": 0.5, "bias": -3}"#).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    command.current_dir(directory).args(["predict", "m.json", x, "-o", output, "--dtype", "f64"]);
    command.args(["--engine", "cpu"]).args(options).output().unwrap()
}

#[test]
fn other_columns_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let data = data();
    for (file, x) in [("zstd.parquet", "i32"), ("lz4.feather", "i32"), ("snappy.parquet", "f64")] {
        for output in ["y.parquet", "y.arrow"] {
            let x_path = format!("{}:{x}", data.join(file).display());
            for (options, name) in [(&["--append"][..], "y"), (&["--append=calibrated"], "calibrated")] {
                let ran = predict(directory.path(), &x_path, output, options);
                assert!(ran.status.success(), "{file}: {}", String::from_utf8_lossy(&ran.stderr));
                let path = directory.path().join(output);
                let open = |path: PathBuf, key: &str| {
                    Reading::default().open(&Source { path, key: Some(key.to_owned()) }).unwrap()
                };
                let y = open(path.clone(), name);
                let want: Vec<f64> =
                    values(&open(data.join(file), x)).iter().map(|x| x / 2.0 - 3.0).collect();
                assert_eq!(values(&y), want, "{file} {output}");
                for kept in ["i32", "f64"] {
                    let (before, after) = (open(data.join(file), kept), open(path.clone(), kept));
                    assert_eq!((values(&after), after.element()), (values(&before), before.element()));
                }
            }
        }
    }
}

#[test]
fn texts_and_nulls_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let penguins = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/penguins.parquet");
    let x = format!("{}:flipper_length_mm", penguins.display());
    let ran = predict(directory.path(), &x, "y.parquet", &["--append=mass"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let path = directory.path().join("y.parquet");
    let texts = |path: &Path| {
        let source = Source { path: path.to_owned(), key: Some("species".to_owned()) };
        let texts = Reading::default().open_texts(&source).unwrap().unwrap();
        (values(&texts.ids), texts.texts)
    };
    assert_eq!(texts(&path), texts(&penguins));
    let mass = Reading::default().open(&Source { path, key: Some("mass".to_owned()) }).unwrap();
    assert_eq!((mass.len(), (0..mass.len()).filter(|&k| mass.metadata().is_null(k)).count()), (344, 2));
}

#[test]
fn what_is_no_table_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let x = |file: &str| data().join(file).display().to_string();
    for (file, output, options, words) in [
        ("zstd.parquet:i32", "y.csv", &["--append"][..], &["--append", ".parquet"][..]),
        ("pandas.csv:1", "y.parquet", &["--append"], &["pandas.csv", "Parquet"]),
        ("zstd.parquet:i32", "y.parquet", &["--append=f64"], &["zstd.parquet", "already"]),
    ] {
        let ran = predict(directory.path(), &x(file), output, options);
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{file}: {stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{words:?} in {stderr}");
        assert!(!directory.path().join(output).exists());
    }
}
