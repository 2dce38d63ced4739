//! How fast a recording becomes numbers: one window of five minutes on one core, a shift on all of them.
//!
//! The beats are made up: breathing and a slower wave around 750 ms, 400 in five minutes as in the faster
//! half of real hearts, an early beat in every hundred. The aim is 1 ms a window and core for detection,
//! time domain and frequency bands together.
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tacit_node::measure::physiology::conductance::{Conductance, windows as signal_windows};
use tacit_node::measure::physiology::lipponen::detect;
use tacit_node::measure::physiology::signal::{Rate, Signal};
use tacit_node::measure::physiology::spectrum::Bands;
use tacit_node::measure::physiology::window::{Grid, Length, values_on, windows};
use tacit_node::measure::physiology::{Beat, Filter, Recording};

const FILTERS: [Filter; 3] = [Filter::None, Filter::Median, Filter::LipponenTarvainen];

/// Windows of a shift of eight hours.
const SHIFT: u32 = 96;

fn main() {
    divan::main();
}

fn recording(n_windows: u32) -> Recording {
    let mut recording = Recording::new(Some(1_560_279_600.0));
    let mut end_s = 0.0;
    for i in 0.. {
        let early = match i % 100 {
            50 => -220.0,
            51 => 220.0,
            _ => 0.0,
        };
        let slow = 25.0 * (f64::from(i) * 0.47).sin();
        let rr_ms = (750.0 + 40.0 * (f64::from(i) * 1.31).sin() + slow + early).round();
        end_s += rr_ms / 1000.0;
        if end_s >= f64::from(n_windows) * 300.0 || recording.push(Beat { end_s, rr_ms }).is_err() {
            break;
        }
    }
    recording
}

fn signal(n_samples: u32) -> Option<Signal> {
    let sample = |i: u32| {
        let (slow, fast) = (f64::from(i) * 0.001, f64::from(i) * 0.11);
        4.0 + slow.sin() + 0.2 * fast.sin().powi(5)
    };
    Some(Signal::new(0.0, Rate::new(4.0)?, (0..n_samples).map(sample).collect()))
}

/// All of one window: filter, time domain, frequency bands, mark.
#[divan::bench(args = FILTERS)]
fn window_on_one_core(bencher: Bencher, filter: Filter) {
    let recording = recording(1);
    let window = windows(&recording).next();
    let beats = window.as_ref().map_or(0, |window| window.beats().len());
    bencher
        .counter(ItemsCount::new(beats))
        .bench_local(|| window.as_ref().map(|window| window.values(black_box(filter))));
}

/// Detection alone.
#[divan::bench]
fn detection(bencher: Bencher) {
    let recording = recording(1);
    bencher.bench_local(|| detect(black_box(recording.beats())));
}

/// Frequency bands alone: 433 frequencies.
#[divan::bench]
fn bands(bencher: Bencher) {
    let recording = recording(1);
    bencher.bench_local(|| Bands::of(black_box(recording.beats())));
}

/// A shift, its windows over every core.
#[divan::bench(sample_count = 20)]
fn shift_on_every_core(bencher: Bencher) {
    let recording = recording(SHIFT);
    let grid = Grid::of_recording(Length::FiveMinutes);
    bencher
        .counter(ItemsCount::new(SHIFT))
        .bench_local(|| values_on(&recording, grid, black_box(Filter::LipponenTarvainen)));
}

/// Skin conductance of five minutes at 4 Hz on one core.
#[divan::bench]
fn conductance_on_one_core(bencher: Bencher) {
    let signal = signal(1200);
    bencher.counter(ItemsCount::new(1200_u32)).bench_local(|| {
        signal.as_ref().and_then(|signal| Conductance::of(signal.samples(), signal.rate()))
    });
}

/// Skin conductance of a shift, its windows over every core.
#[divan::bench(sample_count = 20)]
fn conductance_of_a_shift_on_every_core(bencher: Bencher) {
    let signal = signal(SHIFT * 1200);
    bencher.counter(ItemsCount::new(SHIFT)).bench_local(|| signal.as_ref().map(signal_windows));
}
