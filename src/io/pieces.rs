//! Pieces of a file that are decoded on all cores and handed on in their order.
//!
//! A format whose file consists of pieces that are decoded one without another
//! (blocks of lines, row groups, strips, tiles, chunks) gives them to
//! [`in_order`]: an iterator of pieces, a decoder of one, and what is done with
//! each result, in the order of the pieces. The threads of rayon's pool decode;
//! the calling thread takes the results. No more than so many pieces are in
//! memory, and the first error in the order of the pieces is the one that a reader
//! of one piece after another would have met.
//!
//! A caller that is itself a thread of the pool would wait for threads that may
//! wait for it. There, and where one thread is all there is, the caller decodes
//! each piece itself.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::decoding::{caught, is_catching};

/// Pieces that are decoded, or wait to be taken, for each thread.
const PER_THREAD: usize = 2;

/// The most pieces that are in memory at a time, of which each takes up to
/// `piece_bytes`, where so much memory is allowed for all of them.
pub(super) fn at_once(piece_bytes: u64, memory_bytes: u64) -> usize {
    let most = PER_THREAD * threads();
    usize::try_from(memory_bytes / piece_bytes.max(1)).unwrap_or(usize::MAX).clamp(1, most)
}

/// The threads that decode.
pub(super) fn threads() -> usize {
    // One of the pool's own must not wait for the others.
    if rayon::current_thread_index().is_some() { 1 } else { rayon::current_num_threads() }
}

/// Decodes pieces on all cores, no more than `at_once` of them in memory, and hands
/// the results on in the order of the pieces. `decode` is given what its thread
/// used for the piece before, such as a buffer.
///
/// Ends with the first error of `take`; a panic of `decode` goes on in the calling
/// thread.
pub(super) fn in_order<P, D, S, E>(
    pieces: impl Iterator<Item = P> + Send,
    at_once: usize,
    decode: impl Fn(&mut S, P) -> D + Sync,
    mut take: impl FnMut(D) -> Result<(), E>,
) -> Result<(), E>
where
    P: Send,
    D: Send,
    S: Default,
{
    let mut pieces = pieces;
    let first: Vec<P> = pieces.by_ref().take(2).collect();
    let is_one = first.len() < 2;
    let mut pieces = first.into_iter().chain(pieces);
    let workers = threads().min(at_once);
    if is_one || workers <= 1 {
        let mut scratch = S::default();
        return pieces.try_for_each(|piece| take(decode(&mut scratch, piece)));
    }
    let line = Line::new(pieces, at_once);
    // What the hook of panics asks of this thread, it asks of those that work for it.
    let is_caught = is_catching();
    rayon::in_place_scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| {
                let mut scratch = S::default();
                while let Some((number, piece)) = line.next() {
                    line.done(number, caught(is_caught, || decode(&mut scratch, piece)));
                }
            });
        }
        // Also if `take` panics: the threads must end.
        let _end = End(&line);
        while let Some(decoded) = line.taken() {
            match decoded {
                Ok(decoded) => take(decoded)?,
                Err(panic) => resume_unwind(panic),
            }
        }
        Ok(())
    })
}

/// The result of a piece, or the panic of its decoder.
type Outcome<D> = std::thread::Result<D>;

/// Pieces that wait in line.
struct Line<I, D> {
    state: Mutex<State<I, D>>,
    /// Told when a piece was decoded, or there are no more.
    decoded: Condvar,
    /// Told when there is room for another piece.
    room: Condvar,
    at_once: usize,
}

struct State<I, D> {
    /// `None` once there are no more.
    pieces: Option<I>,
    /// The number of the next piece that is decoded.
    next: usize,
    /// The number of the next piece that is taken, and what is known of it and those
    /// after it.
    taken: usize,
    outcomes: VecDeque<Option<Outcome<D>>>,
}

impl<P, I: Iterator<Item = P>, D> Line<I, D> {
    fn new(pieces: I, at_once: usize) -> Self {
        let state = State { pieces: Some(pieces), next: 0, taken: 0, outcomes: VecDeque::new() };
        Self { state: Mutex::new(state), decoded: Condvar::new(), room: Condvar::new(), at_once }
    }

    /// No code of a format runs under the lock, but its iterator's.
    fn lock(&self) -> MutexGuard<'_, State<I, D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece and its number, once there is room for it.
    fn next(&self) -> Option<(usize, P)> {
        let full =
            |state: &mut State<I, D>| state.pieces.is_some() && state.next - state.taken >= self.at_once;
        let mut state = self.room.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        let Some(piece) = state.pieces.as_mut()?.next() else {
            drop(state);
            self.end();
            return None;
        };
        let number = state.next;
        state.next += 1;
        state.outcomes.push_back(None);
        Some((number, piece))
    }

    fn done(&self, number: usize, outcome: Outcome<D>) {
        let mut state = self.lock();
        let place = number - state.taken;
        if let Some(slot) = state.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
        drop(state);
        self.decoded.notify_one();
    }

    /// The next piece's outcome, once it is there; `None` after the last one.
    fn taken(&self) -> Option<Outcome<D>> {
        let waits = |state: &mut State<I, D>| match state.outcomes.front() {
            Some(outcome) => outcome.is_none(),
            None => state.pieces.is_some(),
        };
        let mut state = self.decoded.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let outcome = state.outcomes.pop_front().flatten()?;
        state.taken += 1;
        drop(state);
        self.room.notify_one();
        Some(outcome)
    }

    /// Hands out no more pieces.
    fn end(&self) {
        self.lock().pieces = None;
        self.room.notify_all();
        self.decoded.notify_one();
    }
}

/// Ends a line when it is dropped.
struct End<'l, P, I: Iterator<Item = P>, D>(&'l Line<I, D>);

impl<P, I: Iterator<Item = P>, D> Drop for End<'_, P, I, D> {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn on(threads: usize, what: impl FnOnce() + Send) {
        // Its threads are asked for by `current_num_threads` only from within.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.in_place_scope(|_| what());
    }

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for at_once in [1, 2, 3, 8, 100] {
            let (decoding, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut seen = Vec::new();
            let result: Result<(), ()> = in_order(
                0..200u64,
                at_once,
                |(): &mut (), k| {
                    let now = decoding.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    // The first of them take longest.
                    std::thread::sleep(Duration::from_micros(200 / (k % 7 + 1)));
                    k * k
                },
                |square| {
                    decoding.fetch_sub(1, Ordering::SeqCst);
                    seen.push(square);
                    Ok(())
                },
            );
            assert_eq!(result, Ok(()));
            assert!(seen.into_iter().eq((0..200).map(|k| k * k)), "{at_once}");
            // Of those that were taken one is still counted.
            assert!(most.into_inner() <= at_once + 1, "{at_once}");
        }
    }

    #[test]
    fn the_first_error_in_order_ends_it() {
        let decoded = AtomicUsize::new(0);
        let result = in_order(
            0..1_000_000u64,
            4,
            |(): &mut (), k| {
                decoded.fetch_add(1, Ordering::SeqCst);
                if k == 10 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if k == 10 || k == 11 { Err(k) } else { Ok(()) }
            },
            |outcome| outcome,
        );
        assert_eq!(result, Err(10));
        assert!(decoded.into_inner() < 100);
    }

    #[test]
    fn a_panic_goes_on_in_the_caller() {
        let panicked = crate::io::decoding::catch(|| {
            let decode = |(): &mut (), k: u64| assert!(k != 7, "seven");
            in_order(0..100u64, 4, decode, |()| Ok::<(), ()>(()))
        });
        assert!(panicked.unwrap_err().contains("seven"));
    }

    /// The caller is all the threads of its pool: it must not wait for another.
    #[test]
    fn a_thread_of_the_pool_decodes_alone() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let sum = pool.install(|| {
            let mut sum = 0;
            let result: Result<(), ()> = in_order(
                0..100u64,
                8,
                |(): &mut (), k| k,
                |k| {
                    sum += k;
                    Ok(())
                },
            );
            result.map(|()| sum)
        });
        assert_eq!(sum, Ok(4950));
        on(2, || {
            let result: Result<(), ()> = in_order(0..100u64, 8, |(): &mut (), k| k, |_| Ok(()));
            assert_eq!(result, Ok(()));
        });
    }

    #[test]
    fn memory_bounds_the_pieces() {
        assert_eq!(at_once(1 << 20, 0), 1);
        assert_eq!(at_once(1 << 20, 1 << 20), 1);
        assert_eq!(at_once(0, u64::MAX), PER_THREAD * threads());
        assert!(at_once(1 << 20, 2 << 20) <= 2);
    }
}
