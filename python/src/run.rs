//! Runs work on threads of its own, while the one that called waits detached from the
//! interpreter and looks for Ctrl-C.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Between two looks for a signal.
const LOOK: Duration = Duration::from_millis(50);

/// Whether the caller is gone, so that nobody waits for the result.
#[derive(Clone, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The pools of a process, by its number and their threads.
type Pools = HashMap<(u32, usize), Arc<ThreadPool>>;

/// Pools by the process that made them and the number of their threads. The library's
/// usual pool would be without threads in a process that was forked off.
static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// The pool of so many threads, all cores without a number.
pub(crate) fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    let threads = threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |threads| threads.max(1),
    );
    // One that is alone would have all callers wait for one another.
    if threads == 1 {
        return new_pool(1);
    }
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_default();
    let key = (std::process::id(), threads);
    if let Some(pool) = pools.get(&key) {
        return Ok(pool.clone());
    }
    let pool = new_pool(threads)?;
    pools.insert(key, pool.clone());
    Ok(pool)
}

fn new_pool(threads: usize) -> PyResult<Arc<ThreadPool>> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|k| format!("linfit-{k}"));
    Ok(Arc::new(pool.build().map_err(|e| PyRuntimeError::new_err(e.to_string()))?))
}

/// The result of `work`, which runs on so many threads (all cores without a number),
/// detached from the interpreter.
///
/// # Errors
/// `KeyboardInterrupt`, or whatever a signal's handler raises: within `LOOK`. The work
/// is told, and ends by itself.
pub(crate) fn detached<R: Send + 'static>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce(&Cancelled) -> R + Send + 'static,
) -> PyResult<R> {
    let cancelled = Cancelled::default();
    // A callback of a fit that fits: its thread is one of a pool, which must not wait
    // for others of it.
    if rayon::current_thread_index().is_some() {
        return Ok(py.detach(|| work(&cancelled)));
    }
    let pool = pool(threads)?;
    let (sender, mut receiver) = mpsc::sync_channel(1);
    let seen = cancelled.clone();
    pool.spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&seen)));
        // Nobody listens after an interruption.
        let _ = sender.send(result);
    });
    loop {
        let waiting = &mut receiver;
        match py.detach(move || waiting.recv_timeout(LOOK)) {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(panic)) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
                return Err(PyRuntimeError::new_err(format!("internal error: {text}; please report it")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("internal error: a thread ended; please report it"));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = py.check_signals() {
                    cancelled.0.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    }
}
