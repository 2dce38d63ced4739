//! What a rehearsal shows while it runs: bars on a terminal, plain lines otherwise.
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tacit_coordinator::evaluation::{Evaluated, page};
use tacit_coordinator::link::session::Progress;
use tacit_coordinator::report::Report;
use tacit_coordinator::report::data::Interval;

/// The screen of one rehearsal.
pub(super) struct Screen {
    bars: Option<MultiProgress>,
}

/// One stretch of work.
pub(super) struct Stage {
    bar: Option<ProgressBar>,
    name: String,
    started: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { bars: terminal.then(MultiProgress::new) }
    }

    /// Begins a stretch.
    pub(super) fn stage(&self, name: &str) -> Stage {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix:<42} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Stage { bar, name: name.to_owned(), started: Instant::now() }
    }

    /// One line, below the bars.
    pub(super) fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| print(text)),
            None => print(text),
        }
    }

    /// The short table and the paths.
    pub(super) fn summary(&self, report: &Report, out: &Path, took: Duration) {
        let data = report.data();
        let mut coefficients =
            table(["What it is worth", "Unit", "Estimate", "95 % interval", "Truth"]);
        for row in &data.coefficients {
            coefficients.add_row([
                row.label.clone(),
                row.unit.clone(),
                row.estimate.map_or_else(|| "withheld".to_owned(), number),
                interval(row.population),
                row.truth.map_or_else(String::new, number),
            ]);
        }
        self.line(&format!("\n{coefficients}"));
        if let Some(allocation) = &data.allocation {
            let currency = &allocation.currency;
            let mut sites =
                table(["Site", "Clinicians", currency, "95 % interval", "Without noise"]);
            for row in &allocation.rows {
                sites.add_row([
                    row.site.clone(),
                    format!("{:.0}", row.heads.value),
                    money(row.cents),
                    format!("{} to {}", money(row.low_cents), money(row.high_cents)),
                    row.truth_cents.map_or_else(String::new, money),
                ]);
            }
            self.line(&format!("\n{sites}"));
        }
        let privacy = &data.privacy;
        self.line(&format!(
            "\nPrivacy of this release: ε = {:.3} for a clinician, {:.3} for a patient, at δ = {:e}.",
            privacy.epsilon, privacy.patient.epsilon, privacy.delta
        ));
        for file in ["report.html", "report.json"] {
            self.line(&format!("  {}", out.join(file).display()));
        }
        self.line(&format!("Rehearsed in {:.1} s.", took.as_secs_f64()));
    }
}

impl Screen {
    /// What moved over the periods, and whether to go on.
    pub(super) fn evaluation(&self, evaluated: &Evaluated, out: &Path) {
        self.line("");
        for row in evaluated.rows.iter().filter(|row| row.named) {
            self.line(&format!("  {}", page::told(row)));
        }
        for rule in &evaluated.verdict.rules {
            self.line(&format!("  {rule}"));
        }
        self.line(&evaluated.verdict.words);
        for file in ["evaluation.html", "evaluation.json"] {
            self.line(&format!("  {}", out.join(file).display()));
        }
    }
}

impl Stage {
    /// So many of so many, the last being `what`.
    pub(super) fn step(&self, done: usize, total: usize, what: &str) {
        let rest = self.rest(done, total);
        match &self.bar {
            Some(bar) => bar.set_message(format!("{done} of {total}: {what}, {rest}")),
            None => print(&format!("  {done} of {total}: {what}")),
        }
    }

    /// The time left if the rest goes as fast.
    fn rest(&self, done: usize, total: usize) -> String {
        let done = u32::try_from(done.max(1)).unwrap_or(1);
        let left = u32::try_from(total).unwrap_or(done).saturating_sub(done);
        let rest = self.started.elapsed() * left / done;
        format!("about {:.0} s left", rest.as_secs_f64())
    }

    /// A watcher of the round.
    pub(super) fn watch(&self) -> impl Fn(&Progress) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |progress| {
            let text = match progress {
                Progress::Gathering { connected, expected } => {
                    format!("{connected} of {expected} sites connected")
                }
                Progress::Phase { due, sites, answered } => {
                    format!("{due}: {answered} of {sites} sites")
                }
                Progress::Dropped { site, reason } => format!("{site} is out: {reason}"),
            };
            match &bar {
                Some(bar) => bar.set_message(text),
                None => print(&format!("  {text}")),
            }
        }
    }

    /// Ends the stretch.
    pub(super) fn done(self, result: &str) {
        let took = self.started.elapsed().as_secs_f64();
        match &self.bar {
            Some(bar) => bar.finish_with_message(format!("{result} ({took:.1} s)")),
            None => print(&format!("{}: {result} ({took:.1} s)", self.name)),
        }
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(value: f64) -> String {
    format!("{value:.3}").replace('-', "−")
}

fn interval(interval: Interval) -> String {
    match interval {
        Interval::Between { low, high } => format!("{} to {}", number(low), number(high)),
        Interval::NotEstimable => "not estimable".to_owned(),
        Interval::NotOffered => "not offered".to_owned(),
    }
}

/// Whole currency units with thousands apart.
fn money(cents: i64) -> String {
    let digits = (cents / 100).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A reader that closed the pipe early is no fault of anyone.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
