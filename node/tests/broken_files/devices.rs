//! Recordings and what they are packed in, exports of wearables, faces.
use super::{Broken, PERSON, broken};
use std::io::Write as _;
use zip::write::SimpleFileOptions;

/// Sessions that name the recording `rec/x…` of the case.
const SESSION: &str = "-- @device_session\nSELECT 'S' || _line AS session, 'D1' AS person, 'chest-strap' AS kind, \
    1782892800000000 AS start_us, file, _line AS line FROM raw_sessions\n";

pub(crate) fn cases() -> Vec<Broken> {
    let mut all = beats();
    all.extend(zips());
    all.extend(empatica());
    all.extend(fit());
    all.extend(wearables());
    all
}

/// A recording that a device session names.
fn recording(name: &'static str, file: &'static str, bytes: impl AsRef<[u8]>) -> Broken {
    let listed = format!("file\n{}\n", file.trim_start_matches("rec/"));
    let mut case = broken(name, "sessions=sessions.csv", listed).by(SESSION);
    case.files.push((file.to_owned(), bytes.as_ref().to_vec()));
    case
}

fn beats() -> Vec<Broken> {
    let sound = "800\n810\n".repeat(400);
    vec![
        recording("RR intervals with a word among them", "rec/x.txt", format!("{sound}{PERSON}\n"))
            .says(&["  rejected  device_session.file: expected an interval in ms (1 rows; first lines 2)"]),
        recording("a negative interval", "rec/x.txt", format!("{sound}-800\n")).says(&["  rejected  device_session.file: the interval is not above zero (1 rows; first lines 2)"]),
        recording("an interval of nothing", "rec/x.txt", format!("{sound}0\n")).says(&["  rejected  device_session.file: the interval is not above zero (1 rows; first lines 2)"]),
        recording("intervals in seconds", "rec/x.txt", "0.8\n0.81\n".repeat(400)).says(&["  rejected  device_session.file: half of the intervals are shorter than 100 ms; expected intervals in ms (1 rows; first lines 2)"]),
        recording("an empty recording", "rec/x.txt", "").says(&["  rejected  device_session.file: the recording is empty: it has neither header nor beats (1 rows; first lines 2)"]),
        recording("a minute of beats", "rec/x.txt", "800\n".repeat(75)).says(&["  rejected  device_session.file: the recording has no window of five minutes that is covered well enough (1 rows; first lines 2)"]),
        recording("a Polar file without beats", "rec/x.hrm", "[Params]\nVersion=106\n").says(&["  rejected  device_session.file: the file has no [HRData] section (1 rows; first lines 2)"]),
        recording(
            "a Polar file with a word among its beats",
            "rec/x.hrm",
            format!(
                "[Params]\nVersion=106\nMode=111111100\nInterval=238\n[HRData]\n{sound}{PERSON}\n"
            ),
        )
        .says(&["  rejected  device_session.file: expected an interval in ms (1 rows; first lines 2)"]),
        recording("a Holter list that runs backwards", "rec/x.txt", "0\n4.0 N\n3.0 X\n").says(&["  rejected  device_session.file: time does not advance from the beat before (1 rows; first lines 2)"]),
        recording(
            "a Holter list with a mark nobody knows",
            "rec/x.txt",
            format!("0\n4.0 N\n5.0 {PERSON}\n"),
        )
        .says(&["  rejected  device_session.file: the line has 3 fields; expected a time in s and a beat type, with white space between (1 rows; first lines 2)"]),
        recording("IBI without its first line", "rec/IBI.csv", "0.8,0.8\n1.6,0.8\n").says(&["  rejected  device_session.file: IBI.csv:1: not a start time and IBI (1 rows; first lines 2)"]),
        recording(
            "IBI that runs backwards is two sessions, here too short",
            "rec/IBI.csv",
            "1560279825.0, IBI\n1.6,0.8\n0.8,0.8\n",
        )
        .says(&["  rejected  device_session.file: the recording has no window of five minutes that is covered well enough (1 rows; first lines 2)"]),
        recording("a document", "rec/x.pdf", format!("%PDF-1.7 {PERSON}")).says(&["  rejected  device_session.file: the format of the recording is not recognised (1 rows; first lines 2)"]),
        recording("a recording that is not there", "rec/other.txt", "800\n")
            .says(&["  rejected  device_session.file: the recording cannot be read: entity not found (1 rows; first lines 2)"])
            .renamed("none.txt"),
        recording("a way out of the folder", "rec/x.txt", "800\n").says(&["  rejected  device_session.file: not a relative path inside the recordings folder (1 rows; first lines 2)"]).renamed("../staff.csv"),
    ]
}

impl Broken {
    /// The list names another file.
    fn renamed(mut self, file: &str) -> Self {
        for (name, bytes) in &mut self.files {
            if name == "sessions.csv" {
                *bytes = format!("file\n{file}\n").into_bytes();
            }
        }
        self
    }
}

fn pack(name: &str, text: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
    zip.write_all(text).unwrap();
    zip.finish().unwrap().into_inner()
}

fn zips() -> Vec<Broken> {
    use zip::CompressionMethod::{Deflated, Stored};
    let beats = "1560279825.0, IBI\n".to_owned()
        + &(1..=900)
            .map(|n| format!("{:.1},0.8", 0.8 * f64::from(n)))
            .collect::<Vec<_>>()
            .join("\n");
    let sound = pack("IBI.csv", beats.as_bytes(), Stored);
    let mut sum = sound.clone();
    let at = sum.windows(7).position(|w| w == b"0.8,0.8").unwrap();
    sum.splice(at..at + 3, *b"0.7");
    let mut sealed = sound.clone();
    // The flag of encryption, in the member's header and in the directory.
    for (mark, flag) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = sealed.windows(4).position(|w| w == mark).unwrap();
        sealed[at + flag] |= 1;
    }
    let bomb = pack("IBI.csv", &vec![b'0'; 300 << 20], Deflated);
    vec![
        recording("a zip cut short", "rec/x.zip", &sound[..sound.len() / 2]).says(&["  rejected  device_session.file: not a sound zip (1 rows; first lines 2)"]),
        recording("a zip whose sum does not hold", "rec/x.zip", sum).says(&["  rejected  device_session.file: IBI.csv: cannot be unpacked: invalid data (1 rows; first lines 2)"]),
        recording("an encrypted zip", "rec/x.zip", sealed).says(&["  rejected  device_session.file: the zip is encrypted, or packed otherwise than by deflate (1 rows; first lines 2)"]),
        recording("300 MB in a small zip", "rec/x.zip", bomb).says(&["  rejected  device_session.file: IBI.csv has more than 268435456 bytes (1 rows; first lines 2)"]),
        recording("a zip of something else", "rec/x.zip", pack("notes.txt", b"-", Stored)).says(&["  rejected  device_session.file: no file of an Empatica session: expected IBI.csv, EDA.csv or another signal (1 rows; first lines 2)"]),
        recording(
            "a zip with a way out is read in place",
            "rec/x.zip",
            pack("../../IBI.csv", beats.as_bytes(), Stored),
        )
        .says(&["  rejected  device_session.file: the recording has no window of five minutes that is covered well enough (1 rows; first lines 2)"]),
    ]
}

fn empatica() -> Vec<Broken> {
    let case = |name, file: &'static str, text: &str| {
        broken(name, "x.recordings=e4", "").absent().with(file, text)
    };
    vec![
        case("an Empatica signal without its rate", "e4/EDA.csv", "1560279825.0\n").says(&["  rejected  raw_x.file: EDA.csv ends before a sampling rate (1 rows; first lines 1)"]),
        case("an Empatica signal without a start", "e4/EDA.csv", "eda\n4.0\n0.1\n").says(&["  rejected  raw_x.file: EDA.csv:1: not a start time (1 rows; first lines 1)"]),
        case(
            "an Empatica signal with a word",
            "e4/EDA.csv",
            &format!("1560279825.0\n4.0\n0.1\n{PERSON}\n"),
        )
        .says(&["  rejected  raw_x.file: EDA.csv:4: not 1 numbers (1 rows; first lines 1)"]),
        case(
            "Empatica sessions that were joined are split",
            "e4/EDA.csv",
            "1560279825.0\n4.0\n0.1\n1560289825.0\n4.0\n",
        )
        .says(&[]),
        case(
            "Empatica beats that run backwards are two sessions",
            "e4/IBI.csv",
            "1560279825.0, IBI\n1.6,0.8\n0.8,0.8\n",
        )
        .says(&[]),
        case("a folder without recordings", "e4/notes.txt", PERSON).says(&["no recording was found", "  at:   e4", "  hint: expected Empatica folders or .zip files, Garmin .fit files, or exports of wearables"]),
    ]
}

fn fit() -> Vec<Broken> {
    // A header of 14 bytes without records, and its check sum of 0, which does not hold.
    let mut damaged = vec![14, 0x10, 0, 0, 0, 0, 0, 0, b'.', b'F', b'I', b'T', 0, 0];
    damaged.extend([1, 2]);
    let mut short = damaged[..14].to_vec();
    short.splice(4..8, 100_u32.to_le_bytes());
    let case = |name, bytes: &[u8]| broken(name, "x=x.fit", bytes);
    vec![
        case("a FIT file whose sum does not hold", &damaged).says(&["the FIT file is damaged: its check sum does not hold", "  at:   x.fit", "  hint: expected a Garmin FIT file, as it lies on the device or comes from an export"]),
        case("a FIT file cut short", &short).says(&["the FIT file is cut off", "  at:   x.fit", "  hint: expected a Garmin FIT file, as it lies on the device or comes from an export"]),
        case("a FIT file that is a text", PERSON.as_bytes()).says(&["not a FIT file: its header has neither 12 nor 14 bytes", "  at:   x.fit", "  hint: expected a Garmin FIT file, as it lies on the device or comes from an export"]),
        case("an empty FIT file", b"").says(&["the file is empty", "  at:   x.fit", "  hint: expected a Garmin FIT file, as it lies on the device or comes from an export"]),
        recording("a FIT recording that is damaged", "rec/x.fit", &damaged).says(&["  rejected  device_session.file: the FIT file is damaged: its check sum does not hold (1 rows; first lines 2)"]),
    ]
}

fn wearables() -> Vec<Broken> {
    let apple = |name, text: &str| broken(name, "x.apple=x.xml", text);
    let record = |kind: &str, unit: &str, value: &str| {
        format!(
            "<HealthData>\n<Record type=\"HKQuantityTypeIdentifier{kind}\" unit=\"{unit}\" value=\"{value}\" \
             sourceName=\"{PERSON}\" startDate=\"2026-07-01 08:00:00 +0200\" endDate=\"2026-07-01 08:00:00 +0200\"/>\n</HealthData>\n"
        )
    };
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\n<HealthData>\n\
                <Record type=\"HKQuantityTypeIdentifierHeartRate\" unit=\"&b;\" value=\"1\"/></HealthData>\n";
    let rate = |time: &str, bpm: &str| {
        format!("[{{\"dateTime\":\"{time}\",\"value\":{{\"bpm\":{bpm},\"confidence\":2}}}}]")
    };
    let fitbit = |name, text: &str| broken(name, "x.fitbit=x.json", text);
    let open = |name, text: &str| broken(name, "x.openmhealth=x.json", text);
    vec![
        apple("SDNN where RMSSD is due", &record("HeartRateVariabilitySDNN", "ms", "37")).says(&["  rejected  raw_x.HeartRateVariabilitySDNN: SDNN, which is not RMSSD and is never taken for it: use a recording of beats (1 rows; first lines 2)"]),
        apple("a heart rate in Hz, Apple's", &record("HeartRate", "Hz", "1.1")).says(&["  rejected  raw_x.unit: a heart rate that is not in count/min (1 rows; first lines 2)"]),
        apple("a heart rate in words", &record("HeartRate", "count/min", PERSON)).says(&["  rejected  raw_x.value: not 1 to 400 beats per minute (1 rows; first lines 2)"]),
        apple("an export that is no XML", PERSON).says(&["the file holds no XML", "  at:   x.xml:1", "  hint: in Health, export all health data; the zip holds apple_health_export/export.xml"]),
        apple("another XML", &format!("<Address>{PERSON}</Address>")).says(&["the XML is no export of Apple Health: its first element is not HealthData", "  at:   x.xml:1", "  hint: in Health, export all health data; the zip holds apple_health_export/export.xml"]),
        apple("entities within entities", bomb).says(&["  rejected  raw_x.unit: a heart rate that is not in count/min (1 rows; first lines 3)"]),
        apple("an export cut short", "<HealthData>\n<Record type=\"a\"").says(&["the file is not sound XML", "  at:   x.xml:2", "  hint: copy it again, or export anew"]),
        apple("an element that closes another", "<HealthData>\n<Record></HealthData>\n").says(&["the file is not sound XML", "  at:   x.xml:2", "  hint: copy it again, or export anew"]),
        fitbit("a time that is not Fitbit's", &rate("2026-07-01T08:00:00Z", "70")).says(&["  rejected  raw_x.dateTime: not MM/DD/YY HH:MM:SS (1 rows; first lines 1)"]),
        fitbit("a rate above all hearts", &rate("07/01/26 08:00:00", "900")).says(&["  rejected  raw_x.value.bpm: not 1 to 400 beats per minute (1 rows; first lines 1)"]),
        fitbit("a rate in words, Fitbit's", &rate("07/01/26 08:00:00", &format!("\"{PERSON}\"")))
            .says(&["  rejected  raw_x.value: not shaped as Fitbit's: dateTime, value.bpm, value.confidence (1 rows; first lines 1)"]),
        fitbit("a document that is neither", PERSON).says(&["not a JSON object, or a list of them", "  at:   x.json:1"]),
        broken("variability without its columns", "x.fitbit=x.csv", "timestamp,hrv\n1,2\n")
            .says(&["the file has not the columns of a Fitbit variability file", "  at:   x.csv", "  hint: expected heart_rate-DATE.json, or `Heart Rate Variability Details - DATE.csv` with timestamp, rmssd, coverage"]),
        open("an interval in s", "{\"rr_interval\":{\"value\":0.8,\"unit\":\"s\"}}").says(&["  rejected  raw_x.rr_interval: in a unit that is not ms (1 rows; first lines 1)"]),
        open("a data point without a body", "{\"header\":{\"id\":\"a\"}}").says(&["  rejected  raw_x.body: missing (1 rows; first lines 1)"]),
        open("a rate of nothing", "{\"heart_rate\":{\"value\":0,\"unit\":\"beats/min\"}}").says(&["  rejected  raw_x.value: not above zero (1 rows; first lines 1)"]),
        open("points that are no JSON", &format!("{{\"heart_rate\":{PERSON}}}")).says(&["a data point is not JSON", "  at:   x.json:1"]),
        broken("faces", "x=x.csv", "frame,AU01_r,AU01_c\n1,0.2,1\n").says(&["the file holds measures of faces (OpenFace), which no table of a node takes", "  at:   x.csv", "  hint: leave it out; where a profile allows `faces`, a device session names it as its recording"]),
        broken("faces by their name", "x.openface=x.csv", "frame\n1\n").says(&["the file holds measures of faces (OpenFace), which no table of a node takes", "  at:   x.csv", "  hint: leave it out; where a profile allows `faces`, a device session names it as its recording"]),
    ]
}
