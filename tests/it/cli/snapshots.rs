//! Texts on the terminal, held against files in `tests/snapshots`. Times, speeds and
//! the machine's name are masked. With `UPDATE_SNAPSHOTS=1` the files are written.

use std::fs;
use std::path::Path;

use crate::cli::Lab;

/// Units of times and speeds, which differ from run to run.
const UNITS: [&str; 5] = ["ns", "µs", "ms", "s", "GB/s"];

/// A text without times, and without the padding that follows from their lengths.
fn masked(text: &str) -> String {
    text.lines().map(|line| masked_line(line) + "\n").collect()
}

fn masked_line(line: &str) -> String {
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let bare = |word: &str| word.trim_matches(|c: char| "(),;".contains(c)).to_owned();
    let is_number = |word: &str| bare(word).parse::<f64>().is_ok();
    let is_unit = |k: usize| words.get(k).is_some_and(|unit| UNITS.contains(&&bare(unit)[..]));
    // A row of errors is rounding, and the speed behind a time has no unit there.
    let is_row = words.first() == Some(&"cpu");
    let mut masked: Vec<String> = Vec::new();
    for (k, word) in words.iter().enumerate() {
        // Rounding is another's on another machine.
        let is_rounding = bare(word).parse::<f64>().is_ok_and(|value| value != 0.0 && value.abs() < 1e-12);
        let is_timed = is_number(word) && is_unit(k + 1);
        let is_unit = is_unit(k) && k > 0 && is_number(words[k - 1]);
        let is_masked = is_timed || is_unit || is_rounding || (is_row && is_number(word));
        masked.push(if is_masked {
            word.replace(&bare(word), if is_unit { "s" } else { "#" })
        } else {
            (*word).to_owned()
        });
    }
    // Rules are as long as their columns.
    let shown: Vec<String> = masked
        .iter()
        .map(|word| {
            if word.chars().all(|c| "-─═".contains(c)) && word.len() > 3 {
                "---".to_owned()
            } else {
                word.clone()
            }
        })
        .collect();
    indent + &shown.join(" ")
}

#[test]
fn times_are_masked_and_results_are_not() {
    assert_eq!(masked("  time  load 12.50 ms, fit 3.1 µs (14.2 GB/s)\n"), "  time load # s, fit # s (# s)\n");
    assert_eq!(masked("a   0.5  ─────\n"), "a 0.5 ---\n");
    assert_eq!(masked(" cpu  15.8 1.7e-16  2.00 µs  0.03  ok\n"), " cpu # # # s # ok\n");
    assert_eq!(masked("  gradient -7.105e-16, 0.0e0\n"), "  gradient #, 0.0e0\n");
}

/// Holds what a command prints against the file of this name.
#[track_caller]
fn check(lab: &Lab, name: &str, line: &str) {
    let ran = lab.run(line);
    let mut text = format!("$ linfit {line}\n");
    text += &masked(&ran.stdout);
    text += &masked(&ran.stderr);
    // The CPU engine names the machine's threads and instructions.
    let text: String = text.lines().map(|line| without_machine(line) + "\n").collect();
    let root = env!("CARGO_MANIFEST_DIR");
    let text = text.replace(root, "");
    let path = Path::new(root).join(format!("tests/snapshots/{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text == want, "{name} differs from {}; it is now:\n{text}\nand was:\n{want}", path.display());
}

fn without_machine(line: &str) -> String {
    if line.starts_with("cpu engine: ") {
        return "cpu engine: …".to_owned();
    }
    match line.split_once("cpu (") {
        Some((before, after)) => {
            let rest = after.split_once(')').map_or("", |(_, rest)| rest);
            format!("{before}cpu (…){rest}")
        }
        None => line.to_owned(),
    }
}

#[test]
fn summaries_are_as_they_were() {
    let lab = Lab::without_adapters();
    lab.worked_example();
    let iris = format!("{}/examples/data/iris.csv", env!("CARGO_MANIFEST_DIR"));
    let pair = format!("{iris}:petal_length {iris}:petal_width");
    check(&lab, "fit-exact", &format!("fit {pair} --engine cpu --solver exact"));
    check(&lab, "fit-descent", "fit x.npy t.npy --engine cpu --steps 100 --lr 0.05");
    check(&lab, "fit-diverged", "fit x.npy t.npy --engine cpu --lr 10 --steps 5 --force");
    check(&lab, "fit-robust", &format!("fit {pair} --engine cpu --robust huber"));
    check(&lab, "fit-many", &format!("fit {pair} --groups {iris}:species --engine cpu --solver exact"));
    check(&lab, "explain", "explain x.npy t.npy --steps 2");
}

#[test]
fn tables_are_as_they_were() {
    let lab = Lab::without_adapters();
    lab.worked_example();
    check(&lab, "compare", "compare x.npy t.npy --engine cpu");
    check(&lab, "devices", "devices");
}

#[test]
fn errors_are_as_they_were() {
    let lab = Lab::without_adapters();
    lab.worked_example();
    lab.write("table.csv", "height,width\n1,3\n2,5\n");
    check(&lab, "error-column", "fit table.csv:heigth table.csv:width");
    check(&lab, "error-option", "fit x.npy t.npy --stpes 3");
    check(&lab, "error-rate", "fit x.npy t.npy --lr 10");
}
