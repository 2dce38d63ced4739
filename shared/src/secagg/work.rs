//! Where independent pieces of work run: one after the other here, at once where a program brings threads.
//!
//! The core starts no thread. What it hands out are closures that share nothing they write to, so a result does not
//! depend on who ran them or in which order.

use std::fmt::Debug;

/// One piece of work. It writes to nothing that another piece reads.
pub type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs pieces of work: the port through which a program lends its threads.
pub trait Workers: Debug + Send + Sync {
    /// Runs every piece once, in any order, and returns when all are done.
    fn run(&self, jobs: Vec<Job<'_>>);
}

/// No threads: each piece after the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTurn;

impl Workers for InTurn {
    fn run(&self, jobs: Vec<Job<'_>>) {
        for job in jobs {
            job();
        }
    }
}

/// What `f` makes of each item, in the order of the items.
pub fn each<T: Sync, R: Send>(
    workers: &dyn Workers,
    items: &[T],
    f: &(impl Fn(&T) -> R + Sync),
) -> Vec<R> {
    let mut made: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let jobs = made
        .iter_mut()
        .zip(items)
        .map(|(place, item)| -> Job<'_> { Box::new(move || *place = Some(f(item))) });
    workers.run(jobs.collect());
    // A piece that was left out is done here: the result is whole whatever the workers did.
    made.into_iter().zip(items).map(|(made, item)| made.unwrap_or_else(|| f(item))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the last piece first, and only every second one.
    #[derive(Debug)]
    struct Careless;

    impl Workers for Careless {
        fn run(&self, jobs: Vec<Job<'_>>) {
            for job in jobs.into_iter().rev().step_by(2) {
                job();
            }
        }
    }

    #[test]
    fn the_result_has_the_order_of_the_items_whoever_worked() {
        let items: Vec<u32> = (0..100).collect();
        let squares: Vec<u32> = items.iter().map(|n| n * n).collect();
        assert_eq!(each(&InTurn, &items, &|n| n * n), squares);
        assert_eq!(each(&Careless, &items, &|n| n * n), squares);
        assert!(each(&InTurn, &[], &|n: &u32| *n).is_empty());
    }
}
