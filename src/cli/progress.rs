use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on stderr, drawn only on a terminal and not when quiet.
pub(super) struct Progress {
    bar: ProgressBar,
    hidden: bool,
    next: Instant,
    /// Calls of [`show`](Self::show) for one reading of the clock, and those left
    /// until the next: some steps take no longer than a reading.
    stride: u32,
    left: u32,
    looked: Instant,
}

/// Between two updates: often enough for the eye, too seldom to cost time.
const INTERVAL: Duration = Duration::from_millis(100);

/// Between two readings of the clock, about.
const READING: Duration = Duration::from_millis(1);

impl Progress {
    /// A bar over `length` of something, named by `unit`.
    pub(super) fn new(quiet: bool, length: u64, unit: &str) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let template =
            format!("{{bar:30}} {{human_pos}}/{{human_len}} {unit}  {{msg}}  {{per_sec}}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { hidden: bar.is_hidden(), bar, next: now + INTERVAL, stride: 1, left: 1, looked: now }
    }

    /// A sign of work of which it is not known how far it is.
    pub(super) fn of_work(quiet: bool, what: &str) -> Self {
        let progress = Self::new(quiet, 0, "");
        if !progress.hidden {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
                progress.bar.set_style(style);
            }
            progress.bar.set_message(what.to_owned());
            progress.bar.enable_steady_tick(INTERVAL);
        }
        progress
    }

    /// Whether nobody sees it.
    pub(super) fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Shows how far it is, with a word about it.
    pub(super) fn show(&mut self, position: u64, message: impl FnOnce() -> String) {
        if self.hidden {
            return;
        }
        self.left -= 1;
        if self.left > 0 {
            return;
        }
        let now = Instant::now();
        self.stride = if now - self.looked < READING { self.stride.saturating_mul(2) } else { 1 };
        (self.left, self.looked) = (self.stride, now);
        if now >= self.next {
            self.next = now + INTERVAL;
            self.bar.set_position(position);
            self.bar.set_message(message());
        }
    }

    /// Moves on by `count`.
    pub(super) fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    /// Takes the bar off the screen.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
