//! `linfit generate`: synthetic pairs that are what they were ordered to be.

use std::fs;

use linfit::array::ElementType;

use crate::cli::{Lab, dtype, values};
use crate::common::{Endian, Number, to_f32};

/// Runs `generate -x x.npy -t t.npy`, without a note, and gives X and T.
fn generate(lab: &Lab, options: &str) -> (Vec<f64>, Vec<f64>) {
    lab.run(&format!("generate -x x.npy -t t.npy {options}")).succeeds();
    pair(lab)
}

fn pair(lab: &Lab) -> (Vec<f64>, Vec<f64>) {
    (values(&lab.read_npy("x.npy")), values(&lab.read_npy("t.npy")))
}

/// Mean and standard deviation.
fn spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[test]
fn the_defaults() {
    let lab = Lab::new();
    let (xs, ts) = generate(&lab, "");
    let (x, t) = (lab.read_npy("x.npy"), lab.read_npy("t.npy"));
    for file in [&x, &t] {
        assert_eq!((file.descr.as_str(), file.fortran, &file.shape[..]), ("<f4", false, &[1024, 1024][..]));
    }
    let residuals: Vec<f64> = xs.iter().zip(&ts).map(|(x, t)| t - (2.0 * x + 1.0)).collect();
    let (mean, deviation) = spread(&residuals);
    // Five standard errors: σ/√n of the mean, σ/√(2n) of σ.
    assert!(mean.abs() < 5.0 * 0.1 / 1024.0, "{mean}");
    assert!((deviation - 0.1).abs() < 5.0 * 0.1 / (1024.0 * 2f64.sqrt()), "{deviation}");
    let explicit = fs::read(lab.path("t.npy")).unwrap();
    generate(&lab, "--shape 1024x1024 --weight 2 --bias 1 --noise 0.1 --dtype f32 --seed 0");
    assert!(fs::read(lab.path("t.npy")).unwrap() == explicit);
    assert_eq!(lab.files(), ["t.npy", "x.npy"]);
}

#[test]
fn the_same_seed_gives_the_same_files_and_no_other_does() {
    let lab = Lab::new();
    let files = |options: &str| {
        generate(&lab, &format!("--shape 300x300 {options}"));
        (fs::read(lab.path("x.npy")).unwrap(), fs::read(lab.path("t.npy")).unwrap())
    };
    let first = files("--seed 1");
    assert!(files("--seed 1") == first);
    assert!(files("--seed 1 --quiet") == first);
    let others = ["--seed 0", "--seed 2", "--seed 18446744073709551615"].map(files);
    for (k, (x, t)) in others.iter().enumerate() {
        assert!(*x != first.0 && *t != first.1);
        assert!(others[..k].iter().all(|(other, _)| other != x));
    }
    // Within a file, too, no stretch of numbers comes twice.
    let mut xs = generate(&lab, "--shape 300x300 --dtype f64 --seed 1").0;
    xs.sort_by(f64::total_cmp);
    assert!(xs.windows(2).all(|two| two[0] != two[1]));
    // Not a matter of threads.
    let mut command = lab.command("generate -x x.npy -t t.npy --shape 300x300 --seed 1");
    assert!(command.env("RAYON_NUM_THREADS", "1").status().unwrap().success());
    assert!(fs::read(lab.path("t.npy")).unwrap() == first.1);
}

#[test]
fn without_noise_t_is_the_line() {
    let lab = Lab::new();
    let (w, b) = (-0.3, 17.7);
    let options = "--shape 100x100 --noise 0 --weight -0.3 --bias 17.7";
    let (xs, ts) = generate(&lab, &format!("{options} --dtype f64"));
    assert!(xs.iter().zip(&ts).all(|(x, t)| *t == x * w + b));
    let (xs, ts) = generate(&lab, options);
    assert!(xs.iter().zip(&ts).all(|(x, t)| *t == f64::from(to_f32(x * w + b))));
    let (xs, ts) = generate(&lab, &format!("{options} --dtype f16"));
    assert!(xs.iter().zip(&ts).all(|(x, t)| *t == half::f16::from_f64(x * w + b).to_f64()));
    let (xs, ts) = generate(&lab, &format!("{options} --dtype i32"));
    assert!(xs.iter().zip(&ts).all(|(x, t)| *t == (x * w + b).round_ties_even()));
}

/// The least and the greatest X of the integer types.
const RANGES: [(ElementType, f64, f64); 8] = [
    (ElementType::U8, 0.0, 255.0),
    (ElementType::I8, -128.0, 127.0),
    (ElementType::U16, 0.0, 65_535.0),
    (ElementType::I16, -32_768.0, 32_767.0),
    (ElementType::U32, 0.0, 1e6),
    (ElementType::I32, -1e6, 1e6),
    (ElementType::U64, 0.0, 1e6),
    (ElementType::I64, -1e6, 1e6),
];

#[test]
fn x_has_the_mean_and_the_spread_of_its_type() {
    let lab = Lab::new();
    let n: f64 = 250_000.0;
    for element in [ElementType::F16, ElementType::F32, ElementType::F64] {
        let (xs, _) = generate(&lab, &format!("--shape 500x500 --dtype {}", element.name()));
        assert_eq!(lab.read_npy("x.npy").descr, dtype(element).descr(Endian::Little));
        let (mean, deviation) = spread(&xs);
        assert!(mean.abs() < 5.0 / n.sqrt(), "{element}: {mean}");
        assert!((deviation - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{element}: {deviation}");
    }
    for (element, least, greatest) in RANGES {
        let name = element.name();
        let line = format!("--shape 500x500 --dtype {name} --weight 0.5 --bias 0 --noise 0");
        let (xs, ts) = generate(&lab, &line);
        for file in ["x.npy", "t.npy"] {
            assert_eq!(lab.read_npy(file).descr, dtype(element).descr(Endian::Little));
        }
        assert!(xs.iter().all(|x| (least..=greatest).contains(x)), "{name}");
        assert!(xs.iter().zip(&ts).all(|(x, t)| *t == (x / 2.0).round_ties_even()), "{name}");
        // Uniform over k whole numbers: σ² = (k² − 1)/12, and σ's standard
        // error is below σ/√(2n).
        let k = greatest - least + 1.0;
        let sigma = ((k * k - 1.0) / 12.0).sqrt();
        let (mean, deviation) = spread(&xs);
        assert!((mean - f64::midpoint(least, greatest)).abs() < 5.0 * sigma / n.sqrt(), "{name}: {mean}");
        assert!((deviation - sigma).abs() < 5.0 * sigma / (2.0 * n).sqrt(), "{name}: {deviation}");
    }
}

#[test]
fn says_how_much_of_t_was_saturated() {
    let lab = Lab::new();
    let line = "generate -x x.npy -t t.npy --shape 64x64 --dtype u8 --noise 0";
    let ran = lab.run(line).exits(0);
    let (xs, ts) = pair(&lab);
    assert!(xs.iter().zip(&ts).all(|(x, t)| *t == (2.0 * x + 1.0).min(255.0)));
    let beyond = xs.iter().filter(|x| 2.0 * **x + 1.0 > 255.0).count();
    assert!(beyond > 1000, "{beyond}");
    let note = format!("note: {beyond} of 4096 elements of T lay beyond u8 and were stored as its limit\n");
    assert_eq!((ran.stderr, ran.stdout), (note, String::new()));
    lab.run(&format!("{line} -q")).succeeds();
    let ran = lab.run("generate -x x.npy -t t.npy --shape 64 --dtype f16 --weight 1e6 --noise 0").exits(0);
    assert!(ran.stderr.contains("beyond f16"), "{}", ran.stderr);
    // The limit, not infinity: a fit takes it.
    assert!(pair(&lab).1.iter().any(|t| t.abs() == 65_504.0));
    lab.run("fit x.npy t.npy --steps 1").succeeds();
}

#[test]
fn any_number_of_dimensions() {
    let lab = Lab::new();
    let shapes: [(&str, &[u64]); 5] = [
        ("1000", &[1000]),
        ("1", &[1]),
        ("10x20x30", &[10, 20, 30]),
        ("2X3", &[2, 3]),
        ("1x1x1x7", &[1, 1, 1, 7]),
    ];
    for (text, shape) in shapes {
        let (xs, ts) = generate(&lab, &format!("--shape {text}"));
        assert_eq!(
            (lab.read_npy("x.npy").shape, lab.read_npy("t.npy").shape),
            (shape.to_vec(), shape.to_vec())
        );
        let elements = shape.iter().product::<u64>() as usize;
        assert_eq!((xs.len(), ts.len()), (elements, elements));
        // The number of elements decides, not how they are arranged.
        let (flat, _) = generate(&lab, &format!("--shape {elements}"));
        assert_eq!(flat, xs);
    }
}

#[test]
fn refuses_what_cannot_be_made() {
    let lab = Lab::new();
    fs::create_dir(lab.path("folder.npy")).unwrap();
    let refused = [
        ("-x x.npy -t t.npy --shape 0", "--shape"),
        ("-x x.npy -t t.npy --shape 3x0", "--shape"),
        ("-x x.npy -t t.npy --shape 3x", "--shape"),
        ("-x x.npy -t t.npy --shape -3", "-3"),
        ("-x x.npy -t t.npy --shape 3,4", "--shape"),
        ("-x x.npy -t t.npy --shape big", "--shape"),
        ("-x x.npy -t t.npy --shape 4294967296x4294967296", "--shape"),
        ("-x x.npy -t t.npy --shape 4294967296x4294967295", "larger than any memory"),
        ("-x x.npy -t t.npy --dtype f8", "--dtype"),
        ("-x x.npy -t t.npy --dtype bool", "--dtype"),
        ("-x x.npy -t t.npy --dtype F32", "--dtype"),
        ("-x x.npy -t t.npy --noise -1", "--noise"),
        ("-x x.npy -t t.npy --noise nan", "--noise"),
        ("-x x.npy -t t.npy --noise inf", "--noise"),
        ("-x x.npy -t t.npy --weight nan", "--weight"),
        ("-x x.npy -t t.npy --bias inf", "--bias"),
        ("-x x.npy -t t.npy --seed -1", "--seed"),
        ("-x x.npy -t t.npy --seed 18446744073709551616", "--seed"),
        ("-x x.npy", "-t"),
        ("-t t.npy", "-x"),
        ("-x x.npy -t x.npy", "same file"),
        ("-x x.npy -t ./x.npy", "same file"),
        ("-x x.npy -t folder.npy/../x.npy", "same file"),
        ("-x x.csv -t t.npy", "x.csv: results are written as .npy"),
        ("-x x.npy -t t", "ends in .npy"),
        ("-x x.npy -t missing/t.npy", "missing/t.npy: cannot be written"),
        ("-x folder.npy -t t.npy", "folder.npy: cannot be written"),
    ];
    for (arguments, part) in refused {
        lab.run(&format!("generate {arguments}")).ends_refused(&[part]);
        assert_eq!(lab.files(), ["folder.npy"], "{arguments}");
    }
}

/// A link to X is X.
#[cfg(unix)]
#[test]
fn sees_through_links() {
    let lab = Lab::new();
    lab.npy("x.npy", ElementType::U8, &[1], &[Number::Int(7)]);
    std::os::unix::fs::symlink("x.npy", lab.path("link.npy")).unwrap();
    lab.run("generate -x x.npy -t link.npy --shape 3").ends_refused(&["same file"]);
    assert_eq!(values(&lab.read_npy("x.npy")), [7.0]);
}
