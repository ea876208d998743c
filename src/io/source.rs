use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;

use super::decoding::catch;
use super::input::{Input, STDIN_LABEL};
use super::listing::{Listed, Listing};
use super::metadata::{Opened, check_keys};
use super::raw_layout::RawLayout;
use super::text_rules::TextRules;
use super::{csv, envi, fits_file, npy, npz, pieces, raw, safetensors, safetensors_shards};
use crate::array::DataError;
use crate::array::error::{Shown, reason, shown};
use crate::array::identity::Identity;
use crate::array::mapping::Mapping;
use crate::array::spool;

/// A data argument, `PATH` or `PATH:KEY`: a file, or `-` for stdin, and, where
/// its format holds several arrays, which one (an array's name, a column's
/// name or 0-based number, a 1-based band).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The array within the file.
    pub key: Option<String>,
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A colon is legal in a file name; the key is split off only if the
        // whole isn't a file. A key may hold slashes and colons if what stands
        // before it is a file, else what stands before the last colon must
        // have a name.
        let is_file = Path::new(text).exists();
        let at_colons = || text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let split = at_colons()
            .find(|(path, key)| !key.is_empty() && holds_arrays(Path::new(path)))
            .or_else(|| text.rsplit_once(':').filter(|(_, key)| !key.contains(['/', '\\'])))
            .filter(|(path, key)| !is_file && !path.is_empty() && !key.is_empty());
        Ok(match split {
            Some((path, key)) => Self { path: path.into(), key: Some(key.to_owned()) },
            None => Self { path: text.into(), key: None },
        })
    }
}

/// Whether a path is that of a file, or of a folder that is as good as one.
pub(super) fn holds_arrays(path: &Path) -> bool {
    path.is_file() || (path.is_dir() && zarr_marker(path).is_some())
}

/// The file that says that a folder is a Zarr hierarchy.
fn zarr_marker(folder: &Path) -> Option<PathBuf> {
    let names = ["zarr.json", ".zarray", ".zgroup", ".zmetadata"];
    names.into_iter().map(|name| folder.join(name)).find(|part| part.is_file())
}

impl Source {
    /// Another name for stdin, `-`.
    pub const STDIN: &str = "/dev/stdin";

    /// Whether the data come from stdin.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new("-") || self.path == Path::new(Self::STDIN)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(&self.path))?;
        self.key.iter().try_for_each(|key| write!(f, ":{}", Shown::name(key)))
    }
}

/// The settings by which data are read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The most bytes of the decoded elements of each array that are held in memory;
    /// beyond that they go to a temporary file.
    pub memory_bytes: u64,
    /// The layout of files of plain numbers.
    pub raw: Option<RawLayout>,
    /// Rules for text files.
    pub text: TextRules,
    /// Whether the pixels of an image of which its alpha band is 0 are excluded.
    pub alpha: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { memory_bytes: u64::MAX, raw: None, text: TextRules::default(), alpha: true }
    }
}

impl Reading {
    /// Opens one array.
    ///
    /// # Errors
    /// Any fault of the file; see [`DataError`].
    pub fn open(&self, source: &Source) -> Result<Opened, DataError> {
        let opened = self.open_all(&[source])?;
        opened.into_iter().next().ok_or_else(|| DataError::Empty { path: source.path.clone() })
    }

    /// The reading of a piece, which is in memory beside the array that it is put in.
    pub(super) fn piece(&self) -> Self {
        Self { memory_bytes: self.memory_bytes / 4, ..self.clone() }
    }

    /// The columns of a Parquet file: the name and the type of each.
    ///
    /// # Errors
    /// Any fault of the file.
    pub(super) fn parquet_schema(&self, source: &Source) -> Result<Vec<(String, String)>, DataError> {
        let file = OpenFile::new(source, self)?;
        let input = file.input(self);
        #[cfg(feature = "parquet")]
        let schema = || match file.format {
            Format::Parquet => super::parquet::schema(&input),
            _ => Err(input.invalid(Format::Parquet.name(), "it does not begin with PAR1")),
        };
        #[cfg(not(feature = "parquet"))]
        let schema = || Err(DataError::not_built(input.path, "Parquet", "parquet"));
        file.unchanged(
            catch(schema).unwrap_or_else(|panic| Err(input.invalid(Format::Parquet.name(), &reason(&panic)))),
        )
    }

    /// What a file says of its arrays, whose elements are not read.
    ///
    /// # Errors
    /// Any fault of the file.
    pub fn list(&self, source: &Source) -> Result<Listing, DataError> {
        let file = OpenFile::new(source, self)?;
        let (input, format) = (file.input(self), file.format);
        let bytes = file.file.metadata().map_err(|e| DataError::io(&file.path, e))?.len();
        let listed = catch(|| format.list(&input))
            .unwrap_or_else(|panic| Err(input.invalid(format.name(), &reason(&panic))));
        Ok(Listing { format: format.name(), bytes, arrays: file.unchanged(listed)? })
    }

    /// GDAL's notes on an image, if the file is one that has some.
    ///
    /// # Errors
    /// Any fault of the file.
    #[cfg(feature = "tiff")]
    pub(super) fn gdal_notes(&self, source: &Source) -> Result<Option<String>, DataError> {
        let file = OpenFile::new(source, self)?;
        match file.format {
            Format::Tiff => super::tiff::gdal_notes(&file.input(self)),
            _ => Ok(None),
        }
    }

    /// Opens X and T.
    ///
    /// # Errors
    /// Any fault of either file, or keys that contradict each other; see
    /// [`DataError`].
    pub fn open_pair(&self, x: &Source, t: &Source) -> Result<(Opened, Opened), DataError> {
        if x.is_stdin() && t.is_stdin() {
            return Err(DataError::StdinTwice);
        }
        let opened = self.open_all(&[x, t])?;
        check_keys(&opened)?;
        match <[Opened; 2]>::try_from(opened) {
            Ok([x, t]) => Ok((x, t)),
            Err(_) => Err(DataError::Empty { path: x.path.clone() }),
        }
    }

    /// Opens arrays that belong together, such as X, T, a mask and weights, and
    /// gives them in that order. Arrays of one file are decoded in one go where its
    /// format can, and files that are decoded by one thread side by side. No more than one may come from stdin.
    ///
    /// # Errors
    /// Any fault of a file; see [`DataError`].
    pub fn open_all(&self, sources: &[&Source]) -> Result<Vec<Opened>, DataError> {
        let mut jobs: Vec<Job> = Vec::new();
        // Where the array of each source is: in which job, and in which place of it.
        let mut places = Vec::with_capacity(sources.len());
        for source in sources {
            let is_it = |job: &Job<'_>| job.file.name == source.path && job.file.format.is_in_one_go();
            let number = jobs.iter().position(is_it).unwrap_or(jobs.len());
            if number == jobs.len() {
                // Handles of one opening share the place where they read.
                jobs.push(Job { file: OpenFile::new(source, self)?, keys: Vec::new() });
            }
            places.push((number, jobs[number].keys.len()));
            jobs[number].keys.push(source.key.as_deref());
        }
        let decode = |(): &mut (), job: &Job<'_>| job.file.arrays(&job.keys, self);
        let mut opened: Vec<Vec<Opened>> = Vec::with_capacity(jobs.len());
        if jobs.iter().any(|job| job.file.format.takes_all_cores()) {
            for job in &jobs {
                opened.push(decode(&mut (), job)?);
            }
        } else {
            pieces::in_order(jobs.iter(), jobs.len(), decode, |arrays| {
                opened.push(arrays?);
                Ok::<(), DataError>(())
            })?;
        }
        Ok(places.into_iter().filter_map(|(job, place)| opened.get(job)?.get(place).cloned()).collect())
    }
}

/// Arrays of one file that are decoded in one go.
struct Job<'s> {
    file: OpenFile,
    keys: Vec<Option<&'s str>>,
}

/// Opens one array, whatever memory it takes.
///
/// # Errors
/// Any fault of the file; see [`DataError`].
pub fn open(source: &Source) -> Result<Opened, DataError> {
    Reading::default().open(source)
}

/// Opens X and T, whatever memory they take.
///
/// # Errors
/// Those of [`Reading::open_pair`].
pub fn open_pair(x: &Source, t: &Source) -> Result<(Opened, Opened), DataError> {
    Reading::default().open_pair(x, t)
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Npy,
    Npz,
    Safetensors,
    SafetensorsShards,
    Tiff,
    Png,
    Parquet,
    Arrow,
    Fits,
    Envi,
    Hdf5,
    Netcdf,
    Zarr,
    Raw,
    Text(csv::Named),
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Npy => ".npy",
            Self::Npz => ".npz",
            Self::Safetensors => ".safetensors",
            Self::SafetensorsShards => ".safetensors.index.json",
            Self::Tiff => "TIFF",
            Self::Png => "PNG",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::Fits => "FITS",
            Self::Envi => "ENVI",
            Self::Hdf5 => "HDF5",
            Self::Netcdf => "NetCDF",
            Self::Zarr => "Zarr",
            Self::Raw => "raw",
            Self::Text(_) => "text",
        }
    }

    /// Whether arrays of one file are decoded in one go.
    fn is_in_one_go(self) -> bool {
        matches!(self, Self::Text(_) | Self::Parquet | Self::Arrow | Self::Tiff)
    }

    /// Whether one file is decoded by all cores.
    fn takes_all_cores(self) -> bool {
        !matches!(
            self,
            Self::Npy
                | Self::Npz
                | Self::Safetensors
                | Self::SafetensorsShards
                | Self::Envi
                | Self::Raw
                | Self::Png
        )
    }

    /// Opens the arrays of these keys.
    fn open(self, input: &Input<'_>, keys: &[Option<&str>]) -> Result<Vec<Opened>, DataError> {
        match self {
            Self::Text(named) => csv::read(input, named, keys),
            #[cfg(feature = "tiff")]
            Self::Tiff => super::tiff::open(input, keys),
            #[cfg(feature = "parquet")]
            Self::Parquet => super::parquet::open(input, keys),
            #[cfg(feature = "parquet")]
            Self::Arrow => super::arrow::open(input, keys),
            _ => keys.iter().map(|&key| self.open_one(&Input { key, ..*input })).collect(),
        }
    }

    /// What the file says of each array.
    fn list(self, input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
        match self {
            Self::Npz => npz::list(input),
            Self::Safetensors => safetensors::list(input),
            Self::SafetensorsShards => safetensors_shards::list(input),
            Self::Fits => fits_file::list(input),
            Self::Envi => envi::list(input),
            Self::Text(named) => csv::list(input, named),
            #[cfg(feature = "tiff")]
            Self::Tiff => super::tiff::list(input),
            #[cfg(feature = "png")]
            Self::Png => super::png::list(input),
            #[cfg(feature = "parquet")]
            Self::Parquet => super::parquet::list(input),
            #[cfg(feature = "parquet")]
            Self::Arrow => super::arrow::list(input),
            #[cfg(feature = "hdf5")]
            Self::Hdf5 => super::hdf5::list(input),
            #[cfg(feature = "hdf5")]
            Self::Netcdf => super::netcdf::list(input),
            #[cfg(feature = "zarr")]
            Self::Zarr => super::zarr::list(input),
            _ => self.open_one(input).map(|opened| vec![Listed::mapped(None, &opened)]),
        }
    }

    fn open_one(self, input: &Input<'_>) -> Result<Opened, DataError> {
        match self {
            Self::Npy => npy::read(input).map(Opened::from),
            Self::Npz => npz::open(input).map(Opened::from),
            Self::Safetensors => safetensors::open(input),
            Self::SafetensorsShards => safetensors_shards::open(input),
            Self::Fits => fits_file::open(input),
            Self::Envi => envi::open(input),
            Self::Raw => raw::open(input).map(Opened::from),
            #[cfg(feature = "png")]
            Self::Png => super::png::open(input),
            #[cfg(feature = "hdf5")]
            Self::Hdf5 => super::hdf5::open(input),
            #[cfg(feature = "hdf5")]
            Self::Netcdf => super::netcdf::open(input),
            #[cfg(not(feature = "hdf5"))]
            Self::Hdf5 | Self::Netcdf => Err(DataError::not_built(input.path, "HDF5 and NetCDF", "hdf5")),
            #[cfg(feature = "zarr")]
            Self::Zarr => super::zarr::open(input),
            #[cfg(not(feature = "zarr"))]
            Self::Zarr => Err(DataError::not_built(input.path, "Zarr", "zarr")),
            #[cfg(not(feature = "tiff"))]
            Self::Tiff => Err(DataError::not_built(input.path, "TIFF", "tiff")),
            #[cfg(not(feature = "png"))]
            Self::Png => Err(DataError::not_built(input.path, "PNG", "png")),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet | Self::Arrow => {
                Err(DataError::not_built(input.path, "Parquet and Arrow", "parquet"))
            }
            // Those that are opened in one go.
            _ => {
                let opened = self.open(input, &[input.key])?;
                opened.into_iter().next().ok_or_else(|| DataError::Empty { path: input.path.to_owned() })
            }
        }
    }
}

/// The first bytes by which a file's format is known, whatever its name.
const SIGNATURES: [(&[u8], Format); 15] = [
    (npy::MAGIC, Format::Npy),
    (b"PK\x03\x04", Format::Npz),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    (b"II+\0", Format::Tiff),
    (b"MM\0+", Format::Tiff),
    (b"\x89PNG\r\n", Format::Png),
    (b"PAR1", Format::Parquet),
    (b"ARROW1", Format::Arrow),
    (b"SIMPLE  =", Format::Fits),
    (b"FEA1", Format::Arrow),
    (b"\x89HDF\r\n\x1a\n", Format::Hdf5),
    (b"CDF\x01", Format::Netcdf),
    (b"CDF\x02", Format::Netcdf),
    (b"CDF\x05", Format::Netcdf),
];

/// Bytes that tell text from plain numbers.
const LOOK_BYTES: usize = 4096;

/// The extensions that say a file's format if its first bytes don't.
fn by_extension(path: &Path) -> Option<Format> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    Some(match extension.as_str() {
        "npy" => Format::Npy,
        "npz" => Format::Npz,
        "safetensors" => Format::Safetensors,
        "tif" | "tiff" => Format::Tiff,
        "png" => Format::Png,
        "parquet" => Format::Parquet,
        "arrow" | "arrows" | "feather" | "ipc" => Format::Arrow,
        "fits" | "fit" | "fts" | "fz" => Format::Fits,
        "hdr" => Format::Envi,
        // What a file with a signature that is not at its start is.
        "h5" | "hdf5" | "he5" | "hdf" | "nc" | "nc4" | "mat" => Format::Hdf5,
        "zip" | "zarr" => Format::Zarr,
        "raw" | "bin" => Format::Raw,
        "json" if safetensors_shards::is_index_name(path) => Format::SafetensorsShards,
        _ => return csv::named(path).map(Format::Text),
    })
}

/// An open file, or stdin brought to one.
struct OpenFile {
    /// The name that it was opened by.
    name: PathBuf,
    /// The name that messages have for it.
    path: PathBuf,
    file: File,
    format: Format,
    /// The file as it was when it was opened.
    identity: Identity,
}

/// A file without a name that holds all of stdin, which can be read but once.
fn stdin() -> Result<File, DataError> {
    let path = Path::new(STDIN_LABEL);
    let failed = |source| spool::failed(path, source);
    let mut file = tempfile::tempfile().map_err(failed)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

impl OpenFile {
    fn new(source: &Source, reading: &Reading) -> Result<Self, DataError> {
        let name = source.path.clone();
        if source.is_stdin() {
            let (path, file) = (PathBuf::from(STDIN_LABEL), stdin()?);
            let identity = Identity::unnamed(&file).map_err(|e| DataError::io(&path, e))?;
            let format = format(&path, &file, reading)?;
            return Ok(Self { name, path, file, format, identity });
        }
        let path = source.path.clone();
        let io = |e| DataError::io(&path, e);
        if path.is_dir() {
            // What says that it is one stands for the whole.
            let marker = zarr_marker(&path).ok_or_else(|| DataError::Directory { path: path.clone() })?;
            let file = File::open(&marker).map_err(|e| DataError::io(&marker, e))?;
            let identity = Identity::unnamed(&file).map_err(|e| DataError::io(&marker, e))?;
            return Ok(Self { name, path, file, format: Format::Zarr, identity });
        }
        // Data are mapped, or read more than once; a pipe can't be.
        #[cfg(unix)]
        if path.metadata().map_err(io)?.file_type().is_fifo() {
            return Err(DataError::Pipe { path });
        }
        let file = File::open(&path).map_err(io)?;
        let identity = Identity::of(&path, &file).map_err(io)?;
        let format = format(&path, &file, reading)?;
        Ok(Self { name, path, file, format, identity })
    }

    /// The file that a reader is given, without a key.
    fn input<'a>(&'a self, reading: &'a Reading) -> Input<'a> {
        Input {
            path: &self.path,
            file: &self.file,
            key: None,
            memory_bytes: reading.memory_bytes,
            raw: reading.raw.as_ref(),
            text: reading.text,
            alpha: reading.alpha,
        }
    }

    /// The arrays of these keys.
    fn arrays(&self, keys: &[Option<&str>], reading: &Reading) -> Result<Vec<Opened>, DataError> {
        let input = self.input(reading);
        let format = self.format;
        let read = match format {
            Format::Npy | Format::Raw | Format::Text(_) => format.open(&input, keys),
            // Other people's decoders.
            _ => catch(|| format.open(&input, keys))
                .unwrap_or_else(|panic| Err(input.invalid(format.name(), &reason(&panic)))),
        };
        self.unchanged(read)
    }

    /// The result of a reader, unless the file was changed meanwhile.
    fn unchanged<T>(&self, read: Result<T, DataError>) -> Result<T, DataError> {
        // Of a file that was, an error of its format says nothing.
        self.identity.check(&self.path, &self.file).and(read)
    }
}

/// Decides the format of a file: by the first bytes where it has a signature, else
/// by the extension. Plain numbers, whose layout was given, may begin with
/// any bytes.
fn format(path: &Path, mut file: &File, reading: &Reading) -> Result<Format, DataError> {
    let io = |e| DataError::io(path, e);
    let longest = SIGNATURES.iter().map(|(signature, _)| signature.len()).max().unwrap_or(0);
    let mut start = Vec::new();
    file.take(longest.max(LOOK_BYTES) as u64).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    if start.is_empty() {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let named = by_extension(path).map(|format| of_plain_numbers(format, path, &start, reading));
    let is_stdin = path == Path::new(STDIN_LABEL);
    // Spreadsheets and documents are zip archives too.
    let tells = |format: Format| is_stdin || !matches!(format, Format::Npz);
    let signed = SIGNATURES.iter().find(|(signature, format)| start.starts_with(signature) && tells(*format));
    if named.is_none() && start.starts_with(&[0xff; 4]) && is_arrow_stream(path, file)? {
        return Ok(Format::Arrow);
    }
    let may_be_envi = signed.is_none() && reading.raw.is_none() && !is_stdin && has_plain_name(named, path);
    if may_be_envi && envi::has_header(path)? {
        return Ok(Format::Envi);
    }
    match (signed, named) {
        (_, Some(Format::Raw)) if reading.raw.is_some() => Ok(Format::Raw),
        (Some(&(_, format)), _) | (None, Some(format)) => Ok(format),
        (None, None) if is_stdin => Ok(match reading.raw {
            Some(_) => Format::Raw,
            None => Format::Text(csv::Named::Commas),
        }),
        (None, None) => Err(match csv::compression(&start) {
            Some(how) => DataError::Unsupported {
                path: path.to_owned(),
                found: format!("it is compressed by {how}, and its name is not of a text file"),
                remedy: "decompress it first",
            },
            None => DataError::UnknownFormat { path: path.to_owned() },
        }),
    }
}

/// Whether a name leaves open what a file has.
fn has_plain_name(named: Option<Format>, path: &Path) -> bool {
    let is_dat = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("dat"));
    is_dat || matches!(named, None | Some(Format::Raw))
}

/// The format of a file of that extension. `.dat` files have plain numbers, of the
/// layout that was given, or text.
fn of_plain_numbers(format: Format, path: &Path, start: &[u8], reading: &Reading) -> Format {
    let is_either = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("dat"));
    if is_either && (reading.raw.is_some() || !csv::may_be_text(start)) { Format::Raw } else { format }
}

/// Whether it is a stream of Arrow's messages, which begins with no more of
/// a signature than four bytes that numbers may begin with too.
fn is_arrow_stream(path: &Path, file: &File) -> Result<bool, DataError> {
    #[cfg(feature = "parquet")]
    let begins_stream = super::arrow::begins_stream;
    #[cfg(not(feature = "parquet"))]
    let begins_stream = |_: &[u8]| false;
    let map = Mapping::named(path, file).map_err(|e| DataError::io(path, e))?;
    Ok(begins_stream(map.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (String, Option<String>) {
        let Ok(source) = text.parse::<Source>();
        (source.path.display().to_string(), source.key)
    }

    #[test]
    fn splits_a_key_off_the_path() {
        assert_eq!(parse("a/b.csv:width"), ("a/b.csv".into(), Some("width".into())));
        assert_eq!(parse("b.csv:0"), ("b.csv".into(), Some("0".into())));
        assert_eq!(parse("b.csv"), ("b.csv".into(), None));
        assert_eq!(parse("b.csv:"), ("b.csv:".into(), None));
        assert_eq!(parse("C:\\data\\x.npy"), ("C:\\data\\x.npy".into(), None));
    }
}
