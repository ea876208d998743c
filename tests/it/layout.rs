//! Holds the source to its layout: modules name only those to their left, and
//! a crate that stands for a device, a format or the terminal is named in one
//! place.

use std::fs;
use std::path::{Path, PathBuf};

/// The one-way order: math ← array ← engine ← fit ← report ← cli. Each room may
/// name those on its right here; `io` is beside `engine` and `fit`, and neither
/// names the other.
const ROOMS: [(&str, &[&str]); 7] = [
    ("math", &[]),
    ("array", &["math"]),
    ("io", &["math", "array"]),
    ("engine", &["math", "array"]),
    ("fit", &["math", "array", "engine"]),
    ("report", &["math", "array", "io", "engine", "fit"]),
    ("cli", &["math", "array", "io", "engine", "fit", "report"]),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 20, "the sources are not where they should be: {found:?}");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The code of a file: no tests, no comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_name_only_those_before_them() {
    for (room, before) in ROOMS {
        let prefix = format!("{room}/");
        let files: Vec<_> = files().into_iter().filter(|(name, _)| name.starts_with(&prefix)).collect();
        assert!(!files.is_empty(), "there is no room {room}");
        for (name, text) in files {
            let code = code(&text);
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room && !before.contains(other)) {
                assert!(!code.contains(&format!("crate::{other}::")), "{name} names crate::{other}");
            }
        }
    }
}

#[test]
fn crates_stay_in_their_rooms() {
    let rooms = [
        ("wgpu::", "engine/gpu/"),
        ("clap::", "cli/"),
        ("indicatif::", "cli/progress.rs"),
        ("directories::", "cli/cache.rs"),
        ("ctrlc::", "cli/interrupt.rs"),
        ("npyz::", "io/npy.rs"),
        ("memmap2::", "array/mapping.rs"),
        ("libc::", "array/mapping"),
        ("libc::", "cli/interrupt.rs"),
        ("libc::", "engine/gpu/manifests.rs"),
        ("libc::", "engine/gpu/trial.rs"),
        ("libc::", "main.rs"),
        ("rustix::", "io/output"),
        ("sysinfo::", "cli/memory.rs"),
        ("tempfile::Builder", "io/output"),
        ("tempfile::tempfile", "array/spool.rs"),
        ("tempfile::tempfile", "io/source.rs"),
        ("use memchr", "io/csv"),
        ("csv::Error", "report/"),
        ("use ::tiff", "io/tiff"),
        ("use ::png", "io/png.rs"),
        ("use ::parquet", "io/parquet"),
        ("arrow_ipc::", "io/arrow"),
        ("use arrow_array", "io/arrow"),
        ("use ::safetensors", "io/model.rs"),
        ("use ::safetensors", "io/safetensors.rs"),
        ("use zip::", "io/npz.rs"),
        ("comfy_table::", "report/"),
        ("multiversion::", "engine/"),
        ("statrs::", "fit/statistics.rs"),
    ];
    for (crate_name, _) in rooms {
        let rooms: Vec<&str> =
            rooms.into_iter().filter(|(name, _)| *name == crate_name).map(|(_, room)| room).collect();
        let users: Vec<String> = files()
            .into_iter()
            .filter(|(_, text)| code(text).contains(crate_name))
            .map(|(name, _)| name)
            .collect();
        assert!(!users.is_empty(), "{crate_name} is used nowhere");
        let is_in_a_room = |name: &String| rooms.iter().any(|room| name.starts_with(room));
        assert!(users.iter().all(is_in_a_room), "{crate_name} outside {rooms:?}: {users:?}");
    }
}

/// Front ends word hints; a library that names options would speak to users of
/// the command line only.
#[test]
fn only_the_command_line_speaks_of_its_options() {
    let is_option =
        |text: &str| text.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_lowercase));
    for (name, text) in files().into_iter().filter(|(name, _)| !name.starts_with("cli/")) {
        for line in code(&text).lines() {
            let spoken = line.split([' ', '"', '`', '(']).find(|word| is_option(word));
            assert!(spoken.is_none(), "{name} names {spoken:?}: {line}");
        }
    }
}
