//! The number of threads that a bounded address space has room for.

use std::fs;

/// Address space that a thread may take: its stack, and what the allocator
/// reserves for it.
const THREAD_BYTES: u64 = 16 << 20;

/// Starts the threads that passes run on. Where they would not fit into what the
/// process may have (`ulimit -v`), starting them would fail with a panic: then
/// there are fewer, or only the one there is.
pub(super) fn settle() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Half, for there must be room for data as well.
    let fitting =
        free_bytes().map_or(cores, |free| usize::try_from(free / 2 / THREAD_BYTES).unwrap_or(usize::MAX));
    // Processes may be bounded too. The pool cannot be asked for twice, so it is
    // a thread of its own that tells.
    let can_start = std::thread::Builder::new().spawn(|| ()).is_ok();
    if can_start && fitting >= cores {
        return;
    }
    let fitting = if can_start { fitting.max(1) } else { 1 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(fitting);
    let pool = if fitting == 1 { pool.use_current_thread() } else { pool };
    // There is one already if a library that was loaded before needed it.
    let _ = pool.build_global();
}

/// Address space that is left, if there is a bound.
fn free_bytes() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(limit(&limits)?.saturating_sub(used_pages(&statm)? * 4096))
}

/// The bound, in bytes; none where it is "unlimited".
fn limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn used_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_read_as_the_system_writes_it() {
        let line = |soft: &str| {
            format!("Limit  Soft  Hard  Units\nMax address space         {soft}  unlimited  bytes\n")
        };
        assert_eq!(limit(&line("153600000")), Some(153_600_000));
        assert_eq!((limit(&line("unlimited")), limit("")), (None, None));
        assert_eq!((used_pages("4242 17 3 1 0 9 0\n"), used_pages("")), (Some(4242), None));
    }
}
