//! Designs that no data could determine: refused when the study is read, not when it is fitted.
//!
//! Columns that follow from one another whatever the hospitals' tables hold, factors with a level that nobody of the
//! population can have, and an outcome among its own causes; likewise groups that have the same members, nobody, or
//! together everybody. What only the data make collinear shows in κ.
use super::family::Family;
use super::schema::{Feature, Group, Source};
use super::source::{Channel, Stratum};
use super::{File, StudyError};
use crate::id::FeatureId;

/// Two shares sum to 1 to within this: they are written as decimals.
const SUM_SLACK: f64 = 1e-9;

/// Refuses a design that is collinear or empty by its sources alone.
pub(super) fn check(file: &File) -> Result<(), StudyError> {
    check_family(file)?;
    check_repeats(file)?;
    check_words(file)?;
    check_cover(file)?;
    for (at, feature) in file.features.iter().enumerate() {
        let key = || format!("features.{}", feature.id);
        if feature.source == file.outcome.source {
            let problem = format!("reads `{}`, which is the outcome", feature.source);
            return Err(StudyError::key(key(), problem));
        }
        let follows = |other: &&Feature| determined(&feature.source, feature, other);
        if let Some(other) = file.features.iter().take(at).find(follows) {
            let problem = format!(
                "follows from `{}`, so the two cannot be told apart: `{}` and `{}`",
                other.id, feature.source, other.source
            );
            return Err(StudyError::key(key(), problem));
        }
        if feature.source == Source::Role {
            let known = |level: &&crate::id::FeatureId| !file.population.roles.contains(level);
            if let Some(level) = feature.levels.iter().find(known) {
                let problem =
                    format!("has `{level}`, which is not among population.roles: nobody has it");
                return Err(StudyError::key(format!("{}.levels", key()), problem));
            }
        }
    }
    let channels =
        [Channel::InPerson, Channel::Phone, Channel::Ivr, Channel::Video, Channel::Other];
    let reads = |channel: &Channel| {
        file.features.iter().any(|f| f.source == Source::ChannelShare(*channel))
    };
    if channels.iter().all(reads) {
        let problem =
            "have the shares of all channels, which sum to 1: leave one out, to compare with";
        return Err(StudyError::key("features", problem));
    }
    Ok(())
}

/// What a family of outcomes needs, and what only differences on the outcome's own scale give.
fn check_family(file: &File) -> Result<(), StudyError> {
    let (family, outcome) = (file.model.family, &file.outcome);
    let least = match family {
        Family::Gaussian => return Ok(()),
        Family::Poisson | Family::Logistic => outcome.low >= 0.0,
        Family::Gamma => outcome.low > 0.0,
    };
    if !least || outcome.centre <= outcome.low || outcome.centre >= outcome.high {
        let problem = format!(
            "has bounds {} to {} and centre {}; a count or share needs 0 or more, a positive number more than 0, and a centre between its bounds",
            outcome.low, outcome.high, outcome.centre
        );
        return Err(StudyError::key("outcome", problem));
    }
    // Odds are those of the whole: of a part of a range they would be called so and be none.
    let unit =
        outcome.low.to_bits() == 0.0_f64.to_bits() && outcome.high.to_bits() == 1.0_f64.to_bits();
    if family == Family::Logistic && !unit {
        let problem = format!(
            "has bounds {} to {}; `family = \"logistic\"` is for a yes or no, or a share: expected 0 to 1",
            outcome.low, outcome.high
        );
        return Err(StudyError::key("outcome", problem));
    }
    if !file.fairness.groups.is_empty() {
        let problem = "names a group, but gaps are closed on the scale of the outcome alone; expected [] with this family";
        return Err(StudyError::key("fairness.groups", problem));
    }
    let shares = &file.privacy.shares;
    if shares.group_labour + shares.group_direction + shares.site_labour > 0.0 {
        let problem =
            "of what the earlier formula predicts are for a score, `family = \"gaussian\"`";
        return Err(StudyError::key("privacy.shares", problem));
    }
    Ok(())
}

/// Columns that say the same cannot be told apart by any fit, nor groups with the same members.
fn check_repeats(file: &File) -> Result<(), StudyError> {
    for (at, feature) in file.features.iter().enumerate() {
        // Another centre or spread only shifts and stretches the column.
        let same = |other: &&Feature| {
            let (a, b) = (feature, *other);
            let bounds =
                |f: &Feature| [f.low.to_bits(), f.high.to_bits(), u64::from(f.prior_count)];
            a.source == b.source && (a.source.is_factor() || bounds(a) == bounds(b))
        };
        if let Some(other) = file.features.iter().take(at).find(same) {
            let problem =
                format!("reads `{}` like `{}`: the two are collinear", feature.source, other.id);
            return Err(StudyError::key(format!("features.{}", feature.id), problem));
        }
    }
    for (at, group) in file.groups.iter().enumerate() {
        if let Some(other) = file.groups.iter().take(at).find(|other| alike(group, other)) {
            let problem = format!("has the same members as `{}`", other.id);
            return Err(StudyError::key(format!("groups.{}", group.id), problem));
        }
    }
    Ok(())
}

/// Whether two groups have the same members, whoever they are.
fn alike(a: &Group, b: &Group) -> bool {
    let bits = |group: &Group| {
        let known = [group.low, group.high, group.centre].map(f64::to_bits);
        (known, group.prior_count)
    };
    // Whoever has no value is given the centre, and one answer is not drawn to it.
    let unknown = |group: &Group| group.centre >= group.at_least;
    let one_answer = a.prior_count <= 1 && b.prior_count <= 1;
    let yes_or_no = a.source.is_flag() && one_answer && unknown(a) == unknown(b);
    let threshold = a.at_least.to_bits() == b.at_least.to_bits();
    a.source == b.source && (yes_or_no || (threshold && bits(a) == bits(b)))
}

/// A clinician whose stratum is not among the levels of a factor is outside the study: a part that asks for another
/// word is of nobody.
fn check_words(file: &File) -> Result<(), StudyError> {
    let features = file.features.iter().map(|f| (format!("features.{}", f.id), &f.source));
    let groups = file.groups.iter().map(|g| (format!("groups.{}", g.id), &g.source));
    for (key, source) in features.chain(groups) {
        let Source::InStratum { stratum, word } = source else { continue };
        if let Some((id, levels)) = factor(file, *stratum)
            && !levels.contains(word)
        {
            let problem = format!(
                "reads `{source}`, but the levels of `{id}` lack `{word}`: nobody of the study has it; expected one of the levels"
            );
            return Err(StudyError::key(key, problem));
        }
    }
    Ok(())
}

/// The factor of a stratum among the features: its name and levels.
fn factor(file: &File, stratum: Stratum) -> Option<(&FeatureId, &[FeatureId])> {
    let of = |feature: &&Feature| feature.source == Source::Stratum(stratum);
    file.features.iter().find(of).map(|feature| (&feature.id, feature.levels.as_slice()))
}

/// Gaps of groups that together are everybody, each clinician in one of them, follow from one another: no fit closes both.
fn check_cover(file: &File) -> Result<(), StudyError> {
    let chosen = |id: &crate::id::GroupId| file.groups.iter().find(|group| group.id == *id);
    let groups: Vec<&Group> = file.fairness.groups.iter().filter_map(chosen).collect();
    for (at, group) in groups.iter().enumerate() {
        if let Some(other) = groups.iter().take(at).find(|other| complements(group, other)) {
            let problem = format!(
                "names `{}` and `{}`, which complement each other: `{}` of {} or more is whoever has `{}` below {}; leave one out, its gap is the other's",
                other.id, group.id, group.source, group.at_least, other.source, other.at_least
            );
            return Err(StudyError::key("fairness.groups", problem));
        }
        let Source::InStratum { stratum, .. } = &group.source else { continue };
        let Some((id, levels)) = factor(file, *stratum) else { continue };
        let named = |level: &&FeatureId| {
            let source = Source::InStratum { stratum: *stratum, word: (*level).clone() };
            groups.iter().any(|group| group.source == source)
        };
        if levels.iter().filter(named).count() == levels.len() {
            let problem = format!(
                "names a group for every level of `{id}`, and everybody of the study is in one of them: leave one out, its gap follows from the others'"
            );
            return Err(StudyError::key("fairness.groups", problem));
        }
    }
    Ok(())
}

/// Whether each clinician is in one of two groups: two shares that sum to 1, and thresholds that do.
fn complements(a: &Group, b: &Group) -> bool {
    rest(&a.source, &b.source) && (a.at_least + b.at_least - 1.0).abs() <= SUM_SLACK
}

/// Whether two shares sum to 1 for every clinician.
fn rest(a: &Source, b: &Source) -> bool {
    let pair = |a: &Source, b: &Source| match (a, b) {
        (Source::RemoteShare, Source::ChannelShare(channel)) => *channel == Channel::InPerson,
        (Source::LanguageShare(word), Source::OtherLanguageShare(language)) => word == language,
        _ => false,
    };
    pair(a, b) || pair(b, a)
}

/// Whether one column gives the other, for every clinician.
fn determined(own: &Source, feature: &Feature, other: &Feature) -> bool {
    let of = |stratum: &Source, levels: &Feature| match (stratum, &levels.source) {
        (Source::InStratum { stratum, word }, Source::Stratum(factor)) => {
            stratum == factor && levels.levels.contains(word)
        }
        _ => false,
    };
    let theirs = &other.source;
    own == theirs || rest(own, theirs) || of(own, other) || of(theirs, feature)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use crate::study::Study;
    use crate::study::tests::SOUND;

    fn with(id: &str, source: &str, rest: &str) -> String {
        let feature = format!(
            "[[features]]\nid = \"{id}\"\nlabel = \"{id}\"\nsource = \"{source}\"\nrms = 0.3\n{rest}\n"
        );
        SOUND.replacen("[[groups]]", &format!("{feature}\n[[groups]]"), 1)
    }

    fn refused(text: &str) -> String {
        Study::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn columns_that_follow_from_others_are_refused_when_read() {
        let share = "low = 0.0\nhigh = 1.0\ncentre = 0.5";
        let level = "low = 1.0\nhigh = 5.0\ncentre = 3.0";
        let again = refused(&with("severity", "acuity-mean", level));
        assert!(again.contains("reads `acuity-mean` like `acuity`"), "{again}");
        let remote = with("remote", "remote-share", share);
        let both = remote.replacen(
            "[[groups]]",
            &format!("[[features]]\nid = \"present\"\nlabel = \"x\"\nsource = \"channel-share:in_person\"\nrms = 0.3\n{share}\n[[groups]]"),
            1,
        );
        assert!(refused(&both).contains("`features.present` follows from `remote`"));
        assert!(Study::parse(&remote).is_ok());
        let own = refused(&with(
            "own",
            "scale:care-measure:total",
            "low = 10.0\nhigh = 50.0\ncentre = 38.0",
        ));
        assert!(own.contains("which is the outcome"), "{own}");
    }

    #[test]
    fn levels_that_nobody_can_have_are_refused_when_read() {
        let roles = "levels = [\"physician\", \"dentist\"]";
        let empty = refused(&with("role", "role", roles));
        assert!(empty.contains("`dentist`, which is not among population.roles"), "{empty}");
        assert!(Study::parse(&with("role", "role", "levels = [\"physician\", \"nurse\"]")).is_ok());
    }

    const BOTH: &str = "groups = [\"interpreter-panel\", \"one\", \"two\"]";

    /// Two more groups, each by its source, threshold and centre, and whether the dial closes their gaps.
    fn grouped(two: [(&str, f64, f64); 2], dial: bool) -> String {
        let group = |id: &str, (source, at_least, centre): (&str, f64, f64)| {
            format!(
                "[[groups]]\nid = \"{id}\"\nlabel = \"{id}\"\nsource = \"{source}\"\nat_least = {at_least:?}\n\
                 low = 0.0\nhigh = 1.0\ncentre = {centre:?}\n\n"
            )
        };
        let groups = group("one", two[0]) + &group("two", two[1]);
        let text = SOUND.replacen("[instruments.", &format!("{groups}[instruments."), 1);
        if dial { text.replacen("groups = [\"interpreter-panel\"]", BOTH, 1) } else { text }
    }

    /// The same with a factor of the clinicians' gender.
    fn by_gender(two: [(&str, f64, f64); 2], levels: &str) -> String {
        let feature = format!(
            "[[features]]\nid = \"gender\"\nlabel = \"x\"\nsource = \"stratum:gender\"\nrms = 0.4\nlevels = [{levels}]\n\n[[groups]]"
        );
        grouped(two, true).replacen("[[groups]]", &feature, 1)
    }

    #[test]
    fn groups_that_no_data_could_tell_apart_are_refused_when_read() {
        let present = ("channel-share:in_person", 0.6, 0.5);
        let remote = |at_least| [("remote-share", at_least, 0.5), present];
        let (german, other) =
            (("language-share:de", 0.3, 0.5), ("other-language-share:de", 0.7, 0.5));
        let flag = |at_least, centre| ("trained", at_least, centre);
        let (women, men) =
            (("in-stratum:gender:female", 0.5, 0.2), ("in-stratum:gender:male", 0.5, 0.2));
        let two = "\"female\", \"male\"";
        for (text, expected) in [
            (
                grouped(remote(0.4), true),
                "`fairness.groups` names `one` and `two`, which complement each other: `channel-share:in_person` of 0.6 \
                 or more is whoever has `remote-share` below 0.4; leave one out, its gap is the other's",
            ),
            (
                grouped([other, german], true),
                "`fairness.groups` names `one` and `two`, which complement",
            ),
            (
                grouped([flag(0.5, 0.2), flag(0.9, 0.2)], false),
                "`groups.two` has the same members as `one`",
            ),
            (grouped([women, women], false), "`groups.two` has the same members as `one`"),
            (
                by_gender([women, men], two),
                "`fairness.groups` names a group for every level of `gender`, and everybody of the study is in one of \
                 them: leave one out, its gap follows from the others'",
            ),
            (
                by_gender([women, ("in-stratum:gender:diverse", 0.5, 0.2)], two),
                "`groups.two` reads `in-stratum:gender:diverse`, but the levels of `gender` lack `diverse`: nobody of \
                 the study has it; expected one of the levels",
            ),
        ] {
            let error = refused(&text);
            assert!(error.starts_with(expected), "{error}");
        }
        for sound in [
            // Compared in the report alone, or with somebody in both groups or in none.
            grouped(remote(0.4), false),
            grouped(remote(0.5), true),
            grouped([women, men], true),
            // Whoever has no value is in one of the two.
            grouped([flag(0.5, 0.2), flag(0.9, 0.95)], false),
            by_gender([women, men], "\"female\", \"male\", \"not-stated\""),
        ] {
            Study::parse(&sound).unwrap();
        }
    }

    #[test]
    fn a_column_of_a_word_that_nobody_has_is_refused_when_read() {
        let factor = with("gender", "stratum:gender", "levels = [\"female\", \"male\"]");
        let flag = "[[features]]\nid = \"third\"\nlabel = \"x\"\nsource = \"in-stratum:gender:diverse\"\n\
                    rms = 0.3\nlow = 0.0\nhigh = 1.0\ncentre = 0.1\n\n[[groups]]";
        let error = refused(&factor.replacen("[[groups]]", flag, 1));
        assert!(
            error.starts_with("`features.third` reads `in-stratum:gender:diverse`, but"),
            "{error}"
        );
    }

    #[test]
    fn odds_are_those_of_a_share_between_0_and_1() {
        let logistic = |bounds: &str| {
            SOUND.replacen("low = 10.0\nhigh = 50.0\ncentre = 38.0", bounds, 1).replacen(
                "[fairness]\ngroups = [\"interpreter-panel\"]",
                "[model]\nfamily = \"logistic\"\n\n[fairness]\ngroups = []",
                1,
            )
        };
        for bounds in ["low = 0.0\nhigh = 2.0\ncentre = 0.4", "low = 0.2\nhigh = 1.0\ncentre = 0.4"]
        {
            let error = refused(&logistic(bounds));
            assert!(error.contains("for a yes or no, or a share: expected 0 to 1"), "{error}");
        }
        Study::parse(&logistic("low = 0.0\nhigh = 1.0\ncentre = 0.4")).unwrap();
    }
}
