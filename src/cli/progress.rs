use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on stderr, drawn only on a terminal and not when quiet.
pub(super) struct Progress {
    bar: ProgressBar,
    next: Instant,
}

/// Between two updates: often enough for the eye, too seldom to cost time.
const INTERVAL: Duration = Duration::from_millis(100);

impl Progress {
    /// A bar over `length` of something, named by `unit`.
    pub(super) fn new(quiet: bool, length: u64, unit: &str) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let template = format!("{{bar:30}} {{human_pos}}/{{human_len}} {unit}  {{msg}}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self { bar, next: Instant::now() + INTERVAL }
    }

    /// Shows how far it is, with a word about it.
    pub(super) fn show(&mut self, position: u64, message: impl FnOnce() -> String) {
        let now = Instant::now();
        if !self.bar.is_hidden() && now >= self.next {
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
