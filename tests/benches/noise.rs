//! How fast release noise is drawn: draws per second, one thread, across the scales of real plans.
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tacit_shared::privacy::sampler::{DiscreteGaussian, SamplerError};

/// The length of a large study's vector.
const LENGTH: usize = 100_000;

fn main() {
    divan::main();
}

/// One release's noise at scale s, from a fixed seed.
#[divan::bench(args = [5, 1_000, 100_000, 1 << 24, 77_000_000])]
fn discrete_gaussian(bencher: Bencher, s: u64) {
    let mut out = vec![0; LENGTH];
    bencher.counter(ItemsCount::new(LENGTH)).bench_local(|| -> Result<i64, SamplerError> {
        DiscreteGaussian::new(black_box(s))?.fill(&[7; 32], &mut out)?;
        Ok(out.last().copied().unwrap_or_default())
    });
}
