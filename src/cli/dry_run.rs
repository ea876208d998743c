//! The account of a fit that is not made.

use std::fs;
use std::time::Instant;

use super::Outcome;
use super::engine::EngineChosen;
use super::error::CliError;
use super::memory::half_of_free;
use super::pair::PairArguments;
use super::print;
use crate::array::{DataError, ElementType};
use crate::engine::ReadProbe;
use crate::fit::Method;
use crate::report::{DryRun, InputFile};

/// Memory that the speed of reading is measured on: more than most caches hold.
const PROBE_BYTES: usize = 256 << 20;

/// Files of so many bytes are decoded to find the shape of their arrays; larger
/// ones are looked at only if that costs nothing.
const DECODED_BYTES: u64 = 16 << 20;

/// Tells which files a fit would read, where it would run and the time of a pass.
pub(super) fn run(
    pair: &PairArguments,
    memory_bytes: u64,
    engine: &EngineChosen<'_>,
    passes: u64,
    method: Method,
    json: bool,
) -> Result<Outcome, CliError> {
    let mut files = Vec::new();
    for (name, source) in pair.resolved()? {
        let path = &source.path;
        let bytes = if source.is_stdin() {
            None
        } else {
            Some(fs::metadata(path).map_err(|e| DataError::io(path, e))?.len())
        };
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_mapped = matches!(extension.as_str(), "npy" | "raw" | "bin" | "dat" | "safetensors");
        let is_opened = bytes.is_some_and(|bytes| is_mapped || bytes <= DECODED_BYTES);
        let opened = is_opened.then(|| pair.open_one(&source, memory_bytes)).transpose()?;
        files.push(InputFile {
            argument: name,
            source: source.to_string(),
            bytes,
            shape: opened.as_ref().map(|array| array.shape().to_string()),
            dtype: opened.as_ref().map(|array| array.element().name()),
            elements: opened.as_ref().map(|array| array.len() as u64),
        });
    }
    let (place, is_cpu) = engine.described()?;
    let pass_bytes = pass_bytes(&files);
    let gb_s = is_cpu.then(read_gb_s);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let pass_s = pass_bytes.zip(gb_s).map(|(bytes, gb_s)| bytes as f64 / 1e9 / gb_s);
    let report = DryRun { files, engine: place, solver: method, passes, pass_bytes, read_gb_s: gb_s, pass_s };
    print(&report, json)?;
    Ok(Outcome::Done)
}

/// Bytes that a pass reads; none where the size of an array is not known. A mask
/// and the columns of conditions are read once.
fn pass_bytes(files: &[InputFile]) -> Option<u64> {
    let read = files.iter().filter(|file| !["--mask", "--where"].contains(&file.argument));
    let bytes = |file: &InputFile| {
        let element = ElementType::ALL.into_iter().find(|element| Some(element.name()) == file.dtype)?;
        Some(file.elements? * element.size() as u64)
    };
    read.map(bytes).sum()
}

/// The speed of reading memory with all threads: the best of a few passes.
fn read_gb_s() -> f64 {
    let bytes = PROBE_BYTES.min(usize::try_from(half_of_free() / 4).unwrap_or(PROBE_BYTES)).max(1 << 20);
    let probe = ReadProbe::new(bytes);
    let seconds = (0..3).map(|_| {
        let started = Instant::now();
        std::hint::black_box(probe.pass());
        started.elapsed().as_secs_f64()
    });
    let least = seconds.fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let gb_s = probe.bytes() as f64 / least / 1e9;
    gb_s
}
