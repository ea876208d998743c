//! Outputs that cannot be written.

use std::fs;
use std::os::unix::fs::symlink;

use crate::faults::{Ended, Lab, Running, chosen, is_run, make_fifo, ran};

/// Every kind of output: the command, and the name that it writes.
const OUTPUTS: [(&str, &str); 21] = [
    ("fit x.npy t.npy --engine cpu --save OUT", "out.json"),
    ("fit x.npy t.npy --engine cpu --save OUT", "out.safetensors"),
    ("fit x.npy t.npy --engine cpu --history OUT", "out.csv"),
    ("fit x.npy t.npy --engine reference --history OUT --save z.json", "out.csv"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.npy"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.npz"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.csv"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.tsv"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.parquet"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.arrow"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.feather"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.tif"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.safetensors"),
    ("predict m.json x.npy --engine cpu -o OUT", "out.raw"),
    ("predict m.json x.npy --engine cpu --dtype f64 -o OUT", "out.npy"),
    ("predict m.json x.npy --engine cpu --dtype u8 --clamp -o OUT", "out.png"),
    ("generate --shape 40x40 -x OUT -t z.npy", "out.npy"),
    ("generate --shape 40x40 -x z.npy -t OUT", "out.npy"),
    ("bench --sizes 1K --engine cpu --passes forward --time 0 --export-json OUT", "out.json"),
    ("bench --sizes 1K --engine cpu --passes forward --time 0 --export-csv OUT", "out.csv"),
    ("bench --sizes 1K --engine cpu --passes forward --time 0 --export-markdown OUT", "out.md"),
];

fn outputs() -> impl Iterator<Item = (&'static str, &'static str)> {
    OUTPUTS.into_iter().filter(|(line, _)| is_run(line))
}

/// The file that a limit meets first: another than the one meant, if that is
/// written before.
fn first_written<'n>(line: &str, name: &'n str) -> &'n str {
    if line.starts_with("generate") && line.contains("-x z.npy") { "z.npy" } else { name }
}

/// A fault of the place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Every write fails.
    Full,
    /// A link to where every write fails.
    LinkToFull,
    NoDirectory,
    IsDirectory,
    FileForDirectory,
    LoopedLink,
    LongLoop,
    LinkToNoDirectory,
    /// Files of a size that no output fits into.
    SizeLimit,
    /// No room on the file system.
    DiskFull,
    ReadOnly,
    NameTooLong,
    /// The reader of the pipe goes at once.
    ClosedPipe,
}

const FAULTS: [Fault; 13] = [
    Fault::Full,
    Fault::LinkToFull,
    Fault::NoDirectory,
    Fault::IsDirectory,
    Fault::FileForDirectory,
    Fault::LoopedLink,
    Fault::LongLoop,
    Fault::LinkToNoDirectory,
    Fault::SizeLimit,
    Fault::DiskFull,
    Fault::ReadOnly,
    Fault::NameTooLong,
    Fault::ClosedPipe,
];

/// Whether this machine lets a test mount a file system of its own, which goes
/// with the process.
fn can_mount() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt";
    let mounts = std::process::Command::new("unshare").args(["--mount", "sh", "-c", script]).output();
    mounts.is_ok_and(|output| output.status.success())
}

impl Fault {
    /// Runs a command whose output has this fault, and how the output is named.
    fn run(self, lab: &Lab, line: &str, name: &str) -> (Ended, String) {
        let path = lab.path(name);
        let mut before = String::new();
        let mut output = name.to_owned();
        match self {
            Self::Full => symlink("/dev/full", &path).unwrap(),
            Self::LinkToFull => {
                symlink("/dev/full", lab.path("full")).unwrap();
                symlink("full", &path).unwrap();
            }
            Self::NoDirectory => output = format!("missing/{name}"),
            Self::IsDirectory => fs::create_dir(&path).unwrap(),
            Self::FileForDirectory => output = format!("x.npy/{name}"),
            Self::LoopedLink => symlink(name, &path).unwrap(),
            Self::LongLoop => {
                symlink("a", &path).unwrap();
                symlink("b", lab.path("a")).unwrap();
                symlink("a", lab.path("b")).unwrap();
            }
            Self::LinkToNoDirectory => symlink(format!("missing/{name}"), &path).unwrap(),
            // In blocks of 512 bytes: none.
            Self::SizeLimit => "ulimit -f 0;".clone_into(&mut before),
            Self::DiskFull | Self::ReadOnly => {
                fs::create_dir(lab.path("disk")).unwrap();
                output = format!("disk/{name}");
                let options = if self == Self::ReadOnly { "ro" } else { "size=4k" };
                let fill = if self == Self::ReadOnly { "" } else { "head -c 4096 /dev/zero > disk/full;" };
                before = format!("mount -t tmpfs -o {options} tmpfs disk; {fill}");
            }
            Self::NameTooLong => output = format!("{}{name}", "n".repeat(300)),
            Self::ClosedPipe => {
                make_fifo(&path);
                // Opened for both, it waits for nobody.
                before = format!("(exec 3<{name}; sleep 0.01) & ");
            }
        }
        let line = line.replace("OUT", &output);
        let mut command = match self {
            Self::DiskFull | Self::ReadOnly => {
                let command = lab.shell(&before, &line);
                let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
                let mut unshared = std::process::Command::new("unshare");
                unshared.args(["--mount", "sh"]).args(arguments);
                lab.set_up(unshared, [])
            }
            _ => lab.shell(&before, &line),
        };
        (Running::start(&mut command, &line).end(), output)
    }

    /// Whether the output is not known to fail before there is a result.
    fn needs_more_than_a_buffer(self) -> bool {
        self == Self::ClosedPipe
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
    let mounts = can_mount();
    let mut cases = Vec::new();
    for fault in FAULTS {
        if matches!(fault, Fault::DiskFull | Fault::ReadOnly) && !mounts {
            eprintln!("faults: {fault:?} left out: no file system may be mounted here");
            continue;
        }
        for output in outputs() {
            cases.push((fault, output));
        }
    }
    let cases = chosen(cases, 60);
    for &(fault, (line, name)) in &cases {
        let n = if fault.needs_more_than_a_buffer() { 200_000 } else { 2000 };
        if fault.needs_more_than_a_buffer() && !line.starts_with("predict") {
            continue;
        }
        let lab = Lab::with_pair(n);
        let before = lab.contents();
        let (ended, output) = fault.run(&lab, line, name);
        let shown: String = output.chars().skip(output.chars().count().saturating_sub(200)).collect();
        let shown = match fault {
            Fault::LinkToNoDirectory => "missing",
            Fault::SizeLimit => first_written(line, &shown),
            _ => &shown,
        };
        assert!(ended.stderr.len() < 2000, "{fault:?}: {ended:?}");
        ended.ends_refused(&[shown, "cannot be written"]);
        let made = ["disk", "full", "a", "b", name];
        let after: Vec<_> =
            lab.contents().into_iter().filter(|(name, _)| !made.contains(&name.as_str())).collect();
        let names =
            |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{fault:?}: {line}");
        assert!(after == before, "{fault:?}: {line}");
        assert!(!lab.path(name).is_file(), "{fault:?}: {line}");
    }
    ran("outputs that cannot be written", cases.len());
}

/// The old one stays, whatever becomes of the new one.
#[test]
fn what_stood_there_stays() {
    let cases = chosen(outputs().collect(), 8);
    for (line, name) in &cases {
        let lab = Lab::with_pair(2000);
        fs::write(lab.path(name), "old").unwrap();
        let before = lab.contents();
        let line = line.replace("OUT", name);
        let mut command = lab.shell("ulimit -f 0;", &line);
        let ended = Running::start(&mut command, &line).end();
        ended.ends_refused(&[first_written(&line, name), "cannot be written"]);
        assert_eq!(lab.contents(), before, "{line}");
    }
    ran("outputs over an older file", cases.len());
}

/// By another name, by a link of either kind, and by another spelling.
#[test]
fn no_output_is_also_an_input_or_another_output() {
    let commands = [
        ("fit x.npy t.npy --save OUT", "x.npy"),
        ("fit x.npy t.npy --save OUT", "t.npy"),
        ("fit x.npy t.npy --history OUT", "x.npy"),
        ("fit x.npy t.npy --history OUT --save z.json", "t.npy"),
        ("fit x.npy t.npy --mask m.npy --save OUT", "m.npy"),
        ("fit x.npy t.npy --weights m.npy --save OUT", "m.npy"),
        ("predict m.json x.npy -o OUT", "x.npy"),
        ("predict m.json x.npy -o OUT", "m.json"),
        ("generate -x t.npy -t OUT", "t.npy"),
        ("generate -t x.npy -x OUT", "x.npy"),
        ("bench --baseline m.json --export-json OUT", "m.json"),
        ("fit x.npy t.npy --save a --history OUT", "a"),
        ("bench --export-csv a --export-json OUT", "a"),
    ];
    let mut cases = Vec::new();
    for command in commands {
        for way in ["itself", "spelling", "symlink", "symlinks", "hard link", "dangling"] {
            cases.push((command, way));
        }
    }
    let cases = chosen(cases, 40);
    for &((line, input), way) in &cases {
        let lab = Lab::with_pair(10);
        fs::copy(lab.path("x.npy"), lab.path("m.npy")).unwrap();
        let other = input.replace('.', "_other.").replace("json", "npy");
        match way {
            "symlink" => symlink(input, lab.path(&other)).unwrap(),
            "symlinks" => {
                symlink("link", lab.path(&other)).unwrap();
                symlink(input, lab.path("link")).unwrap();
            }
            "hard link" if lab.path(input).exists() => {
                fs::hard_link(lab.path(input), lab.path(&other)).unwrap();
            }
            "dangling" if !lab.path(input).exists() => symlink(input, lab.path(&other)).unwrap(),
            _ => {}
        }
        let output = match way {
            "itself" => input.to_owned(),
            "spelling" => format!("./{input}"),
            _ if lab.path(&other).symlink_metadata().is_ok() => other,
            _ => continue,
        };
        let before = lab.contents();
        lab.run(&line.replace("OUT", &output)).ends_refused(&["name the same file"]);
        assert_eq!(lab.contents(), before, "{line} {way}");
    }
    ran("outputs that are inputs", cases.len());
}

/// Temporary files go to TMPDIR, where there may be no room, or nothing.
#[test]
fn a_temporary_file_that_cannot_be_written_is_an_error() {
    let mut cases = Vec::new();
    for format in ["csv", "parquet", "npz", "png", "stdin"] {
        for place in ["full", "missing", "file", "limit"] {
            cases.push((format, place));
        }
    }
    let cases = chosen(cases, 10);
    for &(format, place) in &cases {
        if place == "full" && !can_mount() {
            continue;
        }
        let lab = Lab::with_pair(4096);
        let input = match format {
            "npz" => {
                // Packed, so that it must be decoded.
                let script = "import zipfile; z = zipfile.ZipFile('x.npz', 'w', zipfile.ZIP_DEFLATED); \
                              z.write('x.npy')";
                let made = std::process::Command::new("python3")
                    .args(["-c", script])
                    .current_dir(lab.path(""))
                    .status();
                if !made.is_ok_and(|status| status.success()) {
                    continue;
                }
                "x.npz".to_owned()
            }
            "png" => {
                lab.run("generate -x x.npy -t t.npy --shape 64x64 --dtype u8 --weight 0.5").succeeds();
                lab.run("predict same.json x.npy -o x.png --dtype u8").succeeds();
                "x.png".to_owned()
            }
            "stdin" => "-".to_owned(),
            format => {
                lab.run(&format!("predict same.json x.npy -o x.{format}")).succeeds();
                format!("x.{format}")
            }
        };
        fs::create_dir(lab.path("tmp")).unwrap();
        let (tmp, before) = match place {
            "full" => ("tmp", "mount -t tmpfs -o size=4k tmpfs tmp; head -c 4096 /dev/zero > tmp/f;"),
            "missing" => ("nowhere", ""),
            "file" => ("x.npy", ""),
            _ => ("tmp", "ulimit -f 0;"),
        };
        let t = if format == "stdin" { "t.npy" } else { &input };
        let line = format!("fit {input} {t} --engine cpu --memory 1KB");
        let shell = lab.shell(&format!("export TMPDIR=$PWD/{tmp}; {before}"), &line);
        let arguments: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
        let mut command = std::process::Command::new(if place == "full" { "unshare" } else { "sh" });
        if place == "full" {
            command.args(["--mount", "sh"]);
        }
        let mut command = lab.set_up(
            {
                command.args(arguments);
                command
            },
            [],
        );
        if format == "stdin" {
            command.stdin(fs::File::open(lab.path("x.npy")).unwrap());
        }
        let named = if format == "stdin" { "stdin" } else { &input };
        Running::start(&mut command, &line).end().ends_refused(&[named, "temporary file"]);
        assert_eq!(fs::read_dir(lab.path("tmp")).unwrap().count(), 0);
    }
    ran("temporary files that cannot be written", cases.len());
}
