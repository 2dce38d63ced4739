//! Who receives a result, by class: what may go to whom is decided by the class, never by a name.
use super::modality::Modality;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of reader a recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Those who carry the study out.
    Research,
    /// Those who decide on payment and policy, and employ none of the clinicians.
    Policy,
    /// Auditors, ethics boards, data-protection authorities, representatives of staff.
    Oversight,
    /// Anyone: the management of each hospital, too.
    Public,
    /// Those who employ or direct clinicians of the study, at any hospital.
    EmployerManagement,
}

/// A recipient named by a study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// What the parties call it.
    pub name: String,
    /// What kind of reader it is.
    pub class: Class,
}

impl Class {
    /// Every class, the narrowest first.
    pub const ALL: [Class; 5] = [
        Class::Research,
        Class::Policy,
        Class::Oversight,
        Class::Public,
        Class::EmployerManagement,
    ];

    /// Whether what it reads comes to those who employ the clinicians.
    pub fn reaches_employers(self) -> bool {
        matches!(self, Class::Public | Class::EmployerManagement)
    }

    /// Whether it may read numbers that rest on a modality, whatever a profile says. What a body or a
    /// clinician's own questionnaire tells never comes to those who employ them.
    pub fn may_read(self, modality: Modality) -> bool {
        !(self.reaches_employers() && modality.is_about_the_clinician())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Research => "research",
            Class::Policy => "policy",
            Class::Oversight => "oversight",
            Class::Public => "public",
            Class::EmployerManagement => "employer-management",
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clinicians_say_of_themselves_never_comes_to_those_who_employ_them() {
        for class in Class::ALL {
            let employer = class.reaches_employers();
            for own in
                [Modality::Heart, Modality::SkinConductance, Modality::ClinicianQuestionnaires]
            {
                assert_eq!(class.may_read(own), !employer, "{class} {own}");
            }
            for other in
                [Modality::StaffRecords, Modality::Encounters, Modality::PatientQuestionnaires]
            {
                assert!(class.may_read(other), "{class} {other}");
            }
        }
        assert!(Class::Public.reaches_employers() && !Class::Policy.reaches_employers());
    }
}
