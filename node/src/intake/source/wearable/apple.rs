//! Apple Health's `export.xml`, read as a stream: heart rates.
//!
//! Apple's heart rate variability is SDNN over about a minute. It is not RMSSD, cannot be turned into it, and must
//! not stand beside it: every such record is a reject that says so. The beats nested in it land as `rr_interval` of
//! statistic `from-rate`: what Apple keeps of each is a rate in whole beats a minute, up to 15 ms off, so they are looked
//! at and counted and no variability is made of them. Nothing of `Me` (date of birth, sex) lands, nor names of devices.
//! One element is bounded, the file is not; entities of the file's own are never expanded.
use super::super::files::unreadable;
use super::super::moment::{Moment, rfc3339};
use super::super::{LINE_BYTES_MAX, RawTable, Step, Tables};
use super::{Sample, table};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

const HEART_RATE: &str = "HKQuantityTypeIdentifierHeartRate";
/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
const SDNN: &str = "HKQuantityTypeIdentifierHeartRateVariabilitySDNN";

/// The records of an export.
pub(in crate::intake::source) struct Export {
    reader: Reader<Bounded>,
    buffer: Vec<u8>,
    tables: Vec<RawTable>,
    path: PathBuf,
    total: u64,
    begun: bool,
    /// Open elements.
    depth: u32,
    others: u64,
    beats: u64,
    /// When the record around single beats began.
    around: Option<Moment>,
}

impl Export {
    pub(in crate::intake::source) fn open(name: &str, path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|e| unreadable(&e, path))?;
        let total = file.metadata().map_err(|e| unreadable(&e, path))?.len();
        let inner = BufReader::with_capacity(1 << 16, file);
        let bounded = Bounded { inner, left: LINE_BYTES_MAX, line: 1, position: 0 };
        Ok(Self {
            reader: Reader::from_reader(bounded),
            buffer: Vec::new(),
            tables: vec![table(name)],
            path: path.to_owned(),
            total,
            begun: false,
            depth: 0,
            others: 0,
            beats: 0,
            around: None,
        })
    }
}

impl Tables for Export {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.reader.get_ref().position
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        self.buffer.clear();
        self.reader.get_mut().left = LINE_BYTES_MAX;
        let line = self.reader.get_ref().line;
        let place = format!("{}:{line}", self.path.display());
        // Without the parser's own words: they may quote the file.
        let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| {
            let what = match error {
                quick_xml::Error::Io(error) => format!("the file cannot be read: {error}"),
                _ => "the file is not sound XML".to_owned(),
            };
            Fault::user(what).at(&place).hint("copy it again, or export anew")
        })?;
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let is_start = matches!(event, Event::Start(_));
                self.depth += u32::from(is_start);
                if !self.begun && element.name().as_ref() != "HealthData" {
                    return Err(Fault::user("the XML is no export of Apple Health: its first element is not HealthData")
                        .at(&place)
                        .hint("in Health, export all health data; the zip holds apple_health_export/export.xml"));
                }
                self.begun = true;
                match element.name().as_ref() {
                    "Record" => {
                        self.around = attribute(element, "startDate").as_deref().and_then(moment);
                        match sample(element) {
                            Ok(Some(found)) => found.land(line, out),
                            Ok(None) => self.others += 1,
                            Err((column, reason)) => out.refuse(0, line, column, reason),
                        }
                    }
                    "InstantaneousBeatsPerMinute" => match beat(element, self.around) {
                        Ok(found) => {
                            self.beats += 1;
                            found.land(line, out);
                        }
                        Err((column, reason)) => out.refuse(0, line, column, reason),
                    },
                    _ => {}
                }
            }
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Eof if !self.begun => {
                return Err(Fault::user("the file holds no XML")
                    .at(&place)
                    .hint("in Health, export all health data; the zip holds apple_health_export/export.xml"));
            }
            Event::Eof if self.depth > 0 => {
                return Err(Fault::user("the file ends within the export")
                    .at(&place)
                    .hint("copy it again"));
            }
            Event::Eof => return Ok(false),
            _ => {}
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.others > 0 {
            notes.push(format!(
                "{} records are of other types than heart rate: left out",
                self.others
            ));
        }
        if self.beats > 0 {
            notes.push(format!(
                "{} single beats beside SDNN are rates in whole beats a minute: no variability is made of them",
                self.beats
            ));
        }
        notes
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.try_get_attribute(name).ok().flatten()?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

/// A single beat: its rate, and the time of day at which it ended, on the day of the record around it or the next.
fn beat(
    element: &BytesStart<'_>,
    around: Option<Moment>,
) -> Result<Sample, (&'static str, &'static str)> {
    let rate = attribute(element, "bpm").and_then(|v| v.parse().ok());
    let rate = rate.filter(|v: &f64| (1.0..=400.0).contains(v));
    let rate = rate.ok_or(("bpm", "not 1 to 400 beats per minute"))?;
    let time = attribute(element, "time");
    let of_day_us = time.as_deref().and_then(time_of_day_us);
    let of_day_us = of_day_us.ok_or(("time", "not a time of day"))?;
    let around = around.ok_or(("time", "stands beside no record with a startDate"))?;
    let ahead_us = around.tz_min.saturating_mul(60_000_000);
    let midnight_us = (around.us.saturating_add(ahead_us)).div_euclid(DAY_US) * DAY_US - ahead_us;
    let same_day_us = midnight_us.saturating_add(of_day_us);
    // A beat ends within the record: one that seems to have ended a second before it began is of the next day.
    let next_day = same_day_us < around.us.saturating_sub(1_000_000);
    let end_us = if next_day { same_day_us.saturating_add(DAY_US) } else { same_day_us };
    let value = 60_000.0 / rate;
    #[expect(clippy::cast_possible_truncation, reason = "at most a minute")]
    let length_us = (value * 1_000.0).round() as i64;
    Ok(Sample {
        kind: "rr_interval",
        unit: "ms",
        value,
        start_us: Some(end_us.saturating_sub(length_us)),
        end_us: Some(end_us),
        tz_min: Some(around.tz_min),
        time,
        statistic: Some("from-rate".to_owned()),
        ..Sample::default()
    })
}

/// `8:00:01.25`, `8:00:01.25 AM` (with whatever space) in microseconds since midnight.
fn time_of_day_us(text: &str) -> Option<i64> {
    let text = text.trim();
    let half = text.to_ascii_uppercase();
    let afternoon =
        if half.ends_with("PM") { Some(true) } else { half.ends_with("AM").then_some(false) };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let second: f64 = second.replace(',', ".").parse().ok()?;
    let hour = match afternoon {
        None => hour,
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + i64::from(afternoon) * 12,
        Some(_) => return None,
    };
    let sound =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..61.0).contains(&second);
    if !sound || parts.next().is_some() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below a minute")]
    let second_us = (second * 1e6).round() as i64;
    Some((hour * 60 + minute) * 60_000_000 + second_us)
}

fn sample(element: &BytesStart<'_>) -> Result<Option<Sample>, (&'static str, &'static str)> {
    let attribute = |name| attribute(element, name);
    match attribute("type").as_deref() {
        Some(HEART_RATE) => {}
        Some(SDNN) => {
            let reason =
                "SDNN, which is not RMSSD and is never taken for it: use a recording of beats";
            return Err(("HeartRateVariabilitySDNN", reason));
        }
        Some(_) => return Ok(None),
        None => return Err(("type", "missing")),
    }
    if attribute("unit").as_deref() != Some("count/min") {
        return Err(("unit", "a heart rate that is not in count/min"));
    }
    let value = attribute("value").and_then(|v| v.parse().ok());
    let value = value.filter(|v: &f64| (1.0..=400.0).contains(v));
    let value = value.ok_or(("value", "not 1 to 400 beats per minute"))?;
    let time = attribute("startDate");
    let start =
        time.as_deref().and_then(moment).ok_or(("startDate", "not YYYY-MM-DD HH:MM:SS ±HHMM"))?;
    let end = attribute("endDate").as_deref().and_then(moment);
    Ok(Some(Sample {
        kind: "heart_rate",
        unit: "/min",
        value,
        start_us: Some(start.us),
        end_us: end.map(|m| m.us),
        tz_min: Some(start.tz_min),
        time,
        ..Sample::default()
    }))
}

/// `2014-09-21 07:08:47 +0100`.
fn moment(text: &str) -> Option<Moment> {
    let mut parts = text.split(' ');
    let (day, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    let (hours, minutes) = zone.split_at_checked(3)?;
    if parts.next().is_some() {
        return None;
    }
    rfc3339(&format!("{day}T{time}{hours}:{minutes}"))
}

/// Counts lines, and hands out no more than an element may have before it is told to go on.
struct Bounded {
    inner: BufReader<File>,
    left: usize,
    line: u64,
    position: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Bounded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.inner.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            let message = format!("an element is longer than {LINE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(available.get(..available.len().min(self.left)).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        let taken = self.inner.buffer().get(..count).unwrap_or_default();
        for byte in taken {
            self.line += u64::from(*byte == b'\n');
        }
        self.left = self.left.saturating_sub(count);
        self.position += count as u64;
        self.inner.consume(count);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::super::tests::{Noted, read, real};
    use super::*;

    fn read_text(text: &str) -> Result<Noted, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("export.xml");
        std::fs::write(&path, text).unwrap();
        let mut export = Export::open("watch", &path)?;
        let (rows, refused) = read(&mut export).map_err(|mut fault| {
            fault.place = fault.place.map(|p| p.replace(&format!("{}/", dir.path().display()), ""));
            fault
        })?;
        Ok((rows, refused, export.notes()))
    }

    const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData ANY>\n]>\n<HealthData>\n";

    #[test]
    fn heart_rates_land_and_sdnn_is_refused_by_name() {
        let record = |kind: &str, rest: &str| {
            format!(
                "<Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"Ann&apos;s watch\" {rest}"
            )
        };
        let time = "startDate=\"2026-01-01 08:00:00 +0100\" endDate=\"2026-01-01 08:00:05 +0100\"";
        let text = [
            HEAD.to_owned(),
            "<Me HKCharacteristicTypeIdentifierDateOfBirth=\"1970-01-01\"/>\n".to_owned(),
            record("HeartRate", &format!("unit=\"count/min\" value=\"61\" {time}/>\n")),
            record("HeartRateVariabilitySDNN", &format!("unit=\"ms\" value=\"37.5\" {time}>\n")),
            "<HeartRateVariabilityMetadataList><InstantaneousBeatsPerMinute bpm=\"75\" time=\"8:00:01\"/>".to_owned(),
            "<InstantaneousBeatsPerMinute bpm=\"75\" time=\"noon\"/>".to_owned(),
            "</HeartRateVariabilityMetadataList>\n</Record>\n".to_owned(),
            record("HeartRate", &format!("unit=\"Hz\" value=\"1\" {time}/>\n")),
            record("HeartRate", &format!("unit=\"count/min\" value=\"999\" {time}/>\n")),
            record("HeartRate", "unit=\"count/min\" value=\"61\" startDate=\"01.01.2026\"/>\n"),
            record("StepCount", "unit=\"count\" value=\"61\"/>\n"),
            "</HealthData>\n".to_owned(),
        ];
        let (rows, refused, notes) = read_text(&text.concat()).unwrap();
        assert_eq!(
            rows,
            [
                "raw_watch|7|heart_rate|2026-01-01 08:00:00 +0100|1767250800000000|1767250805000000|60|61.0|/min|-|-|-",
                "raw_watch|9|rr_interval|8:00:01|1767250800200000|1767250801000000|60|800.0|ms|from-rate|-|-",
            ]
        );
        assert_eq!(
            refused,
            [
                "8 HeartRateVariabilitySDNN: SDNN, which is not RMSSD and is never taken for it: use a recording of beats",
                "9 time: not a time of day",
                "11 unit: a heart rate that is not in count/min",
                "12 value: not 1 to 400 beats per minute",
                "13 startDate: not YYYY-MM-DD HH:MM:SS ±HHMM",
            ]
        );
        assert_eq!(
            notes,
            [
                "1 records are of other types than heart rate: left out",
                "1 single beats beside SDNN are rates in whole beats a minute: no variability is made of them",
            ]
        );
    }

    #[test]
    fn a_time_of_day_is_read_with_and_without_halves() {
        let hour = 3_600_000_000;
        for (text, expected) in [
            ("8:00:01.25", Some(8 * hour + 1_250_000)),
            ("8:00:01,25", Some(8 * hour + 1_250_000)),
            ("12:00:00 AM", Some(0)),
            ("12:30:00\u{202f}PM", Some(12 * hour + hour / 2)),
            ("11:59:59.99 pm", Some(24 * hour - 10_000)),
            ("24:00:00", None),
            ("13:00:00 PM", None),
            ("8:00", None),
            ("8:00:00:00", None),
            ("", None),
        ] {
            assert_eq!(time_of_day_us(text), expected, "{text}");
        }
    }

    #[test]
    fn a_beat_after_midnight_is_of_the_next_day() {
        let text = format!(
            "{HEAD}<Record type=\"{SDNN}\" startDate=\"2026-01-01 23:59:30 +0100\">\
             <InstantaneousBeatsPerMinute bpm=\"60\" time=\"12:00:10 AM\"/></Record></HealthData>"
        );
        let (rows, ..) = read_text(&text).unwrap();
        let end = 1_767_222_000_000_000_i64 + 86_400_000_000 + 10_000_000;
        assert_eq!(rows.len(), 1);
        assert!(
            rows.first().unwrap().contains(&format!("|{}|{end}|60|", end - 1_000_000)),
            "{rows:?}"
        );
    }

    #[test]
    fn what_is_no_export_is_refused() {
        let fault = |text: &str| read_text(text).err().unwrap();
        let other = fault("<?xml version=\"1.0\"?>\n<gpx></gpx>");
        assert_eq!(
            other.message,
            "the XML is no export of Apple Health: its first element is not HealthData"
        );
        assert_eq!(fault("<HealthData>\n<Record").message, "the file is not sound XML");
        assert_eq!(fault("<HealthData>\n").message, "the file ends within the export");
        assert_eq!(fault("").message, "the file holds no XML");
        let long = format!("{HEAD}<Record type=\"{}\"/>", "x".repeat(LINE_BYTES_MAX));
        let found = fault(&long);
        assert_eq!(
            found.message,
            "the file cannot be read: an element is longer than 1048576 bytes"
        );
        assert_eq!(found.place.unwrap(), "export.xml:6");
    }

    #[test]
    fn a_published_export_is_read_to_its_end() {
        let Some(real) = real("formats/apple-health/export-sample.xml") else { return };
        let mut export = Export::open("watch", &real).unwrap();
        let (rows, refused) = read(&mut export).unwrap();
        assert_eq!((rows.len(), refused.len()), (0, 0));
        let records = std::fs::read_to_string(&real).unwrap().matches("<Record ").count();
        let note = format!("{records} records are of other types than heart rate: left out");
        assert_eq!(export.notes(), [note]);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_documents_never_panic(
            pieces in proptest::collection::vec(
                "<HealthData>|</HealthData>|<Record |/>|>|type=\"HKQuantityTypeIdentifierHeartRate\" |\
                 (value|unit|startDate)=\"[0-9a-z/: +-]{0,26}\" |&[a-z#0-9]{1,4};|<!--|-->|<!DOCTYPE|[a-z\n]{1,3}",
                0..40,
            ),
        ) {
            let _ = read_text(&pieces.concat());
        }
    }
}
