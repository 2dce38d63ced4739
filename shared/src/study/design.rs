//! Designs that no data could determine: refused when the study is read, not when it is fitted.
//!
//! Columns that follow from one another whatever the hospitals' tables hold, factors with a level that nobody of the
//! population can have, and an outcome among its own causes. What only the data make collinear shows in κ.
use super::family::Family;
use super::schema::{Feature, Group, Source};
use super::source::Channel;
use super::{File, StudyError};

/// Refuses a design that is collinear or empty by its sources alone.
pub(super) fn check(file: &File) -> Result<(), StudyError> {
    check_family(file)?;
    check_repeats(file)?;
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
        let same = |other: &&Group| {
            Group { id: group.id.clone(), label: group.label.clone(), ..(*other).clone() } == *group
        };
        if let Some(other) = file.groups.iter().take(at).find(same) {
            let problem = format!("has the same members as `{}`", other.id);
            return Err(StudyError::key(format!("groups.{}", group.id), problem));
        }
    }
    Ok(())
}

/// Whether one column gives the other, for every clinician.
fn determined(own: &Source, feature: &Feature, other: &Feature) -> bool {
    let of = |stratum: &Source, levels: &Feature| match (stratum, &levels.source) {
        (Source::InStratum { stratum, word }, Source::Stratum(factor)) => {
            stratum == factor && levels.levels.contains(word)
        }
        _ => false,
    };
    let in_person = Source::ChannelShare(Channel::InPerson);
    let pair = |a: &Source, b: &Source| match (a, b) {
        (Source::RemoteShare, channel) => *channel == in_person,
        (Source::LanguageShare(word), Source::OtherLanguageShare(language)) => word == language,
        _ => false,
    };
    let theirs = &other.source;
    own == theirs || pair(own, theirs) || pair(theirs, own) || of(own, other) || of(theirs, feature)
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
}
