use super::Bench;

const TYPES: [(&str, &str, usize); 11] = [
    ("u8", "|u1", 1),
    ("i8", "|i1", 1),
    ("u16", "<u2", 2),
    ("i16", "<i2", 2),
    ("u32", "<u4", 4),
    ("i32", "<i4", 4),
    ("u64", "<u8", 8),
    ("i64", "<i8", 8),
    ("f16", "<f2", 2),
    ("f32", "<f4", 4),
    ("f64", "<f8", 8),
];

#[test]
fn every_type_and_shape() {
    let bench = Bench::new();
    for (name, descr, size) in TYPES {
        bench
            .run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "3x5x7", "--dtype", name, "-q"])
            .ok();
        for file in ["x.npy", "t.npy"] {
            let bytes = bench.read(file);
            let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
            assert!(header.contains(descr) && header.contains("(3, 5, 7, )"), "{name}: {header}");
            assert_eq!(bytes.len(), 128 + 105 * size, "{name}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_data() {
    let bench = Bench::new();
    let make = |seed: &str| {
        bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "70001", "--seed", seed, "-q"]).ok();
        (bench.read("x.npy"), bench.read("t.npy"))
    };
    let first = make("1");
    assert_eq!(make("1"), first);
    assert_ne!(make("2").0, first.0);
}

#[test]
fn without_noise_t_is_the_line() {
    let bench = Bench::new();
    let arguments =
        ["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "100000", "--weight", "-3", "--bias", "0.5"];
    bench.run(&[&arguments[..], &["--noise", "0", "--dtype", "f64", "-q"]].concat()).ok();
    let read = |name| -> Vec<f64> {
        bench.read(name)[128..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let (x, t) = (read("x.npy"), read("t.npy"));
    assert_eq!(x.len(), 100_000);
    assert!(x.iter().zip(&t).all(|(x, t)| *t == x * -3.0 + 0.5));
    // Standard normal: mean 0 ± 5/√n, variance 1 ± 5·√(2/n).
    let mean = x.iter().sum::<f64>() / 1e5;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
    assert!(mean.abs() < 5.0 / 1e5f64.sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 5.0 * (2.0f64 / 1e5).sqrt(), "{variance}");
}

#[test]
fn noise_has_its_deviation_and_saturation_is_said() {
    let bench = Bench::new();
    let arguments = ["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "100000", "--dtype", "f64", "-q"];
    bench.run(&[&arguments[..], &["--weight", "0", "--bias", "0", "--noise", "0.25"]].concat()).ok();
    let t: Vec<f64> = bench.read("t.npy")[128..]
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let variance = t.iter().map(|t| t * t).sum::<f64>() / 1e5;
    assert!((variance / 0.0625 - 1.0).abs() < 5.0 * (2.0f64 / 1e5).sqrt(), "{variance}");
    let half =
        ["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "1000", "--dtype", "f16", "--weight", "1e6"];
    assert!(bench.run(&half).ok().stderr.contains("stored as its limit"));
    // The limit, not infinity: a fit takes it.
    bench.run(&["fit", "x.npy", "t.npy", "--steps", "1"]).ok();
    let run = bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "1000", "--dtype", "u8"]).ok();
    assert!(run.stderr.contains("of 1000 elements of T lay beyond u8"), "{}", run.stderr);
}

#[test]
fn bad_requests_are_2_and_leave_nothing() {
    let bench = Bench::new();
    for (option, value) in [
        ("--shape", "0x5"),
        ("--shape", "5x"),
        ("--shape", "-3"),
        ("--shape", "99999999999x99999999999"),
        ("--dtype", "bool"),
        ("--dtype", "complex64"),
        ("--noise", "-1"),
        ("--noise", "nan"),
        ("--weight", "inf"),
    ] {
        let run = bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", option, value]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{option} {value}: {}", run.stderr);
    }
    bench.run(&["generate", "-x", "x.npy", "-t", "x.npy"]).fails(2, &["same file"]);
    bench.run(&["generate", "-x", "x.npy", "-t", "t.csv"]).fails(2, &["t.csv", ".npy"]);
    bench.run(&["generate", "-x", "no/x.npy", "-t", "t.npy"]).fails(2, &["no/x.npy"]);
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}
