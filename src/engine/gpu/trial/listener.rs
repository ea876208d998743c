//! The words of another process, heard in the background.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The bytes that are kept of what drivers say on stderr.
const MOST_STDERR_BYTES: usize = 4096;

/// The words of a stream, heard while it is read in the background.
pub(super) struct Listener<H> {
    heard: Arc<Mutex<H>>,
    /// Closed when the stream ends.
    end: Receiver<()>,
}

impl<H: Send + 'static> Listener<H> {
    pub(super) fn new(stream: Option<impl Read + Send + 'static>, heard: H, hear: fn(&mut H, &[u8])) -> Self {
        let heard = Arc::new(Mutex::new(heard));
        let (open, end) = mpsc::channel::<()>();
        if let Some(mut stream) = stream {
            let heard = Arc::clone(&heard);
            let read = move || {
                let _open = open;
                let mut buffer = [0; 4096];
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => hear(&mut lock(&heard), &buffer[..count]),
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => break,
                    }
                }
            };
            // Without a thread nothing is heard, which reads as a failed trial.
            let _ = std::thread::Builder::new().name("trial".to_owned()).spawn(read);
        }
        Self { heard, end }
    }

    /// Waits for the stream's end, but not long.
    pub(super) fn wait_for_end(&self, limit: Duration) {
        let _ = self.end.recv_timeout(limit);
    }

    /// Waits until the stream ends, or a moment if it has ended.
    pub(super) fn wait(&self, limit: Duration) {
        if self.end.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    pub(super) fn heard<T>(&self, get: impl FnOnce(&H) -> T) -> T {
        get(&lock(&self.heard))
    }
}

/// A poisoned lock only means that a thread panicked that was listening.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a stream.
#[derive(Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(MOST_STDERR_BYTES);
        self.0.drain(..excess);
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_takes_no_memory() {
        let mut tail = Tail::default();
        (0..1000).for_each(|_| tail.hear(&[b'x'; 1000]));
        assert!(tail.0.len() <= MOST_STDERR_BYTES);
    }
}
