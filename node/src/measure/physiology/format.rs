//! The five formats of beat-to-beat recordings, and which one a file is in.
//!
//! | format | a line | time of a beat |
//! |---|---|---|
//! | Empatica E4 `IBI.csv` | start (Unix, UTC) and `IBI`; then offset s, interval s | the offset |
//! | RR text | interval ms; `#` comments | sum of the intervals |
//! | Polar `.hrm` | after `[HRData]`: interval ms | sum of the intervals |
//! | Holter beat list | serial; then time s, beat type (`X`: noise) | the time; interval: from the beat before |
//! | MIT-BIH as CSV | time s, interval ms, beat symbol; `#` comments | the time |
//!
//! Two beats of a Holter list make an interval unless one of them is noise or more than a minute lies
//! between them. Beat types and symbols are not otherwise used: ectopic beats stay, as artefact
//! filters need them. The start that a `.hrm` file names has no time zone and is left out.
//!
//! Reading is bounded: 256 MiB, 4,096 bytes a line, 10,000,000 beats, 31 days.
use std::io::Read;

use super::error::RecordingError;
use super::lines::{Line, Lines, number, without_mark};
use super::recording::{Beat, BeatError, LONGEST_RR_MS, Recording};

/// How much of a file is looked at to find out its format, bytes.
const HEAD: u64 = 64 * 1024;

/// No heart beats at shorter intervals for long, ms. A median below it means another unit.
const SHORTEST_MEDIAN_MS: f64 = 100.0;

/// A first line with a single number above this is a Unix time (1973 and later): a signal file.
const UNIX_TIME_S: f64 = 1e8;

/// `Interval=` of a `.hrm` file that holds intervals between beats.
const HRM_INTERVALS: &str = "238";

const SECTION: &str = "[HRData]";
const E4_HEADER: &str = "the start time, a comma and IBI";
const E4_ROW: &str = "an offset and an interval, in s, with a comma between";
const HOLTER_HEADER: &str = "the serial of the device alone";
const HOLTER_ROW: &str = "a time in s and a beat type, with white space between";
const MITDB_ROW: &str = "a time in s, an interval in ms and a beat symbol, with commas between";

/// How the beats are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Empatica E4 `IBI.csv`.
    E4,
    /// Text, one interval in ms a line.
    Rr,
    /// Polar `.hrm` with R-R data.
    Hrm,
    /// Holter beat list: time in s and beat type.
    Holter,
    /// MIT-BIH annotations as CSV: time in s, interval in ms, beat symbol.
    MitdbCsv,
}

impl Format {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::E4 => "e4",
            Format::Rr => "rr",
            Format::Hrm => "hrm",
            Format::Holter => "holter",
            Format::MitdbCsv => "mitdb-csv",
        }
    }

    /// The unit its intervals, or times, are written in.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Format::E4 => "intervals in s",
            Format::Holter => "times in s",
            Format::Rr | Format::Hrm | Format::MitdbCsv => "intervals in ms",
        }
    }
}

/// Finds out the format from the beginning of a file; `None` if it is none of them.
pub fn detect(head: &str) -> Option<Format> {
    let head = head.strip_prefix('\u{feff}').unwrap_or(head);
    let mut rows =
        head.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = rows.next()?;
    if first.eq_ignore_ascii_case("[Params]") || first == SECTION {
        return Some(Format::Hrm);
    }
    if e4_start(first).is_some() {
        return Some(Format::E4);
    }
    if is_mitdb_row(first) {
        return Some(Format::MitdbCsv);
    }
    let second = rows.next();
    if !first.contains(char::is_whitespace) && second.is_some_and(is_holter_row) {
        return Some(Format::Holter);
    }
    let is_interval = number(first).is_some_and(|value| value < UNIX_TIME_S);
    (is_interval && second.is_none_or(|line| number(line).is_some())).then_some(Format::Rr)
}

/// Reads a recording from bytes; its format is found out if none is given.
///
/// # Errors
/// [`RecordingError`]; nothing is kept.
pub fn parse(mut input: impl Read, format: Option<Format>) -> Result<Recording, RecordingError> {
    let mut head = Vec::new();
    (&mut input)
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| RecordingError::Unreadable { kind: error.kind() })?;
    if head.is_empty() {
        return Err(RecordingError::Empty);
    }
    let format = format.or_else(|| {
        let text: String = without_mark(&head).iter().copied().map(char::from).collect();
        detect(&text)
    });
    let format = format.ok_or(RecordingError::Unrecognised)?;
    let lines = Lines::new(head.as_slice().chain(input));
    let recording = match format {
        Format::E4 => e4(lines),
        Format::Rr => rr(lines),
        Format::Hrm => hrm(lines),
        Format::Holter => holter(lines),
        Format::MitdbCsv => mitdb(lines),
    }?;
    if median_rr_ms(&recording).is_some_and(|median| median < SHORTEST_MEDIAN_MS) {
        return Err(RecordingError::Unit { format });
    }
    Ok(recording)
}

fn e4(mut lines: Lines<impl Read>) -> Result<Recording, RecordingError> {
    let no_header = |line| RecordingError::Header { line, expected: E4_HEADER };
    let header = lines.next()?.ok_or(no_header(1))?;
    let start = e4_start(header.text()).ok_or(no_header(header.number))?;
    let mut recording = Recording::new(Some(start));
    while let Some(line) = lines.next()? {
        if e4_start(line.text()).is_some() {
            return Err(RecordingError::SecondHeader { line: line.number });
        }
        let [end, interval] = line.commas(E4_ROW)?;
        let beat = Beat {
            end_s: end.number("an offset in s")?,
            rr_ms: interval.number("an interval in s")? * 1000.0,
        };
        push(&mut recording, line.number, beat)?;
    }
    Ok(recording)
}

fn rr(mut lines: Lines<impl Read>) -> Result<Recording, RecordingError> {
    let mut chain = Chain::new();
    while let Some(line) = lines.next_row()? {
        chain.push(line)?;
    }
    Ok(chain.recording)
}

fn hrm(mut lines: Lines<impl Read>) -> Result<Recording, RecordingError> {
    loop {
        let line = lines.next()?.ok_or(RecordingError::NoSection)?;
        if line.text() == SECTION {
            break;
        }
        match line.text().strip_prefix("Interval=") {
            Some(interval) if interval.trim() != HRM_INTERVALS => {
                return Err(RecordingError::NotIntervals { line: line.number });
            }
            _ => {}
        }
    }
    let mut chain = Chain::new();
    while let Some(line) = lines.next()? {
        if line.text().starts_with('[') {
            break;
        }
        chain.push(line)?;
    }
    Ok(chain.recording)
}

fn holter(mut lines: Lines<impl Read>) -> Result<Recording, RecordingError> {
    let no_header = |line| RecordingError::Header { line, expected: HOLTER_HEADER };
    let serial = lines.next()?.ok_or(no_header(1))?;
    if serial.text().contains(char::is_whitespace) {
        return Err(no_header(serial.number));
    }
    let mut recording = Recording::new(None);
    let mut before: Option<(f64, bool)> = None;
    while let Some(line) = lines.next()? {
        let [time, kind] = line.words(HOLTER_ROW)?;
        if !is_beat_type(kind.text) {
            return Err(
                kind.wrong("a letter: N normal, V ventricular, S supraventricular, X noise")
            );
        }
        let is_beat = kind.text != "X";
        let end_s = time.number("a time in s")?;
        if let Some((before_s, was_beat)) = before {
            let rr_ms = (end_s - before_s) * 1000.0;
            // Noise takes part in the check of time, and in nothing else.
            if rr_ms <= 0.0 {
                return Err(RecordingError::Beat {
                    line: line.number,
                    source: BeatError::Backwards,
                });
            }
            if is_beat && was_beat && rr_ms <= LONGEST_RR_MS {
                push(&mut recording, line.number, Beat { end_s, rr_ms })?;
            }
        }
        before = Some((end_s, is_beat));
    }
    Ok(recording)
}

fn mitdb(mut lines: Lines<impl Read>) -> Result<Recording, RecordingError> {
    let mut recording = Recording::new(None);
    while let Some(line) = lines.next_row()? {
        let [end, interval, symbol] = line.commas(MITDB_ROW)?;
        let beat = Beat {
            end_s: end.number("a time in s")?,
            rr_ms: interval.number("an interval in ms")?,
        };
        if symbol.text.is_empty() {
            return Err(symbol.wrong("a beat symbol"));
        }
        push(&mut recording, line.number, beat)?;
    }
    Ok(recording)
}

/// A recording whose intervals follow one another: each beat ends where the sum of all ends.
struct Chain {
    recording: Recording,
    sum_ms: f64,
}

impl Chain {
    fn new() -> Self {
        Self { recording: Recording::new(None), sum_ms: 0.0 }
    }

    fn push(&mut self, line: Line<'_>) -> Result<(), RecordingError> {
        let rr_ms = line.whole().number("an interval in ms")?;
        self.sum_ms += rr_ms;
        let end_s = self.sum_ms / 1000.0;
        push(&mut self.recording, line.number, Beat { end_s, rr_ms })
    }
}

fn push(recording: &mut Recording, line: u64, beat: Beat) -> Result<(), RecordingError> {
    recording.push(beat).map_err(|source| RecordingError::Beat { line, source })
}

/// The start time of an E4 header line, seconds since 1970 UTC.
fn e4_start(line: &str) -> Option<f64> {
    let (start, name) = line.split_once(',')?;
    let start = number(start.trim())?;
    (name.trim() == "IBI" && start >= 0.0).then_some(start)
}

fn is_mitdb_row(line: &str) -> bool {
    let mut fields = line.split(',').map(str::trim);
    let is_number = |field: Option<&str>| field.and_then(number).is_some();
    let is_symbol = |field: &str| !field.is_empty() && number(field).is_none();
    is_number(fields.next())
        && is_number(fields.next())
        && fields.next().is_some_and(is_symbol)
        && fields.next().is_none()
}

fn is_holter_row(line: &str) -> bool {
    let mut fields = line.split_whitespace();
    fields.next().and_then(number).is_some()
        && fields.next().is_some_and(is_beat_type)
        && fields.next().is_none()
}

fn is_beat_type(field: &str) -> bool {
    field.len() == 1 && field.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The upper median of the intervals, ms.
fn median_rr_ms(recording: &Recording) -> Option<f64> {
    let mut intervals: Vec<f64> = recording.beats().iter().map(|beat| beat.rr_ms).collect();
    let middle = intervals.len() / 2;
    if middle >= intervals.len() {
        return None;
    }
    let (_, median, _) = intervals.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    const E4: &str = "1560279825.000000, IBI\n83.5,0.625\n84.25,0.75\n";
    const RR: &str = "# chest strap\n812\n\n790.5\n";
    const HRM: &str = "[Params]\r\nVersion=106\r\nInterval=238\r\n\r\n[HRData]\r\n812\r\n790\r\n";
    const HOLTER: &str = "00000000\n4.0\tX\n5.0\tN\n6.0\tN\n6.75\tV\n70.0\tN\n70.5\tN\n";
    const MITDB: &str = "# beats\n1.5,813.889,N\n2.25,750,A\n";

    fn beats(text: &str) -> Vec<(f64, f64)> {
        let recording = parse(text.as_bytes(), None).unwrap();
        let beats = recording.beats().iter();
        beats.map(|beat| (beat.end_s, beat.rr_ms)).collect()
    }

    #[test]
    fn every_format_is_found_out_and_read() {
        for (format, text, expected) in [
            (Format::E4, E4, vec![(83.5, 625.0), (84.25, 750.0)]),
            (Format::Rr, RR, vec![(0.812, 812.0), (1.6025, 790.5)]),
            (Format::Hrm, HRM, vec![(0.812, 812.0), (1.602, 790.0)]),
            (Format::Holter, HOLTER, vec![(6.0, 1000.0), (6.75, 750.0), (70.5, 500.0)]),
            (Format::MitdbCsv, MITDB, vec![(1.5, 813.889), (2.25, 750.0)]),
        ] {
            assert_eq!(detect(text), Some(format));
            assert_eq!(beats(text), expected);
            let windows = text.replace("\r\n", "\n").replace('\n', "\r\n");
            assert_eq!(beats(&windows), expected, "with CR LF");
            assert_eq!(beats(&format!("\u{feff}{text}")), expected, "with a mark");
        }
    }

    #[test]
    fn the_names_are_those_of_the_command_line() {
        use clap::ValueEnum as _;
        for format in Format::value_variants() {
            let value = format.to_possible_value().unwrap();
            assert_eq!(value.get_name(), format.name());
        }
    }

    #[test]
    fn the_start_is_kept_where_the_file_tells() {
        let start = |text: &str| parse(text.as_bytes(), None).unwrap().started_unix_s();
        assert_eq!(start(E4), Some(1_560_279_825.0));
        assert_eq!(start(RR), None);
        assert_eq!(start(HRM), None);
    }

    #[test]
    fn a_file_with_a_header_alone_has_no_beats() {
        for text in ["1560279825.000000, IBI\n", "[Params]\n[HRData]\n"] {
            assert_eq!(beats(text), []);
        }
        let comment = parse("# none\n".as_bytes(), Some(Format::Rr)).unwrap();
        assert_eq!(comment.beats().len(), 0);
    }

    #[test]
    fn latin_1_in_a_hrm_file_is_read() {
        let bytes = b"[Params]\nInterval=238\n[Note]\nM\xfcller, 5 \xb5V\n[HRData]\n812\n";
        assert_eq!(parse(bytes.as_slice(), None).unwrap().beats().len(), 1);
    }

    #[test]
    fn signal_files_are_not_taken_for_intervals() {
        for text in [
            "1560279825.000000\n4.000000\n0.020499\n",
            "1560279825.0, 1560279825.0, 1560279825.0\n32.0, 32.0, 32.0\n3,4,61\n",
            "1560279825.00\n",
            "\u{89}PNG\r\n",
            "person,value\nann,3\n",
            "# only a comment\n",
        ] {
            assert_eq!(detect(text), None);
        }
    }

    const SPLIT: &str = "split the file where time starts again: each session is a recording of its own (an import does so by itself)";
    const FIELDS: &str = "check the format, and that numbers have a decimal point and no quotes";
    const CORRECT: &str = "correct or remove the line";
    const NAME: &str = "name the right format with --format, or leave it out";
    const UNIT: &str = "check the unit: Empatica IBI is in s, all other intervals in ms";
    const CUT: &str = "cut the recording into sessions";

    #[track_caller]
    fn refused(format: Option<Format>, text: &str, place: &str, message: &str, hint: &str) {
        let error = parse(text.as_bytes(), format).unwrap_err();
        let fault = error.fault(Path::new("f"));
        let expected = format!("{message}\n  at:   {place}\n  hint: {hint}");
        assert_eq!(fault.to_string(), expected);
    }

    #[test]
    fn a_file_of_no_format_is_refused() {
        let empty = "the recording is empty: it has neither header nor beats";
        let hint = "copy it again; an Empatica file without beats still has its header";
        refused(None, "", "f", empty, hint);
        refused(Some(Format::Rr), "", "f", empty, hint);
        refused(
            None,
            "person,value\nann,3\n",
            "f",
            "the format of the recording is not recognised",
            "expected Empatica IBI.csv, RR text in ms, Polar .hrm, a Holter beat list or MIT-BIH \
             CSV (EDA, HR, BVP and ACC files hold signals, not beats); name it with --format if \
             it is one of these",
        );
    }

    #[test]
    fn a_broken_e4_file_is_refused_with_line_and_hint() {
        let header = "the first line is not a header; expected the start time, a comma and IBI";
        refused(Some(Format::E4), "83.5,0.6\n", "f:1", header, NAME);
        let second = "a second header line; expected one session";
        let joined = "1560279825, IBI\n1.5,0.7\n1560299825, IBI\n1.5,0.7\n";
        refused(None, joined, "f:3", second, SPLIT);
        for (rows, place, message, hint) in [
            ("9.5,0.7\n1.5,0.7", "f:3", "time does not advance from the beat before", SPLIT),
            ("9.5,0.7\n9.5,0.7", "f:3", "time does not advance from the beat before", SPLIT),
            ("9.5, \"0.7\"", "f:2:6", "expected an interval in s", FIELDS),
            ("nan,0.7", "f:2:1", "expected an offset in s", FIELDS),
            ("-1.5,0.7", "f:2", "the beat ends before the recording starts", CORRECT),
            ("1.5,700", "f:2", "the interval is longer than a minute", UNIT),
            ("1e7,0.7", "f:2", "the beat ends more than 31 days after the start", CUT),
        ] {
            let text = format!("1560279825, IBI\n{rows}\n");
            refused(None, &text, place, message, hint);
        }
        for (row, found) in [("9.5;0.7", 1), ("9.5,0.7,1", 3)] {
            let message = format!(
                "the line has {found} fields; expected an offset and an interval, in s, with a \
                 comma between"
            );
            let text = format!("1560279825, IBI\n{row}\n");
            refused(None, &text, "f:2", &message, FIELDS);
        }
    }

    #[test]
    fn a_broken_rr_or_hrm_file_is_refused_with_line_and_hint() {
        let long = format!("800\n{}\n", "8".repeat(5000));
        let long_line = "the line is longer than 4096 bytes";
        let plain = "a recording is plain text, one beat a line";
        refused(Some(Format::Rr), &long, "f:2", long_line, plain);
        let zero = "the interval is not above zero";
        let interval = "expected an interval in ms";
        for (format, text, place, message, hint) in [
            (Format::Rr, "800\n0\n", "f:2", zero, CORRECT),
            (Format::Rr, "800\n-800\n", "f:2", zero, CORRECT),
            (Format::Rr, "800\n\n  8x0\n", "f:3:3", interval, FIELDS),
            (Format::Rr, "800\ninf\n", "f:2:1", interval, FIELDS),
            (Format::Hrm, "[HRData]\n800\t12\n", "f:2:1", interval, FIELDS),
            (
                Format::Rr,
                "0.8\n0.9\n0.8\n",
                "f",
                "half of the intervals are shorter than 100 ms; expected intervals in ms",
                "convert the intervals to the unit of the format",
            ),
            (
                Format::Hrm,
                "[Params]\nInterval=238\n800\n",
                "f",
                "the file has no [HRData] section",
                "export the recording again: the file was cut short",
            ),
            (
                Format::Hrm,
                "[Params]\nInterval=5\n[HRData]\n72\n",
                "f:2",
                "the file holds heart rates at fixed steps, not intervals between beats",
                "export R-R data from the device (Interval=238)",
            ),
        ] {
            refused(Some(format), text, place, message, hint);
        }
    }

    #[test]
    fn a_broken_holter_or_mitdb_file_is_refused_with_line_and_hint() {
        let serial = "the first line is not a header; expected the serial of the device alone";
        let backwards = "time does not advance from the beat before";
        let letter = "expected a letter: N normal, V ventricular, S supraventricular, X noise";
        let one = "the line has 1 fields; expected a time in s and a beat type, with white space \
                   between";
        let two = "the line has 2 fields; expected a time in s, an interval in ms and a beat \
                   symbol, with commas between";
        for (format, text, place, message, hint) in [
            (Format::Holter, "4.0 N\n", "f:1", serial, NAME),
            (Format::Holter, "0\n4.0 N\n3.0 X\n", "f:3", backwards, SPLIT),
            (Format::Holter, "0\n4.0 N\n5.0 N7\n", "f:3:5", letter, FIELDS),
            (Format::Holter, "0\n4.0 N\n5.0\n", "f:3", one, FIELDS),
            (Format::Holter, "0\n4:00 N\n", "f:2:1", "expected a time in s", FIELDS),
            (Format::MitdbCsv, "time,rr,sign\n", "f:1:1", "expected a time in s", FIELDS),
            (Format::MitdbCsv, "1.0,800,N\n2.0,800,\n", "f:2:9", "expected a beat symbol", FIELDS),
            (Format::MitdbCsv, "1.0,800,N\n2.0,800\n", "f:2", two, FIELDS),
        ] {
            refused(Some(format), text, place, message, hint);
        }
    }

    fn any_format() -> impl Strategy<Value = Option<Format>> {
        use clap::ValueEnum as _;
        let named = proptest::sample::select(Format::value_variants());
        proptest::option::of(named)
    }

    fn in_order(recording: &Recording) -> bool {
        recording.beats().is_sorted_by(|a, b| a.end_s < b.end_s)
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            format in any_format(),
        ) {
            if let Ok(recording) = parse(bytes.as_slice(), format) {
                prop_assert!(in_order(&recording));
            }
        }

        #[test]
        fn pieces_of_real_formats_never_panic(
            pieces in proptest::collection::vec("1560279825, IBI|\\[Params\\]|\\[HRData\\]|\
                [-+]?[0-9]{0,9}(\\.[0-9]{0,3})?(e[0-9]{1,3})?|nan|inf|[NVX]|[,\\t #]|\r\n|\n", 0..200),
            format in any_format(),
        ) {
            if let Ok(recording) = parse(pieces.concat().as_bytes(), format) {
                prop_assert!(in_order(&recording));
            }
        }
    }
}
