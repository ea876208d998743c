//! Models as files: `fit --save`, `--init`, and predictions of whole numbers.

use crate::cli::{Lab, number, values};

/// A file of safetensors as its definition has it: the length of a JSON header,
/// the header, then the tensors.
fn tensors(bytes: &[u8]) -> (serde_json::Value, &[u8]) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), &bytes[8 + length..])
}

#[test]
fn a_model_is_the_state_of_a_linear_layer() {
    let lab = Lab::new();
    lab.worked_example();
    lab.run("fit x.npy t.npy --solver exact --save m.safetensors -q").succeeds();
    let bytes = std::fs::read(lab.path("m.safetensors")).unwrap();
    let (header, data) = tensors(&bytes);
    for (name, shape, want) in
        [("weight", serde_json::json!([1, 1]), 2f32), ("bias", serde_json::json!([1]), 1f32)]
    {
        let tensor = &header[name];
        assert_eq!((&tensor["dtype"], &tensor["shape"]), (&"F32".into(), &shape), "{header}");
        let start = tensor["data_offsets"][0].as_u64().unwrap() as usize;
        assert_eq!(data[start..start + 4], want.to_le_bytes());
    }
    assert_eq!(data.len(), 8);

    lab.run("predict m.safetensors x.npy -o y.npy").succeeds();
    assert_eq!(values(&lab.read_npy("y.npy")), [3.0, 5.0, 7.0, 9.0]);
}

#[test]
fn a_fit_goes_on_from_a_model() {
    let lab = Lab::new();
    lab.worked_example();
    lab.run("fit x.npy t.npy --lr 0.0625 --steps 2 --save half.json -q").succeeds();
    let whole = lab.run("fit x.npy t.npy --lr 0.0625 --steps 3 --json").succeeds().json();
    let rest = lab.run("fit x.npy t.npy --lr 0.0625 --steps 1 --init half.json --json").succeeds().json();
    for field in ["weight", "bias", "loss", "grad_weight"] {
        assert_eq!(number(&whole, field), number(&rest, field), "{field}");
    }
    lab.run("fit x.npy t.npy --solver exact --save line.safetensors -q").succeeds();
    let there = lab.run("fit x.npy t.npy --init line.safetensors --steps 0 --json").succeeds().json();
    assert_eq!((number(&there, "weight"), number(&there, "loss")), (2.0, 0.0));

    lab.run("fit x.npy t.npy --init half.json --w0 1").ends_refused(&["--init", "--w0"]);
    lab.run("fit x.npy t.npy --init none.json").ends_refused(&["none.json"]);
    lab.run("fit x.npy t.npy --init half.json --save half.json").ends_refused(&["--save", "--init"]);
    lab.run("fit x.npy t.npy --solver exact --init half.json").ends_refused(&["--init", "takes no steps"]);
}

/// A pipe can be read once, and only once is it read.
#[cfg(target_os = "linux")]
#[test]
fn a_fit_goes_on_from_a_model_in_a_pipe() {
    use std::io::Write;
    use std::process::Stdio;

    let lab = Lab::new();
    lab.worked_example();
    let line = "fit x.npy t.npy --steps 0 --init /dev/stdin --json";
    let mut command = lab.command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"weight": 2.5, "bias": -1}"#).unwrap();
    let report = lab.judge(line, &child.wait_with_output().unwrap()).succeeds().json();
    assert_eq!((number(&report, "weight"), number(&report, "bias")), (2.5, -1.0));
}

#[test]
fn what_is_no_model_is_refused() {
    let lab = Lab::new();
    lab.worked_example();
    let header = br#"{"weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let mut two = (header.len() as u64).to_le_bytes().to_vec();
    two.extend_from_slice(header);
    two.extend_from_slice(&[0; 8]);
    lab.write("two.safetensors", &two)
        .write("cut.safetensors", &two[..two.len() - 1])
        .write("empty.safetensors", "");
    lab.run("predict two.safetensors x.npy -o y.npy").ends_refused(&["two.safetensors", "\"weight\"", "[2]"]);
    for name in ["cut", "empty"] {
        let file = format!("{name}.safetensors");
        lab.run(&format!("predict {file} x.npy -o y.npy")).ends_refused(&[&file, "not a model"]);
    }
    lab.write("big.json", r#"{"weight": 1e300, "bias": 0}"#);
    let ran = lab.run("fit x.npy t.npy --init big.json --steps 0 --save m.safetensors");
    assert!(
        ran.stderr.contains("beyond the range of f32") || ran.stderr.contains("not finite"),
        "{}",
        ran.stderr
    );
    assert!(!lab.files().contains(&"m.safetensors".to_owned()));
}

/// The two ways in which others write down gain and offset.
#[test]
fn the_summary_has_what_people_paste() {
    let lab = Lab::new();
    lab.worked_example();
    let text = lab.run("fit x.npy t.npy --solver exact").succeeds().stdout;
    assert!(text.contains("scale_factor = 2, add_offset = 1\n"), "{text}");
    assert!(text.contains("-a_scale 2 -a_offset 1\n"), "{text}");
}

#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[test]
fn whole_numbers_are_rounded_to_even_and_saturate_only_if_asked() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[-1.0, 0.5, 1.5, 2.5, 254.5, 255.5, 300.0])
        .write("same.json", r#"{"weight": 1, "bias": 0}"#);
    let refused = lab.run("predict same.json x.npy -o y.npy --dtype u8");
    refused.ends_refused(&["y.npy", "range of u8, 0 to 255", "--clamp"]);
    assert_eq!(lab.files(), ["same.json", "x.npy"]);

    let ran = lab.run("predict same.json x.npy -o y.npy --dtype u8 --clamp").exits(0);
    assert!(
        ran.stderr.contains("3 of 7 elements of Y saturated: 1 below the range of u8, 2 above it"),
        "{}",
        ran.stderr
    );
    let y = lab.read_npy("y.npy");
    assert_eq!((y.descr.as_str(), &y.data[..]), ("|u1", &[0, 0, 2, 2, 254, 255, 255][..]));

    lab.run("predict same.json x.npy -o y.npy --dtype i16").succeeds();
    assert_eq!(values(&lab.read_npy("y.npy")), [-1.0, 0.0, 2.0, 2.0, 254.0, 256.0, 300.0]);
    for (element, name) in [
        ("u16", "y.npz"),
        ("i32", "y.parquet"),
        ("i16", "y.arrow"),
        ("i8", "y.safetensors"),
        ("u32", "y.csv"),
    ] {
        lab.run(&format!("predict same.json x.npy -o {name} --dtype {element} --clamp -q")).succeeds();
        lab.run(&format!("predict same.json {name}:y -o again.npy --dtype f64")).succeeds();
        let least = if element.starts_with('u') { 0.0 } else { -1.0 };
        let most = if element == "i8" { 127.0 } else { 300.0 };
        let want: Vec<f64> =
            [-1f64, 0.0, 2.0, 2.0, 254.0, 256.0, 300.0].map(|y| y.clamp(least, most)).to_vec();
        assert_eq!(values(&lab.read_npy("again.npy")), want, "{element} {name}");
    }
    lab.run("predict same.json x.npy -o y.npy --clamp").ends_refused(&["--clamp", "--dtype u8"]);
    lab.run("predict same.json x.npy -o y.npy --dtype u8 --engine gpu")
        .ends_refused(&["--dtype u8", "--engine cpu"]);
}

#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[test]
fn an_image_of_whole_numbers_is_read_again() {
    let lab = Lab::new();
    lab.write("m.json", r#"{"weight": 2, "bias": 1}"#);
    lab.worked_example();
    for element in ["u8", "i16", "u16", "i32", "f32", "f64"] {
        lab.run(&format!("predict m.json x.npy -o y.tif --dtype {element}")).succeeds();
        lab.run("predict m.json y.tif -o z.npy --dtype f64").succeeds();
        assert_eq!(values(&lab.read_npy("z.npy")), [7.0, 11.0, 15.0, 19.0], "{element}");
    }
}
