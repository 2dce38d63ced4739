//! Fairness: how often the intervals of its measures hold, before the dial and after, and what the dial closes.
use crate::common::print;
use crate::goals::Goals;
use crate::history::{medians, percent, scores, setting, share};
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_tests::trial::score::Score;

const MEASURES: [&str; 4] =
    ["mean residual difference", "net compensation", "predictive ratio", "fair covariance"];

/// Coverage of the four measures, and whether all are as wanted.
fn four(
    found: &[Score],
    judged: impl Fn(&Score) -> &[bool],
    (name, goals): (&str, &mut Goals),
) -> (String, String) {
    let each: Vec<f64> = (0..MEASURES.len())
        .map(|at| share(found.iter().filter_map(|score| judged(score).get(at).copied())))
        .collect();
    let goal = |(what, value): (&&str, &f64)| goals.covers(&format!("{what} {name}"), *value);
    let mut verdicts: Vec<String> = MEASURES.iter().zip(&each).map(goal).collect();
    verdicts.dedup();
    let shown: Vec<String> = each.iter().map(|share| format!("{share:.1}")).collect();
    (shown.join(" / "), verdicts.join(", "))
}

pub(crate) async fn report(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for periods in [2, 6] {
        let setting = setting(20_000, 20, 1.0, false);
        let found = scores(&setting, (periods, 10, 5 * scale)).await?;
        let name = |when: &str| format!("{when}, {periods} earlier periods");
        let (before, of_before) = four(&found, |s| &s.before, (&name("before the dial"), goals));
        let (after, of_after) = four(&found, |s| &s.after, (&name("after the dial"), goals));
        let half_width = 100.0 * medians(&found, |s| s.half_width);
        let wide = goals.at_most(&name("half width of a gap"), half_width, 1.0);
        let mut closed: Vec<f64> = found.iter().filter_map(|s| s.closed).collect();
        closed.sort_by(f64::total_cmp);
        let at = |share: usize| closed.get(closed.len() * share / 100).copied().unwrap_or(f64::NAN);
        let inside = share(closed.iter().map(|c| (0.35..=0.70).contains(c)));
        let within = goals.at_least(&name("closed within .35–.70"), inside, 90.0);
        rows.push(vec![
            periods.to_string(),
            before,
            of_before,
            after,
            of_after,
            format!("{half_width:.2}"),
            wide,
            format!("{:.2} / {:.2} / {:.2}", at(5), at(50), at(95)),
            format!("{inside:.0}"),
            within,
            format!("{} of {}", float(closed.len()), found.len()),
            percent(medians(&found, |s| s.misplaced)),
        ]);
    }
    print(
        "A whole study of 20,000 clinicians, 20 columns, 20 hospitals, ε = 1; φ = .5; coverage of mean residual difference / net compensation / predictive ratio / fair covariance, %",
        &[
            "earlier periods",
            "before",
            "goal",
            "after the dial",
            "goal",
            "half width, points of 100",
            "goal",
            "closed, 5–50–95 %",
            "within .35–.70 %",
            "goal",
            "dial used",
            "pool misplaced %",
        ],
        &rows,
    );
    Ok(())
}
