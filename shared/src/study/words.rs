//! Words for what a person may feel: no name of a feature, outcome, group or composite has one.
//!
//! What is measured is named after how it is measured. A questionnaire may carry such a word in its title; then
//! a name may repeat it, and nothing else. The list stands here alone; who reads files holds it against them.

/// Stems of the words; a part of a name is one if it begins with a stem.
const STEMS: [&str; 32] = [
    "afraid",
    "anger",
    "angry",
    "anguish",
    "annoy",
    "anxi",
    "boredom",
    "calm",
    "cheer",
    "depress",
    "despair",
    "disgust",
    "distress",
    "emotion",
    "enthusias",
    "excit",
    "fear",
    "feeling",
    "frustrat",
    "gloom",
    "grief",
    "happi",
    "happy",
    "hate",
    "joy",
    "lonel",
    "mood",
    "panic",
    "sadness",
    "sorrow",
    "stress",
    "upset",
];
/// Words that are one whole, since longer ones that begin alike mean something else.
const WHOLE: [&str; 5] = ["sad", "love", "mad", "proud", "affect"];

/// The first part of a name that is such a word. Parts are divided by whatever is no letter.
pub fn feeling(name: &str) -> Option<&str> {
    let parts = name.split(|c: char| !c.is_ascii_alphabetic());
    parts
        .filter(|part| !part.is_empty())
        .find(|part| STEMS.iter().any(|stem| part.starts_with(stem)) || WHOLE.contains(part))
}

/// The first such word of `name` that is not also one of `title`, the questionnaire scale it stands for.
pub fn feeling_beside<'a>(name: &'a str, title: Option<&str>) -> Option<&'a str> {
    let word = feeling(name)?;
    let titled =
        |title: &str| title.split(|c: char| !c.is_ascii_alphabetic()).any(|part| part == word);
    (!title.is_some_and(titled)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feelings_are_found_as_parts_of_names_and_measures_are_not() {
        for (name, found) in [
            ("stress-level", Some("stress")),
            ("mean_happiness", Some("happiness")),
            ("is-sad", Some("sad")),
            ("distressed", Some("distressed")),
            ("moods", Some("moods")),
            ("frustration-9", Some("frustration")),
            ("sadler-ward", None),
            ("affected-limb", None),
            ("empathy_score", None),
            ("client-burnout", None),
            ("relational-care", None),
            ("restlessness", None),
            ("madrid", None),
            ("glove-changes", None),
            ("ln-rmssd", None),
        ] {
            assert_eq!(feeling(name), found, "{name}");
        }
    }

    #[test]
    fn the_title_of_a_questionnaire_scale_may_be_repeated() {
        let title = Some("pss-10:perceived-stress");
        assert_eq!(feeling_beside("perceived-stress", title), None);
        assert_eq!(feeling_beside("stressed", title), Some("stressed"));
        assert_eq!(feeling_beside("perceived-stress", None), Some("stress"));
        assert_eq!(feeling_beside("perceived-stress", Some("care-measure:total")), Some("stress"));
    }
}
