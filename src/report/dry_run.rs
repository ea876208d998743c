use std::fmt;

use serde::Serialize;

use super::Method;
use super::numbers::{bytes, count, seconds};

/// A file that a fit reads.
#[derive(Debug, Clone, Serialize)]
pub struct InputFile {
    /// `X`, `T` or the option that names it.
    pub argument: &'static str,
    /// The file, and the key in it.
    pub source: String,
    /// Bytes on the disk; null for stdin.
    pub bytes: Option<u64>,
    /// The shape of its array; null until it is decoded.
    pub shape: Option<String>,
    /// The type of its elements; null until it is decoded.
    pub dtype: Option<&'static str>,
    /// Their number; null until it is decoded.
    pub elements: Option<u64>,
}

/// The account of a fit that is not made.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The files, X first.
    pub files: Vec<InputFile>,
    /// The engine that would compute.
    pub engine: String,
    /// The solver.
    pub solver: Method,
    /// The passes over the data, at most.
    pub passes: u64,
    /// Bytes that a pass reads; null where a file has to be decoded first.
    pub pass_bytes: Option<u64>,
    /// The speed of reading memory in 10⁹ bytes a second; null for a GPU.
    pub read_gb_s: Option<f64>,
    /// Seconds of a pass at that speed; null where it is not known.
    pub pass_s: Option<f64>,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            let size = file.bytes.map_or_else(|| "of a size not known".to_owned(), bytes);
            write!(f, "  {:<10} {}, {size}", file.argument.trim_start_matches("--"), file.source)?;
            match (&file.shape, file.dtype) {
                (Some(shape), Some(dtype)) => writeln!(f, ", {dtype} {shape}")?,
                _ => writeln!(f, ", to be decoded before its shape is known")?,
            }
        }
        writeln!(f, "  engine     {}", self.engine)?;
        let solver = format!("{} solver, at most {} passes", self.solver, count(self.passes));
        writeln!(f, "  work       {solver}")?;
        match (self.pass_bytes, self.pass_s, self.read_gb_s) {
            (Some(read), Some(pass_s), Some(gb_s)) => write!(
                f,
                "  pass       {}, about {} at the {gb_s:.1} GB/s at which memory is read here",
                bytes(read),
                seconds(pass_s)
            ),
            (Some(read), ..) => write!(f, "  pass       {}; `linfit bench` measures its time", bytes(read)),
            _ => write!(f, "  pass       not known until the files are decoded"),
        }
    }
}
