//! Files that cannot be fitted: a message that names them, and no output.

use std::fs;

use linfit::array::{ElementType, Order};

use crate::cli::{Lab, dtype};
use crate::common::{Endian, Npy, Number};

struct Case {
    name: &'static str,
    /// The argument, if it is more than the name.
    argument: Option<&'static str>,
    bytes: Vec<u8>,
    part: &'static str,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, part: &'static str) -> Case {
    Case { name, argument: None, bytes: bytes.into(), part }
}

fn column(argument: &'static str, text: &str, part: &'static str) -> Case {
    let (name, _) = argument.split_once(':').unwrap();
    Case { argument: Some(argument), ..case(name, text, part) }
}

fn npy(header: &str, data_bytes: usize) -> Vec<u8> {
    Npy { data: vec![0; data_bytes], ..Npy::with_header(header) }.bytes()
}

fn spoiled(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Npy::of_f64(&[2, 2], &[1.0, 2.0, 3.0, 4.0]).bytes();
    change(&mut bytes);
    bytes
}

fn cases() -> Vec<Case> {
    let f64s = |values: &[f64]| Npy::of_f64(&[2, 2], values).bytes();
    let header = |descr: &str, shape: &str| {
        npy(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"), 32)
    };
    vec![
        case("empty.npy", "", "empty"),
        case("empty.csv", "", "empty"),
        case("magic.npy", spoiled(|bytes| bytes[1] = b'M'), "signature"),
        case("text.npy", "1,2\n3,4\n", "signature"),
        case("short.npy", spoiled(|bytes| bytes.truncate(9)), "truncated"),
        case("header.npy", spoiled(|bytes| bytes.truncate(40)), "truncated"),
        case("data.npy", spoiled(|bytes| bytes.truncate(bytes.len() - 1)), "32 bytes of data"),
        case("nodata.npy", spoiled(|bytes| bytes.truncate(bytes.len() - 32)), "truncated"),
        case("version.npy", spoiled(|bytes| bytes[6] = 9), "version"),
        case("garbage.npy", npy("what is this", 32), "header"),
        case("huge.npy", header("'<f8'", "(1152921504606846976, 2)"), "larger than any memory"),
        case("absurd.npy", header("'<f8'", "(18446744073709551615, 18446744073709551615)"), "larger than"),
        case("negative.npy", header("'<f8'", "(-2, 2)"), "shape"),
        case("none.npy", header("'<f8'", "(0, 4)"), "no elements"),
        case("object.npy", header("'|O'", "(2, 2)"), "not numbers"),
        case("string.npy", header("'<U8'", "(2, 2)"), "not numbers"),
        case("complex.npy", header("'<c16'", "(2,)"), "not numbers"),
        case("record.npy", header("[('a', '<f8'), ('b', '<f8')]", "(2,)"), "record"),
        case("nan.npy", f64s(&[1.0, 2.0, f64::NAN, 4.0]), "index (1, 0)"),
        case("inf.npy", f64s(&[1.0, f64::NEG_INFINITY, f64::INFINITY, 4.0]), "2 of 4"),
        case("shape.npy", Npy::of_f64(&[4], &[1.0, 2.0, 3.0, 4.0]).bytes(), "differ in shape"),
        case("turned.npy", Npy::of_f64(&[4, 1], &[1.0, 2.0, 3.0, 4.0]).bytes(), "2×2"),
        case("data.xlsx", "PK\x03\x04", "unknown kind of file"),
        case("noextension", "1\n2\n", "unknown kind of file"),
        column("ragged.csv:0", "1,2\n3,4\n5\n", "ragged.csv:3: number of fields: 1"),
        column("text.csv:1", "a,b\n1,2\n3,lots\n", "text.csv:3: \"lots\" in column 1"),
        column("twice.csv:a", "a,a\n1,2\n3,4\n", "several columns are called \"a\"; give the number"),
        column("missing.csv:c", "a,b\n1,2\n3,4\n", "no column \"c\"; its columns are: a (0), b (1)"),
        column("number.csv:2", "a,b\n1,2\n3,4\n", "no column \"2\""),
        column("header.csv:a", "a,b\n", "no elements"),
        column("nan.csv:a", "a\n1\nnan\n3\n4\n", "nan.csv:a: 1 of 4"),
        case("which.csv", "a,b\n1,2\n3,4\n", "name one"),
        column("long.csv:a", "a\n1\n2\n3\n", "differ in shape"),
    ]
}

#[test]
fn every_bad_file_is_named_and_nothing_is_written() {
    let cases = cases();
    assert!(cases.len() > 30);
    let lab = Lab::new();
    lab.write("good.npy", Npy::of_f64(&[2, 2], &[1.0, 2.0, 3.0, 4.0]).bytes());
    lab.write("four.npy", Npy::of_f64(&[4], &[1.0, 2.0, 3.0, 4.0]).bytes());
    for Case { name, argument, bytes, part } in &cases {
        lab.write(name, bytes);
        let argument = argument.unwrap_or(name);
        // A column goes with an array of one dimension.
        let good = if name.ends_with("sv") { "four.npy" } else { "good.npy" };
        for pair in [format!("{argument} {good}"), format!("{good} {argument}")] {
            for line in [
                format!("fit {pair} --save m.json --history h.csv"),
                format!("fit {pair} --save m.json --history h.csv --adapter llvmpipe --json -v"),
                format!("compare {pair}"),
            ] {
                let ran = lab.run(&line).ends_refused(&[name, part]);
                assert!(ran.stderr.starts_with("linfit: "), "{line}\n{}", ran.stderr);
                assert!((1..=2).contains(&ran.notes().len()), "{line}\n{}", ran.stderr);
                assert!(ran.stderr.len() < 600 && ran.stderr.ends_with('\n'), "{line}\n{}", ran.stderr);
            }
        }
        fs::remove_file(lab.path(name)).unwrap();
        assert_eq!(lab.files(), ["four.npy", "good.npy"], "{name}");
    }
}

#[test]
fn files_that_are_not_there_or_not_files() {
    let lab = Lab::new();
    lab.npy("good.npy", ElementType::F64, &[1], &[Number::Float(1.0)]);
    fs::create_dir(lab.path("folder.npy")).unwrap();
    for (argument, part) in [
        ("none.npy", "No such file"),
        ("none.csv:a", "No such file"),
        ("folder.npy", "is a directory"),
        ("folder.npy/x.npy", "No such file"),
        ("good.npy/x.npy", "Not a directory"),
        ("good.npy:0", "remove \":0\""),
        (".", "is a directory"),
    ] {
        for pair in [format!("{argument} good.npy"), format!("good.npy {argument}")] {
            let name = argument.split(':').next().unwrap();
            let ran = lab.run(&format!("fit {pair} --save m.json --history h.csv"));
            // The words are the system's, which this one's may not be.
            let parts: &[&str] = if cfg!(target_os = "linux") { &[name, part] } else { &[name] };
            let ran = ran.ends_refused(parts);
            assert!(ran.stderr.starts_with("linfit: ") && ran.notes().len() <= 2, "{}", ran.stderr);
            assert_eq!(lab.files(), ["folder.npy", "good.npy"]);
        }
    }
}

/// Control characters of a file must not reach the terminal, nor its length
/// the message.
#[test]
fn a_message_shows_little_of_a_file_and_nothing_raw() {
    let lab = Lab::new();
    let field = format!("\x1b[31m{}\x07", "x".repeat(100_000));
    lab.write("x.csv", format!("a\n1\n{field}\n")).write("t.csv", format!("{field},b\n1,2\n"));
    for line in ["fit x.csv x.csv", "fit t.csv:nothing x.csv"] {
        let ran = lab.run(line).exits(2);
        assert!(ran.stderr.len() < 400, "{}", ran.stderr);
        assert!(!ran.stderr.trim_end().contains(char::is_control), "{:?}", ran.stderr);
    }
}

/// Root may read anything, so it runs the program as nobody.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let lab = Lab::new();
    lab.worked_example();
    // A copy of the program where anybody may run it, made by a process of its
    // own: a program that this one has open for writing, or a child that
    // another test starts meanwhile, can't be run.
    let mut copy = std::process::Command::new("cp");
    copy.arg(assert_cmd::cargo::cargo_bin!("linfit")).arg(lab.path("program"));
    assert!(copy.status().unwrap().success());
    for (name, mode) in [(".", 0o755), ("program", 0o755), ("x.npy", 0o000)] {
        fs::set_permissions(lab.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let line = "fit x.npy t.npy";
    let mut command = std::process::Command::new(lab.path("program"));
    command.args(line.split_whitespace()).current_dir(lab.path("."));
    if fs::read(lab.path("x.npy")).is_ok() {
        command.uid(65_534).gid(65_534);
    }
    lab.judge(line, &command.output().unwrap()).ends_refused(&["linfit: x.npy", "ermission denied"]);
}

/// The CRC of an array that an archive holds as it is gets checked by the first
/// pass, and no number comes out before.
#[test]
fn a_damaged_archive_is_refused_by_every_command() {
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;

    let lab = Lab::new();
    let archive = |element: ElementType, count: u32, number: &dyn Fn(u32) -> Number, is_damaged: bool| {
        let numbers: Vec<Number> = (0..count).map(number).collect();
        let npy = Npy::of(dtype(element), Endian::Little, Order::C, &[u64::from(count)], &numbers).bytes();
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("a.npy", options).unwrap();
        writer.write_all(&npy).unwrap();
        let mut bytes = writer.finish().unwrap().into_inner();
        if is_damaged {
            // The lowest bit of an element in the second half.
            let at = bytes.windows(npy.len()).position(|window| window == npy).unwrap();
            bytes[at + npy.len() - count as usize / 4 * element.size()] ^= 1;
        }
        bytes
    };
    let whole = |k: u32| Number::Int((k % 1000).into());
    let real = |k: u32| Number::Float(f64::from(k % 1000));
    for (name, element, number) in
        [("u16", ElementType::U16, &whole as &dyn Fn(u32) -> Number), ("f64", ElementType::F64, &real)]
    {
        lab.write(&format!("{name}.npz"), archive(element, 300_000, number, false));
        lab.write(&format!("{name}-bad.npz"), archive(element, 300_000, number, true));
        lab.write(&format!("few-{name}.npz"), archive(element, 8, number, false));
        lab.write(&format!("few-{name}-bad.npz"), archive(element, 8, number, true));
    }
    lab.run("fit u16.npz f64.npz --engine cpu --solver exact --save m.json").succeeds();
    let files = lab.files();
    for bad in ["u16-bad.npz", "f64-bad.npz"] {
        for line in [
            "fit BAD f64.npz --engine cpu --save n.json --history h.csv",
            "fit f64.npz BAD --engine cpu --lr auto --steps 3",
            "fit f64.npz BAD --engine reference",
            "fit f64.npz BAD --engine gpu",
            "fit f64.npz BAD --engine cpu --memory 1MiB",
            "fit f64.npz BAD --engine gpu --memory 1MiB",
            "fit f64.npz u16.npz --engine cpu --mask BAD",
            "fit f64.npz u16.npz --engine cpu --weights BAD",
            "predict m.json BAD --engine cpu -o y.npy",
            "predict m.json BAD --engine gpu -o y.npy",
            "predict m.json BAD --engine cpu -o y.csv --memory 1MiB",
            "compare BAD f64.npz",
            "explain few-f64.npz few-BAD",
        ] {
            let line = line.replace("BAD", bad);
            lab.run(&line).ends_refused(&[&format!("{bad}:a: is damaged: its checksum")]);
            assert_eq!(lab.files(), files, "{line}");
        }
    }
}
