//! `tacit-coordinator next`: the study of the next period, in the frame that earlier signed results give.
//!
//! It takes the newest result's study over key by key, moves the period on, and states W, b₀, the caps and the
//! directions under `[warm]`. Every node derives the same numbers from its own copies of the results and refuses
//! others, so nobody has to trust this program. Deriving is [`tacit_model::warm`]'s work.
use super::files;
use super::held::{Folder, Held};
use crate::store::Finished;
use std::path::PathBuf;
use tacit_model::warm::{self, Earlier, Frame};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::study::Study;
use tacit_shared::study::warm::RESULTS_MAX;
use time::{Date, Month};

/// Shares of a later period: what trials found to serve coefficients, fairness and allocation alike. `histograms`
/// is taken only where the study counts some, `site_groups` where an equity rule weighs sites.
const SHARES: [(&str, f64); 15] = [
    ("matrix", 0.18),
    ("moment", 0.32),
    ("square", 0.01),
    ("group_heads", 0.02),
    ("group_residual", 0.12),
    ("group_features", 0.02),
    ("group_labour", 0.02),
    ("group_direction", 0.04),
    ("site_heads", 0.03),
    ("site_residual", 0.05),
    ("site_features", 0.02),
    ("site_labour", 0.09),
    ("site_groups", 0.02),
    ("meta", 0.01),
    ("histograms", 0.05),
];

/// Arguments of `next`.
#[derive(Clone, Debug, clap::Args)]
pub struct NextArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// The result to go on from, by the digest of its round's configuration; the newest if not given
    #[arg(long)]
    pub round: Option<Digest>,
    /// How many earlier results of the same study count at most, the newest first
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub results: u8,
    /// First day of the period; the day after the last one's if not given
    #[arg(long, value_name = "DAY", requires = "to")]
    pub from: Option<String>,
    /// Day after the last of the period; as many months on if not given
    #[arg(long, value_name = "DAY", requires = "from")]
    pub to: Option<String>,
    /// Release the same period once more, with what is left of its privacy: the second half of a first
    /// period whose study spends a part on the scaling
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub same_period: bool,
    /// File to write
    #[arg(long)]
    pub out: PathBuf,
}

/// Writes the next study; returns what was derived, and from what.
///
/// # Errors
/// A fault if there is no result to go on from, or nothing follows from it.
pub async fn run(args: &NextArgs) -> Result<String, Fault> {
    let folder = Folder::open(&args.dir).await?;
    let read = read(&folder, args).await;
    folder.close().await;
    let (next, frame) = derived(args, &read?)?;
    // What a node would refuse is not handed out.
    let study = Study::parse(&next).map_err(|e| e.into_fault("the next study"))?;
    if let Some(what) = warm::differs(&study, &frame) {
        return Err(Fault::bug(format!("the study written states another `{what}`")));
    }
    files::write(&args.out, &next)?;
    Ok(told(args, &study, &frame))
}

/// What the next study follows from.
struct Ground {
    /// The study file of the newest result.
    text: String,
    /// Results of that study, the newest first.
    held: Vec<Held>,
    /// Percent of the newest period's privacy that all its releases spent.
    spent: u32,
}

async fn read(folder: &Folder, args: &NextArgs) -> Result<Ground, Fault> {
    let at = folder.position(args.round)?;
    folder.whole()?;
    let most = usize::from(args.results).min(RESULTS_MAX);
    let held = folder.of_one_study(at, most)?;
    let newest = held.first().ok_or_else(|| Fault::bug("no result"))?.finished();
    // Every release of the period counts, whichever result it goes on from.
    let of_period = |f: &&Finished| {
        f.study.name() == newest.study.name() && f.study.period() == newest.study.period()
    };
    let spent = folder.finished().iter().filter(of_period);
    let spent = spent.map(|f| f.study.privacy().spend_percent).fold(0, u32::saturating_add);
    let text = folder.study_text(newest.config).await?;
    Ok(Ground { text, held, spent })
}

/// The next study's text and the frame in it.
fn derived(args: &NextArgs, ground: &Ground) -> Result<(String, Frame), Fault> {
    let mut table: toml::Table = toml::from_str(&ground.text)
        .map_err(|e| Fault::operator(e.to_string()).at("the stored study"))?;
    let newest = &ground.held.first().ok_or_else(|| Fault::bug("no result"))?.finished().study;
    let earlier: Vec<Earlier<'_>> =
        ground.held.iter().map(Held::earlier).collect::<Result<_, _>>()?;
    let frame = warm::derive(newest, &earlier).map_err(|e| {
        Fault::user(format!("no frame follows from the results: {e}"))
            .hint("run a first period instead, or name fewer results with --results")
    })?;
    set_period(args, newest, &mut table)?;
    put(&mut table, "outcome", "residual_bound", frame.residual_bound.into())?;
    put(&mut table, "privacy", "norm_cap", frame.norm_cap.into())?;
    let directed = !frame.warm.directions.is_empty();
    let shares = match newest.warm() {
        None => Some(shares(newest, directed)),
        Some(warm) => followed(newest, !warm.directions.is_empty(), directed),
    };
    if let Some(shares) = shares {
        put(&mut table, "privacy", "shares", shares.into())?;
    }
    let left = if args.same_period { 100_u32.saturating_sub(ground.spent) } else { 100 };
    if left == 0 {
        return Err(Fault::user("the result spent all of its period's privacy")
            .hint("`spend_percent` of the first study leaves a part for a second release"));
    }
    put(&mut table, "privacy", "spend_percent", i64::from(left).into())?;
    let warm = toml::Table::try_from(&frame.warm).map_err(|e| Fault::bug(e.to_string()))?;
    table.insert("warm".to_owned(), warm.into());
    let body = toml::to_string(&table).map_err(|e| Fault::bug(e.to_string()))?;
    Ok((format!("{HEAD}{body}"), frame))
}

/// What the file begins with.
const HEAD: &str = "# A later period, written by `tacit-coordinator next`. [warm], norm_cap and residual_bound follow from the\n\
    # results it names: every node derives them from its own copies and refuses other values.\n\n";

fn put(table: &mut toml::Table, part: &str, key: &str, value: toml::Value) -> Result<(), Fault> {
    let part = table.get_mut(part).and_then(toml::Value::as_table_mut);
    let part = part.ok_or_else(|| Fault::operator("a part is missing").at("the stored study"))?;
    part.insert(key.to_owned(), value);
    Ok(())
}

/// Shares of a later period; what no block takes goes to the products of columns and residual.
pub fn shares(study: &Study, directed: bool) -> toml::Table {
    let counts = !study.schema().histograms.is_empty();
    let adds = study.family().is_additive();
    let idle = |name: &str| match name {
        "histograms" => !counts,
        "group_direction" => !directed || !adds,
        "group_labour" | "site_labour" => !adds,
        "site_groups" => study.privacy().shares.site_groups <= 0.0,
        _ => false,
    };
    let left: f64 = SHARES.iter().filter(|(name, _)| idle(name)).map(|(_, share)| share).sum();
    let share = |(name, share): &(&str, f64)| {
        let share = if *name == "moment" { share + left } else { *share };
        ((*name).to_owned(), toml::Value::Float((share * 1e6).round() / 1e6))
    };
    SHARES.iter().filter(|(name, _)| !idle(name)).map(share).collect()
}

/// The shares of a later period after another, where directions appear that were not, or vanish: theirs is taken from the
/// products of columns and residual, in proportion at most, or goes there. `None` where nothing is to be changed: whatever
/// else the convener wrote stays.
fn followed(study: &Study, were: bool, directed: bool) -> Option<toml::Table> {
    let shares = &study.privacy().shares;
    let usual = |name: &str| {
        SHARES.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, share)| *share)
    };
    let (moment, direction) = match (were, directed) {
        (_, false) if shares.group_direction > 0.0 => (shares.moment + shares.group_direction, 0.0),
        (false, true) => {
            let (own, rest) = (usual("group_direction"), usual("moment"));
            let part = own.min(shares.moment * own / (own + rest));
            (shares.moment - part, part)
        }
        _ => return None,
    };
    let now = |(name, share): (&'static str, f64)| match name {
        "moment" => (name, moment),
        "group_direction" => (name, direction),
        _ => (name, share),
    };
    let all = shares.each().into_iter().chain(shares.optional()).map(now);
    let written = |(name, share): (&str, f64)| {
        (name.to_owned(), toml::Value::Float((share * 1e6).round() / 1e6))
    };
    Some(all.filter(|(_, share)| *share > 0.0).map(written).collect())
}

fn set_period(args: &NextArgs, study: &Study, table: &mut toml::Table) -> Result<(), Fault> {
    let (from, to) = match (&args.from, &args.to) {
        (Some(from), Some(to)) => (from.clone(), to.clone()),
        _ if args.same_period => return Ok(()),
        _ => {
            let (from, to) = study.period();
            let end = moved_on(from, to).ok_or_else(|| {
                Fault::user("the period cannot be moved on by itself").hint("give --from and --to")
            })?;
            (to.to_string(), end.to_string())
        }
    };
    put(table, "period", "from", from.into())?;
    put(table, "period", "to", to.into())
}

/// The end of a period of as many months (or, from another day than the first, days) after `to`.
fn moved_on(from: Date, to: Date) -> Option<Date> {
    if from.day() != 1 || to.day() != 1 {
        return to.checked_add(to - from);
    }
    let month = |date: Date| date.year() * 12 + i32::from(u8::from(date.month())) - 1;
    let end = 2 * month(to) - month(from);
    let name = Month::try_from(u8::try_from(end.rem_euclid(12) + 1).ok()?).ok()?;
    Date::from_calendar_date(end.div_euclid(12), name, 1).ok()
}

fn told(args: &NextArgs, study: &Study, frame: &Frame) -> String {
    let (from, to) = study.period();
    let directions = match frame.warm.directions.len() {
        0 => "no direction for the dial stands clear of its noise".to_owned(),
        count => format!("directions for {count} group(s) of the dial"),
    };
    format!(
        "{}: {from} to {to}, study {}\n\
         It rests on {} earlier result(s): scaling of {} columns, prior formula, rows up to length {:.3},\n\
         residuals up to {:.3} {}, {directions}.\n\
         Hospitals approve it as any study; each node derives these numbers itself and refuses others.",
        args.out.display(),
        study.digest(),
        frame.warm.results.len(),
        frame.warm.prior.len(),
        frame.norm_cap,
        frame.residual_bound,
        study.schema().outcome.unit,
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn periods_move_on_by_months_where_they_begin_with_one() {
        let day = |y, m, d| Date::from_calendar_date(y, Month::try_from(m).unwrap(), d).unwrap();
        for (from, to, next) in [
            (day(2026, 7, 1), day(2026, 10, 1), day(2027, 1, 1)),
            (day(2026, 11, 1), day(2027, 1, 1), day(2027, 3, 1)),
            (day(2026, 1, 1), day(2026, 12, 1), day(2027, 11, 1)),
            (day(2026, 7, 15), day(2026, 7, 25), day(2026, 8, 4)),
        ] {
            assert_eq!(moved_on(from, to), Some(next));
        }
    }

    #[test]
    fn later_shares_use_the_whole_budget() {
        let text = include_str!("../../../configs/studies/empathy-billing.toml");
        let study = Study::parse(text).unwrap();
        for directed in [true, false] {
            let sum: f64 =
                shares(&study, directed).values().filter_map(toml::Value::as_float).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        assert!(!shares(&study, true).contains_key("site_groups"));
        let rule = "[allocation.equity]\ngroups = [\"night-work\"]\nweight = 0.5\n";
        let weighed = text.replace("meta = 0.01", "meta = 0.005\nsite_groups = 0.005");
        let weighed = Study::parse(&format!("{weighed}\n{rule}")).unwrap();
        let shares = shares(&weighed, true);
        let sum: f64 = shares.values().filter_map(toml::Value::as_float).sum();
        assert!((sum - 1.0).abs() < 1e-9 && shares.contains_key("site_groups"), "{sum}");
    }

    /// The example study in a later period, with these shares.
    fn later(shares: toml::Table, directed: bool) -> Study {
        let text = include_str!("../../../configs/studies/empathy-billing.toml");
        let mut table: toml::Table = toml::from_str(text).unwrap();
        put(&mut table, "privacy", "shares", shares.into()).unwrap();
        let column = |zeros: usize| [vec![0.0; zeros], vec![1.0]].concat();
        let groups = Study::parse(text).unwrap().fairness().groups.len();
        let warm = tacit_shared::study::warm::Warm {
            results: vec![Digest::new([1; 32])],
            whitening: (0..8).map(column).collect(),
            prior: vec![0.5; 8],
            directions: if directed { vec![column(7); groups] } else { Vec::new() },
        };
        table.insert("warm".to_owned(), toml::Table::try_from(warm).unwrap().into());
        Study::parse(&toml::to_string(&table).unwrap()).unwrap()
    }

    #[test]
    fn shares_follow_directions_that_appear_or_vanish_later() {
        let first =
            Study::parse(include_str!("../../../configs/studies/empathy-billing.toml")).unwrap();
        let (with, without) = (shares(&first, true), shares(&first, false));
        assert!(with.contains_key("group_direction") && !without.contains_key("group_direction"));
        let plain = later(without.clone(), false);
        assert_eq!(followed(&plain, false, true), Some(with.clone()));
        assert_eq!(followed(&plain, false, false), None);
        let directed = later(with.clone(), true);
        assert_eq!(followed(&directed, true, false), Some(without));
        assert_eq!(followed(&directed, true, true), None);
        // What the convener wrote by hand stays, but for what the directions take or leave.
        let mut by_hand = with;
        for (name, share) in [("moment", 0.2), ("site_heads", 0.13), ("group_direction", 0.05)] {
            by_hand.insert(name.to_owned(), toml::Value::Float(share));
        }
        let left = followed(&later(by_hand.clone(), true), true, false).unwrap();
        assert_eq!(left.get("moment").and_then(toml::Value::as_float), Some(0.25));
        assert_eq!(left.get("site_heads").and_then(toml::Value::as_float), Some(0.13));
        let again = followed(&later(left, false), false, true).unwrap();
        let sum: f64 = again.values().filter_map(toml::Value::as_float).sum();
        assert!(again.contains_key("group_direction") && sum <= 1.0 + 1e-9, "{again:?}");
        // Nor is a share given that was left out on purpose.
        by_hand.remove("group_direction");
        assert_eq!(followed(&later(by_hand, true), true, true), None);
    }
}
