//! Drivers are tried in a process of its own before this one opens them, once
//! for each boot: what was found is kept in the user's cache directory. Where
//! some are broken and others are not, the program starts itself anew in an
//! environment in which only the others are loaded; Vulkan's loader reads it,
//! and it can't be changed safely once there are threads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::verbosity::Verbosity;
use super::{Outcome, cache, interrupt, memory, to_json};
use crate::array::DataError;
use crate::engine::gpu::{
    self, Adapter, AdapterChoice, Adapters, BrokenDriver, Found, GpuError, Listed, Trial, TrialError, Trials,
    Verdict,
};
use crate::io::output::OutputFile;

/// The time that drivers may take to list and open everything. Where nothing keeps
/// NVIDIA's driver loaded, it takes 1 to 3 seconds for each of up to 8 GPUs; a
/// good driver that is taken for a broken one is worse than a longer wait for a
/// broken one, once a boot.
const LIMIT: Duration = Duration::from_secs(20);

/// The variable that sets another limit, in seconds.
const LIMIT_VARIABLE: &str = "LINFIT_DRIVER_SECONDS";

/// The variable by which the program, when it starts itself anew, is told what
/// was found.
const TRIED_VARIABLE: &str = "LINFIT_DRIVERS_TRIED";

/// After this the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Goes up when older files no longer mean the same.
const FORMAT: u32 = 1;

/// For how many seconds it is believed that drivers do not answer: not for the
/// whole boot, since the machine may have had too much to do, and not for no
/// time, since every command would wait for them again.
const SLOW_SECONDS: u64 = 600;

/// As many environments as a user may work in by turns.
const MOST_ENTRIES: usize = 16;

/// The most bytes of the file; a longer one is another.
const MOST_BYTES: u64 = 1 << 20;

/// The command by which the program tries drivers.
pub(super) const COMMAND: &str = "try-drivers";

/// Opens every adapter and ends: started by linfit itself
#[derive(Debug, Args)]
pub(super) struct TryDriversArguments {
    /// The mark of its messages
    key: String,
}

pub(super) fn run(arguments: &TryDriversArguments) -> Result<Outcome, CliError> {
    gpu::answer(&arguments.key, limit()).map_err(CliError::Stdout)?;
    Ok(Outcome::Done)
}

/// The drivers of this machine, as far as they are known not to break the
/// program.
pub(super) struct Drivers {
    verdict: Verdict,
    /// The adapters, if the drivers were tried just now.
    listed: Option<Listed>,
}

impl Drivers {
    /// Finds out which drivers may be opened, to open them. To be called before
    /// anything is read or written, since the program may start anew.
    pub(super) fn try_all(verbosity: Verbosity) -> Result<Self, CliError> {
        let drivers = Self::find(verbosity, |_| true)?;
        drivers.prepare(verbosity);
        Ok(drivers)
    }

    /// Like [`try_all`](Self::try_all), to open them only if there is a real
    /// GPU.
    pub(super) fn try_for_real_gpu(verbosity: Verbosity) -> Result<Self, CliError> {
        let drivers = Self::find(verbosity, |_| true)?;
        if drivers.may_have_real_gpu() {
            drivers.prepare(verbosity);
        }
        Ok(drivers)
    }

    /// Like [`try_all`](Self::try_all), but tries those again that were broken.
    pub(super) fn try_again(verbosity: Verbosity) -> Result<Self, CliError> {
        let drivers = Self::find(verbosity, |known| known.broken.is_empty())?;
        drivers.prepare(verbosity);
        Ok(drivers)
    }

    fn find(verbosity: Verbosity, is_enough: fn(&Verdict) -> bool) -> Result<Self, CliError> {
        let handed_over = std::env::var(TRIED_VARIABLE).ok();
        if let Some(verdict) = handed_over.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(Self { verdict, listed: None });
        }
        let key = key();
        let known = entries().into_iter().find(|entry| entry.key == key && !entry.is_stale(now()));
        let known = known.map(|entry| entry.verdict);
        if let Some(verdict) = known.filter(is_enough) {
            return Ok(Self { verdict, listed: None });
        }
        let Some(Trials { verdict, listed, .. }) = examine(verbosity)? else {
            return Ok(Self { verdict: Verdict::default(), listed: None });
        };
        // A driver may make the files of its devices when it is loaded.
        let key = self::key();
        keep(Entry::new(key, verdict.clone()), verbosity);
        Ok(Self { verdict, listed })
    }

    /// Sees to it that those may be opened that are not broken.
    fn prepare(&self, verbosity: Verbosity) {
        if self.verdict.rest.as_ref().is_some_and(|rest| !rest.has_its_environment()) {
            let error = start_anew(&self.verdict);
            verbosity.detail(&format_args!("the other drivers are not used: {error}"));
        }
    }

    /// Whether it makes sense to look for a real GPU.
    pub(super) fn may_have_real_gpu(&self) -> bool {
        matches!(self.verdict.found, Some(Found::RealGpu) | None)
    }

    /// Keeps what was found now that the drivers are open, where it is something
    /// else than before: a GPU may have come or gone.
    pub(super) fn update(&mut self, adapters: &Adapters, verbosity: Verbosity) {
        let found = Some(Found::of(adapters));
        if self.broken().is_empty() && self.verdict.found != found {
            self.verdict.found = found;
            keep(Entry::new(key(), self.verdict.clone()), verbosity);
        }
    }

    /// Why `auto` takes the CPU, with the adapters if they are open.
    pub(super) fn no_gpu_reason(&self, adapters: Option<&Adapters>) -> &'static str {
        match adapters.map(Found::of).or(self.verdict.found) {
            _ if !self.broken().is_empty() => "no real GPU found, but a broken driver",
            Some(Found::Nothing) => "no GPU found",
            _ => "no real GPU found, and software adapters are used only when asked for",
        }
    }

    /// Opens those that may be.
    pub(super) fn adapters(&self) -> Adapters {
        Adapters::allowed_by(&self.verdict)
    }

    /// Lists the adapters of those that may be opened. They are not opened once
    /// more if they were tried just now.
    pub(super) fn list(&mut self, verbosity: Verbosity) -> Listed {
        self.listed.take().unwrap_or_else(|| {
            let adapters = self.adapters();
            self.update(&adapters, verbosity);
            Listed::of(&adapters)
        })
    }

    pub(super) fn broken(&self) -> &[BrokenDriver] {
        &self.verdict.broken
    }

    /// Tells the user what is not used.
    pub(super) fn note_broken(&self, verbosity: Verbosity) {
        for driver in self.broken() {
            verbosity.note(&format_args!("{driver}; it is not used, and `linfit devices` tries it again"));
        }
    }

    /// Why the drivers give nothing, or nothing better.
    pub(super) fn failure(&self) -> Option<GpuError> {
        let drivers: Vec<String> = self.broken().iter().map(ToString::to_string).collect();
        (!drivers.is_empty()).then(|| GpuError::BrokenDriver { drivers: drivers.join("; ") })
    }

    /// The chosen adapter, or without a choice the best there is. A software
    /// adapter is none that was meant if the driver of a better one may be what
    /// is broken.
    pub(super) fn choose<'a>(
        &self,
        adapters: &'a Adapters,
        choice: Option<&AdapterChoice>,
    ) -> Result<&'a Adapter, GpuError> {
        let chosen = adapters.choose(choice);
        let is_meant = |adapter: &Adapter| choice.is_some() || !adapter.is_software();
        match (chosen, self.failure()) {
            (Ok(adapter), Some(failure)) if !is_meant(adapter) => Err(failure),
            (Err(_), Some(failure)) => Err(failure),
            (chosen, _) => chosen,
        }
    }
}

/// Tries the drivers; `None` if that was impossible.
fn examine(verbosity: Verbosity) -> Result<Option<Trials>, CliError> {
    let Ok(program) = program() else { return Ok(None) };
    let trial = Trial {
        program,
        arguments: vec![COMMAND.into()],
        limit: limit(),
        goes_on: || !interrupt::requested(),
    };
    let started = Instant::now();
    let trials = {
        let _telling = tell_of_waiting(verbosity);
        gpu::try_all(&trial)
    };
    match trials {
        Ok(trials) => {
            let milliseconds = started.elapsed().as_secs_f64() * 1e3;
            verbosity.detail(&format_args!("drivers were tried in another process: {milliseconds:.1} ms"));
            if !trials.verdict.broken.is_empty() {
                for line in trials.stderr.lines() {
                    verbosity.detail(&format_args!("  {}", line.escape_debug()));
                }
            }
            Ok(Some(trials))
        }
        Err(TrialError::Interrupted) => Err(CliError::Interrupted),
        Err(error) => {
            verbosity.note(&format_args!("{error}; they are opened untried"));
            Ok(None)
        }
    }
}

/// Tells the user what is waited for, if it takes long, until it is dropped.
fn tell_of_waiting(verbosity: Verbosity) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    let tell = move || {
        if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let seconds = limit().as_secs_f64();
            verbosity.note(&format_args!("waiting for the GPU drivers, for {seconds} s at most each time"));
        }
    };
    // Nothing depends on it.
    let _ = std::thread::Builder::new().spawn(tell);
    sender
}

fn limit() -> Duration {
    let seconds = std::env::var(LIMIT_VARIABLE).ok().and_then(|text| text.parse().ok());
    let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    asked.filter(|limit| !limit.is_zero()).unwrap_or(LIMIT)
}

/// This program. On Linux by what is running, even if the file is replaced.
fn program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe()
}

/// Starts the program anew where only good drivers are loaded; returns why
/// that failed.
fn start_anew(verdict: &Verdict) -> std::io::Error {
    let failed = || std::io::Error::other("the program can't start itself anew here");
    #[cfg(unix)]
    if let (Ok(program), Ok(text), Some(rest)) = (program(), serde_json::to_string(verdict), &verdict.rest) {
        use std::os::unix::process::CommandExt;
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| "linfit".into());
        return std::process::Command::new(program)
            .arg0(name)
            .args(arguments)
            .envs(rest.environment.iter().map(|(name, value)| (name, value)))
            .env(TRIED_VARIABLE, text)
            .exec();
    }
    let _ = verdict;
    failed()
}

/// The findings of earlier runs.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    entries: Vec<Entry>,
}

/// The finding of this boot with these drivers.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    verdict: Verdict,
    /// When, in seconds since 1970; files of earlier versions do not say it.
    #[serde(default)]
    found_at: Option<u64>,
}

impl Entry {
    fn new(key: String, verdict: Verdict) -> Self {
        Self { key, verdict, found_at: Some(now()) }
    }

    /// Whether it is of drivers that were too slow, and longer ago than that
    /// counts. A clock that was set back makes it so too.
    fn is_stale(&self, now: u64) -> bool {
        let age = self.found_at.and_then(|found_at| now.checked_sub(found_at));
        self.verdict.is_of_time() && age.is_none_or(|age| age >= SLOW_SECONDS)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Stands for this boot, these drivers and this program.
fn key() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let boot = boot.unwrap_or_else(|_| memory::boot_time().to_string());
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), boot.trim(), gpu::fingerprint()).hash(&mut hasher);
    format!("{} {:016x}", boot.trim(), hasher.finish())
}

fn location() -> Option<PathBuf> {
    cache::file("drivers.json")
}

/// The findings that are kept; none if they can't be read.
fn entries() -> Vec<Entry> {
    use std::io::Read;
    let read = || -> Option<Contents> {
        let path = location()?;
        // A pipe in its place would be waited for.
        let file = path.metadata().ok()?.is_file().then(|| std::fs::File::open(&path))?.ok()?;
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    };
    read().filter(|contents| contents.format == FORMAT).map_or_else(Vec::new, |contents| contents.entries)
}

/// Keeps what was found. Where that is impossible it is found again next time.
fn keep(entry: Entry, verbosity: Verbosity) {
    let Some(path) = location() else { return };
    let mut entries = entries();
    entries.retain(|kept| kept.key != entry.key);
    let excess = (entries.len() + 1).saturating_sub(MOST_ENTRIES);
    entries.drain(..excess);
    entries.push(entry);
    let write = || -> Result<(), CliError> {
        let failed = |source| DataError::Write { path: path.clone(), source };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let text = to_json(&Contents { format: FORMAT, entries })?;
        let mut file = OutputFile::create(&path)?;
        writeln!(file, "{text}").map_err(failed)?;
        Ok(file.finish()?)
    };
    if let Err(error) = write() {
        verbosity.detail(&format_args!("what was found of drivers is not kept: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_that_were_too_slow_are_tried_again_after_a_while() {
        let entry = |reason: &str, found_at| {
            let broken = BrokenDriver { driver: "d".to_owned(), library: None, reason: reason.to_owned() };
            let verdict = Verdict { broken: vec![broken], ..Verdict::default() };
            Entry { key: "k".to_owned(), verdict, found_at }
        };
        let slow = "did not answer within 20 s while its adapters were listed";
        for (reason, found_at, is_stale) in [
            (slow, Some(1_000_000), false),
            (slow, Some(1_000_000 - 599), false),
            (slow, Some(1_000_000 - 600), true),
            (slow, Some(1_000_001), true),
            (slow, None, true),
            ("crashed with signal 11 while it was closed", Some(0), false),
            ("crashed with signal 11 while it was closed", None, false),
        ] {
            assert_eq!(entry(reason, found_at).is_stale(1_000_000), is_stale, "{reason} {found_at:?}");
        }
        let text = to_json(&entry(slow, None)).unwrap();
        let old: Entry = serde_json::from_str(&text.replace("\"found_at\"", "\"other\"")).unwrap();
        assert!(old.is_stale(1));
    }
}
