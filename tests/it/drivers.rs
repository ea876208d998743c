//! Drivers that break the process they are loaded into, by running the program
//! with some: none may take it along, each is named, and what computes on the
//! CPU loads none.
//!
//! The drivers are one library of C (`drivers/fake_driver.c`) under names that
//! say what it does; where it is asked for what it does not break, it is Mesa's
//! software driver.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::adapter::lavapipe;

/// Seconds that drivers may take that hang.
const SHORT: &str = "2";

/// A command tries all drivers, then each, then the good ones; a busy machine
/// is slow at it.
const LONGEST: Duration = Duration::from_secs(90);

/// Faults that are tried at the same time: those that hang only wait.
const AT_ONCE: usize = 4;

/// A directory with data, a fake driver, and a cache.
struct Lab {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

struct Ran {
    line: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// All of a stream, read in the background.
fn all(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Lab {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/fake_driver.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O0", "-w", "-o"])
            .arg(directory.path().join("base.so"))
            .arg(source)
            .arg("-ldl")
            .status();
        let compiled =
            compiled.expect("these tests compile a driver: install a C compiler, cc (gcc or clang)");
        assert!(compiled.success(), "the fake driver does not compile");
        fs::create_dir_all(directory.path().join("data")).unwrap();
        let behind: Value = serde_json::from_str(&fs::read_to_string(lavapipe()).unwrap()).unwrap();
        let behind = behind["ICD"]["library_path"].as_str().unwrap();
        // As the loader reads it: beside the manifest, if there is a slash in it.
        let behind = if behind.contains('/') {
            lavapipe().parent().unwrap().join(behind).display().to_string()
        } else {
            behind.to_owned()
        };
        let lab = Self { directory, environment: vec![("FAKE_DRIVER_BEHIND".to_owned(), behind)] };
        fs::write(lab.data("d.csv"), "x,t\n1,3\n2,5\n3,7\n").unwrap();
        fs::write(lab.data("model.json"), "{\"weight\": 2, \"bias\": 1}").unwrap();
        lab
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory.path().join("data")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The manifest of a driver in which `what` happens in `place`.
    fn driver(&self, place: &str, what: &str) -> String {
        let library = format!("libfake-{place}-{what}.so");
        fs::copy(self.path("base.so"), self.path(&library)).unwrap();
        self.manifest(
            &format!("{place}-{what}"),
            &format!(r#"{{"library_path": "./{library}", "api_version": "1.1.0"}}"#),
        )
    }

    fn manifest(&self, name: &str, contents: &str) -> String {
        let path = self.path(&format!("{name}.json"));
        fs::write(&path, format!(r#"{{"file_format_version": "1.0.0", "ICD": {contents}}}"#)).unwrap();
        path
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(set, _)| set != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Only these Vulkan drivers, and no OpenGL.
    fn only(&mut self, manifests: &[&str]) {
        self.set("VK_DRIVER_FILES", &manifests.join(":"));
        self.set("VK_ICD_FILENAMES", &manifests.join(":"));
        self.set("WGPU_BACKEND", "vulkan");
    }

    fn run(&self, line: &str) -> Ran {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("linfit"))
            .args(line.split_whitespace())
            .current_dir(self.directory.path().join("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NODEVICE_SELECT", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (all(child.stdout.take().unwrap()), all(child.stderr.take().unwrap()));
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LONGEST {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{line}: hangs; {:?}", self.environment);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let ran = Ran { line: line.to_owned(), code: status.code(), stdout, stderr };
        assert!(ran.code.is_some(), "{line}: died of {status}; {:?}\n{}", self.environment, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{line}: {}", ran.stderr);
        ran
    }

    /// The processes whose environment names this lab: what it started and left.
    fn processes(&self) -> Vec<String> {
        let mark = self.path("cache");
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        processes
            .filter(|path| {
                let environment = fs::read(path.join("environ")).unwrap_or_default();
                environment.windows(mark.len()).any(|part| part == mark.as_bytes())
            })
            .map(|path| path.display().to_string())
            .collect()
    }
}

impl Ran {
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{}: no {part:?} in {}", self.line, self.stderr);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{}: {e}: {}", self.line, self.stdout))
    }
}

/// The place of a fault, its kind, and the words for it.
const FAULTS: [(&str, &str, &str); 15] = [
    ("load", "segv", "crashed with signal 11 (SIGSEGV) while its adapters were listed"),
    ("load", "hang", "did not answer within 2 s"),
    ("load", "deafhang", "did not answer within 2 s"),
    ("load", "forkhang", "did not answer within 2 s"),
    ("load", "flood", "did not answer within 2 s"),
    ("negotiate", "abort", "crashed with signal 6 (SIGABRT) while its adapters were listed"),
    ("negotiate", "_exit0", "ended the process with code 0 while its adapters were listed"),
    ("vkCreateInstance", "forksegv", "crashed with signal 11 (SIGSEGV)"),
    ("vkCreateInstance", "exit0", "ended the process with code 0"),
    ("vkEnumeratePhysicalDevices", "ill", "crashed with signal 4 (SIGILL)"),
    ("vkEnumeratePhysicalDevices", "chatter", "ended the process with code 7"),
    // By the runtime that finds its guard page, or by the system where the stack ends beyond it.
    ("vkCreateDevice", "overflow", "crashed with signal "),
    ("vkCreateDevice", "spin", "did not answer within 2 s"),
    ("unload", "_exit0", "ended the process with code 0 while it was closed"),
    ("unload", "kill", "crashed with signal 9 (SIGKILL) while it was closed"),
];

#[test]
fn a_broken_driver_is_named_and_none_takes_the_program_along() {
    let next = AtomicUsize::new(0);
    let all = || {
        while let Some(&(place, what, words)) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut lab = Lab::new();
            if words.starts_with("did not answer") {
                lab.set("LINFIT_DRIVER_SECONDS", SHORT);
            }
            let driver = lab.driver(place, what);
            lab.only(&[&driver]);
            let words = [&*driver, &*format!("libfake-{place}-{what}.so"), words];
            let fitted = lab.run("fit d.csv:x d.csv:t --json --save m.json --history h.csv").ends(0);
            let fitted = fitted.says(&words).says(&["note: the driver ", "`linfit devices` tries it again"]);
            assert_eq!(fitted.json()["engine"]["kind"], "cpu");
            assert_eq!(lab.files(), ["d.csv", "h.csv", "m.json", "model.json"]);
            fs::remove_file(lab.data("m.json")).unwrap();
            fs::remove_file(lab.data("h.csv")).unwrap();
            // Known by now, they are not waited for again.
            let started = Instant::now();
            for line in [
                "fit d.csv:x d.csv:t --engine gpu --save m.json --history h.csv",
                "fit d.csv:x d.csv:t --adapter 0 --save m.json",
                "predict model.json d.csv:x -o y.npy --engine gpu",
                "explain --adapter llvmpipe",
                "bench --sizes 4096 --time 0 --engine gpu --export-json b.json",
                "compare d.csv:x d.csv:t --engine gpu",
            ] {
                let ran = lab.run(line).ends(3).says(&words).says(&["linfit: ", "--engine cpu"]);
                assert_eq!((&*ran.stdout, ran.stderr.lines().count()), ("", 1), "{line}: {}", ran.stderr);
                assert_eq!(lab.files(), ["d.csv", "model.json"], "{line}");
            }
            assert!(started.elapsed() < LONGEST, "{place} {what}: {:?}", started.elapsed());
            let compared = lab.run("compare d.csv:x d.csv:t --json").ends(0).says(&words);
            assert_eq!(compared.json()["results"].as_array().unwrap().len(), 1);
            let listed = lab.run("devices --json").ends(0).json();
            assert_eq!(listed["broken"][0]["driver"], driver.as_str());
            assert!(listed["broken"][0]["reason"].as_str().unwrap().contains(words[2]), "{listed}");
            assert_eq!(listed["auto"], "the CPU (no real GPU found, but a broken driver)");
            assert_eq!(lab.processes(), [""; 0], "{place} {what}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(all);
        }
    });
}

#[test]
fn the_good_drivers_beside_a_broken_one_are_used() {
    let mut lab = Lab::new();
    let (broken, good) = (lab.driver("load", "segv"), lab.driver("never", "breaks"));
    for drivers in [[&*broken, &*good], [&*good, &*broken]] {
        lab.only(&drivers);
        let listed = lab.run("devices --json").ends(0).json();
        assert_eq!(listed["broken"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["adapters"].as_array().unwrap().len(), 1, "{listed}");
        // By name, a software adapter is what was meant; else it isn't.
        let fitted = lab.run("fit d.csv:x d.csv:t --json --adapter llvmpipe").ends(0).says(&[&broken]);
        assert_eq!(fitted.json()["engine"]["kind"], "gpu");
        lab.run("fit d.csv:x d.csv:t --engine gpu").ends(3).says(&[&broken, "SIGSEGV", "--adapter"]);
        let compared = lab.run("compare d.csv:x d.csv:t --json").ends(0).says(&[&broken]).json();
        assert!(compared["results"].as_array().unwrap().len() > 1, "{compared}");
        let text = lab.run("devices").ends(0).stdout;
        assert!(
            text.contains(" llvmpipe ") && text.contains(&format!("\nbroken: the driver {broken}")),
            "{text}"
        );
    }
}

#[test]
fn data_from_stdin_survive_the_new_start() {
    let mut lab = Lab::new();
    let (broken, good) = (lab.driver("load", "segv"), lab.driver("never", "breaks"));
    lab.only(&[&broken, &good]);
    let output = Command::new("sh")
        .args(["-c", "cat d.csv | \"$0\" fit -:x d.csv:t --adapter llvmpipe --json"])
        .arg(assert_cmd::cargo::cargo_bin!("linfit"))
        .current_dir(lab.directory.path().join("data"))
        .env("XDG_CACHE_HOME", lab.path("cache"))
        .envs(lab.environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["n"], &report["engine"]["kind"]), (&3.into(), &"gpu".into()));
}

#[test]
fn drivers_that_do_not_break_anything_are_not_called_broken() {
    let mut lab = Lab::new();
    let files = [
        (lab.driver("never", "breaks"), 1),
        (lab.driver("load", "slow"), 1),
        (lab.driver("load", "print"), 1),
        (lab.driver("vkCreateInstance", "error"), 0),
        (lab.driver("vkEnumeratePhysicalDevices", "error"), 0),
        (lab.manifest("missing", r#"{"library_path": "./none.so", "api_version": "1.1.0"}"#), 0),
        (lab.manifest("no-elf", r#"{"library_path": "./no-elf.json", "api_version": "1.1.0"}"#), 0),
        (lab.manifest("no-json", "{{{"), 0),
        ("/nonexistent/driver.json".to_owned(), 0),
    ];
    for (driver, adapters) in files {
        lab.only(&[&driver]);
        let listed = lab.run("devices --json").ends(0);
        // What a driver prints while it is loaded comes before.
        let listed: Value = serde_json::from_str(&listed.stdout[listed.stdout.find('{').unwrap()..]).unwrap();
        assert_eq!(listed["broken"], serde_json::json!([]), "{driver}");
        assert_eq!(listed["adapters"].as_array().unwrap().len(), adapters, "{driver}: {listed}");
        let code = if adapters > 0 { 0 } else { 3 };
        lab.run("fit d.csv:x d.csv:t --engine gpu").ends(code);
    }
}

#[test]
fn a_broken_layer_is_told_from_the_drivers() {
    let mut lab = Lab::new();
    let good = lab.driver("never", "breaks");
    lab.driver("load", "segv");
    let layers = lab.directory.path().join("share/vulkan/implicit_layer.d");
    fs::create_dir_all(&layers).unwrap();
    let layer = r#"{"file_format_version": "1.1.2", "layer": {"name": "VK_LAYER_FAKE_broken", "type": "GLOBAL",
        "library_path": "LIBRARY", "api_version": "1.1.0", "implementation_version": "1", "description": "",
        "disable_environment": {"NO_FAKE_LAYER": "1"}}}"#;
    let manifest = layers.join("broken.json");
    fs::write(&manifest, layer.replace("LIBRARY", &lab.path("libfake-load-segv.so"))).unwrap();
    lab.only(&[&good]);
    lab.set("XDG_DATA_HOME", &lab.path("share"));
    let listed = lab.run("devices --json").ends(0).json();
    assert_eq!(listed["broken"][0]["driver"], manifest.to_str().unwrap(), "{listed}");
    assert_eq!(listed["broken"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["adapters"].as_array().unwrap().len(), 1, "{listed}");
    lab.run("fit d.csv:x d.csv:t --engine gpu").ends(3).says(&[manifest.to_str().unwrap()]);
    lab.run("fit d.csv:x d.csv:t").ends(0).says(&["note: ", manifest.to_str().unwrap()]);
}

#[test]
fn a_broken_driver_of_opengl_is_named_too() {
    let mut lab = Lab::new();
    lab.driver("load", "segv");
    let path = lab.path("egl.json");
    let library = lab.path("libfake-load-segv.so");
    fs::write(
        &path,
        format!(r#"{{"file_format_version": "1.0.0", "ICD": {{"library_path": "{library}"}}}}"#),
    )
    .unwrap();
    lab.only(&["/nonexistent/driver.json"]);
    lab.environment.retain(|(name, _)| name != "WGPU_BACKEND");
    lab.set("__EGL_VENDOR_LIBRARY_FILENAMES", &path);
    lab.run("fit d.csv:x d.csv:t").ends(0).says(&["note: ", &path, "SIGSEGV"]);
    lab.run("fit d.csv:x d.csv:t --engine gpu").ends(3).says(&[&path, "SIGSEGV"]);
    assert_eq!(lab.run("devices --json").ends(0).json()["broken"][0]["driver"], path);
}

#[test]
fn what_computes_on_the_cpu_loads_no_driver() {
    let mut lab = Lab::new();
    let driver = lab.driver("load", "segv");
    let mark = lab.path("mark");
    lab.only(&[&driver]);
    lab.set("FAKE_DRIVER_MARK", &mark);
    for line in [
        "fit d.csv:x d.csv:t --engine cpu",
        "fit d.csv:x d.csv:t --engine reference",
        "predict model.json d.csv:x -o y.npy",
        "predict model.json d.csv:x -o y.npy --engine cpu",
        "predict model.json d.csv:x -o y.npy --engine reference",
        "predict model.json d.csv:x -o y.npy --dtype f64",
        "explain",
        "explain d.csv:x d.csv:t --engine reference",
        "compare d.csv:x d.csv:t --engine cpu",
        "bench --sizes 4096 --time 0 --engine cpu",
        "generate -x x.npy -t t.npy --shape 8",
        "--version",
    ] {
        lab.run(line).ends(0);
        assert!(!Path::new(&mark).exists(), "{line} loads the driver");
    }
    assert!(!Path::new(&lab.path("cache")).exists());
    // The mark is made where the driver is loaded.
    lab.run("fit d.csv:x d.csv:t").ends(0);
    assert!(Path::new(&mark).exists());
}

#[test]
fn what_was_found_is_kept_while_the_driver_is_the_same() {
    let mut lab = Lab::new();
    let (driver, mark) = (lab.driver("never", "breaks"), lab.path("mark"));
    lab.only(&[&driver]);
    lab.set("FAKE_DRIVER_MARK", &mark);
    let loads = |lab: &Lab, line: &str| {
        let _ = fs::remove_file(&mark);
        lab.run(line).ends(0);
        Path::new(&mark).exists()
    };
    let tried = |lab: &Lab| lab.run("devices -v").ends(0).stderr.contains("drivers were tried");
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    // There is no real GPU, which is known now.
    assert!(!loads(&lab, "fit d.csv:x d.csv:t"));
    assert!(loads(&lab, "fit d.csv:x d.csv:t --engine gpu -q"));
    assert!(!tried(&lab));
    // Another library in its place.
    std::thread::sleep(Duration::from_millis(20));
    fs::copy(lab.path("base.so"), lab.path("libfake-never-breaks.so")).unwrap();
    assert!(tried(&lab));
    assert!(!tried(&lab));
    lab.set("VK_LOADER_DEBUG", "none");
    assert!(tried(&lab));
    // A broken one is tried again by `devices` alone.
    let broken = lab.driver("vkCreateInstance", "abort");
    lab.only(&[&broken]);
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    assert!(!loads(&lab, "fit d.csv:x d.csv:t"));
    assert!(tried(&lab));
    // One that was too slow is known for a while.
    let slow = lab.driver("vkCreateInstance", "hang");
    lab.only(&[&slow]);
    lab.set("LINFIT_DRIVER_SECONDS", SHORT);
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    assert!(!loads(&lab, "fit d.csv:x d.csv:t"));
    let cache = lab.path("cache/linfit/drivers.json");
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(&cache).unwrap()).unwrap();
    for entry in kept["entries"].as_array_mut().unwrap() {
        entry["found_at"] = (entry["found_at"].as_u64().unwrap() - 600).into();
    }
    fs::write(&cache, kept.to_string()).unwrap();
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    // A cache that can't be read or written changes nothing but the time.
    fs::write(lab.path("cache/linfit/drivers.json"), "{").unwrap();
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    lab.set("XDG_CACHE_HOME", "/dev/null");
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
    assert!(loads(&lab, "fit d.csv:x d.csv:t"));
}

#[test]
fn outputs_that_cannot_be_are_refused_before_drivers_are_asked() {
    let mut lab = Lab::new();
    let (driver, mark) = (lab.driver("load", "segv"), lab.path("mark"));
    lab.only(&[&driver]);
    lab.set("FAKE_DRIVER_MARK", &mark);
    for line in [
        "fit d.csv:x d.csv:t --engine gpu --save none/m.json",
        "fit d.csv:x d.csv:t --engine gpu --history none/h.csv",
        "predict model.json d.csv:x --engine gpu -o none/y.npy",
        "bench --sizes 4096 --engine gpu --export-csv none/b.csv",
    ] {
        lab.run(line).ends(2).says(&["there is no directory none"]);
        assert!(!Path::new(&mark).exists(), "{line}");
    }
}
