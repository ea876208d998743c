//! What people expect of a command line: short help, completions, manual pages,
//! suggestions, a dry run, columns of one table.

use std::fs;

use crate::cli::{Lab, number};

const TABLE: &str = "height,width,colour\n1,3,7\n2,5,8\n3,7,9\n4,9,9\n";

#[test]
fn a_short_help_fits_on_a_screen_and_the_long_one_has_every_option() {
    let lab = Lab::new();
    for command in ["fit", "predict", "compare", "bench", "generate", "devices", "explain", "man", "info"] {
        let short = lab.run(&format!("{command} -h")).succeeds().stdout;
        let lines = short.lines().count();
        assert!(lines < 40, "{lines} lines:\n{short}");
        let long = lab.run(&format!("{command} --help")).succeeds().stdout;
        assert!(long.lines().count() >= lines, "{long}");
    }
    assert!(lab.run("-h").succeeds().stdout.lines().count() < 40);
    let short = lab.run("fit -h").succeeds().stdout;
    for option in ["--solver", "--lr", "--steps", "--mask", "--weights", "--engine", "--save", "--json"] {
        assert!(short.contains(option), "no {option} in\n{short}");
    }
    for option in ["--raw-dtype", "--steps-per-submit", "--no-tuning", "--comment"] {
        assert!(!short.contains(option), "{option} in\n{short}");
        assert!(lab.run("fit --help").succeeds().stdout.contains(option));
    }
    let of = |heading: &str| short.find(heading).unwrap_or_else(|| panic!("no {heading} in\n{short}"));
    assert!(of("Arguments:") < of("Solver:") && of("<X>") < of("Solver:"), "{short}");
}

#[test]
fn shells_complete_commands_and_options() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.run(&format!("completions {shell}")).succeeds().stdout;
        for word in ["predict", "standardize", "completions"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
        assert!(!script.contains("try-drivers"), "{shell} completes what is not for people");
    }
    lab.run("completions tcsh").ends_refused(&["tcsh", "bash"]);
    lab.run("completions").ends_refused(&["<SHELL>"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let lab = Lab::new();
    lab.run("man pages/man1").succeeds();
    let mut names: Vec<String> = fs::read_dir(lab.path("pages/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let commands =
        ["bench", "compare", "completions", "devices", "explain", "fit", "generate", "man", "predict"];
    for command in commands {
        assert!(names.contains(&format!("linfit-{command}.1")), "{names:?}");
    }
    assert!(names.contains(&"linfit.1".to_owned()) && !names.iter().any(|name| name.contains("drivers")));
    let page = lab.read("pages/man1/linfit-fit.1");
    for part in [".TH linfit-fit 1", "SYNOPSIS", "\\-\\-steps\\-per\\-submit", "Examples:"] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    lab.write("file", "");
    lab.run("man file").ends_refused(&["file"]);
}

#[test]
fn a_misspelt_column_or_option_is_answered_with_the_nearest() {
    let lab = Lab::new();
    lab.write("t.csv", TABLE);
    lab.run("fit t.csv:heigth t.csv:width")
        .ends_refused(&["no column \"heigth\" (did you mean \"height\"?); its columns are: height (0)"]);
    let far = lab.run("fit t.csv:depth3 t.csv:width").exits(2);
    assert!(!far.stderr.contains("did you mean"), "{far:?}");
    lab.run("fit t.csv:height t.csv:width --stpes 3").ends_refused(&["--stpes", "--steps"]);
    lab.run("ftt t.csv:height t.csv:width").ends_refused(&["ftt", "'fit'"]);
}

#[test]
fn x_and_t_may_be_columns_of_one_table() {
    let lab = Lab::new();
    lab.write("t.csv", TABLE).worked_example();
    let fit = lab.run("fit t.csv --x height --t width --solver exact --json").succeeds().json();
    assert_eq!((number(&fit, "weight"), number(&fit, "bias")), (2.0, 1.0));
    let by_number = lab.run("fit t.csv --x 0 --t 1 --solver exact --json").succeeds().json();
    assert_eq!(number(&by_number, "weight"), 2.0);
    lab.run("compare t.csv --x height --t width --engine cpu").succeeds();
    lab.run("fit t.csv --x height").ends_refused(&["--t"]);
    lab.run("fit t.csv --t height").ends_refused(&["--x"]);
    lab.run("fit x.npy t.npy --x height --t width").ends_refused(&["--x", "cannot be used with"]);
    lab.run("fit t.csv:height --x height --t width").ends_refused(&["--x", ":height"]);
    lab.run("fit t.csv --x height --t widht").ends_refused(&["did you mean \"width\"?"]);
}

#[test]
fn a_dry_run_says_what_would_be_read_and_does_not_fit() {
    let lab = Lab::without_adapters();
    lab.worked_example().write("t.csv", TABLE);
    let ran = lab.run("fit x.npy t.npy --dry-run --engine cpu --save model.json").succeeds();
    for part in ["x.npy, 144 B, f32 2×2", "cpu (", "sgd solver, at most 1,003 passes", "32 B, about"] {
        assert!(ran.stdout.contains(part), "no {part} in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("Y ="), "{}", ran.stdout);
    assert_eq!(lab.files(), ["t.csv", "t.npy", "x.npy"]);
    let json = lab.run("fit t.csv --x height --t width --solver exact --dry-run --json").succeeds().json();
    assert_eq!((number(&json, "passes"), number(&json, "pass_bytes")), (3.0, 64.0));
    assert_eq!(json["files"][1]["source"], "t.csv:width");
    assert_eq!(json["files"][1]["shape"], "4");
    assert_eq!(json["solver"], "exact");
    assert!(json["engine"].as_str().unwrap().contains("no GPU found"), "{json}");
    assert!(number(&json, "pass_s") < 1.0, "{json}");
    lab.run("fit nothing.npy t.npy --dry-run").ends_refused(&["nothing.npy"]);
}

/// The curve is for terminals.
#[test]
fn no_curve_is_drawn_into_a_file() {
    let lab = Lab::new();
    lab.worked_example();
    let ran = lab.run("fit x.npy t.npy --engine cpu -v").exits(0);
    assert!(!ran.stderr.contains('│'), "{ran:?}");
}
