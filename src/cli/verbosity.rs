use std::fmt::Display;
use std::io;

use clap::Args;
use terminal_size::{Width, terminal_size_of};

use super::hint::told;
use super::tell;
use crate::engine::Engine;
use crate::report::{Trace, loss_curve};

/// The amount of text on stderr.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Verbosity {
    /// No notes and no progress bar
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more about the work on stderr
    #[arg(short, long)]
    pub(super) verbose: bool,
}

impl Verbosity {
    /// Tells the user something, unless told to be quiet.
    pub(super) fn note(self, message: &dyn Display) {
        if !self.quiet {
            tell(&format_args!("note: {message}"));
        }
    }

    /// Tells the notices of an engine since the last ones, each once: X and T may
    /// be the same file.
    pub(super) fn notices_of(self, engine: &mut dyn Engine) {
        let notices = engine.take_notices();
        for (k, notice) in notices.iter().enumerate() {
            if !notices[..k].contains(notice) {
                self.note(&told(notice));
            }
        }
    }

    /// Draws the loss of a descent on a terminal that is wide enough.
    pub(super) fn curve(self, trace: &Trace) {
        if !self.verbose {
            return;
        }
        let Some((Width(width), _)) = terminal_size_of(io::stderr()) else { return };
        if let Some(curve) = loss_curve(trace, width.into()) {
            tell(&curve);
        }
    }

    /// Tells a curious user something.
    pub(super) fn detail(self, message: &dyn Display) {
        if self.verbose {
            tell(message);
        }
    }
}
