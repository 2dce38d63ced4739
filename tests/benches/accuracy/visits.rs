//! A real table: visits to a physician in the RAND Health Insurance Experiment, 20,190 rows, as counts.
//!
//! `TACIT_RAND_HIE` names a CSV file with the columns of the data set `randhie` of statsmodels; without it this part is
//! skipped. Rows are treated as persons. Each period is one Newton step from the last; earlier periods are the same table
//! drawn again with replacement, which flatters them. Explained is
//! ```text
//! (D(mean alone) − D(release)) / (D(mean alone) − D(maximum of the likelihood))        D: Poisson deviance of all rows
//! ```
//! once of the visits as they are, once capped at 20 as the study counts them.
use crate::common::{median, print, say};
use crate::goals::Goals;
use crate::history::ends;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::path::Path;
use tacit_coordinator::model::ModelError;
use tacit_coordinator::model::glm::{self, Family};
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};
use tacit_tests::trial::{Number, Setting, Table, Trial};

const SETTING: Setting = Setting {
    clinicians: 20_190,
    columns: 10,
    sites: 20,
    epsilon: 1.0,
    products_only: true,
    between: 0.0,
};
/// Most visits that count.
const MOST: f64 = 20.0;
/// Periods of a run: 3 for the goal, then on to see that it lasts.
const PERIODS: u64 = 7;
/// Names of the columns with their public bounds, the centre in the middle; a study knows no insurance, so other numbers
/// lend their names.
const NUMBERS: [(&str, Number); 5] = [
    ("lncoins", public("minutes-mean", 4.62, 0.9)),
    ("lpi", public("presence-minutes-mean", 7.2, 0.8)),
    ("fmde", public("call-minutes-mean", 8.3, 0.8)),
    ("physlm", public("remote-share", 1.0, 1.0)),
    ("disea", public("volume", 60.0, 0.7)),
];
/// Marks that exclude each other are the levels of a factor: a plan of one's own, and health below excellent.
const MARKS: [&[&str]; 2] = [&["idp"], &["hlthg", "hlthf", "hlthp"]];
const FACTORS: &str = "[[features]]\nid = \"plan\"\nlabel = \"Plan\"\nsource = \"stratum:gender\"\nrms = 0.5\n\
    levels = [\"none\", \"idp\"]\n\
    [[features]]\nid = \"health\"\nlabel = \"Health\"\nsource = \"stratum:age-band\"\nrms = 0.4\n\
    levels = [\"none\", \"hlthg\", \"hlthf\", \"hlthp\"]\n";

const fn public(source: &'static str, high: f64, rms: f64) -> Number {
    Number { source, low: 0.0, high, centre: high / 2.0, rms }
}

/// One person: the numbers, the levels, the visits.
struct Person {
    numbers: Vec<f64>,
    levels: Vec<&'static str>,
    visits: f64,
}

fn read(path: &Path) -> Result<Vec<Person>, Fault> {
    let wrong = |error: String| Fault::user(error).at(path.display().to_string());
    let mut reader = csv::Reader::from_path(path).map_err(|e| wrong(e.to_string()))?;
    let head = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let place = |name: &str| {
        let at = head.iter().position(|other| other == name);
        at.ok_or_else(|| wrong(format!("there is no column `{name}`")))
    };
    let visits = place("mdvis")?;
    let numbers =
        NUMBERS.iter().map(|(name, _)| place(name)).collect::<Result<Vec<usize>, Fault>>()?;
    let mut marks = Vec::new();
    for names in MARKS {
        let of = |name: &&'static str| Ok((*name, place(name)?));
        marks.push(names.iter().map(of).collect::<Result<Vec<(&str, usize)>, Fault>>()?);
    }
    let mut persons = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let number = |at: usize| {
            let text = record.get(at).unwrap_or_default();
            text.parse::<f64>().map_err(|_| wrong(format!("line {}", persons.len() + 2)))
        };
        let mut levels = Vec::new();
        for names in &marks {
            let mut level = "none";
            for (name, at) in names {
                if number(*at)? > 0.5 {
                    level = name;
                }
            }
            levels.push(level);
        }
        let numbers = numbers.iter().map(|at| number(*at)).collect::<Result<_, _>>()?;
        let visits = number(visits)?;
        persons.push(Person { numbers, levels, visits });
    }
    Ok(persons)
}

fn first() -> Result<Trial, Fault> {
    let numbers: Vec<Number> = NUMBERS.iter().map(|(_, number)| *number).collect();
    let factors = format!("{FACTORS}[[groups]]");
    SETTING.first_of(
        &numbers,
        &[
            (
                "low = 10.0\nhigh = 50.0\ncentre = 28.0\nresidual_bound = 18.0",
                "low = 0.0\nhigh = 20.0\ncentre = 3.0\nresidual_bound = 11.0",
            ),
            ("[[groups]]", &factors),
            ("groups = [\"group-a\"]", "groups = []"),
            ("[fairness]", "[model]\nfamily = \"poisson\"\n[fairness]"),
        ],
    )
}

/// A table of these persons, dealt to the hospitals in turn.
fn table<'a>(trial: &Trial, persons: impl Iterator<Item = &'a Person>) -> Result<Table, Fault> {
    let row = |(at, person): (usize, &Person)| {
        let mut features: Vec<Value> = person.numbers.iter().copied().map(Value::Number).collect();
        for level in &person.levels {
            let level = level.parse().map_err(|_| Fault::bug("a level has no name"))?;
            features.push(Value::Level(level));
        }
        let measured = Measured {
            outcome: person.visits,
            features,
            groups: vec![0.1, 0.1],
            histograms: vec![],
        };
        let row = FeatureRow::new(trial.study.schema(), &measured);
        Ok((at % usize::from(SETTING.sites), row.map_err(|e| Fault::bug(e.to_string()))?))
    };
    Ok(Table::of(persons.enumerate().map(row).collect::<Result<_, Fault>>()?))
}

/// Rows as a likelihood sees them, and what its maximum leaves of the deviance.
struct Best {
    rows: Vec<(Vec<f64>, f64)>,
    null: f64,
    least: f64,
}

impl Best {
    /// Scaled rows with visits up to a cap.
    fn of(scaled: &Table, persons: &[Person], most: f64) -> Result<Self, Fault> {
        let visits = persons.iter().map(|person| person.visits.min(most));
        let rows: Vec<(Vec<f64>, f64)> =
            scaled.rows().into_iter().map(|row| row.x).zip(visits).collect();
        let mean = rows.iter().map(|(_, y)| y).sum::<f64>() / float(rows.len());
        let fit = glm::fit(Family::Poisson, SETTING.columns, mean.ln(), |pass| {
            for (x, y) in &rows {
                pass.add(x, *y, 1.0);
            }
            Ok::<(), ModelError>(())
        });
        let fit = fit.map_err(|e| Fault::bug(e.to_string()))?;
        Ok(Self { rows, null: fit.null_deviance, least: fit.deviance })
    }

    /// What a formula explains, of what the maximum does.
    fn explained(&self, beta: &[f64]) -> f64 {
        let deviance = |(x, y): &(Vec<f64>, f64)| {
            let eta = x.iter().zip(beta).map(|(x, b)| x * b).sum();
            Family::Poisson.terms(eta, *y).deviance
        };
        let left: f64 = self.rows.iter().map(deviance).sum();
        (self.null - left) / (self.null - self.least)
    }
}

/// For each period what a release of the table explains, of visits as they are and capped.
async fn periods(
    persons: &[Person],
    (whole, capped): (&Best, &Best),
    seed: u64,
) -> Result<Vec<(f64, f64)>, Fault> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut trial, mut past, mut found) = (first()?, Vec::<(Trial, Aggregate)>::new(), Vec::new());
    for period in 0..PERIODS {
        let sum = trial.exact(&table(&trial, persons.iter())?).await?;
        let (moments, fitted) = trial.fitted(&trial.noised(&sum, 100 * seed + period)?)?;
        let beta = moments.inputs().gram().coefficients(fitted.predicting());
        let beta = beta.map_err(|e| Fault::bug(e.to_string()))?;
        found.push((whole.explained(beta.as_slice()), capped.explained(beta.as_slice())));
        let again =
            (0..persons.len()).filter_map(|_| persons.get(rng.random_range(0..persons.len())));
        let again: Vec<&Person> = again.collect();
        let sum = trial.exact(&table(&trial, again.into_iter())?).await?;
        let opened = trial.noised(&sum, 100 * seed + 50 + period)?;
        let earlier: Vec<(&Trial, &Aggregate)> = std::iter::once((&trial, &opened))
            .chain(past.iter().map(|(trial, opened)| (trial, opened)))
            .collect();
        let next = trial.next(&SETTING, &earlier)?;
        past.insert(0, (std::mem::replace(&mut trial, next), opened));
    }
    Ok(found)
}

pub(crate) async fn report(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let Some(path) = std::env::var_os("TACIT_RAND_HIE") else {
        say("\nVisits are skipped: TACIT_RAND_HIE names no table.");
        return Ok(());
    };
    let persons = read(Path::new(&path))?;
    let scaled = table(&first()?, persons.iter())?;
    let whole = Best::of(&scaled, &persons, f64::INFINITY)?;
    let capped = Best::of(&scaled, &persons, MOST)?;
    let mut found = Vec::new();
    for seed in 1..=3 * scale {
        found.push(periods(&persons, (&whole, &capped), seed).await?);
    }
    let mut rows = Vec::new();
    for (at, period) in [(0, "first"), (1, "second"), (2, "third"), (6, "seventh")] {
        let of = |part: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            found.iter().filter_map(|run| run.get(at).map(part)).map(|s| 100.0 * s).collect()
        };
        let (whole, capped) = (of(|found| found.0), of(|found| found.1));
        let middle = median(&whole);
        let goal = (at == 2).then(|| goals.at_least("explained of visits, in %", middle, 96.0));
        rows.push(vec![
            period.to_owned(),
            format!("{middle:.1}"),
            goal.unwrap_or_default(),
            format!("{:.1} to {:.1}", ends(&whole).0, ends(&whole).1),
            format!("{:.1}", median(&capped)),
            found.len().to_string(),
        ]);
    }
    print(
        &format!(
            "Visits of {} persons (RAND Health Insurance Experiment), Poisson, 10 columns, ε = 1: % of the deviance that the maximum of the likelihood explains (D² {:.4}; capped at 20 visits {:.4})",
            persons.len(),
            1.0 - whole.least / whole.null,
            1.0 - capped.least / capped.null,
        ),
        &["period", "explained, median", "goal", "range", "of visits capped at 20", "runs"],
        &rows,
    );
    Ok(())
}
