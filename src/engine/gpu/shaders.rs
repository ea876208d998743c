//! The source text of kernels. A file of `shaders/` names in its first line the
//! parts whose declarations it uses: other files, or `{choices}`, which the host
//! makes by what the kernel is to do. A kernel is its file and, each once, the
//! parts that it and they name; the tests hold the lists to be neither too short
//! nor too long.

use std::borrow::Cow;

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../shaders/", $name, ".wgsl")))),*]
    };
}

/// Every file, by its name without the extension.
const FILES: &[(&str, &str)] = files![
    "descend"
    "finish_sums"
    "predict"
    "self_test"
    "self_test_halves"
    "sums_by_invocation"
    "sums_by_subgroup"
    "sums_by_workgroup"
    "update"
    "shared/halves"
    "shared/halves_built_in"
    "shared/loss_huber"
    "shared/loss_squared"
    "shared/loss_sums"
    "shared/moments"
    "shared/parameters"
    "shared/part_f32"
    "shared/part_f64"
    "shared/part_two_float"
    "shared/product_dekker"
    "shared/product_fma"
    "shared/real_plain"
    "shared/real_two_float"
    "shared/residual_f32"
    "shared/residual_f64"
    "shared/residual_two_float"
    "shared/robust_clip"
    "shared/robust_huber"
    "shared/robust_tukey"
    "shared/rule"
    "shared/scalar_f32"
    "shared/scalar_f64"
    "shared/shift"
    "shared/step"
    "shared/store_elements"
    "shared/store_groups"
    "shared/sums"
    "shared/two_float"
    "shared/validity_bits"
    "shared/validity_none"
    "shared/walk"
    "shared/weighing_given"
    "shared/weighing_robust"
    "shared/window"
];

/// A piece of a kernel's source.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) text: Cow<'static, str>,
}

/// Begins the first line of every part.
pub(super) const PARTS: &str = "// parts: ";

/// The names in a part's first line.
pub(super) fn parts_of(text: &str) -> impl Iterator<Item = &str> {
    let listed = text.lines().next().and_then(|line| line.strip_prefix(PARTS));
    listed.into_iter().flat_map(str::split_whitespace).filter(|&name| name != "none")
}

impl Part {
    /// A file of `shaders/` or `shaders/shared/`, by its name there.
    fn file(name: &str) -> Option<Self> {
        FILES.iter().find_map(|&(path, text)| {
            let found = path.strip_prefix("shared/").unwrap_or(path);
            (found == name).then_some(Self { name: found, text: Cow::Borrowed(text) })
        })
    }
}

/// The parts that were chosen for a kernel.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices(Vec<(&'static str, Part)>);

impl Choices {
    /// Takes a file wherever parts name `{choice}`.
    pub(super) fn with(mut self, choice: &'static str, file: &str) -> Self {
        self.0.extend(Part::file(file).map(|part| (choice, part)));
        self
    }

    /// Takes a text that the host wrote wherever parts name `{choice}`.
    pub(super) fn with_text(mut self, choice: &'static str, text: String) -> Self {
        self.0.push((choice, Part { name: choice, text: Cow::Owned(text) }));
        self
    }

    /// The part that is meant by a name in a list of parts. There may be none:
    /// the shader's compiler then says what is missing.
    pub(super) fn resolve(&self, name: &str) -> Option<Part> {
        match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(choice) => self.0.iter().find(|(of, _)| *of == choice).map(|(_, part)| part.clone()),
            None => Part::file(name),
        }
    }

    /// A kernel's file and its parts, each after those that it names.
    pub(super) fn compose(&self, kernel: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        self.add(kernel, &mut Vec::new(), &mut parts);
        parts
    }

    fn add(&self, name: &str, seen: &mut Vec<&'static str>, parts: &mut Vec<Part>) {
        let Some(part) = self.resolve(name).filter(|part| !seen.contains(&part.name)) else { return };
        seen.push(part.name);
        for name in parts_of(&part.text) {
            self.add(name, seen, parts);
        }
        parts.push(part);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::super::reflection::kernels;
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    /// The lines without comments.
    fn code(text: &str) -> impl Iterator<Item = &str> {
        text.lines().map(|line| line.split("//").next().unwrap_or_default())
    }

    fn is_in_word(letter: char) -> bool {
        letter.is_alphanumeric() || letter == '_'
    }

    /// The names that a part declares, as far as others may use them.
    fn declared(text: &str) -> BTreeSet<&str> {
        let kinds = ["fn ", "struct ", "alias ", "override ", "const ", "var<"];
        let declared = code(text).filter_map(|line| {
            let line = line
                .rsplit_once("@group(0) @binding(")
                .map_or(line, |(_, rest)| rest.split_once(") ").map_or(rest, |(_, rest)| rest));
            let kind = kinds.into_iter().find(|kind| line.starts_with(kind))?;
            let rest = line.strip_prefix(kind)?;
            let name = if kind == "var<" { rest.split_once("> ")?.1 } else { rest };
            name.split(|letter| !is_in_word(letter)).next()
        });
        declared.collect()
    }

    /// The names that its functions give to values of their own.
    fn locals(text: &str) -> impl Iterator<Item = &str> {
        let named = |line| ["let ", "var "].into_iter().find_map(|kind| str::split_once(line, kind));
        code(text).filter_map(named).filter_map(|(_, rest)| rest.split(|letter| !is_in_word(letter)).next())
    }

    /// The words of a part that are no field's name: neither after a dot nor
    /// before a colon.
    fn words(text: &str) -> BTreeSet<&str> {
        let mut words = BTreeSet::new();
        for line in code(text) {
            let mut rest = line;
            while let Some(start) = rest.find(is_in_word) {
                let (gap, from) = rest.split_at(start);
                let (word, after) =
                    from.split_at(from.find(|letter| !is_in_word(letter)).unwrap_or(from.len()));
                if !gap.ends_with('.') && !after.starts_with(':') {
                    words.insert(word);
                }
                rest = after;
            }
        }
        words
    }

    #[test]
    fn every_file_is_known_and_begins_with_its_parts() {
        let mut found = BTreeSet::new();
        for folder in ["", "shared/"] {
            for entry in root().join("shaders").join(folder).read_dir().unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                found.extend(name.strip_suffix(".wgsl").map(|name| format!("{folder}{name}")));
            }
        }
        let known: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, known);
        for (path, text) in FILES {
            assert!(text.starts_with(PARTS), "{path} does not say its parts");
        }
    }

    /// A part lists the others whose declarations it uses in some kernel, and
    /// no others.
    #[test]
    fn lists_of_parts_are_exact() {
        let mut listed: BTreeMap<(&str, String), bool> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for kernel in kernels() {
            let parts = kernel.choices.compose(kernel.name);
            if !seen.insert(parts.iter().map(|part| part.name).collect::<Vec<_>>()) {
                continue;
            }
            for user in &parts {
                let mut own = declared(&user.text);
                own.extend(locals(&user.text));
                let words: BTreeSet<_> = words(&user.text).difference(&own).copied().collect();
                let names: Vec<&str> = parts_of(&user.text).collect();
                let resolved: Vec<_> =
                    names.iter().map(|name| (name, kernel.choices.resolve(name))).collect();
                for (name, part) in &resolved {
                    assert!(part.is_some(), "{}: {} names {name}, which is nothing", kernel.name, user.name);
                    listed.entry((user.name, (**name).to_owned())).or_default();
                }
                for other in parts.iter().filter(|other| other.name != user.name) {
                    let Some(word) = words.intersection(&declared(&other.text)).next().copied() else {
                        continue;
                    };
                    let by = resolved
                        .iter()
                        .find(|(_, part)| part.as_ref().is_some_and(|part| part.name == other.name));
                    let Some((name, _)) = by else {
                        panic!(
                            "{}: {} uses {word} of {} and does not list it",
                            kernel.name, user.name, other.name
                        )
                    };
                    listed.insert((user.name, (**name).to_owned()), true);
                }
            }
        }
        let idle: Vec<_> = listed.iter().filter(|(_, is_used)| !**is_used).collect();
        assert!(idle.is_empty(), "listed and never used: {idle:?}");
        let composed: BTreeSet<_> = listed.keys().map(|(user, _)| *user).collect();
        assert!(composed.len() > 15, "{composed:?}");
    }

    /// A twin is the same computation in Rust: it has the name that its shader
    /// gives, and says which shader it is the twin of.
    #[test]
    fn twins_name_each_other() {
        let mut twins = 0;
        for (path, text) in FILES {
            for twin in text.lines().filter_map(|line| line.strip_prefix("// twin: ")) {
                let (file, name) = twin.split_once(' ').unwrap();
                let is_own =
                    *path == name || path.ends_with(&format!("/{name}")) || words(text).contains(name);
                assert!(is_own, "{path} does not have the name {name} of its twin");
                let rust = std::fs::read_to_string(root().join(file)).unwrap();
                assert!(rust.contains(&format!("fn {name}(")), "{path}: {file} has no fn {name}");
                assert!(rust.contains(&format!("{path}.wgsl")), "{file} does not name {path}.wgsl");
                twins += 1;
            }
        }
        assert!(twins > 5, "{twins}");
    }
}
