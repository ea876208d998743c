use std::fmt::Display;

use clap::Args;

use super::hint::told;
use super::tell;
use crate::engine::Notice;

/// How much a command says on stderr.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Verbosity {
    /// No notes and no progress bar
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more on stderr about what is done
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

    /// Tells the user what an engine has to say, each thing once: X and T may
    /// be the same file.
    pub(super) fn notices(self, notices: &[Notice]) {
        for (k, notice) in notices.iter().enumerate() {
            if !notices[..k].contains(notice) {
                self.note(&told(notice));
            }
        }
    }

    /// Tells the user something that only a curious one wants to know.
    pub(super) fn detail(self, message: &dyn Display) {
        if self.verbose {
            tell(message);
        }
    }
}
