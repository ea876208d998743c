use super::{Bench, IRIS, keys, number};

#[test]
fn json_has_the_contracts_fields() {
    let bench = Bench::with_worked_example();
    for engine in ["cpu", "gpu", "reference", "auto"] {
        let json = bench.run(&["fit", "x.npy", "t.npy", "--json", "--engine", engine]).ok().to_json();
        let want = [
            "bias",
            "engine",
            "grad_bias",
            "grad_weight",
            "learning_rate",
            "loss",
            "n",
            "solver",
            "steps",
            "stop_reason",
            "timings",
            "weight",
        ];
        assert_eq!(keys(&json), want);
        assert_eq!(keys(&json["engine"]), ["adapter", "backend", "driver", "kind"]);
        let timings = ["bandwidth_gb_s", "fit_s", "load_s", "prepare_s", "step_median_s"];
        assert_eq!(keys(&json["timings"]), timings);
        assert!(timings.iter().all(|key| number(&json["timings"], key) >= 0.0));
        assert_eq!((number(&json, "n"), number(&json, "steps")), (4.0, 1000.0));
        assert_eq!((json["solver"].as_str(), json["stop_reason"].as_str()), (Some("sgd"), Some("steps")));
        assert_eq!(json["engine"]["adapter"].is_string(), engine == "gpu", "{engine}");
        assert_eq!(json["engine"]["backend"].is_string(), engine == "gpu", "{engine}");
        let kind = if engine == "auto" { "cpu" } else { engine };
        assert_eq!(json["engine"]["kind"], kind);
    }
}

/// The states of the worked example at η = 2⁻⁴, by hand (derived in
/// `src/fit/sgd.rs`): exact in f64 and, but for the GPU's sums, everywhere.
#[test]
fn the_worked_example_on_every_engine() {
    for engine in ["reference", "cpu", "gpu"] {
        let bench = Bench::with_worked_example();
        let arguments =
            ["fit", "x.npy", "t.npy", "--lr", "0.0625", "--steps", "3", "--json", "--history", "h.csv"];
        let run = bench.run(&[&arguments[..], &["--engine", engine]].concat()).ok();
        let json = run.to_json();
        assert_eq!(number(&json, "weight"), 2.092_285_156_25, "{engine}");
        assert_eq!(number(&json, "bias"), 0.729_248_046_875, "{engine}");
        let text = String::from_utf8(bench.read("h.csv")).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0], "step,loss,grad_weight,grad_bias,weight,bias");
        assert_eq!(rows[1], "0,41.0,-35.0,-12.0,0.0,0.0");
        assert_eq!(rows[2], "1,0.091796875,1.5625,0.4375,2.1875,0.75");
    }
}

#[test]
fn irises_reach_the_published_line() {
    let (x, t) = (format!("{IRIS}:petal_length"), format!("{IRIS}:3"));
    let bench = Bench::new();
    let fit = |engine, tolerance| {
        let arguments = ["fit", &x, &t, "--steps", "10000", "--tol", tolerance, "--json", "--engine", engine];
        bench.run(&arguments).ok().to_json()
    };
    for engine in ["cpu", "reference"] {
        let json = fit(engine, "1e-9");
        assert_eq!(json["stop_reason"], "tolerance");
        assert!((number(&json, "weight") - 0.41576).abs() < 5e-6, "{engine}");
        assert!((number(&json, "bias") + 0.36308).abs() < 5e-6, "{engine}");
        assert!(number(&json, "grad_weight").abs() <= 1e-9 && number(&json, "grad_bias").abs() <= 1e-9);
    }
    let json = fit("gpu", "1e-6");
    assert!((number(&json, "weight") - 0.41576).abs() < 2e-5);
    assert!((number(&json, "bias") + 0.36308).abs() < 2e-5);
}

/// Each row of the history must follow from the one before, and its loss and
/// gradients from its own W and b.
#[test]
fn history_follows_the_update_rule() {
    let bench = Bench::with_worked_example();
    let arguments = ["fit", "x.npy", "t.npy", "--lr", "0.03", "--steps", "40", "--w0", "-1", "--b0", "2"];
    let json = bench.run(&[&arguments[..], &["--json", "--history", "h.csv"]].concat()).ok().to_json();
    let text = String::from_utf8(bench.read("h.csv")).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|row| row.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 41);
    assert_eq!(rows[0][4..], [-1.0, 2.0]);
    for (k, row) in rows.iter().enumerate() {
        let (w, b) = (row[4], row[5]);
        let residuals: Vec<(f64, f64)> =
            [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)].map(|(x, t)| (x, w * x + b - t)).to_vec();
        let mean = |f: fn(f64, f64) -> f64| residuals.iter().map(|&(x, r)| f(x, r)).sum::<f64>() / 4.0;
        for (got, want) in
            row[1..4].iter().zip([mean(|_, r| r * r), mean(|x, r| 2.0 * r * x), mean(|_, r| 2.0 * r)])
        {
            assert!((got - want).abs() <= 1e-12, "row {k}: {got} {want}");
        }
        assert_eq!(row[0], k as f64);
        if let Some(next) = rows.get(k + 1) {
            assert!((next[4] - (w - 0.03 * row[2])).abs() <= 1e-15);
            assert!((next[5] - (b - 0.03 * row[3])).abs() <= 1e-15);
        }
    }
    let last = &rows[40];
    for (column, key) in ["loss", "grad_weight", "grad_bias", "weight", "bias"].iter().enumerate() {
        assert_eq!(number(&json, key), last[column + 1], "{key}");
    }
}

#[test]
fn no_steps_only_evaluate() {
    let bench = Bench::with_worked_example();
    let arguments = ["fit", "x.npy", "t.npy", "--steps", "0", "--w0", "2", "--b0", "0.5", "--json"];
    let json = bench.run(&arguments).ok().to_json();
    assert_eq!((number(&json, "weight"), number(&json, "bias")), (2.0, 0.5));
    assert_eq!(number(&json, "loss"), 0.25);
    assert_eq!((number(&json, "grad_weight"), number(&json, "grad_bias")), (-2.5, -1.0));
    assert_eq!(number(&json, "steps"), 0.0);
}

#[test]
fn saves_what_it_prints() {
    let bench = Bench::with_worked_example();
    let printed = bench.run(&["fit", "x.npy", "t.npy", "--save", "model.json", "--json"]).ok().to_json();
    assert_eq!(bench.json("model.json"), printed);
    assert_eq!(bench.files(), ["model.json", "t.npy", "x.npy"]);
}

#[test]
fn divergence_is_1_and_keeps_the_last_finite_state() {
    let bench = Bench::with_worked_example();
    for engine in ["cpu", "gpu", "reference"] {
        let arguments = ["fit", "x.npy", "t.npy", "--lr", "5", "--json", "--engine", engine];
        let run = bench.run(&arguments);
        assert_eq!(run.code, 1, "{engine}: {}", run.stderr);
        let json = run.to_json();
        assert_eq!(json["stop_reason"], "diverged");
        for key in ["weight", "bias", "loss", "grad_weight", "grad_bias"] {
            assert!(number(&json, key).is_finite());
        }
        let step = number(&json, "steps") + 1.0;
        assert!(run.stderr.contains(&format!("diverged at step {step}")), "{engine}: {}", run.stderr);
    }
}

#[test]
fn auto_says_that_it_took_the_cpu_and_why() {
    let bench = Bench::with_worked_example();
    let run = bench.run(&["fit", "x.npy", "t.npy"]).ok();
    assert!(run.stdout.contains("cpu (") && run.stdout.contains("no real GPU found"), "{}", run.stdout);
    // Without any driver at all.
    let mut command = bench.command(&["fit", "x.npy", "t.npy"]);
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/nonexistent.json");
    let run = super::finished(command.output().unwrap(), &["no driver"]).ok();
    assert!(run.stdout.contains("; no GPU found"), "{}", run.stdout);
    let mut command = bench.command(&["fit", "x.npy", "t.npy", "--engine", "gpu"]);
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/nonexistent.json");
    super::finished(command.output().unwrap(), &["no driver"]).fails(3, &["no GPU adapter", "--engine cpu"]);
}

#[test]
fn adapters_by_number_and_name() {
    let bench = Bench::with_worked_example();
    let devices = bench.run(&["devices", "--json"]).ok().to_json();
    let adapters = devices["adapters"].as_array().unwrap();
    assert!(!adapters.is_empty(), "no software Vulkan adapter: run tests/run.sh, which installs one");
    let name = adapters[0]["name"].as_str().unwrap();
    for choice in ["0", &name[..5].to_uppercase(), name] {
        let json = bench.run(&["fit", "x.npy", "t.npy", "--adapter", choice, "--json"]).ok().to_json();
        assert_eq!(json["engine"]["adapter"], name);
    }
    bench
        .run(&["fit", "x.npy", "t.npy", "--adapter", "nothing like it"])
        .fails(3, &["nothing like it", name]);
    bench.run(&["fit", "x.npy", "t.npy", "--engine", "cpu", "--adapter", "0"]).fails(2, &["--adapter"]);
}

#[test]
fn notes_say_what_f32_lost_once() {
    let bench = Bench::new();
    bench.npy(
        "x.npy",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
        &[0.1f64, 0.5, 0.2].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
    );
    bench.npy(
        "t.npy",
        "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }",
        &[(1u32 << 24) + 1, 1 << 24, 3].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
    );
    let run = bench.run(&["fit", "x.npy", "t.npy", "--engine", "gpu"]).ok();
    assert_eq!(run.stderr.matches("2 of 3 f64 elements were rounded to f32").count(), 1, "{}", run.stderr);
    assert_eq!(run.stderr.matches("1 of 3 u32 elements were rounded to f32").count(), 1, "{}", run.stderr);
    assert_eq!(run.stderr.matches("software adapter").count(), 1);
    assert_eq!(bench.run(&["fit", "x.npy", "t.npy", "--engine", "gpu", "-q"]).ok().stderr, "");
    assert_eq!(bench.run(&["fit", "x.npy", "t.npy", "--engine", "cpu"]).ok().stderr, "");
    let exact = Bench::with_worked_example();
    assert!(!exact.run(&["fit", "x.npy", "t.npy", "--engine", "gpu"]).ok().stderr.contains("rounded"));
}

#[test]
fn what_f32_cannot_hold_is_refused_on_the_gpu() {
    let bench = Bench::new();
    bench.write("d.csv", b"x,t\n1,2\n1e300,3\n");
    let arguments = ["fit", "d.csv:x", "d.csv:t", "--engine", "gpu"];
    bench.run(&[&arguments[..], &["-q"]].concat()).fails(2, &["d.csv", "index 1", "1e300", "--engine cpu"]);
    // In f64 the sums of squares overflow too, which is another matter.
    bench.run(&["fit", "d.csv:x", "d.csv:t", "--w0", "1"]).fails(1, &["not finite"]);
}

#[test]
fn meaningless_settings_are_2() {
    let bench = Bench::with_worked_example();
    for (option, value, word) in [
        ("--lr", "0", "learning rate"),
        ("--lr", "-0.1", "learning rate"),
        ("--lr", "nan", "learning rate"),
        ("--tol", "-1", "tolerance"),
        ("--w0", "inf", "finite"),
        ("--b0", "nan", "finite"),
    ] {
        bench.run(&["fit", "x.npy", "t.npy", option, value]).fails(2, &[word]);
    }
}

#[test]
fn verbose_shows_steps_on_stderr() {
    let bench = Bench::with_worked_example();
    let run = bench.run(&["fit", "x.npy", "t.npy", "-v", "--steps", "20"]).ok();
    assert_eq!(run.stderr.matches("step ").count(), 11, "{}", run.stderr);
    assert!(run.stderr.contains("step 0: loss 4.1e1"), "{}", run.stderr);
    assert!(!run.stdout.contains("step 0"));
}

#[test]
fn engines_agree_after_1000_steps() {
    let bench = Bench::new();
    bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "200x301", "--seed", "7", "-q"]).ok();
    let fit = |engine| {
        let json = bench.run(&["fit", "x.npy", "t.npy", "--json", "-q", "--engine", engine]).ok().to_json();
        (number(&json, "weight"), number(&json, "bias"))
    };
    let (weight, bias) = fit("reference");
    assert!((weight - 2.0).abs() < 0.01 && (bias - 1.0).abs() < 0.01);
    for engine in ["cpu", "gpu"] {
        let (w, b) = fit(engine);
        assert!((w - weight).abs() <= 1e-6 && (b - bias).abs() <= 1e-6, "{engine}: {w} {b}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_what_there_is() {
    use std::io::Read;
    use std::process::Stdio;
    let bench = Bench::with_worked_example();
    let arguments = ["fit", "x.npy", "t.npy", "--steps", "1000000000000", "--json", "--engine", "reference"];
    let mut child = bench
        .command(&[&arguments[..], &["-v", "--save", "m.json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first line on stderr is step 0: the fit runs.
    let mut first = [0u8];
    child.stderr.as_mut().unwrap().read_exact(&mut first).unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let run = super::finished(child.wait_with_output().unwrap(), &["interrupted"]);
    assert_eq!(run.code, 130, "{}", run.stderr);
    let json = run.to_json();
    assert_eq!(json["stop_reason"], "interrupted");
    assert_eq!(bench.json("m.json"), json);
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let bench = Bench::with_worked_example();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.command(&["fit", "x.npy", "t.npy"]).stdout(Stdio::from(writer)).output().unwrap();
    let run = super::finished(output, &["closed pipe"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}
