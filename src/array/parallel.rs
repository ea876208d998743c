//! Work on all threads, the calling one among them.
//!
//! What is done is given as a number of tasks, or as an iterator of items. The
//! threads of rayon's pool and the calling thread take them one after another,
//! so the caller starts at once and does not sleep while others work. Results stand
//! in the order of their tasks, whichever thread made them. All of the scheduling is
//! one function that is compiled once, whatever the tasks are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Takes of each thread, where tasks are many: small ones are taken together.
const TAKES_PER_THREAD: usize = 16;

/// The value of each of `count` tasks, in their order.
pub(crate) fn map<V: Send>(count: usize, value: impl Fn(usize) -> V + Sync) -> Vec<V> {
    map_with(count, |(), task| value(task))
}

/// The value of each of `count` tasks, in their order. `value` is given what its
/// thread used for the task before, such as a buffer.
pub(crate) fn map_with<S: Default, V: Send>(
    count: usize,
    value: impl Fn(&mut S, usize) -> V + Sync,
) -> Vec<V> {
    let together = (count / (TAKES_PER_THREAD * rayon::current_num_threads())).max(1);
    let takes = count.div_ceil(together);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(takes));
    on_threads(takes, &|| {
        let mut scratch = S::default();
        loop {
            let take = next.fetch_add(1, Ordering::Relaxed);
            if take >= takes {
                break;
            }
            let tasks = take * together..count.min((take + 1) * together);
            let values: Vec<V> = tasks.map(|task| value(&mut scratch, task)).collect();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((take, values));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(take, _)| *take);
    let mut values = Vec::with_capacity(count);
    done.into_iter().for_each(|(_, more)| values.extend(more));
    values
}

/// What each thread adds to a value of its own: `add` is given the value and the
/// number of one of `count` tasks. There are no more values than threads, and
/// which tasks are in which differs from time to time.
pub(crate) fn fold<V: Send>(
    count: usize,
    none: impl Fn() -> V + Sync,
    add: impl Fn(&mut V, usize) + Sync,
) -> Vec<V> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    on_threads(count, &|| {
        let mut value = none();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= count {
                break;
            }
            add(&mut value, task);
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `work` with every item, such as a part of a slice that it fills.
pub(crate) fn for_each<I, T>(items: I, work: impl Fn(T) + Sync)
where
    I: IntoIterator<Item = T>,
    I::IntoIter: Send,
{
    let items = items.into_iter();
    let most = items.size_hint().1.unwrap_or(usize::MAX);
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    on_threads(most, &|| {
        while let Some(item) = next() {
            work(item);
        }
    });
}

/// Calls `work` on each thread, but on no more than there are tasks.
fn on_threads(tasks: usize, work: &(dyn Fn() + Sync)) {
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(tasks) {
            scope.spawn(|_| work());
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn each_task_is_done_once_and_its_value_stands_in_its_place() {
        for threads in [1, 2, 5] {
            for count in [0, 1, 2, 3, 31, 1_000, 12_345] {
                let calls = AtomicUsize::new(0);
                let squares = pool(threads).install(|| {
                    map(count, |task| {
                        calls.fetch_add(1, Ordering::Relaxed);
                        task * task
                    })
                });
                assert_eq!(squares, (0..count).map(|task| task * task).collect::<Vec<_>>());
                assert_eq!(calls.into_inner(), count);
            }
        }
    }

    #[test]
    fn each_part_of_a_slice_is_filled() {
        let mut numbers = vec![0; 1_001];
        for_each(numbers.chunks_mut(7).enumerate(), |(k, part)| part.fill(k));
        assert!(numbers.iter().enumerate().all(|(place, &number)| number == place / 7));
    }

    #[test]
    fn what_a_thread_used_is_given_to_its_next_task() {
        let used = map_with(100, |seen: &mut usize, _| {
            *seen += 1;
            *seen
        });
        assert!(used.contains(&1) && used.iter().any(|&seen| seen > 1), "{used:?}");
    }

    #[test]
    fn each_task_is_in_one_value() {
        let sums = pool(3).install(|| fold(1_000, || 0, |sum, task| *sum += task));
        assert!(sums.len() <= 3);
        assert_eq!(sums.into_iter().sum::<usize>(), 499_500);
    }

    #[test]
    fn work_inside_work_ends() {
        let sums = map(50, |task| map(50, |other| task * other).into_iter().sum::<usize>());
        assert_eq!(sums, (0..50).map(|task| task * 1_225).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller() {
        let caught = std::panic::catch_unwind(|| map(100, |task| assert_ne!(task, 57)));
        assert!(caught.is_err());
    }
}
