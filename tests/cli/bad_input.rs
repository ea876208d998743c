use super::Bench;

const HEADER: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";

/// Every kind of bad file: its name, its content, and words of the message.
fn cases(bench: &Bench) -> Vec<(&'static str, Vec<&'static str>)> {
    bench.npy_f32("good.npy", "(2, 2)", &[1.0, 2.0, 3.0, 4.0]);
    let good = bench.read("good.npy");
    bench.write("empty.npy", b"");
    bench.write("empty.csv", b"");
    bench.write("header.npy", &good[..30]);
    bench.write("truncated.npy", &good[..good.len() - 1]);
    bench.write("magic.npy", b"PK\x03\x04 this is a zip file, not an array at all");
    bench.npy("absurd.npy", &HEADER.replace("(2, 2)", "(4611686018427387904, 16)"), &[]);
    bench.npy("object.npy", &HEADER.replace("<f4", "|O"), &[0; 64]);
    bench.npy("complex.npy", &HEADER.replace("<f4", "<c8"), &[0; 64]);
    bench.npy_f32("flat.npy", "(4,)", &[1.0, 2.0, 3.0, 4.0]);
    bench.npy_f32("none.npy", "(0, 2)", &[]);
    bench.npy_f32("nan.npy", "(2, 2)", &[1.0, 2.0, f32::NAN, f32::INFINITY]);
    bench.write("ragged.csv", b"x,t\n1,2\n3\n");
    bench.write("text.csv", b"x\n1\n2\nthree\n4\n");
    bench.write("two.csv", b"x,t\n1,2\n");
    bench.write("notes.txt", b"hello\n");
    std::fs::create_dir(bench.path("directory.npy")).unwrap();
    vec![
        ("empty.npy", vec!["empty.npy", "empty"]),
        ("empty.csv", vec!["empty.csv", "empty"]),
        ("header.npy", vec!["header.npy", "truncated"]),
        ("truncated.npy", vec!["truncated.npy", "16 bytes", "15"]),
        ("magic.npy", vec!["magic.npy", "signature"]),
        ("absurd.npy", vec!["absurd.npy", "larger than any memory"]),
        ("object.npy", vec!["object.npy", "not numbers"]),
        ("complex.npy", vec!["complex.npy", "not numbers"]),
        ("flat.npy", vec!["flat.npy", "differ in shape", "2×2"]),
        ("none.npy", vec!["none.npy", "no elements"]),
        ("nan.npy", vec!["nan.npy", "2 of 4", "(1, 0)"]),
        ("ragged.csv:x", vec!["ragged.csv:3", "number of fields: 1", "2"]),
        ("text.csv", vec!["text.csv:4", "three"]),
        ("two.csv:z", vec!["two.csv", "\"z\"", "x (0)", "t (1)"]),
        ("two.csv", vec!["two.csv", "name one"]),
        ("good.npy:x", vec!["good.npy", "single array"]),
        ("notes.txt", vec!["notes.txt", ".npy", ".csv"]),
        ("directory.npy", vec!["directory.npy", "directory"]),
        ("missing.npy", vec!["missing.npy", "No such file"]),
    ]
}

#[test]
fn every_bad_file_is_2_with_a_line_and_nothing_left() {
    let bench = Bench::new();
    let cases = cases(&bench);
    assert!(cases.len() > 15);
    let before = bench.files();
    for (name, words) in cases {
        for engine in ["cpu", "gpu"] {
            let outputs = ["--save", "model.json", "--history", "history.csv", "--engine", engine];
            bench.run(&[&["fit", name, "good.npy"], &outputs[..]].concat()).fails(2, &words);
            bench.run(&[&["fit", "good.npy", name], &outputs[..]].concat()).fails(2, &words);
        }
        bench.run(&["compare", "good.npy", name]).fails(2, &words);
    }
    assert_eq!(bench.files(), before);
}

/// Root may read anything, so the program runs as nobody where it can.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let bench = Bench::with_worked_example();
    let set = |name: &str, mode| {
        std::fs::set_permissions(bench.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(".", 0o755);
    set("x.npy", 0o000);
    // A copy of the program where anybody may run it.
    std::fs::copy(assert_cmd::cargo::cargo_bin!("linfit"), bench.path("program")).unwrap();
    set("program", 0o755);
    let mut command = std::process::Command::new(bench.path("program"));
    command.args(["fit", "x.npy", "t.npy"]).current_dir(bench.path("."));
    let root = std::fs::read(bench.path("x.npy")).is_ok();
    if root {
        command.uid(65_534).gid(65_534);
    }
    // A test that starts its program while this one writes the copy keeps the
    // copy busy for a moment.
    let output = loop {
        match command.output() {
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => break output.unwrap(),
        }
    };
    super::finished(output, &["no permission"]).fails(2, &["x.npy", "ermission denied"]);
}

#[test]
fn outputs_that_cannot_be_written_are_known_before_the_fit() {
    let bench = Bench::with_worked_example();
    bench
        .run(&["fit", "x.npy", "t.npy", "--save", "no/m.json"])
        .fails(2, &["no/m.json", "cannot be written"]);
    bench
        .run(&["fit", "x.npy", "t.npy", "--history", "no/h.csv"])
        .fails(2, &["no/h.csv", "cannot be written"]);
    assert_eq!(bench.files(), ["t.npy", "x.npy"]);
}
