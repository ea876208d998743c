//! The messages of a process that opens drivers, among whatever these print.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::engine::gpu::{Found, Listed};

/// Bytes around a message, which no driver prints by chance, so that what a
/// driver prints to stdout is not taken for one.
const BEGIN: u8 = 0x1e;
const END: u8 = 0x1f;

/// The longest message; what is before it and no message is forgotten.
const MOST_MESSAGE_BYTES: usize = 1 << 16;

/// A step that the process is about to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Listing the adapters of some graphics APIs.
    List,
    /// Opening the adapter of this name, now that all are listed.
    Open(String),
    /// Closing the drivers.
    Close,
    /// Ending: they are closed but for what they do when a process ends.
    End,
}

/// A message of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    /// The step that it is about to take.
    Step(Step),
    /// The offer of the drivers.
    Found(Found),
    /// The adapters. A list that is too long for a message is made anew by the
    /// process that wants it.
    Listed(Listed),
}

/// Tells the other process, to stdout and at once, so that nothing gets between.
pub(super) fn tell(key: &str, message: &Message) -> io::Result<()> {
    let mut bytes = vec![BEGIN];
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend(serde_json::to_vec(message)?);
    bytes.push(END);
    let mut stdout = io::stdout().lock();
    stdout.write_all(&bytes)?;
    stdout.flush()
}

/// The steps that a process says it takes, among whatever its drivers print.
pub(super) struct Steps {
    key: Vec<u8>,
    unread: Vec<u8>,
    pub(super) last: Option<Step>,
    pub(super) found: Option<Found>,
    pub(super) listed: Option<Listed>,
}

impl Steps {
    pub(super) fn of(key: &str) -> Self {
        Self { key: key.as_bytes().to_vec(), unread: Vec::new(), last: None, found: None, listed: None }
    }

    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some(end) = self.unread.iter().position(|&byte| byte == END) {
            let message = &self.unread[..end];
            let begin = message.iter().rposition(|&byte| byte == BEGIN).map_or(0, |begin| begin + 1);
            let message = message[begin..].strip_prefix(&*self.key);
            match message.and_then(|message| serde_json::from_slice(message).ok()) {
                Some(Message::Step(step)) => self.last = Some(step),
                Some(Message::Found(found)) => self.found = Some(found),
                Some(Message::Listed(listed)) => self.listed = Some(listed),
                None => {}
            }
            self.unread.drain(..=end);
        }
        let excess = self.unread.len().saturating_sub(MOST_MESSAGE_BYTES);
        self.unread.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(parts: &[&[u8]]) -> Steps {
        let mut steps = Steps::of("key");
        parts.iter().for_each(|part| steps.hear(part));
        steps
    }

    #[test]
    fn steps_are_heard_among_noise() {
        let open = b"\x1ekey{\"Step\":{\"Open\":\"a GPU\"}}\x1f";
        assert_eq!(heard(&[open]).last, Some(Step::Open("a GPU".to_owned())));
        let noises: [&[u8]; 4] = [b"", b"noise", b"\x1f\x1f\x1e\x1e", b"\x1e{\"Step\":\"Close\"}\x1f"];
        for before in noises {
            for after in noises {
                for cut in 0..open.len() {
                    let steps = heard(&[before, &open[..cut], &open[cut..], after]);
                    assert_eq!(
                        steps.last,
                        Some(Step::Open("a GPU".to_owned())),
                        "{before:?} {cut} {after:?}"
                    );
                }
            }
        }
        let found = heard(&[b"\x1ekey{\"Found\":\"RealGpu\"}\x1f", open]);
        assert_eq!((found.found, found.last.is_some()), (Some(Found::RealGpu), true));
        for none in
            [&b"\x1eyek{\"Step\":\"List\"}\x1f"[..], b"\x1ekey{}\x1f", b"\x1ekey{\"Step\":\"List\"}", b"key"]
        {
            assert_eq!(heard(&[none]).last, None);
        }
    }

    #[test]
    fn noise_takes_no_memory() {
        let mut steps = Steps::of("key");
        (0..1000).for_each(|_| steps.hear(&[b'x'; 1000]));
        assert!(steps.unread.len() <= MOST_MESSAGE_BYTES);
    }
}
