//! Counting on many threads at once without meeting.
use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam_utils::CachePadded;

/// Parts; where there are more threads, some share one.
const PARTS: usize = 64;

thread_local! {
    static OWN: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Relaxed) % PARTS
    };
}

/// One `T` for each thread, on cache lines of its own. A clone is the same ones.
pub struct PerThread<T>(Arc<[CachePadded<T>; PARTS]>);

impl<T: Default> Default for PerThread<T> {
    fn default() -> Self {
        Self(Arc::new(array::from_fn(|_| CachePadded::default())))
    }
}

impl<T> Clone for PerThread<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PerThread<T> {
    /// That of the calling thread. Others may reach it too: `T` sees to that.
    pub fn own(&self) -> &T {
        &self.0[OWN.with(|it| *it)]
    }

    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|it| &**it)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, thread};

    use super::*;

    #[test]
    fn what_many_threads_count_is_all_there() {
        let counts = PerThread::<AtomicU64>::default();
        thread::scope(|scope| {
            for _ in 0..PARTS + 5 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counts.own().fetch_add(1, Relaxed);
                    }
                });
            }
        });
        let all: u64 = counts.all().map(|it| it.load(Relaxed)).sum();
        assert_eq!(all, (PARTS as u64 + 5) * 100);
    }
}
