//! Designs that no data could determine: refused when the study is read, not when it is fitted.
//!
//! Columns that follow from one another whatever the hospitals' tables hold, factors with a level that nobody of the
//! population can have, and an outcome among its own causes. What only the data make collinear shows in κ.
use super::schema::{Feature, Source};
use super::source::Channel;
use super::{File, StudyError};

/// Refuses a design that is collinear or empty by its sources alone.
pub(super) fn check(file: &File) -> Result<(), StudyError> {
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
        assert!(again.contains("`features.severity` follows from `acuity`"), "{again}");
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
