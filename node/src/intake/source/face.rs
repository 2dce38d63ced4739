//! Frames of a face, as `OpenFace` writes them: recognised by their columns, and refused as a table under any name.
//!
//! What they come to beside a session is [`crate::intake::recording::face`]'s.
//!
//! `AU01_r` and `AU01_c` are the first action unit's intensity and presence, `gaze_0_x` and `gaze_1_x` where the eyes
//! look (Baltrušaitis et al. 2018, `OpenFace` 2.0). Nobody else names columns so.
use tacit_shared::fault::Fault;

/// Whether columns, or keys of an object, are those of `OpenFace`.
pub(in crate::intake) fn has_columns<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let (mut unit, mut first, mut second) = (false, false, false);
    for name in names {
        let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
        unit |= is("AU01_r") || is("AU01_c");
        first |= is("gaze_0_x");
        second |= is("gaze_1_x");
    }
    unit || (first && second)
}

/// The refusal.
pub(super) fn refusal(place: &str) -> Fault {
    Fault::user("the file holds measures of faces (OpenFace), which no table of a node takes")
        .at(place)
        .hint("leave it out; where a profile allows `faces`, a device session names it as its recording")
}
