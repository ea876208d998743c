//! The program as a process: help, usage errors, pipes, signals, colours.

use std::io::pipe;

use crate::cli::Lab;

const COMMANDS: [&str; 7] = ["fit", "merge", "predict", "compare", "bench", "devices", "generate"];

#[test]
fn help_has_examples_and_version_a_number() {
    let lab = Lab::new();
    let help = lab.run("--help").succeeds().stdout;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
    }
    assert!(help.contains("Example") && help.contains("Exit codes"), "{help}");
    for command in COMMANDS {
        for line in [format!("{command} --help"), format!("{command} -h"), format!("help {command}")] {
            let help = lab.run(&line).succeeds().stdout;
            assert!(
                help.contains("Example") && help.contains(&format!("linfit {command}")),
                "{line}: {help}"
            );
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        }
    }
    for line in ["--version", "-V"] {
        let version = lab.run(line).succeeds().stdout;
        assert_eq!(version, format!("linfit {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn bad_usage_is_2() {
    let lab = Lab::new();
    let refused = [
        ("", "Usage"),
        ("frobnicate", "frobnicate"),
        ("--frobnicate", "--frobnicate"),
        ("fit", "<X>"),
        ("fit x.npy", "<T>"),
        ("fit a b c", "'c'"),
        ("predict", "<MODEL>"),
        ("compare", "<X>"),
        ("devices --frobnicate", "--frobnicate"),
        ("generate", "-x"),
    ];
    for (line, part) in refused {
        lab.run(line).ends_refused(&[part]);
    }
    for command in COMMANDS {
        lab.run(&format!("{command} --frobnicate")).ends_refused(&["--frobnicate"]);
    }
}

/// A pipe whose reader is gone before the program starts.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn a_closed_stdout_is_no_failure() {
    let lab = Lab::new();
    lab.worked_example();
    let lines = ["fit x.npy t.npy", "fit x.npy t.npy --json", "devices", "compare x.npy t.npy", "--help"];
    for line in lines {
        let output = lab.command(line).stdout(closed_pipe()).output().unwrap();
        lab.judge(line, &output).succeeds();
    }
    // What the program found out, its exit code still tells.
    let line = "fit x.npy t.npy --lr 1 --force --save m.json";
    let output = lab.command(line).stdout(closed_pipe()).output().unwrap();
    let ran = lab.judge(line, &output).exits(1);
    assert!(ran.stderr.contains("diverged"), "{}", ran.stderr);
    assert_eq!(lab.read_json("m.json")["stop_reason"], "diverged");
    let line = "compare x.npy t.npy --w0 0.1 --tol 1e-18";
    let output = lab.command(line).stdout(closed_pipe()).output().unwrap();
    lab.judge(line, &output).exits(1);
}

#[test]
fn a_closed_stderr_is_no_failure() {
    let lab = Lab::new();
    lab.worked_example();
    for (line, code) in [
        ("fit x.npy t.npy -v --save m.json", 0),
        ("fit x.npy t.npy --engine gpu", 0),
        ("fit x.npy t.npy --lr 1 --force", 1),
        ("fit x.npy none.npy", 2),
        ("fit x.npy t.npy --adapter voodoo", 3),
        ("frobnicate", 2),
    ] {
        let output = lab.command(line).stderr(closed_pipe()).output().unwrap();
        lab.judge(line, &output).exits(code);
    }
    assert_eq!(lab.read_json("m.json")["steps"], 1000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stderr_is_no_failure() {
    let lab = Lab::new();
    lab.worked_example();
    for (line, code) in
        [("fit x.npy t.npy -v", 0), ("fit x.npy t.npy --lr 1 --force", 1), ("fit x.npy none.npy", 2)]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = lab.command(line).stderr(full).output().unwrap();
        lab.judge(line, &output).exits(code);
    }
}

/// -v says more, on stderr alone, and -q less; both is a contradiction.
#[test]
fn every_command_can_say_more() {
    let lab = Lab::new();
    lab.worked_example().write("m.json", r#"{"weight": 1, "bias": 0}"#);
    for line in [
        "fit x.npy t.npy --json",
        "predict m.json x.npy -o y.npy",
        "compare x.npy t.npy --json",
        "devices --json",
        "generate -x a.npy -t b.npy --shape 3",
    ] {
        for (more, less) in [("-v", "-q"), ("--verbose", "--quiet")] {
            let told = lab.run(&format!("{line} {more}")).exits(0);
            assert!(!told.notes().is_empty(), "{line} {more}");
            let quiet = lab.run(&format!("{line} {less}")).succeeds();
            assert_eq!(told.stdout.lines().count(), quiet.stdout.lines().count(), "{line}");
            lab.run(&format!("{line} {more} {less}")).ends_refused(&["--quiet", "--verbose"]);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_a_failure() {
    let lab = Lab::new();
    lab.worked_example();
    for line in ["fit x.npy t.npy", "devices --json"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = lab.command(line).stdout(full).output().unwrap();
        let ran = lab.judge(line, &output).exits(2);
        assert!(ran.stderr.starts_with("linfit: stdout: No space left"), "{}", ran.stderr);
    }
}

/// Colour that is forced is there, so that its absence means something.
#[test]
fn no_color_means_no_escapes() {
    let lab = Lab::new();
    let output = |line: &str, no_color: bool| {
        let mut command = lab.command(line);
        command.env("CLICOLOR_FORCE", "1");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.output().unwrap();
        [output.stdout, output.stderr].concat()
    };
    lab.worked_example();
    assert!(output("--help", false).contains(&0x1b));
    assert!(output("frobnicate", false).contains(&0x1b));
    for line in ["--help", "frobnicate", "fit x.npy t.npy", "fit x.npy none.npy", "devices", "fit --lr x"] {
        let output = output(line, true);
        assert!(!output.is_empty() && !output.contains(&0x1b), "{line}: {}", output.escape_ascii());
    }
}

#[cfg(unix)]
mod signals {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::cli::{Lab, expected, number};
    use crate::common::tolerances::F32_SUMS;

    fn signal(child: &Child, name: &str) {
        let sent = Command::new("kill").arg(name).arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end, but not for ever.
    fn wait(child: &mut Child) -> std::process::ExitStatus {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
                panic!("still running 20 s after the signal");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A fit longer than anyone waits: what it has so far is its result.
    #[test]
    fn an_interrupted_fit_prints_where_it_stands() {
        let lab = Lab::new();
        lab.worked_example();
        for (engine, name) in
            [("--engine reference", "-INT"), ("--engine cpu", "-TERM"), ("--adapter 0", "-INT")]
        {
            let line = format!(
                "fit x.npy t.npy --lr 1e-6 --steps 1000000000 --json -v --save m.json --history h.csv {engine}"
            );
            let mut child = lab.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stderr = BufReader::new(child.stderr.take().unwrap());
            let mut first = String::new();
            stderr.read_line(&mut first).unwrap();
            assert!(first.starts_with("step 0: "), "{first}");
            std::thread::sleep(Duration::from_millis(20));
            signal(&child, name);
            let status = wait(&mut child);
            let (mut out, mut rest) = (String::new(), String::new());
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            stderr.read_to_string(&mut rest).unwrap();
            assert_eq!(status.code(), Some(130), "{out}{rest}");
            assert!(!rest.contains("panicked"), "{rest}");

            let report: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(report["stop_reason"], "interrupted");
            let steps = report["steps"].as_u64().unwrap();
            assert!(steps < 1_000_000_000);
            let (w, b) = (number(&report, "weight"), number(&report, "bias"));
            expected(&[1.0, 2.0, 3.0, 4.0], &[3.0, 5.0, 7.0, 9.0], w, b).check(&report, F32_SUMS);
            assert_eq!(lab.read_json("m.json"), report);
            assert_eq!(lab.read("h.csv").lines().count() as u64, steps + 2);
            assert_eq!(lab.files(), ["h.csv", "m.json", "t.npy", "x.npy"]);
        }
    }

    /// The second signal doesn't wait for the end of a pass.
    #[test]
    fn a_second_signal_ends_at_once_and_leaves_nothing_unfinished() {
        let lab = Lab::new();
        lab.run("generate -x x.npy -t t.npy --shape 3000x3000").succeeds();
        let line = "fit x.npy t.npy --steps 1000000 --engine reference -v --save m.json --history h.csv";
        let mut child = lab.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("step 0: "), "{first}");
        for name in ["-INT", "-TERM"] {
            // The first may have ended it already.
            Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        }
        assert_eq!(wait(&mut child).code(), Some(130));
        let unfinished = lab.files().into_iter().find(|name| name.starts_with('.'));
        assert_eq!(unfinished, None);
    }

    /// A child that is killed if its test fails before it ends.
    struct Kept(Child);

    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// While a file is read or decoded nothing waits for a signal: it ends the
    /// program at once, and leaves no temporary file.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_first_signal_ends_reading_at_once() {
        let lab = Lab::new();
        lab.write("m.json", r#"{"weight": 1, "bias": 0}"#);
        let names = lab.files();
        for (name, line) in [
            ("-TERM", "fit -:a x.npy --save s.json --history h.csv"),
            ("-INT", "predict m.json - -o y.npy"),
            ("-TERM", "compare -:a x.npy"),
        ] {
            // Reads its end of a pipe, into which nobody writes.
            let spawned =
                lab.command(line).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child = Kept(spawned.unwrap());
            is_waiting(&mut child.0);
            let sent = Instant::now();
            signal(&child.0, name);
            assert_eq!(wait(&mut child.0).code(), Some(130), "{line}");
            assert!(sent.elapsed() < Duration::from_secs(2), "{line}: {:?}", sent.elapsed());
            assert_eq!(lab.files(), names, "{line}");
        }
    }

    /// Waits until a program has read all there is of its arguments and sleeps
    /// in a read of stdin, with its signal handlers in place.
    #[cfg(target_os = "linux")]
    fn is_waiting(child: &mut Child) {
        let begun = Instant::now();
        let status = format!("/proc/{}/status", child.id());
        loop {
            assert!(begun.elapsed() < Duration::from_secs(20), "never came to read");
            assert!(child.try_wait().unwrap().is_none(), "ended before it was told to");
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let field =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
            // Signal 2 is bit 1 of the mask of those that are caught.
            let caught = u64::from_str_radix(field("SigCgt:"), 16).unwrap_or(0);
            if caught & 2 == 2 && field("State:").starts_with('S') {
                // The handler's thread is there; the read begins right after.
                std::thread::sleep(Duration::from_millis(50));
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A fit's first pass, before there is anything to print.
    #[test]
    fn the_first_signal_ends_a_pass_at_once() {
        let lab = Lab::new();
        lab.run("generate -x x.npy -t t.npy --shape 4000x4000").succeeds();
        let names = lab.files();
        let line = "fit x.npy t.npy --solver exact --engine reference --save s.json --history h.csv";
        let spawned = lab.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = Kept(spawned.unwrap());
        let begun = Instant::now();
        // T is mapped last, right before the first pass.
        let maps = format!("/proc/{}/maps", child.0.id());
        while !std::fs::read_to_string(&maps).is_ok_and(|text| text.contains("/t.npy")) {
            assert!(begun.elapsed() < Duration::from_secs(20), "never mapped its files");
            assert!(child.0.try_wait().unwrap().is_none(), "ended before it was told to");
            std::thread::sleep(Duration::from_millis(1));
        }
        let sent = Instant::now();
        signal(&child.0, "-TERM");
        assert_eq!(wait(&mut child.0).code(), Some(130));
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        assert_eq!(lab.files(), names);
    }

    /// Half-written files are none.
    #[test]
    fn an_interrupted_generate_leaves_nothing() {
        let lab = Lab::new();
        let line = "generate -x x.npy -t t.npy --shape 60000x60000 --dtype u8 -v";
        let mut child = lab.command(line).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        assert!(first.contains("elements of u8"), "{first}");
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, "-INT");
        assert_eq!(wait(&mut child).code(), Some(130));
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), lab.files().len()), ("", 0));
    }
}

/// However little address space there is, an answer or an error, and no panic.
#[cfg(target_os = "linux")]
#[test]
fn little_address_space_is_no_panic() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 1024x512").succeeds();
    let program = assert_cmd::cargo::cargo_bin!("linfit").display().to_string();
    let run_within = |mib: u32, arguments: &str| {
        let line = format!("ulimit -v {}; exec {program} {arguments}", mib * 1000);
        std::process::Command::new("sh").args(["-c", &line]).current_dir(lab.path(".")).output().unwrap()
    };
    // Below this the system cannot load the program.
    let least = (20..200).find(|&mib| run_within(mib, "--version").status.success()).unwrap();
    for mib in [0, 1, 3, 5, 7, 13, 33, 100].map(|more| least + more) {
        let ran = run_within(mib, "fit x.npy t.npy --engine cpu --solver exact");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(matches!(ran.status.code(), Some(0 | 2)), "{mib}: {:?} {told}", ran.status);
        assert!(ran.status.success() || told.contains("memory"), "{mib}: {told}");
    }
}
