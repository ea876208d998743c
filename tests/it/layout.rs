//! Holds the source to its layout: modules name only those to their left, files
//! of a room name one another without circles, and a crate that stands for a
//! device, a format or the terminal is named in one place.

use std::collections::{BTreeMap, BTreeSet};
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

/// The code of a file: no tests, no comments. Code may follow the name of a module of
/// tests, but not tests that stand in the file.
fn code(text: &str) -> String {
    let is_module = |item: &str| item.trim_start().starts_with("mod ") && item.trim_end().ends_with(';');
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.contains("#[cfg(test)]") {
            if !lines.next().is_some_and(is_module) {
                break;
            }
        } else if !line.trim_start().starts_with("//") {
            code.push(line);
        }
    }
    code.join("\n")
}

#[test]
fn code_goes_on_after_a_module_of_tests() {
    let text = "mod a;\n#[cfg(test)]\nmod b;\n// c\nmod d;\n#[cfg(test)]\nmod tests {\n}\nmod e;";
    assert_eq!(code(text), "mod a;\nmod d;");
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

/// The rooms whose files name one another without circles.
const WITHOUT_CIRCLES: [&str; 7] = ["math", "array", "io", "engine", "fit", "report", "cli"];

/// A device's data and the descent on it are one thing in two files.
const ONE_THING: [&str; 2] = ["engine/gpu/descent", "engine/gpu/engine"];

#[test]
fn files_of_a_room_name_each_other_without_circles() {
    let modules = Modules::of(files());
    for room in WITHOUT_CIRCLES {
        let inside: Vec<&Vec<String>> =
            modules.0.keys().filter(|module| module.first().is_some_and(|first| first == room)).collect();
        assert!(inside.len() > 5, "there is no room {room}");
        let is_one_thing = |module: &[String]| ONE_THING.contains(&module.join("/").as_str());
        let others = |module: &Vec<String>| {
            let named = modules.named_by(module).into_iter();
            named.filter(|other| !(is_one_thing(module) && is_one_thing(other))).collect()
        };
        let named: Named = inside.into_iter().map(|module| (module.clone(), others(module))).collect();
        assert!(named.values().any(|named| !named.is_empty()), "{room}: no file names another");
        for module in named.keys() {
            assert_eq!(
                circle(&named, module),
                Vec::<Vec<String>>::new(),
                "a circle in {room} from {module:?}"
            );
        }
    }
}

/// The modules of the library by their paths, each with its code.
struct Modules(BTreeMap<Vec<String>, String>);

impl Modules {
    fn of(files: Vec<(String, String)>) -> Self {
        let path = |name: &str| -> Vec<String> {
            let name = name.trim_end_matches(".rs").trim_end_matches("/mod");
            if name == "lib" { Vec::new() } else { name.split('/').map(str::to_owned).collect() }
        };
        Self(files.into_iter().map(|(name, text)| (path(&name), code(&text))).collect())
    }

    /// The modules that the file of a module names, by what it uses and by paths in
    /// its code.
    fn named_by(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let code = &self.0[module];
        let used = uses(code).into_iter().map(|(path, _)| path);
        let named = used.chain(paths_in(code)).filter_map(|path| self.resolve(module, &path, 0));
        named.filter(|named| named != module && named.first() == module.first()).collect()
    }

    /// The module whose file has what a path means where it stands in a module, if
    /// the path leads into the library: past the names that modules hand on.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut module = from.to_vec();
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()),
            name => {
                module.push(name.to_owned());
                self.0.get(&module)?;
            }
        }
        while let Some((name, further)) = rest.split_first() {
            if name == "super" {
                module.pop();
            } else {
                let child: Vec<String> = module.iter().chain([name]).cloned().collect();
                if self.0.contains_key(&child) {
                    module = child;
                } else {
                    let handed_on = uses(&self.0[&module]).into_iter().find(|(_, called)| called == name);
                    let further = handed_on
                        .filter(|_| depth < 8)
                        .and_then(|(path, _)| self.resolve(&module, &path, depth + 1));
                    return Some(further.unwrap_or(module));
                }
            }
            rest = further;
        }
        Some(module)
    }
}

/// The modules that each module names.
type Named = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// The way from a module over those that it names back to it; empty if there is
/// none.
fn circle(named: &Named, module: &[String]) -> Vec<Vec<String>> {
    fn way(
        named: &Named,
        from: &[String],
        to: &[String],
        seen: &mut BTreeSet<Vec<String>>,
    ) -> Vec<Vec<String>> {
        for next in named.get(from).into_iter().flatten() {
            if next == to {
                return vec![next.clone()];
            }
            let rest = if seen.insert(next.clone()) { way(named, next, to, seen) } else { Vec::new() };
            if !rest.is_empty() {
                return [vec![next.clone()], rest].concat();
            }
        }
        Vec::new()
    }
    way(named, module, module, &mut BTreeSet::new())
}

/// The paths that a file uses, each with the name that it has there.
fn uses(code: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        let Some(end) = code[at..].find(';').filter(|_| before.is_empty() || before.starts_with("pub"))
        else {
            continue;
        };
        tree(&code[at + 4..at + end], &[], &mut found);
    }
    found
}

/// Takes a tree of names apart: `a::{b, c::d}`.
fn tree(text: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let text = text.trim().trim_start_matches("::");
    match text.split_once('{') {
        Some((start, rest)) if !start.contains(',') => {
            let names = start.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
            let before: Vec<String> = before.iter().cloned().chain(names).collect();
            let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
            let (mut depth, mut start) = (0, 0);
            for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        tree(&inside[start..at], &before, found);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
        }
        _ if text.is_empty() => {}
        _ => {
            let (text, called) =
                text.split_once(" as ").map_or((text, None), |(text, called)| (text, Some(called)));
            let names = text.split("::").map(|name| name.trim().to_owned());
            let mut path: Vec<String> = before.iter().cloned().chain(names).collect();
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let called = called.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
            found.push((path, called));
        }
    }
}

/// The paths in a file's code that begin at the root or above it.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_its_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if is_its_start && !code[..at].ends_with("pub(in ") {
                let is_of_it = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                let path = code[at..].split(|c| !is_of_it(c)).next().unwrap_or_default();
                // Several names that are used: see `uses`.
                if path.ends_with("::") {
                    continue;
                }
                found.push(path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect());
            }
        }
    }
    found
}

/// A circle of three files, by a use, by a name that is handed on and by a path, is
/// found.
#[test]
fn a_circle_would_be_found() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let modules = Modules::of(vec![
        file("lib.rs", "pub mod room;"),
        file("room/mod.rs", "mod a;\nmod b;\nmod c;\nmod d;\npub(crate) use b::{B, other};"),
        file("room/a.rs", "use super::B;"),
        file("room/b.rs", "use super::{c::{self, C}, std};"),
        file("room/c.rs", "fn c() { crate::room::a::a() }"),
        file("room/d.rs", "use super::a;\npub(in crate::room::d) struct D;"),
    ]);
    let named: Named = modules.0.keys().map(|module| (module.clone(), modules.named_by(module))).collect();
    let is_in_one = |name: &str| {
        let module = ["room".to_owned(), name.to_owned()];
        !circle(&named, &module).is_empty()
    };
    assert_eq!(["a", "b", "c", "d"].map(is_in_one), [true, true, true, false]);
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
        ("libc::", "engine/gpu/trial"),
        ("libc::", "main.rs"),
        ("rustix::", "io/output"),
        ("sysinfo::", "cli/memory.rs"),
        ("tempfile::Builder", "io/output"),
        ("tempfile::tempfile", "array/spool.rs"),
        ("tempfile::tempfile", "io/source.rs"),
        ("use memchr", "io/csv"),
        ("csv::Error", "report/"),
        ("use ::tiff", "io/tiff"),
        ("use ::png", "io/png"),
        ("use ::parquet", "io/parquet"),
        ("arrow_ipc::", "io/arrow"),
        ("use arrow_array", "io/arrow"),
        ("use ::safetensors", "io/model.rs"),
        ("use ::safetensors", "io/safetensors.rs"),
        ("use zip::", "io/npz.rs"),
        ("use zip::", "io/zarr/store.rs"),
        ("comfy_table::", "report/"),
        ("plotters::", "report/pictures"),
        ("multiversion::", "engine/"),
        ("statrs::", "fit/statistics.rs"),
        ("statrs::", "fit/normal.rs"),
        ("strsim::", "io/nearest.rs"),
        ("terminal_size::", "cli/verbosity.rs"),
        ("clap_complete::", "cli/completions.rs"),
        ("clap_mangen::", "cli/man.rs"),
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
