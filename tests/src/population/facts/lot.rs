//! What differs by lot without a generator: the same for a clinician, patient or encounter in every run and period, and
//! drawn beside the generators, so that nothing else moves.
use super::super::profile::Profile;

/// What a lot is for.
#[derive(Clone, Copy)]
pub(super) enum About {
    Assistance,
    Channel(u8),
    Group,
    Readmission,
    Emergency,
}

/// A number in [0, 1) that follows from a purpose and a number (the mixer of `SplitMix64`).
pub(super) fn lot(about: About, number: u32) -> f64 {
    let purpose: u64 = match about {
        About::Assistance => 1,
        About::Group => 2,
        About::Readmission => 3,
        About::Emergency => 4,
        About::Channel(which) => 16 + u64::from(which),
    };
    let mut bits = (purpose << 32 | u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(0);
    f64::from(top) / 4_294_967_296.0
}

/// How often a clinician is assisted, and by which channels they meet patients: about what is typical of the hospital,
/// more for some and less for others.
pub(super) fn ways(profile: &Profile, number: u32) -> (f64, [f64; 5]) {
    let often = 3.0 * lot(About::Assistance, number).powi(2);
    let assistance = (profile.assistance * often).clamp(0.0, 0.95);
    let mut channels = profile.channels;
    let mut remote = 0.0;
    for (channel, which) in channels.iter_mut().zip(0_u8..).skip(1) {
        *channel *= 2.0 * lot(About::Channel(which), number);
        remote += *channel;
    }
    if let Some(in_person) = channels.first_mut() {
        *in_person = (1.0 - remote).max(0.0);
    }
    (assistance, channels)
}
