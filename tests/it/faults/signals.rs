//! Signals from outside, and limits that come as one.

use std::fs;
use std::time::Duration;

use crate::faults::{Lab, Running, ran};

const SIGBUS: i32 = 7;

/// A fit that has files mapped and goes on until something stops it.
fn endless(lab: &Lab, engine: &str) -> Running {
    let line = format!(
        "fit x.npy t.npy {engine} -v --lr 1e-9 --steps 100000000000 --save out.json --history out.csv"
    );
    let mut running = Running::start(&mut lab.command(&line), &line);
    running.says("step 0: ");
    running
}

/// Somebody meant it: it is no fault of a mapped file, with or without one.
#[test]
fn a_bus_error_that_was_sent_ends_the_program() {
    let engines = ["--engine cpu", "--engine reference", "--engine cpu --memory 1KB"];
    for engine in engines {
        let lab = Lab::with_pair(10_007);
        let before = lab.names();
        let running = endless(&lab, engine);
        running.signal("BUS");
        let ended = running.end();
        assert_eq!((ended.code, ended.signal), (None, Some(SIGBUS)), "{ended:?}");
        assert_eq!(lab.names(), before);
    }
    let lab = Lab::new();
    let line = "bench --engine cpu --sizes 16M --time 100";
    let mut running = Running::start(&mut lab.command(line), line);
    assert_eq!(running.ends_within(Duration::from_millis(300)), None);
    running.signal("BUS");
    assert_eq!(running.end().signal, Some(SIGBUS));
    ran("bus errors that were sent", engines.len() + 1);
}

/// The signal of a file that is too large is no end.
#[test]
fn a_file_size_limit_is_no_death() {
    let lab = Lab::with_pair(10_007);
    let mut running = endless(&lab, "--engine cpu");
    running.signal("XFSZ");
    assert_eq!(running.ends_within(Duration::from_millis(100)), None);
    running.signal("TERM");
    assert_eq!(running.end().code, Some(130));
    // Half way through the history, in blocks of 512 bytes.
    let lab = Lab::with_pair(100);
    let line = "fit x.npy t.npy --engine cpu --steps 5000 --history out.csv";
    let mut command = lab.shell("ulimit -f 100;", line);
    Running::start(&mut command, line).end().ends_refused(&["out.csv: cannot be written", "too large"]);
    assert!(!lab.path("out.csv").exists());
    ran("size limits", 2);
}

/// A name may have anything but a slash and a zero in it.
#[test]
fn names_reach_the_terminal_without_what_it_obeys() {
    let names =
        ["a\u{1b}[31mb", "a\nlinfit: b", "a\rb", "a\u{9b}31mb", "a\u{202e}b", "a\u{7f}\u{8}b", "a\u{2028}b"];
    let mut cases = 0;
    for name in names {
        let lab = Lab::with_pair(100);
        for format in ["npy", "csv", "safetensors", "npz", "raw"] {
            let file = format!("{name}.{format}");
            fs::write(lab.path(&file), "a,b\n1,x\n").unwrap();
            let run = |arguments: &[&str]| {
                let line = format!("{arguments:?}");
                let mut command = lab.command("");
                command.args(arguments);
                Running::start(&mut command, &line).end()
            };
            fs::copy(lab.path("x.npy"), lab.path("good.npy")).unwrap();
            let missing = format!("no{file}");
            let key = format!("x.npy:{name}");
            let column = format!("{file}:{name}");
            let folder = format!("no{name}/out.json");
            let runs = [
                run(&["fit", &file, "x.npy"]),
                run(&["fit", &missing, "x.npy"]),
                run(&["fit", &key, "x.npy"]),
                run(&["fit", &column, "x.npy"]),
                run(&["fit", "x.npy", "t.npy", "--save", &folder]),
                run(&["fit", "x.npy", "t.npy", "--history", &missing, "--save", &missing]),
                run(&["predict", &file, "x.npy", "-o", "y.npy"]),
                run(&["predict", "m.json", "x.npy", "-o", &format!("{name}.xyz")]),
                run(&["bench", "--baseline", &missing, "--sizes", "1K"]),
                run(&[name]),
                run(&["fit", "x.npy", "t.npy", "--engine", name]),
                run(&["fit", "x.npy", "t.npy", "--lr", name]),
                run(&["fit", "x.npy", "t.npy", name]),
            ];
            for ended in runs {
                cases += 1;
                assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
                let obeyed =
                    |c: char| (c.is_control() && c != '\n') || ('\u{2028}'..='\u{202e}').contains(&c);
                assert!(!ended.stderr.contains(obeyed), "{ended:?}");
                assert!(!ended.stderr.contains("\nlinfit: b"), "{ended:?}");
                assert!(ended.stderr.len() < 2000, "{ended:?}");
            }
        }
    }
    ran("names with control characters", cases);
}

/// However long a name is, a message is short.
#[test]
fn messages_have_a_bound() {
    let lab = Lab::with_pair(3);
    let long = "n".repeat(1 << 20);
    fs::write(lab.path("one.csv"), format!("{long},b\n1,2\n3,4\n")).unwrap();
    let many: Vec<String> = (0..100_000).map(|k| format!("column{k}")).collect();
    fs::write(lab.path("many.csv"), format!("{}\n", many.join(","))).unwrap();
    let text = format!("a,b\n{long},2\n");
    fs::write(lab.path("text.csv"), text).unwrap();
    fs::write(lab.path("model.json"), format!(r#"{{"weight": "{long}", "bias": 1}}"#)).unwrap();
    let deep = format!("{}x.npy", "d/".repeat(2000));
    let key = "k".repeat(100_000);
    let lines = [
        "fit one.csv x.npy".to_owned(),
        "fit one.csv:z x.npy".to_owned(),
        "fit many.csv x.npy".to_owned(),
        "fit many.csv:z x.npy".to_owned(),
        "fit text.csv:a text.csv:b".to_owned(),
        "predict model.json x.npy -o y.npy".to_owned(),
        format!("fit {deep} x.npy"),
        format!("fit x.npy:{key} t.npy"),
        format!("fit one.csv:{key} x.npy"),
        format!("fit x.npy t.npy --save {deep}"),
        format!("fit x.npy t.npy --lr {key}"),
        format!("fit x.npy t.npy --{key}"),
        format!("fit x.npy t.npy --raw-dtype {key}"),
        format!("generate -x a.npy -t b.npy --shape {key}"),
        format!("predict model.json x.npy -o y.{key}"),
        key.clone(),
    ];
    for line in &lines {
        let ended = lab.run(line);
        assert_eq!(ended.code, Some(2), "{}", &ended.stderr[..200.min(ended.stderr.len())]);
        assert!(ended.stderr.len() < 2500, "{} bytes: {}…", ended.stderr.len(), &line[..60.min(line.len())]);
    }
    ran("long names", lines.len());
}
