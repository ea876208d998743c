//! The choice of engine and adapter: `--engine`, `--adapter`, and `auto` on a
//! machine.

use crate::cli::Lab;

#[test]
fn auto_takes_the_cpu_and_says_why() {
    let lab = Lab::new();
    lab.worked_example();
    for option in ["", "--engine auto"] {
        let ran = lab.run(&format!("fit x.npy t.npy {option}")).succeeds();
        let engine = ran.stdout.lines().find(|line| line.contains("engine")).unwrap();
        assert!(engine.contains(" cpu ("), "{engine}");
        assert!(engine.contains("; no real GPU found, and software adapters are used only"), "{engine}");
        let report = lab.run(&format!("fit x.npy t.npy --json {option}")).succeeds().json();
        assert_eq!(report["engine"]["kind"], "cpu");
    }
    let asked = lab.run("fit x.npy t.npy --engine cpu").succeeds().stdout;
    assert!(asked.contains(" cpu (") && !asked.contains("no real GPU"), "{asked}");
}

#[test]
fn every_engine_can_be_asked_for_by_name() {
    let lab = Lab::new();
    lab.worked_example();
    for kind in ["cpu", "reference"] {
        let report = lab.run(&format!("fit x.npy t.npy --json --engine {kind}")).succeeds().json();
        assert_eq!(report["engine"]["kind"], kind);
    }
    let ran = lab.run("fit x.npy t.npy --json --engine gpu").exits(0);
    assert_eq!(ran.json()["engine"]["kind"], "gpu");
    assert_eq!(ran.notes().len(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("note: no real GPU found: using the software adapter llvmpipe"));
    assert!(ran.stderr.contains("try --engine cpu, which may be faster"), "{}", ran.stderr);
    lab.run("fit x.npy t.npy --json --engine gpu -q").succeeds();
    lab.run("fit x.npy t.npy --engine abacus").ends_refused(&["--engine", "abacus", "reference"]);
}

#[test]
fn an_adapter_by_its_number_or_a_part_of_its_name() {
    let lab = Lab::new();
    lab.worked_example();
    for choice in ["0", "llvmpipe", "LLVM", "vmpi"] {
        for engine in ["", "--engine gpu", "--engine auto"] {
            let line = format!("fit x.npy t.npy --json --adapter {choice} {engine}");
            // Asked for by name or number, a software adapter needs no note.
            let report = lab.run(&line).succeeds().json();
            assert!(report["engine"]["adapter"].as_str().unwrap().contains("llvmpipe"), "{line}: {report}");
        }
    }
    let summary = lab.run("fit x.npy t.npy --adapter 0").succeeds().stdout;
    let engine = summary.lines().find(|line| line.trim_start().starts_with("engine")).unwrap();
    assert!(engine.contains("llvmpipe") && engine.contains("vulkan"), "{engine}");
}

#[test]
fn an_adapter_that_is_not_there_ends_with_those_that_are() {
    let lab = Lab::new();
    lab.worked_example();
    for choice in ["7", "voodoo"] {
        for engine in ["", "--engine gpu"] {
            let line = format!("fit x.npy t.npy --save m.json --history h.csv --adapter {choice} {engine}");
            let ran = lab.run(&line).exits(3);
            ran.complains(&["linfit: ", &format!("{choice:?}"), "linfit devices", "0 llvmpipe"]);
            assert_eq!(lab.files(), ["t.npy", "x.npy"], "{line}");
        }
    }
}

#[test]
fn an_adapter_for_an_engine_that_has_none_is_refused() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ["cpu", "reference"] {
        let line = format!("fit x.npy t.npy --engine {engine} --adapter 0");
        lab.run(&line).ends_refused(&["linfit: --adapter", "--engine gpu"]);
    }
}

#[test]
fn without_adapters_auto_still_fits() {
    let lab = Lab::without_adapters();
    lab.worked_example();
    let summary = lab.run("fit x.npy t.npy").succeeds().stdout;
    assert!(summary.contains(" cpu (") && summary.contains("; no GPU found\n"), "{summary}");
    let report = lab.run("fit x.npy t.npy --json").succeeds().json();
    assert_eq!(report["engine"]["kind"], "cpu");
    for option in ["--engine gpu", "--adapter 0", "--adapter llvmpipe"] {
        let ran = lab.run(&format!("fit x.npy t.npy {option} --save m.json")).exits(3);
        let ran = ran.complains(&["linfit: no GPU adapter found", "driver", "--engine cpu"]);
        assert!(ran.notes().len() <= 2, "{}", ran.stderr);
        assert!(!crate::cli::exists(&lab.path("m.json")));
    }
}

#[test]
fn a_precision_is_for_gpus() {
    let lab = Lab::new();
    lab.worked_example();
    for precision in ["fast", "compensated", "f64"] {
        let ran =
            lab.run(&format!("fit x.npy t.npy --json -q --engine gpu --precision {precision}")).succeeds();
        assert_eq!(ran.json()["precision"], precision);
    }
    let shown = lab.run("fit x.npy t.npy -q --engine gpu --precision compensated").succeeds().stdout;
    assert!(shown.contains(", compensated)"), "{shown}");
    let ran = lab.run("fit x.npy t.npy --json --engine cpu --precision compensated").exits(0);
    assert!(ran.json()["precision"].is_null());
    assert!(ran.stderr.contains("--precision compensated is for GPUs; this engine computes in f64"));
    lab.run("fit x.npy t.npy --precision double").ends_refused(&["--precision", "double", "compensated"]);
    let report = lab.run("compare x.npy t.npy --json --precision compensated").succeeds().json();
    let precisions: Vec<_> = report["results"].as_array().unwrap().iter().map(|r| &r["precision"]).collect();
    assert_eq!(precisions, [&serde_json::Value::Null, &"compensated".into()]);
}
