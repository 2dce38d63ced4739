//! Words for what a person may feel: no name of a feature, outcome, group or composite has one.
//!
//! What is measured is named after how it is measured. A questionnaire may carry such a word in its title; then a
//! name for that very scale may repeat it, and nothing else may: not a number of a body, not a fact of the work. The list
//! stands here alone; who reads files holds it against them.

/// Stems of the words; a part of a name is one if it begins with a stem.
const STEMS: [&str; 42] = [
    "afraid",
    "anger",
    "angry",
    "anguish",
    "annoy",
    "anxi",
    "boredom",
    "burnout",
    "calm",
    "cheer",
    "depress",
    "despair",
    "disgust",
    "distress",
    "emotion",
    "engag",
    "enthusias",
    "excit",
    "exhaust",
    "fatigue",
    "fear",
    "feeling",
    "frustrat",
    "gloom",
    "grief",
    "guilt",
    "happi",
    "happy",
    "hate",
    "hostil",
    "irritat",
    "joy",
    "lonel",
    "mood",
    "nervous",
    "panic",
    "sadness",
    "shame",
    "sorrow",
    "stress",
    "upset",
    "worr",
];
/// Words that are one whole, since longer ones that begin alike mean something else.
const WHOLE: [&str; 5] = ["sad", "love", "mad", "proud", "affect"];

/// The first part of a name that is such a word. Parts are divided by whatever is no letter.
pub fn feeling(name: &str) -> Option<&str> {
    feelings(name).next()
}

/// The first such word of `name` that is not also one of `title`, the questionnaire scale it stands for: each is judged
/// by itself. Without a scale every one is refused.
pub fn feeling_beside<'a>(name: &'a str, title: Option<&str>) -> Option<&'a str> {
    let titled = |word: &str| title.is_some_and(|title| parts(title).any(|part| part == word));
    feelings(name).find(|word| !titled(word))
}

fn feelings(name: &str) -> impl Iterator<Item = &str> {
    parts(name)
        .filter(|part| STEMS.iter().any(|stem| part.starts_with(stem)) || WHOLE.contains(part))
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphabetic()).filter(|part| !part.is_empty())
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
            ("client-burnout", Some("burnout")),
            ("burnout-risk", Some("burnout")),
            ("engagement", Some("engagement")),
            ("alarm-fatigue", Some("fatigue")),
            ("worried", Some("worried")),
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
        assert_eq!(feeling_beside("client-burnout", Some("copenhagen-burnout:client")), None);
    }

    #[test]
    fn every_word_is_judged_by_itself() {
        let title = Some("pss-10:perceived-stress");
        assert_eq!(feeling_beside("stress-anger", title), Some("anger"));
        assert_eq!(feeling_beside("anger-stress", title), Some("anger"));
        assert_eq!(feeling_beside("burnout-risk", None), Some("burnout"));
    }
}
