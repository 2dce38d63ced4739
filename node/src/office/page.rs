//! The preview as text: 100 columns at most, in the order in which an officer asks.
use super::cells::{CLINICIANS_MIN, Cell, ENCOUNTERS_MIN, SHARE_MAX_PERCENT, Small};
use super::forecast::{self, HalfWidth, short};
use super::preview::{Account, Preview, Run, Statistic};
use tacit_shared::privacy::ledger::Scope;

/// The longest line.
pub const COLUMNS: usize = 100;
/// Runs of sites that are listed; the others are alike.
const SITE_RUNS: usize = 3;

/// The page of a preview.
pub fn page(preview: &Preview) -> String {
    let mut lines = head(preview);
    lines.extend(statistics(&preview.statistics));
    lines.extend(worth(preview));
    lines.extend(cells(&preview.cells, preview.links));
    lines.extend(cost(&preview.accounts));
    lines.extend(bytes(preview));
    lines.join("\n")
}

fn head(preview: &Preview) -> Vec<String> {
    let (sites, min_sites, colluders) = preview.sites;
    let mut lines = wrapped(&format!("Study {}: {}", preview.study, preview.title), 0);
    lines.push(format!("  digest  {}", preview.digest));
    lines.push(format!("  roster  {}", preview.roster));
    lines.extend(wrapped(
        &format!(
            "A sum of {min_sites} or more of {sites} sites is opened; at most {colluders} may tell \
             the coordinator their noise."
        ),
        2,
    ));
    lines
}

fn statistics(statistics: &[Statistic]) -> Vec<String> {
    let mut lines =
        heading("What would be opened, and the noise in each number (standard deviation)");
    lines.push(format!(
        "  {:>7}  {:>10}  {:>10}  {:>10}  {}",
        "numbers", "one adds ≤", "guaranteed", "all answer", "unit: what"
    ));
    for one in statistics {
        let figures = format!(
            "  {:>7}  {:>10}  {:>10}  {:>10}  ",
            one.numbers,
            short(one.bound),
            short(one.sd_guaranteed),
            short(one.sd_all)
        );
        let text = wrapped(&format!("{}: {}", one.unit, one.words), 0);
        lines.extend(hanging(&figures, &text));
    }
    lines
}

fn worth(preview: &Preview) -> Vec<String> {
    let mut lines = heading("What the result would be worth (public numbers only)");
    let found = preview.forecast.as_ref();
    let told = forecast::worth(found, !preview.heads_are_the_cap);
    lines.extend(told.iter().flat_map(|sentence| wrapped(sentence, 2)));
    lines.extend(wrapped(&format!("Its model: {}.", preview.model), 2));
    let Some(found) = found else { return lines };
    for (title, list) in [
        ("coefficients of the formula", &found.coefficients),
        ("gaps of groups, up to three times as wide with the formula's own noise", &found.groups),
        ("sites", &found.sites),
    ] {
        if !list.is_empty() {
            lines.push(format!("  {title}, 95 percent intervals:"));
        }
        lines.extend(list.iter().flat_map(half_width));
    }
    lines
}

fn half_width(one: &HalfWidth) -> Vec<String> {
    let figure = format!("    ± {:<8}", short(one.value));
    hanging(&figure, &wrapped(&format!("{}: {}", one.unit, one.label), 0))
}

fn cells(cells: &[Cell], [all_links, dropped]: [u64; 2]) -> Vec<String> {
    let mut lines = heading("Cells of this site (for you alone: these numbers never leave)");
    if cells.is_empty() {
        lines.push("  nothing is imported yet".to_owned());
        return lines;
    }
    for cell in cells {
        let verdict = match cell.small {
            None => "large enough".to_owned(),
            Some(Small::Clinicians) => format!("TOO SMALL: fewer than {CLINICIANS_MIN} clinicians"),
            Some(Small::Encounters) => {
                format!("TOO SMALL: fewer than {ENCOUNTERS_MIN} encounters or answers")
            }
            Some(Small::OneOfThem) => {
                format!("TOO SMALL: one clinician has over {SHARE_MAX_PERCENT} % of the encounters")
            }
        };
        let figures = format!("  {:>7} {:>9}  ", cell.clinicians, cell.encounters);
        lines.extend(hanging(&figures, &wrapped(&format!("{}: {verdict}", cell.label), 0)));
    }
    lines.push(
        "  clinicians, encounters; a cell too small: this site would take no part".to_owned(),
    );
    let covered = if dropped == 0 {
        "so the promise to a clinician covers that their patients met them"
    } else {
        "so the promise to a clinician does not cover, beyond their row, that their patients met them"
    };
    lines.extend(wrapped(
        &format!("{dropped} of {all_links} links of a patient with a clinician are beyond the study's cap and do not count, {covered}"),
        2,
    ));
    lines
}

fn cost(accounts: &[Account]) -> Vec<String> {
    let mut lines = heading("What it costs, and what would be left");
    let everything = Scope::Site.to_string();
    for account in accounts {
        lines.extend(wrapped(
            &format!(
                "one {}: ε {} by the exact curve, {} by the zCDP rule; spent ε {}, with this one \
                 {} of {} at δ {:e}; {:.1} % of the {} would be left: {}",
                account.one,
                figure(account.epsilon),
                figure(account.epsilon_zcdp),
                figure(account.spent),
                figure(account.spent_after),
                account.budget,
                account.delta,
                account.left_percent,
                account.limit,
                if account.fits { "fits" } else { "DOES NOT FIT" }
            ),
            2,
        ));
        // Of everything: what one study or one year allows is no promise of its own.
        if account.limit == everything
            && let Some(percent) = account.detected_percent
        {
            let one = account.one;
            lines.extend(wrapped(
                &format!(
                    "whoever knows everything else and bears 5 % false alarms would then tell \
                     whether one {one} is in the data in {percent:.1} % of the cases at most"
                ),
                4,
            ));
        }
    }
    lines.extend(wrapped(
        "Replacing a person's record instead of removing it doubles this (μ), and so does being at two \
         hospitals. Not protected: facts about the hospital as a whole, and conclusions that are true \
         with or without the person. Assumed: the roster is genuine, this program unmodified.",
        2,
    ));
    lines
}

fn bytes(preview: &Preview) -> Vec<String> {
    let mut lines = heading("The exact bytes that would leave");
    lines.extend(wrapped(
        &format!(
            "{} numbers, 8 bytes each, little endian: {} bytes, masked. One wire unit is {} quanta.",
            preview.layout.iter().map(|run| run.length).sum::<usize>(),
            preview.bytes,
            preview.quanta
        ),
        2,
    ));
    lines.push(format!("  {:>6}  {:>6}  {:>10}  {}", "start", "length", "scale", "part"));
    let of_site = |run: &&Run| run.part.contains(" of site ");
    let sites = preview.layout.iter().filter(of_site).count();
    let mut seen = 0_usize;
    for run in &preview.layout {
        if of_site(&run) {
            seen = seen.saturating_add(1);
            if seen == SITE_RUNS.saturating_add(1) {
                let rest = sites.saturating_sub(SITE_RUNS);
                lines.push(format!("  {:>6}  and {rest} more like these three, site by site", "…"));
            }
            if seen > SITE_RUNS {
                continue;
            }
        }
        let Run { part, start, length, scale } = run;
        let figures = format!("  {start:>6}  {length:>6}  {:>10}  ", short(*scale));
        lines.extend(hanging(&figures, &wrapped(part, 0)));
    }
    lines
}

fn figure(epsilon: Option<f64>) -> String {
    epsilon.map_or_else(|| "∞".to_owned(), |epsilon| format!("{epsilon:.3}"))
}

fn heading(text: &str) -> Vec<String> {
    vec![String::new(), text.to_owned()]
}

/// A text beside its figures; further lines stand under the first.
pub(super) fn hanging(figures: &str, text: &[String]) -> Vec<String> {
    let indent = figures.chars().count();
    let room = COLUMNS.saturating_sub(indent);
    let text = text.join(" ");
    let mut lines = broken(&text, room).into_iter();
    let first = lines.next().unwrap_or_default();
    let rest = lines.map(|line| format!("{:indent$}{line}", ""));
    std::iter::once(format!("{figures}{first}")).chain(rest).collect()
}

/// A text broken into lines, each after so many spaces.
pub(super) fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let lines = broken(text, COLUMNS.saturating_sub(indent));
    lines.into_iter().map(|line| format!("{:indent$}{line}", "")).collect()
}

/// Breaks a text between words; a word longer than a line is broken within.
fn broken(text: &str, room: usize) -> Vec<String> {
    let room = room.max(10);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        for piece in word.chars().collect::<Vec<char>>().chunks(room) {
            let piece: String = piece.iter().collect();
            let Some(line) = lines.last_mut() else { return lines };
            let taken = line.chars().count();
            if taken == 0 {
                line.push_str(&piece);
            } else if taken.saturating_add(1).saturating_add(piece.chars().count()) <= room {
                line.push(' ');
                line.push_str(&piece);
            } else {
                lines.push(piece);
            }
        }
    }
    lines
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::office::cells;
    use crate::office::preview::{Asked, Limited, preview};
    use crate::office::tests::{plan, roster};
    use tacit_shared::privacy::accountant::{Budget, Cost};
    use tacit_shared::privacy::ledger::Budgets;
    use tacit_shared::privacy::plan::Charges;
    use tacit_shared::study::Study;
    use tacit_shared::units::{Delta, Epsilon};

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    fn of(text: &str, sites: u8, heads: Option<u32>) -> Preview {
        let study = Study::parse(text).unwrap();
        let roster = roster(sites);
        let plan = plan(&study, &roster);
        let budget = |epsilon| {
            Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap()).unwrap()
        };
        let budgets = Budgets { clinician: budget(8.0), patient: budget(20.0) };
        let spent = Charges { clinician: Cost::ZERO, patient: Cost::ZERO };
        let year = Budgets { clinician: budget(1.0), patient: budget(20.0) };
        let limits = [
            Limited { scope: Scope::Site, spent, budgets },
            Limited { scope: Scope::Year(2026), spent, budgets: year },
        ];
        let rows: Vec<([bool; 2], u32)> =
            (0..40).map(|i| ([i < 9, i < 12], if i == 0 { 60 } else { 10 })).collect();
        let rows = rows.iter().map(|(member, n)| (member.as_slice(), *n));
        let cells = cells::cells(study.schema(), cells::WeighedBy::Encounters, rows);
        let asked = Asked { study: &study, roster: &roster, plan: &plan, heads };
        preview(&asked, (cells, [900, 3]), &limits)
    }

    #[test]
    fn the_page_says_everything_within_a_hundred_columns() {
        let page = page(&of(STUDY, 5, Some(4000)));
        for part in [
            "A sum of 4 or more of 5 sites is opened; at most 1 may tell the coordinator their noise.",
            "clinicians: clinicians of each site",
            "weak: κ = 2.50 (3 is enough, below 1 is hopeless), intervals up to 2.71 times as wide",
            "clinicians on, and hopeless below 1600. What would help: κ of 3 takes at most 7 of the 8 columns",
            "Its model: the outcome is an amount; coefficients are differences in points.",
            "TOO SMALL: fewer than 10 clinicians",
            "TOO SMALL: one clinician has over 25 % of the encounters",
            "3 of 900 links of a patient with a clinician are beyond the study's cap",
            "one patient: ε 4.296 by the exact curve",
            // Φ(Φ⁻¹(.05) + 1/2.2407) = Φ(−1.1986).
            "whether one clinician is in the data in 11.5 % of the cases at most",
            "% of the budget would be left: fits",
            "0.0 % of the budget of the year 2026 would be left: DOES NOT FIT",
            "128 numbers, 8 bytes each, little endian: 1024 bytes, masked.",
            "and 12 more like these three, site by site",
        ] {
            // Wherever the lines break.
            let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(part), "{part} in\n{page}");
        }
        let long: Vec<&str> = page.lines().filter(|line| line.chars().count() > COLUMNS).collect();
        assert!(long.is_empty(), "{long:?}");
    }

    #[test]
    fn long_words_and_many_sites_still_fit() {
        let text = STUDY
            .replace("What emotional labour in care is worth", &"Wort".repeat(60))
            .replace("points", &"punkte".repeat(30))
            .replace("min_sites = 4", "min_sites = 60");
        let page = page(&of(&text, 100, None));
        assert!(page.lines().all(|line| line.chars().count() <= COLUMNS), "{page}");
        assert!(page.lines().count() < 250, "{page}");
        assert!(page.contains("the study's cap, surely too many"));
    }

    /// σ = 2.2407·C guaranteed and √(5/3) times that if all answer; heads of a site have scale √.07.
    #[test]
    fn the_noise_is_shown_in_real_units() {
        let preview = of(STUDY, 5, None);
        let heads =
            preview.statistics.iter().find(|s| s.words == "clinicians of each site").unwrap();
        assert!((heads.sd_guaranteed - 2.2407 / 0.07_f64.sqrt()).abs() < 1e-3, "{heads:?}");
        assert!((heads.sd_all / heads.sd_guaranteed - (5.0_f64 / 3.0).sqrt()).abs() < 1e-6);
        let points =
            preview.statistics.iter().find(|s| s.words.starts_with("residuals of each site"));
        // ρ = 11 points: scale √.05 / 11 a point.
        let points = points.unwrap();
        assert!(
            (points.sd_guaranteed - 2.2407 * 11.0 / 0.05_f64.sqrt()).abs() < 1e-2,
            "{points:?}"
        );
        assert!((points.bound - 11.0).abs() < 1e-9);
    }

    #[test]
    fn the_layout_covers_every_byte_and_json_has_it_all() {
        let preview = of(STUDY, 5, None);
        let mut next = 0;
        for run in &preview.layout {
            assert_eq!(run.start, next);
            next += run.length;
        }
        assert_eq!((next * 8, preview.bytes), (1024, 1024));
        let json = serde_json::to_value(&preview).unwrap();
        assert_eq!(json["forecast"]["verdict"], "weak");
        assert_eq!(json["forecast"]["remedies"][0], serde_json::Value::Null);
        assert_eq!(json["layout"].as_array().unwrap().len(), preview.layout.len());
        assert_eq!(json["cells"][1]["small"], "clinicians");
        assert_eq!(json["accounts"][1]["one"], "patient");
    }
}
