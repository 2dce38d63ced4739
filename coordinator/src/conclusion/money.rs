//! The parts of a report that speak of money.
use super::parts::Scene;
use super::{Divided, Priced, Share};
use crate::allocation::equity::Proof;
use crate::model::uncertainty::Interval as ModelInterval;
use crate::report::data::{
    AllocationPart, AllocationRow, Bound, CodeRow, CodesPart, ColumnPrice, EquityPart, EquityProof,
    GapPrice, Interval, Noisy, PricePart, PricesPart, QuestionPart, ServiceLineRow,
    ServiceLinesPart,
};
use tacit_shared::study::allocation::{Allocation, By, Equity};
use tacit_shared::study::ask::Ask;
use tacit_shared::study::schema::{Column, Group};

/// What every table of codes says beside it.
const CAUTION: &str = "These codes are proposals for negotiation: no payer or standards body has adopted them, they say what the \
     reports of this period are worth under this study's formula, and a clinical encounter must never be steered by them.";

impl Scene<'_> {
    pub(super) fn allocation(&self, divided: &Divided) -> Option<AllocationPart> {
        let rule = self.round.study.allocation();
        let division = divided.view(&By::Sites)?;
        let mut rows: Vec<AllocationRow> = division
            .shares
            .iter()
            .map(|share| AllocationRow {
                site: share.unit.clone(),
                heads: heads(share),
                labour_index: share.index,
                extra_weight: share.extra,
                floor_cents: whole(share.bounds.0),
                cap_cents: whole(share.bounds.1),
                cents: share.cents.value(),
                low_cents: whole(share.interval.0),
                high_cents: whole(share.interval.1),
                at: bound(share),
                truth_cents: self.truth.and_then(|t| t.cents.get(&share.unit).copied()),
            })
            .collect();
        rows.sort_by(|a, b| a.site.cmp(&b.site));
        Some(AllocationPart {
            pool_cents: rule.pool_cents.value(),
            currency: rule.currency.clone(),
            rule: words(rule, &By::Sites),
            rows,
        })
    }

    pub(super) fn service_lines(&self, divided: &Divided) -> Vec<ServiceLinesPart> {
        let rule = self.round.study.allocation();
        let mut parts = Vec::new();
        for division in &divided.divisions {
            let By::Levels(id) = &division.by else { continue };
            let features = &self.round.study.schema().features;
            let label = features.iter().find(|f| f.id == *id).map_or("", |f| f.label.as_str());
            let truth = self.truth.and_then(|truth| truth.lines.get(id.as_str()));
            let row = |share: &Share| ServiceLineRow {
                level: share.unit.clone(),
                heads: heads(share),
                labour_index: share.index,
                extra_weight: share.extra,
                floor_cents: whole(share.bounds.0),
                cap_cents: whole(share.bounds.1),
                cents: share.cents.value(),
                low_cents: whole(share.interval.0),
                high_cents: whole(share.interval.1),
                at: bound(share),
                truth_cents: truth.and_then(|cents| cents.get(&share.unit).copied()),
            };
            parts.push(ServiceLinesPart {
                feature: id.to_string(),
                label: label.to_owned(),
                pool_cents: rule.pool_cents.value(),
                currency: rule.currency.clone(),
                rule: words(rule, &division.by),
                rows: division.shares.iter().map(row).collect(),
            });
        }
        parts
    }

    pub(super) fn prices(&self, divided: &Divided) -> PricesPart {
        let (study, prices) = (self.round.study, &divided.prices);
        let known = self.truth.and_then(|truth| truth.prices.as_ref());
        let part = |price: &Priced, truth: Option<f64>| PricePart {
            cents: price.cents,
            interval: price
                .interval
                .map_or(Interval::NotOffered, |(low, high)| Interval::Between { low, high }),
            truth,
        };
        let columns = study.schema().columns();
        let of_column = |at: usize| Some(known?.columns.get(at)?.cents);
        let column = |(at, (column, price)): (usize, (&Column, &Priced))| ColumnPrice {
            name: column.name.clone(),
            unit: column.unit.clone(),
            price: part(price, of_column(at)),
        };
        let of_gap = |at: usize| known?.gaps.get(at)?.map(|price| price.cents);
        let groups = study.schema().groups.iter().zip(&prices.gaps).enumerate();
        let gap = |(at, (group, price)): (usize, (&Group, &Option<Priced>))| {
            let price = part(price.as_ref()?, of_gap(at));
            Some(GapPrice { name: group.id.to_string(), price })
        };
        PricesPart {
            currency: study.allocation().currency.clone(),
            pool_cents: study.allocation().pool_cents.value(),
            point: part(&prices.point, known.map(|known| known.point.cents)),
            columns: columns.iter().zip(&prices.columns).enumerate().map(column).collect(),
            gaps: groups.filter_map(gap).collect(),
        }
    }

    pub(super) fn questions(&self) -> Vec<QuestionPart> {
        let part = |ask: &Ask| QuestionPart {
            question: ask.question.clone(),
            by: ask.by.clone(),
            words: Vec::new(),
        };
        self.round.study.asks().iter().map(part).collect()
    }

    pub(super) fn equity(&self, divided: &Divided) -> Option<EquityPart> {
        let rule = self.round.study.allocation().equity.as_ref()?;
        let range = self.range();
        let proof = |proof: &Proof| EquityProof {
            group: proof.group.clone(),
            counts: proof.counts,
            gap_points: proof.gap.map(|gap| gap * range),
            interval: match proof.interval {
                ModelInterval::Bounded { low, high } => {
                    Interval::Between { low: low * range, high: high * range }
                }
                ModelInterval::NotEstimable => Interval::NotEstimable,
            },
        };
        let label = |name: &str| {
            let groups = &self.round.study.schema().groups;
            let found = groups.iter().find(|group| group.id.as_str() == name);
            found.map_or_else(|| name.to_owned(), |group| group.label.clone())
        };
        Some(EquityPart {
            weight: rule.weight,
            proven_only: rule.proven_only,
            words: told(rule, &divided.equity, label),
            proofs: divided.equity.iter().map(proof).collect(),
        })
    }

    pub(super) fn codes(&self, divided: &Divided) -> Option<CodesPart> {
        let study = self.round.study;
        let (rule, codes) = (study.allocation(), study.codes()?);
        let division = divided.view(&By::Codes)?;
        let factor = study.schema().features.iter().find(|f| f.id == codes.factor)?;
        let unit = |id: &tacit_shared::id::FeatureId| {
            let found = study.schema().features.iter().find(|feature| feature.id == *id);
            found.map_or_else(String::new, |feature| feature.unit.clone())
        };
        let mut shares = division.shares.iter();
        let mut rows = Vec::new();
        for level in &factor.levels {
            for time in codes.times() {
                for acuity in codes.acuities() {
                    let share = shares.next()?;
                    rows.push(CodeRow {
                        code: share.unit.clone(),
                        specialty: level.to_string(),
                        time_from: time.from,
                        time_to: time.to,
                        acuity_from: acuity.from,
                        acuity_to: acuity.to,
                        expected: share.heads.0,
                        relative_value: share.index,
                        relative_low: share.index_interval.0,
                        relative_high: share.index_interval.1,
                        amount_cents: whole(share.rate),
                        amount_low_cents: whole(share.rate_interval.0),
                        amount_high_cents: whole(share.rate_interval.1),
                        share_cents: share.cents.value(),
                    });
                }
            }
        }
        let per = if codes.volume.is_some() { "encounter" } else { "clinician and period" };
        Some(CodesPart {
            caution: CAUTION.to_owned(),
            per: per.to_owned(),
            pool_cents: rule.pool_cents.value(),
            currency: rule.currency.clone(),
            base_url: codes.base_url.clone(),
            time_unit: unit(&codes.time),
            acuity_unit: unit(&codes.acuity),
            rows,
        })
    }
}

fn heads(share: &Share) -> Noisy {
    Noisy { value: share.heads.0, sd: share.heads.1 }
}

#[expect(clippy::cast_possible_truncation, reason = "amounts are below the pool, in cents")]
fn whole(amount: f64) -> i64 {
    amount.round() as i64
}

fn bound(share: &Share) -> Bound {
    match share.cents.value() {
        c if c <= whole(share.bounds.0) + 1 => Bound::Floor,
        c if c >= whole(share.bounds.1) - 1 => Bound::Cap,
        _ => Bound::None,
    }
}

/// The rule in words.
fn words(rule: &Allocation, by: &By) -> String {
    let mut words = format!(
        "In proportion to fitted labour, with at least {} % and at most {} % of an equal share per head.",
        rule.floor_percent_per_head, rule.cap_percent_per_head
    );
    if rule.heads.contains_key(by) {
        words.push_str(" Heads are counted publicly where the study gives them.");
    }
    if rule.price_index.contains_key(by) {
        words.push_str(" Labour is multiplied by the study's public price index.");
    }
    if rule.equity.is_some() {
        words.push_str(" The equity rule adds weight.");
    }
    words
}

/// What the equity rule did, and why.
fn told(rule: &Equity, proofs: &[Proof], label: impl Fn(&str) -> String) -> String {
    let named = |counts: bool| -> Vec<String> {
        let of = proofs.iter().filter(|proof| proof.counts == counts);
        of.map(|proof| format!("“{}”", label(&proof.group))).collect()
    };
    let (counted, left) = (named(true), named(false));
    let why = if rule.proven_only {
        "because the formula values them too low and the 95 % range of that gap excludes zero"
    } else {
        "because the study says so, whether or not a gap is proven"
    };
    let percent = rule.weight * 100.0;
    let mut words = if counted.is_empty() {
        "The equity rule added no weight anywhere.".to_owned()
    } else {
        format!(
            "The equity rule adds up to {percent:.0} % to the weight of a unit, in proportion to its share of clinicians in {}, {why}.",
            counted.join(" and in ")
        )
    };
    if !left.is_empty() {
        let left = left.join(" and ");
        words =
            format!("{words} {left} added none: with this noise no gap against them is proven.");
    }
    words.push_str(" The pool stays the same: what one unit gets more, others get less.");
    words
}
