//! The median of a score, from noisy counts by bins.
use crate::common::print;
use crate::goals::Goals;
use crate::history::{History, setting, share};
use tacit_coordinator::model::histogram::Histogram;
use tacit_coordinator::model::uncertainty::Target;
use tacit_model::gram::float;
use tacit_model::moments::Moments;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::schema::Histogram as Asked;

/// Two histograms share the budget of counts: the score by bins of two points, and a number beside it.
const WORDS: [(&str, &str); 2] = [
    (
        "[fairness]",
        "[[histograms]]\nid = \"scores\"\nlabel = \"Scores\"\nsource = \"scale:care-measure:total\"\nunit = \"points\"\n\
         low = 10.0\nhigh = 50.0\ncentre = 28.0\nbins = 20\n\
         [[histograms]]\nid = \"volumes\"\nlabel = \"Volumes\"\nsource = \"volume\"\nunit = \"a month\"\n\
         low = 0.0\nhigh = 180.0\ncentre = 90.0\nbins = 24\n[fairness]",
    ),
    ("site_features = 0.08", "site_features = 0.03\nhistograms = 0.05"),
];

fn bug(error: impl std::fmt::Display) -> Fault {
    Fault::bug(error.to_string())
}

/// The counts by bins of the score; `exact` are without noise.
fn scores(history: &History, aggregate: &Aggregate, exact: bool) -> Result<Histogram, Fault> {
    let moments = Moments::of(&history.trial.plan, aggregate).map_err(bug)?;
    let asked: Option<&Asked> = history.trial.study.schema().histograms.first();
    let (Some(asked), Some((counts, sd))) = (asked, moments.bins().first()) else {
        return Err(bug("there is no histogram"));
    };
    let width = (asked.high - asked.low) / f64::from(asked.bins);
    let edges: Vec<f64> = (0..=asked.bins).map(|at| asked.low + width * f64::from(at)).collect();
    Histogram::of(&edges, counts, if exact { 0.0 } else { *sd }).map_err(bug)
}

pub(crate) async fn report(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let setting = setting(20_000, 20, 1.0, false);
    let (mut held, mut errors, mut half_widths) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=5 {
        let history = History::from(&setting, setting.first_with(&WORDS)?, 1, seed).await?;
        let exact = scores(&history, &history.trial.signed(history.sum.clone())?, true)?;
        let same = exact.quantile(0.5, Target::ExactData).map_err(bug)?.value;
        let outcome = &history.trial.study.schema().outcome;
        let mut values: Vec<f64> = history.table.rows().iter().map(|row| row.y).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        let of_rows = outcome.low + (outcome.high - outcome.low) * middle;
        for draw in 0..20 * scale {
            let opened = history.trial.noised(&history.sum, 4_000_000 * seed + draw)?;
            let found = scores(&history, &opened, false)?;
            let found = found.quantile(0.5, Target::ExactData).map_err(bug)?;
            held.push(found.interval.contains(same));
            errors.push((found.value - of_rows).abs());
            half_widths.push(found.interval.width() / 2.0);
        }
    }
    let (count, covered) = (held.len(), share(held.into_iter()));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / float(values.len());
    let row = vec![
        format!("{:.3}", mean(&errors)),
        goals.at_most("mean error of a median", mean(&errors), 0.15),
        format!("{covered:.1}"),
        goals.covers("coverage of medians", covered),
        format!("{:.2}", mean(&half_widths)),
        count.to_string(),
    ];
    print(
        "The median of a score of 10 to 50 in 20 bins: 20,000 clinicians, ε = 1, a whole study with two histograms; points of the score",
        &[
            "mean error against the rows' own median",
            "goal",
            "coverage of the median of exact counts, %",
            "goal",
            "half width",
            "releases",
        ],
        &[row],
    );
    Ok(())
}
