//! Selections of several arrays, which are stacked along a new first axis: bands or columns
//! by a list, a range or `*`, files by a pattern.

use std::path::{Path, PathBuf};

use super::metadata::Opened;
use super::source::{Reading, Source};
use crate::array::spool::Spool;
use crate::array::{Array, Bitmap, DataError, Layout, Order, Shape};
use crate::with_element;

/// Elements copied at a time.
const RUN_ELEMENTS: usize = 1 << 18;

/// The arrays that a source selects.
enum Selection {
    /// Those of these sources.
    Listed(Vec<Source>),
    /// All bands, from 1, or columns, from 0.
    All(PathBuf),
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
        if source.path.is_file() {
            // A column may be called so.
            match self.open(source) {
                Err(DataError::NoSuchArray { .. }) => {}
                opened => return opened,
            }
        }
        let mut stack = Stack::new(source, self);
        match selection {
            Selection::Listed(sources) => {
                for source in sources {
                    stack.push(&self.piece().open(&source)?)?;
                }
            }
            Selection::All(path) => {
                let numbered = |number: usize| Source { path: path.clone(), key: Some(number.to_string()) };
                for number in 0.. {
                    match self.piece().open(&numbered(number)) {
                        Ok(opened) => stack.push(&opened)?,
                        // Bands are numbered from 1.
                        Err(DataError::NoSuchArray { .. }) if number == 0 => {}
                        Err(DataError::NoSuchArray { .. }) if stack.count > 0 => break,
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

    /// The reading of a piece, which is in memory beside the stack.
    fn piece(&self) -> Self {
        Self { memory_bytes: self.memory_bytes / 4, ..self.clone() }
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
            && entry.path().is_file()
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

/// Arrays of one shape and type, one after the other.
struct Stack<'a> {
    source: &'a Source,
    memory_bytes: u64,
    /// The first one, without its elements' bytes once they are copied.
    first: Option<Opened>,
    /// The elements so far.
    copied: Option<Box<dyn Copied>>,
    count: usize,
    valid: Bitmap,
}

/// Elements on their way to a stack.
trait Copied {
    fn append(&mut self, array: &Array) -> Result<(), DataError>;

    fn finish(self: Box<Self>, shape: Shape) -> Result<Array, DataError>;
}

impl<E: crate::array::Element> Copied for Spool<E> {
    fn append(&mut self, array: &Array) -> Result<(), DataError> {
        let mut run = vec![E::zeroed(); RUN_ELEMENTS.min(array.len())];
        for start in (0..array.len()).step_by(RUN_ELEMENTS) {
            let run = &mut run[..RUN_ELEMENTS.min(array.len() - start)];
            array.copy(Order::C, start, run);
            Spool::append(self, run)?;
            array.evict(Order::C, start..start + run.len());
        }
        array.check_intact()
    }

    fn finish(self: Box<Self>, shape: Shape) -> Result<Array, DataError> {
        self.finish_as(Layout::contiguous(shape, E::TYPE, Order::C))
    }
}

impl<'a> Stack<'a> {
    fn new(source: &'a Source, reading: &Reading) -> Self {
        Self {
            source,
            memory_bytes: reading.memory_bytes,
            first: None,
            copied: None,
            count: 0,
            valid: Bitmap::default(),
        }
    }

    fn push(&mut self, opened: &Opened) -> Result<(), DataError> {
        match &mut self.first {
            Some(first) => first.with_bands_of(opened, self.count),
            None => self.first = Some(opened.clone()),
        }
        let Some(first) = &self.first else { return Ok(()) };
        if first.shape() != opened.shape() || first.element() != opened.element() {
            return Err(DataError::StackedShapes {
                label: opened.label().to_owned(),
                shape: opened.shape().clone(),
                element: opened.element(),
                first: first.label().to_owned(),
                first_shape: first.shape().clone(),
                first_element: first.element(),
            });
        }
        let before = self.count * opened.len();
        if let Some(own) = opened.metadata().missing_number()
            && Some(own) != first.metadata().missing_number()
        {
            let mut values = vec![0f64; opened.len()];
            opened.read(Order::C, 0, &mut values);
            let is_missing = |value: f64| value == own || (value.is_nan() && own.is_nan());
            let missing = values.iter().enumerate().filter(|(_, value)| is_missing(**value));
            missing.for_each(|(k, _)| self.valid.exclude(before + k));
        }
        if opened.metadata().has_nulls() {
            let nulls = (0..opened.len()).filter(|&k| opened.metadata().is_null(k));
            nulls.for_each(|k| self.valid.exclude(before + k));
        }
        let path = &self.source.path;
        let copied = self.copied.get_or_insert_with(|| {
            with_element!(opened.element(), E => Box::new(Spool::<E>::new(path, self.memory_bytes)) as Box<dyn Copied>)
        });
        copied.append(opened)?;
        self.count += 1;
        Ok(())
    }

    fn finish(self) -> Result<Opened, DataError> {
        let (Some(first), Some(copied)) = (self.first, self.copied) else {
            return Err(DataError::NoFiles { pattern: self.source.path.clone() });
        };
        let shape = Shape([&[self.count as u64][..], &first.shape().0].concat());
        let array = copied.finish(shape)?;
        let array = match &self.source.key {
            Some(key) => array.keyed(key),
            None => array,
        };
        Ok(first.with_array(array).with_nulls(self.valid))
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
