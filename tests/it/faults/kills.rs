//! Programs that are killed, which nothing can clean up after.

use std::fs;
use std::time::{Duration, Instant};

use crate::faults::{Lab, Running, chosen, is_run, ran, random};

/// Every command that writes, with what it writes.
const COMMANDS: [(&str, &[&str]); 17] = [
    ("fit x.npy t.npy --steps 50 --engine cpu --save a.json --history b.csv", &["a.json", "b.csv"]),
    ("fit x.npy t.npy --solver exact --engine cpu --save a.safetensors", &["a.safetensors"]),
    ("fit x.npy t.npy --steps 20 --engine reference --history a.csv", &["a.csv"]),
    ("predict m.json x.npy --engine cpu -o a.npy", &["a.npy"]),
    ("predict m.json x.npy --engine cpu --dtype f64 -o a.npy", &["a.npy"]),
    ("predict m.json x.npy --engine cpu -o a.npz", &["a.npz"]),
    ("predict m.json x.npy --engine cpu -o a.csv", &["a.csv"]),
    ("predict m.json x.npy --engine cpu -o a.tsv", &["a.tsv"]),
    ("predict m.json x.npy --engine cpu -o a.parquet", &["a.parquet"]),
    ("predict m.json x.npy --engine cpu -o a.arrow", &["a.arrow"]),
    ("predict m.json x.npy --engine cpu -o a.tif", &["a.tif"]),
    ("predict m.json x.npy --engine cpu --dtype u8 --clamp -o a.png", &["a.png"]),
    ("predict m.json x.npy --engine cpu -o a.safetensors", &["a.safetensors"]),
    ("predict m.json x.npy --engine cpu -o a.raw", &["a.raw"]),
    ("generate --shape 100x300 -x a.npy -t b.npy", &["a.npy", "b.npy"]),
    ("bench --sizes 1K --engine cpu --passes forward --time 0 --export-json a.json", &["a.json"]),
    (
        "bench --sizes 1K --engine cpu --passes forward --time 0 --export-csv a.csv --export-markdown b.md",
        &["a.csv", "b.md"],
    ),
];

/// Times and speeds differ from run to run, and so their places in a table.
fn is_whole(name: &str, found: &[u8], whole: &[u8], repeats: bool) -> bool {
    if repeats {
        return found == whole;
    }
    if name.rsplit_once('.').is_some_and(|(_, extension)| extension == "json") {
        return serde_json::from_slice::<serde_json::Value>(found).is_ok();
    }
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().count();
    lines(found) == lines(whole) && found.ends_with(b"\n")
}

#[test]
fn what_a_killed_program_leaves_is_whole_and_the_next_one_clears_the_rest() {
    let mut cases = Vec::new();
    for trial in 0..20 {
        for command in COMMANDS.into_iter().filter(|(line, _)| is_run(line)) {
            for replaces in [false, true] {
                cases.push((command, replaces, trial));
            }
        }
    }
    let cases = chosen(cases, 45);
    let (mut state, mut killed, mut left) = (0x2545_f491_4f6c_dd1d, 0, 0);
    for &((line, outputs), replaces, trial) in &cases {
        let lab = Lab::with_pair(30_000);
        let started = Instant::now();
        lab.run(line).succeeds();
        let span = started.elapsed();
        let whole: Vec<Vec<u8>> = outputs.iter().map(|name| fs::read(lab.path(name)).unwrap()).collect();
        for name in outputs {
            if replaces {
                fs::write(lab.path(name), "old").unwrap();
            } else {
                fs::remove_file(lab.path(name)).unwrap();
            }
        }
        let mut running = Running::start(&mut lab.command(line), line);
        // Half of the times near the end, where files take their names.
        let part = random(&mut state, 1000) as f64 / 1000.0;
        let at = if trial % 2 == 0 { part * 1.1 } else { 0.8 + part * 0.3 };
        std::thread::sleep(span.mul_f64(at));
        if running.ends_within(Duration::ZERO).is_none() {
            running.signal("KILL");
            killed += 1;
        }
        running.end();
        for (name, whole) in outputs.iter().zip(&whole) {
            let repeats = !line.starts_with("bench") && *name != "a.json";
            match fs::read(lab.path(name)) {
                Ok(found) => assert!(
                    (replaces && found == b"old") || is_whole(name, &found, whole, repeats),
                    "{line}: {name} is neither the old one nor the new one"
                ),
                Err(_) => assert!(!replaces, "{line}: {name} is gone"),
            }
        }
        left += lab.names().iter().filter(|name| name.starts_with(".linfit")).count();
        lab.run("fit x.npy t.npy --solver exact --engine cpu --save next.json").succeeds();
        let names = lab.names();
        assert!(!names.iter().any(|name| name.contains(".linfit")), "{line}: {names:?}");
    }
    eprintln!("faults: {killed} killed, {left} temporary files left until the next run");
    ran("killed programs", cases.len());
}

/// Files that no process holds are removed, and no others.
#[test]
fn only_what_was_left_is_removed() {
    let lab = Lab::with_pair(100);
    let held = fs::File::create(lab.path(".linfit-held.tmp")).unwrap();
    held.lock_shared().unwrap();
    fs::write(lab.path(".linfit-left.tmp"), "half").unwrap();
    fs::write(lab.path("linfit.tmp"), "somebody else's").unwrap();
    lab.run("fit x.npy t.npy --solver exact --engine cpu --save out.json").succeeds();
    let names = lab.names();
    assert!(names.contains(&".linfit-held.tmp".to_owned()) && names.contains(&"linfit.tmp".to_owned()));
    assert!(!names.contains(&".linfit-left.tmp".to_owned()), "{names:?}");
    drop(held);
    lab.run("fit x.npy t.npy --solver exact --engine cpu --save out.json").succeeds();
    assert!(!lab.names().contains(&".linfit-held.tmp".to_owned()));
}
