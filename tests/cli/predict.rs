use super::{Bench, IRIS};

/// The data of a .npy file written by linfit: after the header, to the end.
fn data(file: &[u8]) -> (String, &[u8]) {
    assert!(file.starts_with(b"\x93NUMPY\x01\x00"));
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    (String::from_utf8(file[10..10 + length].to_vec()).unwrap(), &file[10 + length..])
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn with_model() -> Bench {
    let bench = Bench::new();
    bench.write("model.json", br#"{"weight": 0.1, "bias": 0.7}"#);
    bench.npy_f32("x.npy", "(2, 3)", &[1.0, -2.5, 3.0, 1e10, 0.0, 0.3]);
    bench
}

#[test]
fn writes_the_shape_of_x_in_f32() {
    let xs = [1.0f32, -2.5, 3.0, 1e10, 0.0, 0.3];
    for engine in ["cpu", "reference", "gpu", "auto"] {
        let bench = with_model();
        bench.run(&["predict", "model.json", "x.npy", "-o", "y.npy", "-q", "--engine", engine]).ok();
        let file = bench.read("y.npy");
        let (header, bytes) = data(&file);
        assert!(
            header.contains("'<f4'") && header.contains("(2, 3, )") && header.contains("False"),
            "{header}"
        );
        let want: Vec<f32> = if engine == "gpu" {
            // f32 arithmetic, bit for bit.
            xs.iter().map(|&x| 0.1f32 * x + 0.7f32).collect()
        } else {
            xs.iter().map(|&x| (f64::from(x) * 0.1 + 0.7) as f32).collect()
        };
        assert_eq!(f32s(bytes), want, "{engine}");
        assert_eq!(bench.files(), ["model.json", "x.npy", "y.npy"]);
    }
}

#[test]
fn f64_is_computed_in_f64() {
    let bench = with_model();
    bench.run(&["predict", "model.json", "x.npy", "-o", "y.npy", "--dtype", "f64"]).ok();
    let file = bench.read("y.npy");
    let (header, bytes) = data(&file);
    assert!(header.contains("'<f8'"), "{header}");
    let want: Vec<f64> =
        [1.0f32, -2.5, 3.0, 1e10, 0.0, 0.3].iter().map(|&x| f64::from(x) * 0.1 + 0.7).collect();
    assert_eq!(f64s(bytes), want);
    bench
        .run(&["predict", "model.json", "x.npy", "-o", "z.npy", "--dtype", "f64", "--engine", "gpu"])
        .fails(2, &["f64", "--engine cpu"]);
    assert!(!bench.path("z.npy").exists());
}

#[test]
fn keeps_column_major_order_and_reads_columns() {
    let bench = with_model();
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
    let columns = [1.0f32, 4.0, 2.0, 5.0, 3.0, 6.0];
    bench.npy("f.npy", header, &columns.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    bench.run(&["predict", "model.json", "f.npy", "-o", "y.npy", "--dtype", "f64"]).ok();
    let file = bench.read("y.npy");
    let (header, bytes) = data(&file);
    assert!(header.contains("'fortran_order': True") && header.contains("(2, 3, )"), "{header}");
    assert_eq!(f64s(bytes), columns.map(|x| f64::from(x) * 0.1 + 0.7));

    bench.run(&["predict", "model.json", &format!("{IRIS}:sepal_width"), "-o", "c.npy"]).ok();
    let file = bench.read("c.npy");
    let (header, bytes) = data(&file);
    assert!(header.contains("(150, )"), "{header}");
    assert_eq!(f32s(bytes)[0], (3.5f64 * 0.1 + 0.7) as f32);

    bench.npy_f32("scalar.npy", "()", &[2.0]);
    bench.run(&["predict", "model.json", "scalar.npy", "-o", "s.npy"]).ok();
    assert_eq!(f32s(data(&bench.read("s.npy")).1), [(2.0 * 0.1 + 0.7) as f32]);
}

#[test]
fn what_f32_cannot_hold_is_refused() {
    let bench = with_model();
    bench.write("steep.json", br#"{"weight": 1e300, "bias": 0}"#);
    for engine in ["cpu", "gpu"] {
        bench
            .run(&["predict", "steep.json", "x.npy", "-o", "y.npy", "-q", "--engine", engine])
            .fails(2, &["y.npy", "beyond the range of f32", "--dtype f64"]);
    }
    assert!(!bench.path("y.npy").exists());
    bench
        .run(&["predict", "steep.json", "x.npy", "-o", "y.npy", "--dtype", "f64"])
        .fails(2, &["range of f64"]);
}

#[test]
fn a_fits_model_predicts() {
    let bench = Bench::with_worked_example();
    bench.run(&["fit", "x.npy", "t.npy", "--lr", "0.05", "--steps", "5000", "--save", "m.json"]).ok();
    bench.run(&["predict", "m.json", "x.npy", "-o", "y.npy"]).ok();
    let ys = f32s(data(&bench.read("y.npy")).1);
    assert_eq!(ys, [3.0, 5.0, 7.0, 9.0]);
}

#[test]
fn what_is_no_model_is_2() {
    let bench = with_model();
    for (content, word) in [
        ("", "not a model"),
        ("weight 3", "not a model"),
        ("[1, 2]", "not a model"),
        (r#"{"weight": 1}"#, "bias"),
        (r#"{"weight": "1", "bias": 2}"#, "not a model"),
        (r#"{"weight": 1e999, "bias": 2}"#, "not a model"),
        (r#"{"weight": null, "bias": 2}"#, "not a model"),
    ] {
        bench.write("bad.json", content.as_bytes());
        bench.run(&["predict", "bad.json", "x.npy", "-o", "y.npy"]).fails(2, &["bad.json", word]);
    }
    bench.run(&["predict", "missing.json", "x.npy", "-o", "y.npy"]).fails(2, &["missing.json"]);
    assert_eq!(bench.files(), ["bad.json", "model.json", "x.npy"]);
}

#[test]
fn a_failure_leaves_the_old_output() {
    let bench = with_model();
    bench.write("y.npy", b"old");
    bench.npy_f32("nan.npy", "(2,)", &[1.0, f32::NAN]);
    bench.run(&["predict", "model.json", "nan.npy", "-o", "y.npy"]).fails(2, &["nan.npy", "index 1"]);
    bench.run(&["predict", "model.json", "x.npy", "-o", "nowhere/y.npy"]).fails(2, &["nowhere"]);
    bench.run(&["predict", "model.json", "x.npy", "-o", "y.tif"]).fails(2, &["y.tif", ".npy"]);
    std::fs::create_dir(bench.path("d.npy")).unwrap();
    bench.run(&["predict", "model.json", "x.npy", "-o", "d.npy"]).fails(2, &["d.npy"]);
    assert_eq!(bench.read("y.npy"), b"old");
    assert_eq!(bench.files(), ["d.npy", "model.json", "nan.npy", "x.npy", "y.npy"]);
}
