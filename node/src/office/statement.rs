//! What a study would send, in words: the page an officer reads before approving.
use super::forecast::{self, forecast, model, worth};
use super::page::wrapped;
use tacit_shared::privacy::accountant::Cost;
use tacit_shared::privacy::ledger::Budgets;
use tacit_shared::privacy::plan::{Charges, Plan};
use tacit_shared::study::Study;
use tacit_shared::units::Delta;

/// The statement of one study under the site's ledger; `heads` are the clinicians of all sites together, if somebody said
/// how many.
pub fn statement(
    study: &Study,
    plan: &Plan,
    spent: Charges,
    budgets: Budgets,
    heads: Option<u32>,
) -> String {
    let mut lines = asked(study);
    lines.push(String::new());
    lines.extend(read(study));
    lines.push(String::new());
    lines.extend(sent(plan));
    lines.push(String::new());
    lines.push("What the result would be worth, from public numbers alone:".to_owned());
    let found = forecast(study, plan, forecast::heads(plan, heads));
    lines.extend(
        worth(found.as_ref(), heads.is_some()).iter().flat_map(|sentence| wrapped(sentence, 2)),
    );
    lines.push(String::new());
    lines.extend(cost(study, plan, spent, budgets));
    lines.join("\n")
}

fn asked(study: &Study) -> Vec<String> {
    let (from, to) = study.period();
    let receives: Vec<String> = study.recipients().iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("Study {}: {}", study.name(), study.title()),
        format!("  asks      {}", study.question()),
    ];
    for ask in study.asks() {
        let by: Vec<String> = ask.by.iter().map(ToString::to_string).collect();
        lines.push(format!("            {} ({})", ask.question, by.join(", ")));
    }
    lines.extend([
        format!("  period    {from} up to {to}, purpose {}", study.purpose()),
        format!("  receives  {}", receives.join(", ")),
        format!("  digest    {}", study.digest()),
    ]);
    lines
}

fn read(study: &Study) -> Vec<String> {
    let schema = study.schema();
    let outcome = &schema.outcome;
    let mut lines = vec![
        "What is read here, and never leaves:".to_owned(),
        format!(
            "  outcome   {} ({}), {} to {} {}",
            outcome.label, outcome.source, outcome.low, outcome.high, outcome.unit
        ),
    ];
    let under = wrapped(&model(study), 12).join("\n");
    lines.push(format!("  model     {}", under.trim_start()));
    for feature in &schema.features {
        let bounds = if feature.levels.is_empty() {
            format!("{} to {} ({})", feature.low, feature.high, feature.unit)
        } else {
            format!("{} levels", feature.levels.len())
        };
        lines.push(format!("  feature   {} ({}), {bounds}", feature.label, feature.source));
    }
    for group in &schema.groups {
        let label = &group.label;
        lines.push(format!("  group     {label} ({} at least {})", group.source, group.at_least));
    }
    for histogram in &schema.histograms {
        lines.push(format!(
            "  histogram {} ({}), {} bins from {} to {} {}",
            histogram.label,
            histogram.source,
            histogram.bins,
            histogram.low,
            histogram.high,
            histogram.unit
        ));
    }
    lines
}

fn sent(plan: &Plan) -> Vec<String> {
    let numbers = plan.layout().dimension();
    let sites = plan.sites().len();
    vec![
        format!(
            "What leaves: one vector of {numbers} noisy sums, {} bytes, encrypted so that only the sum of {} or more of {sites} sites can be opened.",
            numbers.saturating_mul(8),
            plan.min_sites(),
        ),
        format!(
            "  noise     standard deviation {} in quanta, drawn here; {:.2} times what one clinician can change, guaranteed",
            plan.noise().site_scale(),
            plan.noise().guaranteed_multiplier(),
        ),
        format!(
            "  assumes   at most {} of {sites} sites tell the coordinator their noise",
            plan.colluders(),
        ),
    ]
}

fn cost(study: &Study, plan: &Plan, spent: Charges, budgets: Budgets) -> Vec<String> {
    let charges = plan.charges();
    let accounts = [
        ("clinician", charges.clinician, spent.clinician, budgets.clinician),
        ("patient", charges.patient, spent.patient, budgets.patient),
    ];
    let account = |(who, asked, spent, budget): (&str, Cost, Cost, _)| {
        let budget: tacit_shared::privacy::accountant::Budget = budget;
        format!(
            "  one {who:<9}  ε {} at δ {:e}; spent so far ε {}, budget ε {}: {}",
            epsilon(asked, plan.delta()),
            plan.delta().value(),
            epsilon(spent, budget.delta()),
            budget.epsilon().value(),
            if budget.admits(spent, asked) { "fits" } else { "DOES NOT FIT" },
        )
    };
    let mut lines = vec!["What it costs:".to_owned()];
    lines.extend(accounts.map(account));
    let rounds = study.privacy().rounds_per_year;
    let year = (1..study.privacy().releases_a_year())
        .try_fold(charges.clinician, |sum, _| sum.checked_add(charges.clinician));
    if let Some(year) = year {
        let epsilon = epsilon(year, plan.delta());
        lines.push(format!("  a year of {rounds} such periods costs one clinician ε {epsilon}"));
    }
    lines
}

fn epsilon(cost: Cost, delta: Delta) -> String {
    cost.epsilon(delta).map_or_else(|| "∞".to_owned(), |e| format!("{:.3}", e.value()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::office::tests::{plan, roster};
    use tacit_shared::privacy::accountant::Budget;
    use tacit_shared::units::Epsilon;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    fn of(text: &str, named: Option<u32>) -> String {
        let study = Study::parse(text).unwrap();
        let plan = plan(&study, &roster(5));
        let budget = |epsilon| {
            Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap()).unwrap()
        };
        let budgets = Budgets { clinician: budget(8.0), patient: budget(20.0) };
        let spent = Charges { clinician: Cost::ZERO, patient: Cost::ZERO };
        statement(&study, &plan, spent, budgets, named)
    }

    /// Wherever the lines break.
    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_officer_reads_what_it_is_worth_and_what_kind_of_model_it_is() {
        let statement = words(&of(STUDY, Some(600)));
        for part in [
            "model the outcome is an amount; coefficients are differences in points",
            "600 clinicians in all sites together (as given) hopeless: κ = 0.375",
            "What would help: κ of 1 takes at most 5 of the 8 columns",
        ] {
            assert!(statement.contains(part), "{part} in\n{statement}");
        }
        let capped = words(&of(STUDY, None));
        assert!(
            capped.contains("12500 clinicians in all sites together (the study's cap, surely"),
            "{capped}"
        );
        // Without its questions, which ask what only a score answers.
        let text = STUDY
            .split("[[asks]]")
            .next()
            .unwrap()
            .replace("low = 10.0\nhigh = 50.0", "low = 0.0\nhigh = 50.0")
            .replace("[fairness]", "[model]\nfamily = \"poisson\"\n\n[fairness]");
        let (before, after) = text.split_at(text.find("[fairness]").unwrap());
        let text = format!("{before}{}", after.replacen("groups = [", "groups = [] # [", 1));
        let counted = words(&of(&text, None));
        assert!(counted.contains("model the outcome is a count: rows are sent as one Newton step of a Poisson model from"), "{counted}");
    }
}
