//! What must hold between the numbers of the money.
use super::super::ReportError;
use super::super::data::{
    AllocationPart, AllocationRow, CodeRow, CodesPart, EquityPart, ReportData, ServiceLineRow,
    ServiceLinesPart,
};
use super::{Checked, ensure, finite, interval, noisy, unique};

/// Every view of the money.
pub(super) fn check_money(data: &ReportData) -> Checked {
    if let Some(allocation) = &data.allocation {
        check_allocation(allocation, data)?;
    }
    unique("service_lines", data.service_lines.iter().map(|part| &part.feature))?;
    for (at, part) in data.service_lines.iter().enumerate() {
        check_lines(&format!("service_lines[{at}]"), part, data.rehearsal)?;
    }
    if let Some(codes) = &data.codes {
        check_codes(codes)?;
    }
    data.equity.as_ref().map_or(Ok(()), check_equity)
}

fn check_pool(key: &str, pool: i64, currency: &str, cents: impl Iterator<Item = i64>) -> Checked {
    let plain = currency.len() == 3 && currency.chars().all(|c| c.is_ascii_uppercase());
    ensure(plain, &format!("{key}.currency"), "is not three capital letters (ISO 4217)")?;
    ensure(pool > 0, &format!("{key}.pool_cents"), "is not above 0")?;
    let sum = cents.map(i128::from).sum();
    if i128::from(pool) == sum { Ok(()) } else { Err(ReportError::Pool { sum, pool }) }
}

fn check_allocation(allocation: &AllocationPart, data: &ReportData) -> Checked {
    let cents = allocation.rows.iter().map(|row| row.cents);
    check_pool("allocation", allocation.pool_cents, &allocation.currency, cents)?;
    let sites = allocation.rows.iter().map(|r| &r.site);
    ensure(
        sites.eq(&data.federation.took_part),
        "allocation.rows",
        "does not name the sites of `federation.took_part` in their order",
    )?;
    let mut rows = allocation.rows.iter().enumerate();
    rows.try_for_each(|(row, site)| check_row(row, site, data.rehearsal))
}

fn check_row(row: usize, site: &AllocationRow, rehearsal: bool) -> Checked {
    let key = |name: &str| format!("allocation.rows[{row}].{name}");
    noisy(&key("heads"), site.heads)?;
    finite(&key("labour_index"), site.labour_index)?;
    extra(&key("extra_weight"), site.extra_weight)?;
    let amounts = [site.floor_cents, site.cap_cents, site.cents, site.low_cents, site.high_cents];
    check_amounts(&key, amounts)?;
    check_truth(&key, site.truth_cents, rehearsal)
}

fn check_lines(part_key: &str, part: &ServiceLinesPart, rehearsal: bool) -> Checked {
    let cents = part.rows.iter().map(|row| row.cents);
    check_pool(part_key, part.pool_cents, &part.currency, cents)?;
    unique(&format!("{part_key}.rows"), part.rows.iter().map(|row| &row.level))?;
    for (at, row) in part.rows.iter().enumerate() {
        let ServiceLineRow { floor_cents, cap_cents, cents, low_cents, high_cents, .. } = *row;
        let key = |name: &str| format!("{part_key}.rows[{at}].{name}");
        noisy(&key("heads"), row.heads)?;
        finite(&key("labour_index"), row.labour_index)?;
        extra(&key("extra_weight"), row.extra_weight)?;
        check_amounts(&key, [floor_cents, cap_cents, cents, low_cents, high_cents])?;
        check_truth(&key, row.truth_cents, rehearsal)?;
    }
    Ok(())
}

fn check_amounts(key: &impl Fn(&str) -> String, amounts: [i64; 5]) -> Checked {
    let [floor, cap, cents, low, high] = amounts;
    ensure((0..=cap).contains(&floor), &key("floor_cents"), "is not from 0 to `cap_cents`")?;
    let kept = (floor..=cap).contains(&cents);
    ensure(kept, &key("cents"), "is not from `floor_cents` to `cap_cents`")?;
    ensure(low <= high, &key("low_cents"), "is above `high_cents`")
}

fn check_truth(key: &impl Fn(&str) -> String, truth: Option<i64>, rehearsal: bool) -> Checked {
    ensure(
        rehearsal || truth.is_none(),
        &key("truth_cents"),
        "is given, but only a rehearsal knows the truth",
    )
}

fn extra(key: &str, weight: f64) -> Checked {
    ensure(weight.is_finite() && weight >= 0.0, key, "is not a finite number of at least 0")
}

fn check_codes(codes: &CodesPart) -> Checked {
    let cents = codes.rows.iter().map(|row| row.share_cents);
    check_pool("codes", codes.pool_cents, &codes.currency, cents)?;
    unique("codes.rows", codes.rows.iter().map(|row| &row.code))?;
    for (at, row) in codes.rows.iter().enumerate() {
        let CodeRow { time_from, time_to, acuity_from, acuity_to, .. } = *row;
        let key = |name: &str| format!("codes.rows[{at}].{name}");
        ensure(time_from < time_to, &key("time_to"), "is not above `time_from`")?;
        ensure(acuity_from < acuity_to, &key("acuity_to"), "is not above `acuity_from`")?;
        let sound = row.expected.is_finite() && row.expected > 0.0;
        ensure(sound, &key("expected"), "is not a finite number above 0")?;
        finite(&key("relative_value"), row.relative_value)?;
        let ends = row.relative_low <= row.relative_high;
        ensure(ends, &key("relative_low"), "is above `relative_high`")?;
        let amounts = row.amount_low_cents <= row.amount_high_cents && row.amount_cents >= 0;
        ensure(amounts, &key("amount_cents"), "is negative, or its range is upside down")?;
    }
    Ok(())
}

fn check_equity(equity: &EquityPart) -> Checked {
    extra("equity.weight", equity.weight)?;
    unique("equity.proofs", equity.proofs.iter().map(|proof| &proof.group))?;
    for (at, proof) in equity.proofs.iter().enumerate() {
        let key = |name: &str| format!("equity.proofs[{at}].{name}");
        proof.gap_points.map_or(Ok(()), |gap| finite(&key("gap_points"), gap))?;
        interval(&key("interval"), proof.interval)?;
        let proven = matches!(proof.interval, super::Interval::Between { low, .. } if low > 0.0);
        let held = !equity.proven_only || proof.counts == proven;
        ensure(held, &key("counts"), "does not follow from `interval`")?;
    }
    Ok(())
}
