//! Money: how often the intervals of amounts hold what the same rule pays without noise, and how much goes elsewhere.
//!
//! The division is the coordinator's own, with the 999 redrawn releases of a report. Each release is divided four times: with
//! public heads and with heads read out of the noise, by the plain fit and after the dial.
use crate::common::{cpu_s, median, print, say, seconds};
use crate::goals::Goals;
use crate::history::{History, percent, setting, share};
use std::collections::BTreeMap;
use tacit_shared::fault::Fault;
use tacit_shared::study::allocation::By;
use tacit_tests::trial::amounts::{Paid, Purse};

/// Share of the gap that is closed, and whether heads are public.
const WAYS: [(f64, bool); 4] = [(0.0, true), (0.5, true), (0.0, false), (0.5, false)];

pub(crate) async fn report(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let setting = setting(20_000, 20, 1.0, false);
    let began = cpu_s();
    let mut found: BTreeMap<(usize, By), Vec<Paid>> = BTreeMap::new();
    for seed in 1..=10 {
        let history = History::of(&setting, 2, seed).await?;
        for (way, (phi, public)) in WAYS.into_iter().enumerate() {
            let purse = Purse::of(&history.trial, &history.exact, phi, public)?;
            for draw in 0..2 * scale {
                let opened = history.trial.noised(&history.sum, 3_000_000 * seed + draw)?;
                let [first, second, ..] = draw.to_le_bytes();
                let mut bytes = [u8::try_from(seed).unwrap_or(u8::MAX); 32];
                bytes[0] = first;
                bytes[1] = second;
                for paid in purse.judge(&history.trial, &opened, bytes)? {
                    found.entry((way, paid.by.clone())).or_default().push(paid);
                }
            }
        }
    }
    let mut rows = Vec::new();
    for ((way, by), paid) in &found {
        let (phi, public) = WAYS.get(*way).copied().unwrap_or_default();
        let held = share(paid.iter().flat_map(|paid| paid.held.iter().copied()));
        let amounts: usize = paid.iter().map(|paid| paid.held.len()).sum();
        let wide: Vec<f64> = paid.iter().flat_map(|paid| paid.half_widths.clone()).collect();
        let moved = median(&paid.iter().map(|paid| paid.misplaced).collect::<Vec<f64>>());
        let name =
            format!("{by}, φ = {phi}, {}", if public { "public heads" } else { "noisy heads" });
        // The goal is of hospitals whose heads are public.
        let limited = *by == By::Sites && public;
        let goal = limited
            .then(|| goals.at_most(&format!("pool misplaced: {name}, in %"), 100.0 * moved, 0.5));
        rows.push(vec![
            by.to_string(),
            if public { "public" } else { "noisy" }.to_owned(),
            phi.to_string(),
            format!("{held:.1}"),
            goals.covers(&format!("amounts: {name}"), held),
            amounts.to_string(),
            format!("{:.2}", 100.0 * median(&wide)),
            percent(moved),
            goal.unwrap_or_default(),
        ]);
    }
    print(
        "Amounts of a whole study of 20,000 clinicians, 20 columns, 20 hospitals, ε = 1, third period: coverage of the amount without noise, %",
        &[
            "among",
            "heads",
            "φ",
            "coverage",
            "goal",
            "amounts",
            "half width, % of the amount, median",
            "pool misplaced %, median",
            "goal",
        ],
        &rows,
    );
    say(&format!("{} of processor time", seconds(cpu_s() - began)));
    Ok(())
}
