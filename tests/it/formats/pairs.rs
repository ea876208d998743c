//! Files that cannot be opened, and pairs that do not fit.

use linfit::engine::{Engine, Reference};
use linfit::math::Affine;

use super::*;

#[test]
fn places_that_are_not_files() {
    let directory = directory();
    fs::write(directory.path().join("file.txt"), "1\n").unwrap();
    fs::create_dir(directory.path().join("folder.npy")).unwrap();
    fs::create_dir(directory.path().join("folder.csv")).unwrap();
    let cases = [
        ("absent.npy", "os error"),
        ("absent.csv", "os error"),
        ("absent/x.npy", "os error"),
        // No more readable than a file without permission.
        ("file.txt/x.npy", "os error"),
        ("file.txt/x.csv", "os error"),
        ("folder.npy", "is a directory"),
        ("folder.csv", "is a directory"),
    ];
    for (name, word) in cases {
        let source = source(&directory.path().join(name), None);
        assert_message(name, &open(&source).expect_err(name), name, &[word]);
        assert_message(name, &open_pair(&source, &source).expect_err(name), name, &[word]);
    }
}

/// Root reads every file, so as root the test runs a copy of itself as the
/// user `nobody` (65534).
#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const SECRET: &str = "LINFIT_TEST_UNREADABLE_FILE";
    const NOBODY: u32 = 65_534;

    let refuse = |path: &Path| {
        let error = open(&source(path, None)).expect_err("a file of mode 000 was opened");
        assert_message("mode 000", &error, "secret.npy", &["ermission denied"]);
    };
    if let Some(path) = std::env::var_os(SECRET) {
        return refuse(Path::new(&path));
    }

    let directory = directory();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(directory.path(), 0o755);
    let secret = directory.path().join("secret.npy");
    fs::write(&secret, Npy::of_f64(&[1], &[1.0]).bytes()).unwrap();
    mode(&secret, 0o000);
    if fs::File::open(&secret).is_err() {
        return refuse(&secret);
    }
    // The build directory need not be readable to others; its copy here is.
    let program = directory.path().join("tests");
    let (_, module) = module_path!().split_once("::").unwrap();
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(&program, 0o755);
    let output = std::process::Command::new(&program)
        .args(["--exact", &format!("{module}::a_file_without_permission")])
        .env(SECRET, &secret)
        .current_dir(directory.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn pairs_that_differ_in_shape() {
    let cases: &[([&[u64]; 2], [&str; 2])] = &[
        ([&[2, 3], &[3, 2]], ["2×3", "3×2"]),
        ([&[6], &[2, 3]], ["6", "2×3"]),
        ([&[6], &[5]], ["6", "5"]),
        ([&[6, 2], &[6, 1]], ["6×2", "6×1"]),
        ([&[2], &[]], ["2", "a single number"]),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    let [x_path, t_path] = ["x.npy", "t.npy"].map(|name| directory.path().join(name));
    for (shapes, [x_words, t_words]) in cases {
        for (path, shape) in [&x_path, &t_path].into_iter().zip(shapes) {
            let elements = shape.iter().product::<u64>() as usize;
            fs::write(path, Npy::of_f64(shape, &vec![1.0; elements]).bytes()).unwrap();
        }
        let (x, t) = open_pair(&source(&x_path, None), &source(&t_path, None)).unwrap();
        let error = Problem::pair(x, t).unwrap_err();
        let words = [&format!("x.npy is {x_words},")[..], &format!("t.npy is {t_words};"), "same shape"];
        assert_message("shapes", &error, "x.npy", &words);
    }
}

/// NumPy users know an axis of length 1 by `x[:, None]`.
#[test]
fn axes_of_length_1_are_no_other_shape() {
    let directory = directory();
    let [x_path, t_path] = ["x.npy", "t.npy"].map(|name| directory.path().join(name));
    let cases: [[&[u64]; 2]; 4] = [[&[6], &[6, 1]], [&[1, 6], &[6, 1]], [&[2, 1, 3], &[2, 3]], [&[1], &[]]];
    for shapes in cases {
        let elements = shapes[0].iter().product::<u64>();
        let xs: Vec<f64> = (0..elements).map(|k| k as f64).collect();
        let ts: Vec<f64> = xs.iter().map(|x| 2.0 * x + 1.0).collect();
        fs::write(&x_path, Npy::of_f64(shapes[0], &xs).bytes()).unwrap();
        fs::write(&t_path, Npy::of_f64(shapes[1], &ts).bytes()).unwrap();
        let (x, t) = open_pair(&source(&x_path, None), &source(&t_path, None)).unwrap();
        let problem = Problem::pair(x, t).unwrap();
        let sums = Reference::new(&problem).loss_sums_at(Affine::new(2.0, 1.0)).unwrap();
        assert_eq!((sums.n, sums.rr), (elements, 0.0), "{shapes:?}");
    }
}

/// A 3×4 array with `wrong` at three of its places, given as (row, column).
fn with_wrong_elements(dtype: Dtype, endian: Endian, order: Order, wrong: [f64; 3]) -> Npy {
    let places = [(2, 0), (1, 3), (0, 2)];
    let mut numbers = [Number::Float(1.5); 12];
    for ((row, column), value) in places.into_iter().zip(wrong) {
        let place = if order == Order::C { 4 * row + column } else { 3 * column + row };
        numbers[place] = Number::Float(value);
    }
    Npy::of(dtype, endian, order, &[3, 4], &numbers)
}

#[test]
fn elements_that_are_not_finite() {
    let directory = directory();
    let [bad, good] = ["bad.npy", "good.npy"].map(|name| directory.path().join(name));
    fs::write(&good, Npy::of_f64(&[3, 4], &[1.0; 12]).bytes()).unwrap();
    let mut files = 0;
    for dtype in DTYPES.into_iter().filter(|dtype| dtype.kind == 'f') {
        for (order, endian) in ORDERS.into_iter().flat_map(|order| ENDIANS.map(|endian| (order, endian))) {
            let wrongs = [
                ([f64::NAN, f64::INFINITY, f64::NEG_INFINITY], "3 of 12", "(0, 2)"),
                ([-f64::NAN, f64::INFINITY, 1.0], "2 of 12", "(1, 3)"),
                ([f64::NEG_INFINITY, 0.0, -2.0], "1 of 12", "(2, 0)"),
            ];
            for (wrong, count, position) in wrongs {
                let npy = with_wrong_elements(dtype, endian, order, wrong);
                fs::write(&bad, npy.bytes()).unwrap();
                let case = format!("{} {wrong:?}", npy.header);
                let words = [count, position, "NaN or infinite"];
                let opened = |path: &Path| open(&source(path, None)).unwrap();
                let x = opened(&bad).check_finite().expect_err(&case);
                assert_message(&case, &x, "bad.npy", &words);
                let error = Problem::pair(opened(&bad), opened(&good)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                let error = Problem::pair(opened(&good), opened(&bad)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                let error = Problem::inputs(opened(&bad)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                files += 1;
            }
            // The largest and smallest numbers of the type are finite.
            let largest = match dtype.size {
                2 => 65_504.0,
                4 => f64::from(f32::MAX),
                _ => f64::MAX,
            };
            let npy = with_wrong_elements(dtype, endian, order, [largest, -largest, -0.0]);
            open_bytes(&bad, &npy.bytes(), None).unwrap().check_finite().unwrap();
        }
    }
    assert_eq!(files, 3 * 4 * 3);

    let cases = [("a\n1\nnan\n2\ninf\n", "2 of 4", "index 1 "), ("1\n2\n-infinity\n", "1 of 3", "index 2 ")];
    for (text, count, position) in cases {
        let path = directory.path().join("f.csv");
        let matrix = open_bytes(&path, text.as_bytes(), None).unwrap();
        let error = Problem::inputs(matrix).expect_err(text);
        assert_message(text, &error, "f.csv", &[count, position, "NaN or infinite"]);
    }
    let number = Npy::of_f64(&[], &[f64::NAN]);
    let error = open_bytes(&bad, &number.bytes(), None).unwrap().check_finite().unwrap_err();
    assert_message("a single number", &error, "bad.npy", &["1 of 1", "only element"]);
}
