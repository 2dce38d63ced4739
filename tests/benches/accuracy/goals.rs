//! What must hold, and whether it did.
use crate::common::say;
use tacit_shared::fault::Fault;

/// The goals met so far and those missed.
pub(crate) struct Goals {
    full: bool,
    met: usize,
    missed: Vec<String>,
}

impl Goals {
    /// At less than full size nothing is judged.
    pub(crate) fn new(full: bool) -> Self {
        Self { full, met: 0, missed: Vec::new() }
    }

    /// The goal as the table prints it; what is no number misses it.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, most: f64) -> String {
        self.judge(what, value, (f64::NEG_INFINITY, most), &format!("≤ {most}"))
    }

    pub(crate) fn at_least(&mut self, what: &str, value: f64, least: f64) -> String {
        self.judge(what, value, (least, f64::INFINITY), &format!("≥ {least}"))
    }

    /// A coverage in percent: 93 to 97.
    pub(crate) fn covers(&mut self, what: &str, percent: f64) -> String {
        self.judge(what, percent, (93.0, 97.0), "93–97")
    }

    fn judge(&mut self, what: &str, value: f64, (low, high): (f64, f64), goal: &str) -> String {
        if !self.full {
            return goal.to_owned();
        }
        if (low..=high).contains(&value) {
            self.met += 1;
            return format!("{goal}: holds");
        }
        self.missed.push(format!("{what} is {value:.4}, not {goal}"));
        format!("{goal}: MISSED")
    }

    /// Says how many goals hold.
    ///
    /// # Errors
    /// A fault that names those that do not.
    pub(crate) fn verdict(self) -> Result<(), Fault> {
        if !self.full {
            say("\nA tenth of the draws: goals are not judged.");
            return Ok(());
        }
        say(&format!("\n{} goals hold, {} are missed.", self.met, self.missed.len()));
        if self.missed.is_empty() {
            return Ok(());
        }
        Err(Fault::bug(format!("goals are missed: {}", self.missed.join("; "))))
    }
}
