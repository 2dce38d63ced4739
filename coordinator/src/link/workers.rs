//! The coordinator's threads, lent to the pure half where it takes off masks.
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tacit_shared::fault::Fault;
use tacit_shared::secagg::work::{Job, Workers};

/// A pool of threads that sleep while there is nothing to do.
#[derive(Debug)]
pub struct Threads(ThreadPool);

impl Threads {
    /// So many threads; 0 for one a processor.
    ///
    /// # Errors
    /// An operator's fault if the system gives no threads.
    pub fn of(count: usize) -> Result<Self, Fault> {
        let pool = ThreadPoolBuilder::new().num_threads(count).build();
        pool.map(Self).map_err(|e| Fault::operator(format!("no threads to work with: {e}")))
    }
}

impl Workers for Threads {
    fn run(&self, jobs: Vec<Job<'_>>) {
        self.0.install(|| jobs.into_par_iter().for_each(|job| job()));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::secagg::work::each;

    #[test]
    fn threads_do_every_piece_of_work_once() {
        let items: Vec<u64> = (0..10_000).collect();
        for count in [1, 2, 8] {
            let threads = Threads::of(count).unwrap();
            let made = each(&threads, &items, &|n| n + 1);
            assert!(made.iter().zip(&items).all(|(made, item)| *made == item + 1));
            assert_eq!(made.len(), items.len());
        }
    }
}
