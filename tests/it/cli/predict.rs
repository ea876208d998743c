//! `linfit predict`: Y bit for bit, and no file where there is no Y.

use std::fs;

use linfit::array::{ElementType, Order};

use crate::cli::{Lab, dtype, values};
use crate::common::{Endian, Npy, Number, Parsed, column_major, to_f32};

const MODEL: &str = r#"{"weight": 0.1, "bias": -0.7}"#;
const W: f64 = 0.1;
const B: f64 = -0.7;

fn f32s(file: &Parsed) -> Vec<f32> {
    assert_eq!(file.descr, "<f4");
    file.data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Values of which few are round, over one chunk of a forward pass and a bit.
fn xs() -> Vec<f32> {
    (0..(1u32 << 20) + 5).map(|k| to_f32(f64::from(k % 60_013) / 7.0 - 3000.0)).collect()
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn y_is_rounded_once_on_the_cpu_and_computed_in_f32_on_the_gpu() {
    let lab = Lab::new();
    let xs = xs();
    lab.f32s("x.npy", &xs).write("m.json", MODEL);
    let in_f64 = bits(xs.iter().map(|&x| to_f32(f64::from(x) * W + B)));
    let (w, b) = (to_f32(W), to_f32(B));
    let in_f32 = bits(xs.iter().map(|&x| w * x + b));
    assert_ne!(in_f64, in_f32, "the data would not tell the engines apart");

    for engine in ["", "--engine cpu", "--engine reference"] {
        lab.run(&format!("predict m.json x.npy -o y.npy {engine}")).succeeds();
        let y = lab.read_npy("y.npy");
        assert_eq!((y.fortran, &y.shape[..]), (false, &[xs.len() as u64][..]));
        assert!(bits(f32s(&y)) == in_f64, "{engine}");
    }
    lab.run("predict m.json x.npy --output y.npy --adapter llvmpipe").succeeds();
    let of_adapter = bits(f32s(&lab.read_npy("y.npy")));
    // The last chunk is five elements, far from 0 for their spread: it is computed about their
    // mean, which keeps more digits.
    let whole = 1 << 20;
    assert!(of_adapter[..whole] == in_f32[..whole]);
    for (got, want) in of_adapter[whole..].iter().zip(&in_f64[whole..]) {
        assert!(got.abs_diff(*want) <= 1, "{got:x} is not {want:x}");
    }
    let ran = lab.run("predict m.json x.npy -o y.npy --engine gpu").exits(0);
    assert!(ran.stderr.contains("software adapter"), "{}", ran.stderr);
    assert!(bits(f32s(&lab.read_npy("y.npy"))) == of_adapter);
    lab.run("predict m.json x.npy -o y.npy --engine gpu --quiet").succeeds();
    assert_eq!(lab.files(), ["m.json", "x.npy", "y.npy"]);
}

#[test]
fn y_in_f64_keeps_every_digit() {
    let lab = Lab::new();
    let xs: Vec<f64> = (0..3000).map(|k| f64::from(k) / 7.0 - 200.0).collect();
    lab.write("x.npy", Npy::of_f64(&[3, 1000], &xs).bytes()).write("m.json", MODEL);
    let want: Vec<f64> = xs.iter().map(|x| x * W + B).collect();
    for engine in ["", "--engine cpu", "--engine auto"] {
        lab.run(&format!("predict m.json x.npy -o y.npy --dtype f64 {engine}")).succeeds();
        let y = lab.read_npy("y.npy");
        assert_eq!((y.descr.as_str(), &y.shape[..]), ("<f8", &[3, 1000][..]));
        assert_eq!(values(&y), want, "{engine}");
    }
    for engine in ["--engine gpu", "--adapter 0", "--engine reference"] {
        let ran = lab.run(&format!("predict m.json x.npy -o new.npy --dtype f64 {engine}"));
        ran.ends_refused(&["linfit: --dtype f64", "--engine cpu"]);
    }
    lab.run("predict m.json x.npy -o new.npy --dtype f16").ends_refused(&["--dtype"]);
    assert_eq!(lab.files(), ["m.json", "x.npy", "y.npy"]);
}

/// Y by element: the number at each place of X goes to the same place of Y,
/// whatever order either is stored in.
#[test]
fn y_has_the_shape_of_x() {
    let lab = Lab::new();
    lab.write("m.json", r#"{"weight": 2, "bias": 1}"#);
    let shapes: [&[u64]; 5] = [&[], &[1], &[7], &[3, 4], &[2, 3, 4]];
    for shape in shapes {
        let count = shape.iter().product::<u64>();
        let numbers: Vec<Number> = (0..count).map(|k| Number::Int(i128::from(k))).collect();
        for order in [Order::C, Order::Fortran] {
            let x = Npy::of(dtype(ElementType::I16), Endian::Big, order, shape, &numbers);
            lab.write("x.npy", x.bytes());
            let places = |fortran: bool| {
                if fortran { column_major(shape) } else { (0..count as usize).collect() }
            };
            let mut want = vec![0.0; count as usize];
            for (k, place) in places(order == Order::Fortran).into_iter().enumerate() {
                want[place] = 2.0 * k as f64 + 1.0;
            }
            for options in ["--engine cpu", "--dtype f64", "--adapter llvmpipe"] {
                lab.run(&format!("predict m.json x.npy -o y.npy {options}")).succeeds();
                let y = lab.read_npy("y.npy");
                assert_eq!(y.shape, shape, "{options}");
                let mut found = vec![f64::NAN; count as usize];
                for (place, value) in places(y.fortran).into_iter().zip(values(&y)) {
                    found[place] = value;
                }
                assert_eq!(found, want, "{shape:?} {order:?} {options}");
            }
        }
    }
}

#[test]
fn a_column_gives_a_vector() {
    let lab = Lab::new();
    lab.write("data.csv", "name,size\na,1\nb,2.5\nc,-3\n").write("m.json", r#"{"weight": 2, "bias": 1}"#);
    for column in ["size", "1"] {
        for options in ["", "--adapter llvmpipe"] {
            lab.run(&format!("predict m.json data.csv:{column} -o y.npy {options}")).succeeds();
            let y = lab.read_npy("y.npy");
            assert_eq!(y.shape, [3]);
            assert_eq!(f32s(&y), [3.0, 6.0, -5.0]);
        }
    }
}

#[test]
fn predicts_with_exactly_what_was_saved() {
    let lab = Lab::new();
    lab.write("x.npy", Npy::of_f64(&[2], &[0.0, 1.0]).bytes());
    // Some of these need their last digit to come back right.
    for k in 0..60 {
        let (w0, b0) =
            (-5.100_091_571_857_061e-8 / f64::from(k + 1), 2.353_207_518_867_129e148 / f64::from(k + 3));
        lab.run(&format!("fit x.npy x.npy --w0 {w0:e} --b0 {b0:e} --steps 0 --save m.json")).succeeds();
        lab.run("predict m.json x.npy -o y.npy --dtype f64").succeeds();
        assert_eq!(values(&lab.read_npy("y.npy"))[0].to_bits(), b0.to_bits(), "{b0:e}");
        lab.write("m.json", format!(r#"{{"weight": {w0:e}, "bias": 0, "note": ["other fields", 1]}}"#));
        lab.run("predict m.json x.npy -o y.npy --dtype f64").succeeds();
        assert_eq!(values(&lab.read_npy("y.npy"))[1].to_bits(), w0.to_bits(), "{w0:e}");
    }
}

#[test]
fn refuses_what_is_no_model() {
    let lab = Lab::new();
    lab.worked_example();
    fs::create_dir(lab.path("folder.json")).unwrap();
    let models = [
        ("", "not a model"),
        ("weight 2 bias 1", "not a model"),
        ("[2, 1]", "not a model"),
        (r#"{"weight": 2}"#, "bias"),
        (r#"{"bias": 2}"#, "weight"),
        (r#"{"weight": "2", "bias": 1}"#, "not a model"),
        (r#"{"weight": null, "bias": 1}"#, "not a model"),
        (r#"{"weight": NaN, "bias": 1}"#, "not a model"),
        (r#"{"weight": 1e999, "bias": 1}"#, "not a model"),
        (r#"{"weight": 2, "bias": 1"#, "not a model"),
        (r#"{"weight": 2, "bias": 1} and more"#, "not a model"),
        ("\x00\x01", "not a model"),
    ];
    for (text, part) in models {
        lab.write("m.json", text);
        let ran = lab.run("predict m.json x.npy -o y.npy").ends_refused(&["linfit: m.json", part]);
        assert!(ran.notes().len() <= 2, "{}", ran.stderr);
    }
    lab.run("predict none.json x.npy -o y.npy").ends_refused(&["linfit: none.json"]);
    lab.run("predict folder.json x.npy -o y.npy").ends_refused(&["linfit: folder.json"]);
    lab.run("predict m.json x.npy").ends_refused(&["--output"]);
    assert_eq!(lab.files(), ["folder.json", "m.json", "t.npy", "x.npy"]);
}

/// Nothing is written where something is wrong, and what stood there stays.
#[test]
fn a_failure_leaves_the_old_file_alone() {
    let lab = Lab::new();
    lab.worked_example().write("m.json", MODEL).write("y.npy", "old").write("y.txt", "old");
    lab.f32s("nan.npy", &[1.0, f32::NAN]).f32s("inf.npy", &[f32::INFINITY, f32::NEG_INFINITY, 2.0]);
    fs::create_dir(lab.path("folder.npy")).unwrap();
    let before = lab.files();
    let cases = [
        ("m.json nan.npy -o y.npy", "nan.npy: 1 of 2"),
        ("m.json inf.npy -o y.npy", "inf.npy: 2 of 3"),
        ("m.json none.npy -o y.npy", "none.npy"),
        ("m.json x.npy:0 -o y.npy", "remove \":0\""),
        ("none.json x.npy -o y.npy", "none.json"),
        ("m.json x.npy -o y.npy --dtype f64 --engine gpu", "--engine cpu"),
        ("m.json x.npy -o y.txt", "y.txt: results are written as .npy"),
        ("m.json x.npy -o y", "ends in .npy"),
        ("m.json x.npy -o missing/y.npy", "missing/y.npy: cannot be written: there is no directory missing"),
        ("m.json x.npy -o folder.npy", "folder.npy: cannot be written"),
    ];
    for (arguments, part) in cases {
        let ran = lab.run(&format!("predict {arguments}")).ends_refused(&["linfit: ", part]);
        assert!(ran.notes().len() <= 2, "{}", ran.stderr);
        assert_eq!((lab.read("y.npy"), lab.read("y.txt")), ("old".to_owned(), "old".to_owned()));
        assert_eq!(lab.files(), before, "{arguments}");
    }
    let ran = lab.run("predict m.json x.npy -o y.npy --adapter voodoo").exits(3);
    ran.complains(&["voodoo"]);
    assert_eq!(lab.read("y.npy"), "old");
}

#[test]
fn y_never_takes_the_place_of_what_it_is_made_from() {
    let lab = Lab::new();
    lab.worked_example().write("m.json", MODEL);
    for output in ["x.npy", "./x.npy"] {
        let ran = lab.run(&format!("predict m.json x.npy -o {output}"));
        ran.ends_refused(&["linfit: -o and X name the same file"]);
    }
    assert_eq!(f32s(&lab.read_npy("x.npy")), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn y_beyond_its_type_is_an_error() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, 1e30, 2.0]).write("m.json", r#"{"weight": 1e10, "bias": 0}"#);
    for engine in ["--engine cpu", "--engine reference", "--adapter llvmpipe"] {
        let ran = lab.run(&format!("predict m.json x.npy -o y.npy {engine}"));
        ran.ends_refused(&["linfit: y.npy: cannot be written", "beyond the range of f32", "--dtype f64"]);
    }
    assert!(!crate::cli::exists(&lab.path("y.npy")));
    lab.run("predict m.json x.npy -o y.npy --dtype f64").succeeds();
    assert_eq!(values(&lab.read_npy("y.npy"))[0], 1e10);
    lab.write("m.json", r#"{"weight": 1e300, "bias": 0}"#);
    lab.run("predict m.json x.npy -o z.npy --dtype f64").ends_refused(&["beyond the range of f64"]);
}

#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let lab = Lab::new();
    // The second is so small that all of it is written at the end.
    lab.f32s("x.npy", &xs()).f32s("small.npy", &[1.0, 2.0]).write("m.json", MODEL);
    std::os::unix::fs::symlink("/dev/full", lab.path("y.npy")).unwrap();
    for x in ["x.npy", "small.npy"] {
        for engine in ["--engine cpu", "--adapter llvmpipe", "--dtype f64"] {
            let ran = lab.run(&format!("predict m.json {x} -o y.npy {engine}"));
            ran.ends_refused(&["linfit: y.npy: cannot be written", "No space left"]);
        }
    }
    // Its encoder ends the image on its own, whatever comes of that.
    lab.npy("image.npy", ElementType::U8, &[1, 2], &[1, 2].map(Number::Int));
    std::os::unix::fs::symlink("/dev/full", lab.path("y.png")).unwrap();
    let ran = lab.run("predict m.json image.npy -o y.png --dtype u8 --clamp");
    ran.ends_refused(&["linfit: y.png: cannot be written", "No space left"]);
}
