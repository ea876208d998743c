use clap::ValueEnum;

use super::BenchArguments;
use super::pass::Pass;
use super::stopwatch::timed;
use super::subject::Subject;
use crate::cli::error::CliError;
use crate::cli::hint::told;
use crate::cli::memory::half_of_free;
use crate::cli::place::Place;
use crate::cli::progress::Progress;
use crate::engine::{Cpu, EngineError, ReadProbe};
use crate::report::{BenchReport, BenchResult, ReadBandwidth, Timing};

/// Memory that the read bandwidth is measured on: more than any cache.
const PROBE_BYTES: usize = 512 << 20;

/// Measures everything; `None` if the user asked to stop.
pub(super) fn sweep(
    arguments: &BenchArguments,
    places: &[Place<'_>],
    sizes: &[usize],
) -> Result<Option<BenchReport>, CliError> {
    let stopwatch = arguments.stopwatch();
    let measurements = sizes.len() * places.len() * arguments.passes.len();
    let progress = Progress::new(arguments.verbosity.quiet, measurements as u64, "measurements");
    let probe = ReadProbe::new(PROBE_BYTES.min(usize::try_from(half_of_free() / 2).unwrap_or(PROBE_BYTES)));
    if probe.pass() != probe.expected() {
        return Err(CliError::Mismatch("reading memory: the sum is wrong; is the memory faulty?".to_owned()));
    }
    let (mut read_seconds, mut measured, mut failure) = (Vec::new(), Vec::new(), None);
    for &size in sizes {
        // Between the sizes, so that it sees the machine in the same state.
        let read = || timed(|| Ok::<_, CliError>(probe.pass()));
        let Some(seconds) = stopwatch.measure(read)? else { return Ok(None) };
        read_seconds.extend(seconds);
        let subject = Subject::new(size, arguments.dtype.0)?;
        for (k, &place) in places.iter().enumerate() {
            let mut engine = match place.open(&subject.data) {
                Ok(engine) => engine,
                Err(error @ (EngineError::Gpu(_) | EngineError::Data(_))) => {
                    arguments.verbosity.note(&format!("skipped at {size} elements: {}", told(&error)));
                    failure = Some(error);
                    progress.advance(arguments.passes.len() as u64);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            arguments
                .verbosity
                .detail(&format_args!("checking and timing {}: {size} elements", engine.info()));
            subject.check(engine.as_mut(), arguments.tol, arguments.verbosity)?;
            for pass in Pass::value_variants().iter().filter(|pass| arguments.passes.contains(pass)) {
                let Some(timing) = subject.time(*pass, engine.as_mut(), stopwatch)? else { return Ok(None) };
                measured.push((k, *pass, subject.result(place, *pass, engine.as_ref(), timing)));
                progress.advance(1);
            }
        }
    }
    progress.end();
    if let (true, Some(error)) = (measured.is_empty(), failure) {
        return Err(error.into());
    }
    let Some(timing) = Timing::of(read_seconds) else { return Ok(None) };
    let read = ReadBandwidth { bytes: probe.bytes(), timing };
    let read_gb_s = read.gb_s();
    // By engine and pass, then by size, which is stable already.
    measured.sort_by_key(|(place, pass, _)| (*place, *pass));
    let results = measured
        .into_iter()
        .map(|(_, _, result)| BenchResult { fraction_of_read: result.gb_s / read_gb_s, ..result });
    Ok(Some(BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        cpu: Cpu::describe(),
        read_gb_s,
        read,
        results: results.collect(),
    }))
}
