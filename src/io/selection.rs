//! Selections of several arrays, which are stacked along a new first axis: bands or columns
//! by a list, a range or `*`, files by a pattern. The files of a folder are one table.

use std::path::{Path, PathBuf};

use super::dataset;
use super::metadata::Opened;
use super::source::{Reading, Source, holds_arrays};
use super::stack::{Along, Stack};
use crate::array::DataError;

/// The arrays that a source selects.
enum Selection {
    /// Those of these sources.
    Listed(Vec<Source>),
    /// All bands, from 1, or columns, from 0.
    All(PathBuf),
    /// The files of a folder, one table.
    Folder(Vec<PathBuf>),
}

impl Reading {
    /// Opens one array, or stacks those of a selection along a new first axis: of a key that
    /// is a list (`a,b`), a range (`1-4`) or `*`, or of a file name with `*` or `?` in it, for
    /// files in the order of their names. Each is decoded once, and beyond the bound of
    /// memory the stack is in a temporary file.
    ///
    /// # Errors
    /// Those of [`Reading::open`]; [`DataError::NoFiles`], [`DataError::StackedShapes`].
    pub fn open_selected(&self, source: &Source) -> Result<Opened, DataError> {
        let Some(selection) = selection(source)? else { return self.open(source) };
        if holds_arrays(&source.path) {
            // A column may be called so.
            match self.open(source) {
                Err(DataError::NoSuchArray { .. }) => {}
                opened => return opened,
            }
        }
        let along = match selection {
            Selection::Folder(_) => Along::FirstAxis,
            _ => Along::NewAxis,
        };
        let mut stack = Stack::new(&source.path, source.key.as_deref(), self.memory_bytes, along);
        match selection {
            Selection::Listed(sources) => {
                for source in sources {
                    stack.push(&self.piece().open(&source)?)?;
                }
            }
            Selection::Folder(files) => {
                dataset::check_schemas(self, &files)?;
                for path in files {
                    stack.push(&self.piece().open(&Source { path, key: source.key.clone() })?)?;
                }
            }
            Selection::All(path) => {
                let numbered = |number: usize| Source { path: path.clone(), key: Some(number.to_string()) };
                for number in 0.. {
                    match self.piece().open(&numbered(number)) {
                        Ok(opened) => stack.push(&opened)?,
                        // Bands are numbered from 1.
                        Err(DataError::NoSuchArray { .. }) if number == 0 => {}
                        Err(DataError::NoSuchArray { .. }) if stack.count() > 0 => break,
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        stack.finish()
    }

    /// Opens arrays that belong together, any of which may be a selection.
    ///
    /// # Errors
    /// Those of [`Reading::open_all`] and [`Reading::open_selected`].
    pub fn open_all_selected(&self, sources: &[&Source]) -> Result<Vec<Opened>, DataError> {
        for source in sources {
            if selection(source)?.is_some() {
                return sources.iter().map(|source| self.open_selected(source)).collect();
            }
        }
        self.open_all(sources)
    }
}

/// The selection of a source; `None` if it is of one array.
fn selection(source: &Source) -> Result<Option<Selection>, DataError> {
    let with_key = |path: &Path, key: &Option<String>| Source { path: path.to_owned(), key: key.clone() };
    let is_pattern = !source.is_stdin()
        && !source.path.exists()
        && source.path.file_name().is_some_and(|name| name.to_string_lossy().contains(['*', '?']));
    if is_pattern {
        let files = matching(&source.path)?;
        return Ok(Some(Selection::Listed(files.iter().map(|path| with_key(path, &source.key)).collect())));
    }
    if source.path.is_dir()
        && let Some(files) = dataset::files_in(&source.path)?
    {
        return Ok(Some(Selection::Folder(files)));
    }
    let Some(key) = &source.key else { return Ok(None) };
    let numbered = |key: &str| Source { path: source.path.clone(), key: Some(key.to_owned()) };
    if key == "*" {
        return Ok(Some(Selection::All(source.path.clone())));
    }
    if let Some((first, last)) = key.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
        && first <= last
    {
        return Ok(Some(Selection::Listed(
            (first..=last).map(|number| numbered(&number.to_string())).collect(),
        )));
    }
    let keys: Vec<&str> = key.split(',').collect();
    let is_list = keys.len() > 1 && keys.iter().all(|key| !key.is_empty());
    Ok(is_list.then(|| Selection::Listed(keys.into_iter().map(numbered).collect())))
}

/// The files whose names match a pattern, in the order of their names.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, DataError> {
    let directory =
        pattern.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let name: Vec<char> = name.chars().collect();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|e| DataError::io(directory, e))? {
        let entry = entry.map_err(|e| DataError::io(directory, e))?;
        let found: Vec<char> = entry.file_name().to_string_lossy().chars().collect();
        // Hidden files are meant by no pattern of a shell.
        if matches(&name, &found)
            && (found.first() != Some(&'.') || name.first() == Some(&'.'))
            && holds_arrays(&entry.path())
        {
            files.push(pattern.with_file_name(entry.file_name()));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(DataError::NoFiles { pattern: pattern.to_owned() });
    }
    Ok(files)
}

/// Whether a name matches a pattern, in which `*` stands for any characters and `?` for
/// one.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        Some(('?', rest)) => name.split_first().is_some_and(|(_, name)| matches(rest, name)),
        Some((character, rest)) => {
            name.split_first().is_some_and(|(first, name)| first == character && matches(rest, name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names() {
        let is = |pattern: &str, name: &str| {
            matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        assert!(is("*.tif", "a.tif") && is("a?.tif", "a1.tif") && is("*", "") && is("a*b*c", "axxbc"));
        assert!(!is("*.tif", "a.tiff") && !is("a?.tif", "a.tif") && !is("b*", "ab"));
    }
}
