use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{ElementType, Hint, Hinted, Shape};

/// An error of data that could not be read, written or fitted. The text names
/// the file, says what is wrong with it and, where no setting takes part in
/// that, what to do; its [`hints`](Hinted::hints) have the rest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum DataError {
    #[error("{}: {source}", shown(path))]
    Io { path: PathBuf, source: io::Error },

    #[error("{}: is a directory; name a file", shown(path))]
    Directory { path: PathBuf },

    #[error("{}: is a pipe; save the data to a file first, or give - to read from stdin", shown(path))]
    Pipe { path: PathBuf },

    #[error("{}: the file is empty", shown(path))]
    Empty { path: PathBuf },

    #[error("{}: has no elements (its shape is {shape}); there is nothing to fit", shown(path))]
    NoElements { path: PathBuf, shape: Shape },

    #[error("{}: unknown kind of file; linfit reads {READABLE}", shown(path))]
    UnknownFormat { path: PathBuf },

    #[error("{}: not a valid {kind} file: {reason}", shown(path))]
    Invalid { path: PathBuf, kind: &'static str, reason: String },

    #[error("{}: {found}, which linfit does not read; {remedy}", shown(path))]
    Unsupported { path: PathBuf, found: String, remedy: &'static str },

    #[error(
        "{}: {found}, which linfit does not read; save the mask as a file that linfit reads, and the image \
         without it",
        shown(path)
    )]
    UnsupportedMask { path: PathBuf, found: String },

    #[error("{}: this linfit was built without {kind}; build it with its feature {feature}", shown(path))]
    NotBuilt { path: PathBuf, kind: &'static str, feature: &'static str },

    #[error("X and T cannot both come from stdin; save one to a file")]
    StdinTwice,

    #[error("{}: cannot be decoded to a temporary file in {}: {source}", shown(path), shown(directory))]
    Spool { path: PathBuf, directory: PathBuf, source: io::Error },

    #[error("{}: the system has too little memory for its decoded elements: {source}", shown(path))]
    SystemMemory { path: PathBuf, source: io::Error },

    #[error("{}: raw numbers of an unknown type and shape", shown(path))]
    RawUnknown { path: PathBuf },

    #[error(
        "{}: the type, shape and offset of its raw numbers, as given, ask for {expected_bytes} bytes, \
         the file has {found_bytes}",
        shown(path)
    )]
    RawSize { path: PathBuf, expected_bytes: u64, found_bytes: u64 },

    #[error(
        "{}: elements of type {found} are not numbers that can be fitted; save the array as one of {}",
        shown(path),
        all_types()
    )]
    ElementType { path: PathBuf, found: String },

    #[error("{}:{column}: {found}, which is no number; {remedy}", shown(path))]
    ColumnType { path: PathBuf, column: String, found: String, remedy: String },

    #[error(
        "{}: truncated: the header promises {expected_bytes} bytes of data, the file has {found_bytes}; \
             copy or write it again",
        shown(path)
    )]
    Truncated { path: PathBuf, expected_bytes: u64, found_bytes: u64 },

    #[error("{}: the file shrank while it was read; wait until it is written, then run again", shown(path))]
    Shrunk { path: PathBuf },

    #[error(
        "{}: the file was written to while it was read; wait until it is written, then run again",
        shown(path)
    )]
    Modified { path: PathBuf },

    #[error("{}: another file took its place while it was read; run again to read that one", shown(path))]
    Replaced { path: PathBuf },

    #[error("{label}: is damaged: its checksum is not the one in the file; copy or write the file again")]
    Damaged { label: String },

    #[error("{label}: takes {bytes} bytes in memory, more than its bound allows, and text is not streamed")]
    NotStreamed { label: String, bytes: u64 },

    #[error("{}: shape {shape} is larger than any memory; is the header damaged?", shown(path))]
    AbsurdShape { path: PathBuf, shape: String },

    #[error(
        "{}: claims a {what} of {bytes} bytes, more than the bound of memory allows or the system gives",
        shown(path)
    )]
    Claim { path: PathBuf, what: &'static str, bytes: u64 },

    #[error("{}: {what}, more than the bound of memory allows", shown(path))]
    BeyondMemory { path: PathBuf, what: String },

    #[error("{}:{line}: {reason}", shown(path))]
    Csv { path: PathBuf, line: u64, reason: String },

    #[error("{}:{line}: {found}: the fields are separated by {by}", shown(path))]
    SeparatedOtherwise { path: PathBuf, line: u64, found: String, by: &'static str },

    #[error("{}: fields and fractions cannot both be set off by commas", shown(path))]
    DelimiterIsDecimal { path: PathBuf },

    #[error(
        "{}:{line}: {text:?} in column {column} is not a number; has it a decimal {}?",
        shown(path), if *is_comma { "comma" } else { "point" }
    )]
    OtherDecimal { path: PathBuf, line: u64, text: String, column: usize, is_comma: bool },

    #[error("{}:{line}: {text} in column {column}, where the first row has true or false", shown(path))]
    NotBoolean { path: PathBuf, line: u64, text: String, column: usize },

    #[error("{}: holds no {what}s", shown(path))]
    NoArrays { path: PathBuf, what: &'static str },

    #[error(
        "{}: no {what} {key:?}{}; its {what}s are: {available}",
        shown(path), nearest.as_ref().map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
    )]
    NoSuchArray { path: PathBuf, what: &'static str, key: String, nearest: Option<String>, available: String },

    #[error(
        "{}: no column {key:?}; its columns are: {available}; the first row has it, but is read as data",
        shown(path)
    )]
    NameInData { path: PathBuf, key: String, available: String },

    #[error("{}: several {what}s are called {key:?}; give the number of one of them: {numbers}", shown(path))]
    SameNames { path: PathBuf, what: &'static str, key: String, numbers: String },

    #[error(
        "{}: the key {name:?} is the name of column number {number}, and {other:?} is no name but the number of a \
             column; give names of both, from: {available}; or numbers of both, where the first row of a text is \
             data",
        shown(path)
    )]
    NameAndNumber { path: PathBuf, name: String, number: usize, other: String, available: String },

    #[error(
        "{}: the keys {:?} and {:?} both mean column number {number}; give keys of two columns, or the same key \
             twice if one is meant",
        shown(path), keys[0], keys[1]
    )]
    SameColumn { path: PathBuf, keys: [String; 2], number: usize },

    #[error("{}: has {count} {what}s; name one as {}:{}, from: {available}",
            shown(path), shown(path), what.to_uppercase())]
    WhichArray { path: PathBuf, what: &'static str, count: usize, available: String },

    #[error("{}: holds a single array; remove \":{key}\"", shown(path))]
    KeyNotUsed { path: PathBuf, key: String },

    #[error(
        "X and T differ in shape: {x} is {x_shape}, {t} is {t_shape}; \
             give two arrays of the same shape"
    )]
    ShapeMismatch { x: String, x_shape: Shape, t: String, t_shape: Shape },

    #[error("{label}: {count} of {n} elements are NaN or infinite, the first at {position}")]
    NotFinite { label: String, count: u64, n: u64, position: String },

    #[error("{label}: its {attribute} is {text:?}, which is no number, or none that f64 holds")]
    UnclearNodata { label: String, attribute: String, text: String },

    #[error("no pair of elements of {label} and its target is valid: {excluded}")]
    NoneValid { label: String, excluded: super::Excluded },

    #[error("{}: no file has such a name; check the pattern, and quote it for the shell", shown(pattern))]
    NoFiles { pattern: PathBuf },

    #[error(
        "{label}: {element} of shape {shape}, where {first} is {first_element} of shape {first_shape}; select arrays \
         of one shape and type"
    )]
    StackedShapes {
        label: String,
        shape: Shape,
        element: ElementType,
        first: String,
        first_shape: Shape,
        first_element: ElementType,
    },

    #[error(
        "{}: its column number {place} is {found}, where {} has {wanted}; files of one folder have the same columns",
        shown(path),
        shown(first)
    )]
    DatasetSchema { path: PathBuf, place: usize, found: String, first: PathBuf, wanted: String },

    #[error("{}: {reason}; save them as {formats}", shown(path))]
    FitsOutput { path: PathBuf, reason: &'static str, formats: &'static str },

    #[error("{}: {reason}; give a file that a fit of many groups was saved to", shown(path))]
    NoFits { path: PathBuf, reason: &'static str },

    #[error("{label}: {reason}; give a whole number or a text for each element")]
    Labels { label: String, reason: &'static str },

    #[error("{}: predictions cannot be added to it: {reason}", shown(path))]
    Append { path: PathBuf, reason: &'static str },

    #[error("{label}: cannot be compared by the condition {condition}: {reason}")]
    Condition { condition: String, label: String, reason: &'static str },

    #[error("{label}: {what} of shape {shape}, where X has {x_shape}; give one of X's shape")]
    OtherShape { label: String, what: &'static str, shape: Shape, x_shape: Shape },

    #[error(
        "{label}: {count} of {n} weights are negative, NaN or infinite, the first, {value:?}, at {position}; \
             give finite numbers of 0 or more"
    )]
    Weights { label: String, count: u64, n: u64, value: f64, position: String },

    #[error(
        "{label}: weights of {mean:e} in the mean; only how they compare matters: divide them all by \
             their mean"
    )]
    WeightsScale { label: String, mean: f64 },

    #[error(
        "{label}: the element at {position} is {value:e}, beyond the range of f32, in which a GPU computes"
    )]
    BeyondF32 { label: String, position: String, value: f64 },

    #[error("{x} or {t}: the squares of its deviations {how} in f32, in which a GPU computes")]
    SquaresBeyondF32 { x: String, t: String, how: &'static str },

    #[error("{}: an array of shape {shape} is larger than any memory; give a smaller shape", shown(path))]
    OutputTooLarge { path: PathBuf, shape: Shape },

    #[error("{}: cannot be written: {source}", shown(path))]
    Write { path: PathBuf, source: io::Error },

    #[error("{}: cannot be written: there is no directory {}; make it first", shown(path), shown(directory))]
    NoDirectory { path: PathBuf, directory: PathBuf },

    #[error("{}: {what} are written as {formats}; give a name that ends in .npy, for example", shown(path))]
    OutputFormat { path: PathBuf, what: &'static str, formats: &'static str },

    #[error("{}: {kind} cannot hold {element}, only {numbers}", shown(path))]
    OutputElement {
        path: PathBuf,
        kind: &'static str,
        element: ElementType,
        numbers: &'static str,
        held: &'static [ElementType],
    },

    #[error("{}: {kind} cannot hold an array of {element}, shape {shape}; write .npy instead", shown(path))]
    OutputShape { path: PathBuf, kind: &'static str, element: ElementType, shape: Shape },
}

/// The kinds of files that are read, by their extensions.
const READABLE: &str = ".npy .npz .csv .tsv .txt .parquet .arrow .arrows .feather .tif .png .safetensors .h5 .nc .zarr .fits .hdr (ENVI) and raw numbers (.raw .bin .dat)";

/// The most names that an error message lists.
const MAX_NAMES: usize = 20;

/// The arrays of a file as a message lists them.
pub(crate) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    listed_of(names.len(), names)
}

/// The same for an iterator that does not know how many they are.
pub(crate) fn listed_of(count: usize, names: impl Iterator<Item = String>) -> String {
    let more = count.saturating_sub(MAX_NAMES);
    let shown: Vec<String> = names.take(MAX_NAMES).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

impl DataError {
    /// An I/O error on `path`; a directory gets its own message.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::IsADirectory {
            Self::Directory { path: path.to_owned() }
        } else {
            Self::Io { path: path.to_owned(), source }
        }
    }

    /// A format that was left out of this program.
    #[allow(dead_code, reason = "not if all formats are built in")]
    pub(crate) fn not_built(path: &Path, kind: &'static str, feature: &'static str) -> Self {
        Self::NotBuilt { path: path.to_owned(), kind, feature }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

impl Hinted for DataError {
    fn hints(&self) -> Vec<Hint> {
        const WRITE_AGAIN: Hint = Hint::Do("write the file again if it is damaged");
        match self {
            Self::Spool { .. } => {
                vec![
                    Hint::Do("make room there"),
                    Hint::Do("set TMPDIR to another directory"),
                    Hint::RaiseMemory,
                ]
            }
            Self::SystemMemory { .. } => {
                vec![Hint::Do("end other programs"), Hint::Do("raise a limit on this one (ulimit -v)")]
            }
            Self::RawUnknown { .. } | Self::RawSize { .. } => vec![Hint::RawLayout],
            Self::NotStreamed { .. } => vec![Hint::Do("save it as .npy"), Hint::RaiseMemory],
            Self::Claim { .. } | Self::BeyondMemory { .. } => vec![Hint::RaiseMemory, WRITE_AGAIN],
            Self::NotBoolean { .. } | Self::NameInData { .. } | Self::NameAndNumber { .. } => {
                vec![Hint::Header]
            }
            Self::SeparatedOtherwise { .. } | Self::DelimiterIsDecimal { .. } => vec![Hint::Delimiter],
            Self::OtherDecimal { .. } => vec![Hint::Decimal],
            Self::NotFinite { .. } => vec![Hint::Do("remove or replace them"), Hint::ExcludeNotFinite],
            Self::UnclearNodata { .. } => vec![Hint::NodataValue],
            Self::NoneValid { .. } => vec![Hint::CheckExclusions],
            Self::UnsupportedMask { .. } => vec![Hint::Exclude],
            Self::BeyondF32 { .. } => vec![Hint::F64Engine],
            Self::SquaresBeyondF32 { .. } => {
                vec![Hint::Do("scale the data to about 1"), Hint::F64Precision, Hint::F64Engine]
            }
            Self::OutputElement { held, .. } => vec![Hint::OutputTypes(held), Hint::Do("write .tif")],
            _ => Vec::new(),
        }
    }
}

/// The name of a file as a message shows it.
pub(crate) fn shown(path: &Path) -> Shown<'_> {
    Shown(path.to_string_lossy())
}

/// A name that someone else chose, for people to read: what could take hold of
/// a terminal is escaped, and of a long one the middle is left away.
pub(crate) struct Shown<'n>(std::borrow::Cow<'n, str>);

impl<'n> Shown<'n> {
    /// Characters shown at the start and at the end, which says more.
    const START: usize = 100;
    const END: usize = 200;

    /// The name of an array, a column or the like.
    pub(crate) fn name(name: &'n str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut put = |part: &str| part.chars().try_for_each(|c| put_harmless(f, c));
        let starts = |k| self.0.char_indices().nth(k).map_or(self.0.len(), |(start, _)| start);
        let first = starts(Self::START);
        let last = self.0.char_indices().rev().nth(Self::END - 1).map_or(0, |(start, _)| start);
        if last <= first {
            return put(&self.0);
        }
        put(&self.0[..first])?;
        put("…")?;
        put(&self.0[last..])
    }
}

/// Writes a character, or an escape for what a terminal would obey.
fn put_harmless(f: &mut impl fmt::Write, c: char) -> fmt::Result {
    if is_harmless(c) { f.write_char(c) } else { write!(f, "{}", c.escape_default()) }
}

/// Whether a character is neither a control character nor one that changes the
/// lines or the direction of what is around it.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of several lines without what a terminal would obey, each line of no
/// more than a bound.
pub(crate) fn harmless(text: &str) -> String {
    /// No message of ours is longer.
    const LINE_CHARS: usize = 2000;
    let mut out = String::with_capacity(text.len());
    for (k, line) in text.split('\n').enumerate() {
        if k > 0 {
            out.push('\n');
        }
        for c in line.chars().take(LINE_CHARS) {
            // Writing to a string does not fail.
            let _ = put_harmless(&mut out, c);
        }
        if line.chars().nth(LINE_CHARS).is_some() {
            out.push('…');
        }
    }
    out
}

/// As much of a text from a file as a message can bear: its start, without
/// line ends and other control characters.
pub(crate) fn excerpt(text: &str) -> String {
    shortened(text, 40)
}

/// The fault that a decoder reports, on one line.
pub(crate) fn reason(text: &str) -> String {
    shortened(text, 200)
}

fn shortened(text: &str, max_chars: usize) -> String {
    let mut start: String = text
        .chars()
        .take(max_chars)
        .map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect();
    if text.chars().nth(max_chars).is_some() {
        start.push('…');
    }
    start
}

fn all_types() -> String {
    ElementType::ALL.map(ElementType::name).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_what_a_terminal_obeys() {
        let shown = |name: &str| shown(Path::new(name)).to_string();
        assert_eq!(shown("a b/é😀.npy"), "a b/é😀.npy");
        assert_eq!(shown("a\nb\r\t\u{1b}[31m\u{7f}\u{9b}\0"), "a\\nb\\r\\t\\u{1b}[31m\\u{7f}\\u{9b}\\u{0}");
        assert_eq!(shown("a\u{202e}ypn.x\u{2028}"), "a\\u{202e}ypn.x\\u{2028}");
        let longest = "é".repeat(300);
        assert_eq!(shown(&longest), longest);
        let long = format!("{}{}{}", "a".repeat(100), "b".repeat(50), "c".repeat(200));
        assert_eq!(shown(&long), format!("{}…{}", "a".repeat(100), "c".repeat(200)));
        assert_eq!(harmless("a\n\u{1b}[1mb"), "a\n\\u{1b}[1mb");
        assert_eq!(harmless(&"é".repeat(2001)).chars().count(), 2001);
    }
}
