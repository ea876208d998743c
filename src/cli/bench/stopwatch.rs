use std::time::{Duration, Instant};

use crate::cli::interrupt;

/// Runs whose durations are not kept: the first ones touch memory, compile in
/// the driver and wake the clocks.
const WARM_UP_RUNS: usize = 3;

/// The fewest runs that a median and quartiles come from.
const LEAST_RUNS: usize = 10;

/// Repeats a run, warm, at least [`LEAST_RUNS`] times and for at least
/// `time`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch {
    pub(super) time: Duration,
}

impl Stopwatch {
    /// The durations of the runs as `run` itself reports them, in seconds;
    /// `None` if the user asked to stop.
    pub(super) fn measure<E>(self, mut run: impl FnMut() -> Result<f64, E>) -> Result<Option<Vec<f64>>, E> {
        let _listening = interrupt::Watch::brief();
        let warm = Instant::now();
        for runs in 0.. {
            if runs >= WARM_UP_RUNS && warm.elapsed() >= self.time / 10 {
                break;
            }
            if interrupt::requested() {
                return Ok(None);
            }
            run()?;
        }
        let started = Instant::now();
        let mut seconds = Vec::new();
        while seconds.len() < LEAST_RUNS || started.elapsed() < self.time {
            if interrupt::requested() {
                return Ok(None);
            }
            seconds.push(run()?);
        }
        Ok(Some(seconds))
    }
}

/// The seconds that `work` takes.
pub(super) fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<f64, E> {
    let started = Instant::now();
    std::hint::black_box(work()?);
    Ok(started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_then_keeps_at_least_ten_runs() {
        let mut calls = 0;
        let count = || {
            calls += 1;
            Ok::<_, ()>(f64::from(calls))
        };
        let kept = Stopwatch { time: Duration::ZERO }.measure(count).unwrap().unwrap();
        assert_eq!(kept, (4..=13).map(f64::from).collect::<Vec<_>>());
        assert_eq!(Stopwatch { time: Duration::ZERO }.measure(|| Err("lost")), Err("lost"));
    }

    #[test]
    fn goes_on_until_the_time_is_up() {
        let started = Instant::now();
        let pause = || {
            timed(|| {
                std::thread::sleep(Duration::from_millis(1));
                Ok::<_, ()>(())
            })
        };
        let kept = Stopwatch { time: Duration::from_millis(50) }.measure(pause).unwrap().unwrap();
        assert!(started.elapsed() >= Duration::from_millis(50) && kept.len() >= LEAST_RUNS);
        assert!(kept.iter().all(|seconds| *seconds >= 1e-3));
    }
}
