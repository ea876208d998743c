//! The work of a fuzzer on the bytes of one file: it opens them as linfit
//! does, and reads everything that opened. A target a format calls
//! [`Case::run`]; `tests/fuzz.rs` runs the same on seeds and on files that
//! once failed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use linfit::array::Problem;
use linfit::engine::{Engine, Reference};
use linfit::io::{Baseline, RawLayout, RawType, Reading, Source, load_model};
use linfit::math::Affine;

/// The memory that a reader may use for what it decodes.
pub const MEMORY_BYTES: u64 = 16 << 20;

/// The memory that the whole process may use: that, and room for a decoder.
pub const LIVE_BYTES: usize = 256 << 20;

/// An allocator that gives no more than [`LIVE_BYTES`] at a time. A fallible
/// allocation then fails, and another one ends the process, as on a machine
/// with little memory.
pub struct Bounded;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every request goes to the system's allocator unchanged, or is
// refused with null, as an allocator may.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > LIVE_BYTES {
            LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > LIVE_BYTES {
            LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's pointer, which came from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The keys that are tried.
const KEYS: [Option<&str>; 4] = [None, Some("0"), Some("1"), Some("x")];

/// An array of more elements is opened and not passed over: a few bytes of a
/// file can stand for millions of equal elements, all of which take their time.
const MOST_ELEMENTS: usize = 1 << 14;

/// A file that bytes are tried as.
pub struct Case {
    path: PathBuf,
    kind: Kind,
    /// The same file for all of them, which is faster than one for each.
    file: Option<File>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Data,
    Model,
    Baseline,
}

impl Case {
    /// A file in `directory` whose name ends in `.extension`: of data, or one
    /// of the other files that linfit reads: `model.json`,
    /// `model.safetensors`, `baseline.json`.
    #[must_use]
    pub fn new(directory: &Path, extension: &str) -> Self {
        let kind = match extension {
            "model.json" | "model.safetensors" => Kind::Model,
            "baseline.json" => Kind::Baseline,
            _ => Kind::Data,
        };
        let path = directory.join(format!("input.{extension}"));
        let file = File::options().create(true).truncate(true).write(true).open(&path).ok();
        Self { path, kind, file }
    }

    /// Opens the bytes with every key and reads all that they hold.
    ///
    /// # Panics
    /// If linfit breaks a promise: the message of an error has several lines or
    /// control characters, or is too long for a person to read.
    pub fn run(&self, bytes: &[u8]) {
        self.run_with(bytes, &KEYS);
    }

    /// The same with one of the keys. It depends on the number of bytes, which
    /// most mutations keep: what a fuzzer learns of a file holds for those that
    /// it makes of it.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[allow(dead_code, reason = "the tests that include this file run every key")]
    pub fn run_with_one_key(&self, bytes: &[u8]) {
        self.run_with(bytes, &KEYS[bytes.len() % KEYS.len()..][..1]);
    }

    fn run_with(&self, bytes: &[u8], keys: &[Option<&str>]) {
        if self.write(bytes).is_err() {
            return;
        }
        match self.kind {
            Kind::Data => keys.iter().for_each(|key| self.open(*key)),
            Kind::Model => check(load_model(&self.path).map(drop)),
            Kind::Baseline => check(Baseline::load(&self.path).map(drop)),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.set_len(bytes.len() as u64)?;
        file.rewind()?;
        file.write_all(bytes)
    }

    fn is_text(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "csv" || extension == "tsv")
    }

    fn open(&self, key: Option<&str>) {
        let raw = self
            .path
            .extension()
            .filter(|extension| *extension == "raw")
            .and_then(|_| "u16be".parse::<RawType>().ok())
            .map(|dtype| RawLayout { dtype, shape: None, offset: 0 });
        let reading = Reading { memory_bytes: MEMORY_BYTES, raw, ..Reading::default() };
        let source = Source { path: self.path.clone(), key: key.map(str::to_owned) };
        let opened = (|| {
            let (x, t) = if self.is_text() {
                // Two columns of one text are read in another way than one.
                let x = reading.open(&source)?;
                (x, reading.open_pair(&source, &source)?.1)
            } else {
                (reading.open(&source)?, reading.open(&source)?)
            };
            x.metadata().notes().iter().for_each(|note| drop(note.to_string()));
            if x.len() > MOST_ELEMENTS {
                return Ok(None);
            }
            Problem::builder(x).target(t).memory_bytes(MEMORY_BYTES).build().map(Some)
        })();
        match opened {
            Ok(Some(data)) => {
                check(Reference::new(&data).loss_sums_at(Affine::new(0.7, -0.3)).map(drop));
            }
            Ok(None) => {}
            Err(error) => check(Err::<(), _>(error)),
        }
    }
}

/// Holds an error to what is promised of its text.
fn check<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "control characters: {text:?}");
        assert!(text.len() < 4096, "a message of {} bytes", text.len());
    }
}

/// A fuzz target for files whose names end in this.
#[macro_export]
macro_rules! target {
    ($extension:literal) => {
        #[global_allocator]
        static ALLOCATOR: $crate::Bounded = $crate::Bounded;

        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            static CASE: std::sync::OnceLock<$crate::Case> = std::sync::OnceLock::new();
            CASE.get_or_init(|| {
                // In the place of libFuzzer's: a decoder's panic that linfit
                // catches is no find.
                std::panic::set_hook(Box::new(|panic| {
                    if !linfit::io::is_catching() {
                        eprintln!("{panic}");
                        std::process::abort();
                    }
                }));
                // A directory of this process, in memory where the system has
                // such.
                let shared = std::path::Path::new("/dev/shm");
                let base = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
                let directory = base.join(format!("linfit-fuzz-{}", std::process::id()));
                let _ = std::fs::create_dir_all(&directory);
                // Waking other threads takes longer than what they would do.
                let threads = ::rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
                let _ = threads.build_global();
                $crate::Case::new(&directory, $extension)
            })
            .run_with_one_key(bytes);
        });
    };
}
