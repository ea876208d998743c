//! Notes about digits that an engine's type cannot hold.

use linfit::array::ElementType;

use crate::cli::Lab;
use crate::common::Number::{self, Float, Int};
use crate::common::tolerances::FEW_ROUNDINGS;

/// Four numbers each, and how many of them f32 cannot hold.
const ROUNDED_TO_F32: [(ElementType, [Number; 4], u32); 5] = [
    (ElementType::F64, [Float(0.1), Float(0.5), Float(0.2), Float(-3.0)], 2),
    (ElementType::I32, [Int(16_777_217), Int(16_777_216), Int(-16_777_219), Int(-5)], 2),
    (ElementType::U32, [Int(u32::MAX as i128), Int(1), Int(2), Int(33_554_432)], 1),
    (ElementType::I64, [Int(-(1 << 40) - 1), Int(1 << 40), Int((1 << 53) + 2), Int(16_777_217)], 3),
    (ElementType::U64, [Int(1 << 63), Int(16_777_217), Int(3), Int(4)], 1),
];

/// The same, all of them exact.
const EXACT_IN_F32: [(ElementType, [Number; 4]); 8] = [
    (ElementType::F64, [Float(0.5), Float(-1024.25), Float(3.0), Float(0.0)]),
    (ElementType::I32, [Int(16_777_216), Int(-16_777_218), Int(i32::MIN as i128), Int(7)]),
    (ElementType::U32, [Int(16_777_216), Int(0), Int(1 << 31), Int(7)]),
    (ElementType::I64, [Int(1 << 40), Int(-(1 << 62)), Int(0), Int(7)]),
    (ElementType::U64, [Int(1 << 63), Int(0), Int(1), Int(7)]),
    (ElementType::F16, [Float(0.5), Float(-1024.0), Float(3.0), Float(0.0)]),
    (ElementType::U16, [Int(65_535), Int(0), Int(1), Int(7)]),
    (ElementType::U8, [Int(255), Int(0), Int(1), Int(7)]),
];

#[test]
fn the_gpu_tells_once_a_file_what_f32_rounded() {
    let lab = Lab::new();
    lab.f32s("f32.npy", &[1.0, 2.0, 3.0, 4.0]);
    for (element, numbers, rounded) in ROUNDED_TO_F32 {
        lab.npy("wide.npy", element, &[4], &numbers);
        let note = format!(
            "note: wide.npy: {rounded} of 4 {} elements were rounded to f32; \
             use --engine cpu, which computes with all their digits\n",
            element.name()
        );
        // Both as X and as T; one pass or many; held or streamed.
        for pair in ["wide.npy f32.npy", "f32.npy wide.npy"] {
            for steps in ["--steps 0", "--steps 3 --lr 1e-60", "--steps 3 --lr 1e-60 --memory 8B"] {
                let ran = lab.run(&format!("fit {pair} {steps} --adapter llvmpipe")).exits(0);
                assert_eq!(ran.stderr, note, "{pair}");
                lab.run(&format!("fit {pair} {steps} --adapter llvmpipe -q")).succeeds();
            }
        }
        let ran = lab.run("fit wide.npy wide.npy --steps 0 --adapter llvmpipe").exits(0);
        assert_eq!(ran.stderr, note, "one file as both");
        lab.npy("other.npy", element, &[4], &numbers);
        let ran = lab.run("fit wide.npy other.npy --steps 0 --adapter llvmpipe").exits(0);
        assert_eq!(ran.stderr, format!("{note}{}", note.replace("wide.npy", "other.npy")));
    }
}

#[test]
fn numbers_that_lose_nothing_need_no_note() {
    let lab = Lab::new();
    lab.f32s("t.npy", &[1.0, 2.0, 3.0, 4.0]);
    for (element, numbers) in EXACT_IN_F32 {
        lab.npy("x.npy", element, &[4], &numbers);
        lab.run("fit x.npy t.npy --steps 0 --adapter llvmpipe").succeeds();
        lab.run("fit x.npy t.npy --steps 0 --engine cpu").succeeds();
    }
    for (element, numbers, _) in ROUNDED_TO_F32 {
        lab.npy("x.npy", element, &[4], &numbers);
        lab.run("fit x.npy t.npy --steps 0 --engine cpu").succeeds();
        lab.run("fit x.npy t.npy --steps 0 --engine reference").succeeds();
    }
}

#[test]
fn the_cpu_tells_what_f64_rounded() {
    let lab = Lab::new();
    lab.f32s("t.npy", &[1.0, 2.0, 3.0]);
    let beyond = (1i128 << 53) + 1;
    // Less the first, 2⁶⁴ − 2⁵³ − 2 and −2⁶³ + 2⁵³ + 1 are too long for f64; 2⁶³ + 2⁵³
    // isn't.
    for (element, sign, numbers) in [
        (ElementType::U64, "", [Int(beyond), Int(i128::from(u64::MAX)), Int(beyond - 1)]),
        (ElementType::I64, "-", [Int(-beyond), Int(i128::from(i64::MAX)), Int(i128::from(i64::MIN))]),
    ] {
        lab.npy("x.npy", element, &[3], &numbers);
        let note = format!(
            "note: x.npy: 2 of 3 {} elements were rounded to f64, the widest type linfit computes in; \
             take a constant off them first if their differences matter\n",
            element.name()
        );
        for engine in ["cpu", "reference", "auto"] {
            let ran = lab.run(&format!("fit x.npy t.npy --steps 0 --engine {engine}")).exits(0);
            let less = format!(
                "note: x.npy: 1 of 3 {} elements were rounded to f64, after {sign}9007199254740992.0 was taken \
                 off, the widest type linfit computes in: they are spread over more than its 2^53 whole numbers\n",
                element.name()
            );
            assert_eq!(ran.stderr, less, "{engine}");
            lab.run(&format!("fit x.npy t.npy --steps 0 --engine {engine} -q")).succeeds();
        }
        lab.write("m.json", r#"{"weight": 1, "bias": 0}"#);
        for options in ["", "--engine cpu", "--engine reference", "--dtype f64"] {
            let ran = lab.run(&format!("predict m.json x.npy -o y.npy {options}")).exits(0);
            assert_eq!(ran.stderr, note, "predict {options}");
            lab.run(&format!("predict m.json x.npy -o y.npy {options} -q")).succeeds();
        }
    }
}

#[test]
fn the_gpu_tells_once_what_it_rounded_for_a_prediction() {
    let lab = Lab::new();
    lab.npy("x.npy", ElementType::F64, &[3], &[Float(0.1), Float(0.5), Float(0.7)]);
    lab.write("m.json", r#"{"weight": 1, "bias": 0}"#);
    let ran = lab.run("predict m.json x.npy -o y.npy --adapter llvmpipe").exits(0);
    let note = "note: x.npy: 2 of 3 f64 elements were rounded to f32; \
                use --engine cpu, which computes with all their digits\n";
    assert_eq!(ran.stderr, note);
    let ran = lab.run("predict m.json x.npy -o y.npy --engine gpu").exits(0);
    assert_eq!(ran.notes().len(), 2, "{}", ran.stderr);
}

#[test]
fn a_number_beyond_f32_sends_to_the_cpu() {
    let lab = Lab::new();
    lab.npy("x.npy", ElementType::F64, &[2, 2], &[1.0, 2.0, -1e300, 4.0].map(Float));
    lab.npy("t.npy", ElementType::F64, &[2, 2], &[0.0; 4].map(Float));
    for pair in ["x.npy t.npy", "t.npy x.npy"] {
        let line = format!("fit {pair} --adapter llvmpipe --save m.json --history h.csv");
        let ran = lab.run(&line).ends_refused(&["linfit: x.npy", "(1, 0)", "-1e300", "--engine cpu"]);
        assert!(ran.notes().len() <= 2, "{}", ran.stderr);
    }
    lab.write("m.json", r#"{"weight": 2, "bias": 0}"#);
    let ran = lab.run("predict m.json x.npy -o y.npy --adapter llvmpipe");
    ran.ends_refused(&["linfit: x.npy", "-1e300", "--engine cpu"]);
    assert_eq!(lab.files(), ["m.json", "t.npy", "x.npy"]);
    lab.run("fit x.npy t.npy --steps 0 --engine cpu").succeeds();
    lab.run("predict m.json x.npy -o y.npy --dtype f64").succeeds();
    assert_eq!(crate::cli::values(&lab.read_npy("y.npy"))[2], -2e300);
}

/// A missing time stamp is no number that f64 could round.
#[test]
fn what_stands_for_a_missing_integer_is_not_rounded() {
    let lab = Lab::new();
    let row = |k: i64| format!("{},{k}", 1_700_000_000_000_000_001 + 3 * k);
    let rows: Vec<String> = (0..40).map(row).collect();
    lab.write("ns.csv", format!("ts,y\n{}\n,7\n", rows.join("\n")));
    let ran = lab.run("fit ns.csv:ts ns.csv:y --solver exact --engine cpu --json").succeeds();
    assert!(!ran.stderr.contains("rounded"), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["n"], &report["excluded"]["x_nodata"]), (&40.into(), &1.into()));
    assert!((report["weight"].as_f64().unwrap() - 1.0 / 3.0).abs() < FEW_ROUNDINGS, "{report}");
}
