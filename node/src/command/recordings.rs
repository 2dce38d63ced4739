//! Reads the recordings of an import: opens them, computes their windows, sums them up.
//!
//! | modality | from | values of a session |
//! |---|---|---|
//! | heart | beats; else heart rates of a watch | `mean_hr_bpm`, `ln_rmssd`; of sleep `ln_rmssd_sleep` |
//! | skin conductance | Empatica's `EDA.csv` | those of [`utc`], as medians of its windows |
//! | faces | frames of `OpenFace` | those of [`face`], at the node alone |
//!
//! Of a modality that is switched off nothing is read. Acceleration is read for what it says of movement alone. A
//! recording counts if a window of five minutes does, or three of one, or a night's five minutes.
use crate::config::{Modalities, Switch};
use crate::intake::recording::container::{self, E4, Opened};
use crate::intake::recording::{About, OFF, Reading, Recorded, Recorder, WindowReading, e4, face};
use crate::intake::source::wearable::numbers::Numbers;
use crate::measure::physiology::movement::{self, Movement};
use crate::measure::physiology::quality::{Clock, LEAST_COVERAGE, Mark, Quality};
use crate::measure::physiology::utc::{self, Exertion, Gate, WindowValue};
use crate::measure::physiology::window::{self, Length};
use crate::measure::physiology::{self, Beat, Format, Recording, RecordingError, Signal, signal};
use crate::store::consent::Access;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// Which recordings are read.
#[derive(Clone, Copy)]
pub(super) struct Recordings {
    /// Beats.
    heart: Switch,
    skin_conductance: Switch,
    /// What a watch worked out by itself: heart rates, the variability of sleep.
    summaries: Switch,
    /// Action units of a face.
    faces: Switch,
}

/// One session: what its files hold.
#[derive(Default)]
struct Session {
    beats: Option<Recording>,
    conductance: Option<Signal>,
    movement: Option<Movement>,
    rates: Vec<(f64, f64)>,
    sleep: Vec<(f64, f64)>,
}

impl Session {
    /// Whether it holds no signal that values come from.
    fn is_empty(&self) -> bool {
        self.beats.is_none()
            && self.conductance.is_none()
            && self.rates.is_empty()
            && self.sleep.is_empty()
    }
}

impl Recordings {
    /// As a site's settings say and the profile in force allows.
    pub(super) fn of(Access { modalities, .. }: &Access) -> Self {
        Self {
            heart: modalities.heart,
            skin_conductance: modalities.skin_conductance,
            summaries: modalities.wearable_summaries,
            faces: modalities.faces,
        }
    }

    /// Those that a person consented to.
    fn within(mut self, consented: Modalities) -> Self {
        for (switch, modality) in [
            (&mut self.heart, Modality::Heart),
            (&mut self.skin_conductance, Modality::SkinConductance),
            (&mut self.summaries, Modality::WearableSummaries),
            (&mut self.faces, Modality::Faces),
        ] {
            if !consented.admits(modality) {
                *switch = Switch::Off;
            }
        }
        self
    }

    fn open(self, file: &Path, about: &About) -> Result<Vec<Session>, String> {
        let ahead_s = seconds(about.clock_offset_us.unwrap_or(0));
        let mut sessions = match container::open(file)? {
            Opened::E4(mut opened) => self.sessions(&mut opened, ahead_s)?,
            Opened::File(_) if self.heart == Switch::Off => return Err(OFF.to_owned()),
            Opened::File(file) => {
                // Without the line, so that recordings with the same fault are counted together; `hrv` tells it.
                // The name says what it is, even if its first line is lost.
                let e4 = file.file_name().is_some_and(|name| name.eq_ignore_ascii_case("IBI.csv"));
                let format = e4.then_some(Format::E4);
                let beats = physiology::read(&file, format).map_err(|error| error.to_string())?;
                vec![Session { beats: Some(corrected(beats, ahead_s)), ..Session::default() }]
            }
            Opened::Numbers(found) => {
                let Numbers { beats, rates, sleep } = self.admitted(found)?;
                let beats = beats.map(|found| {
                    let mut recording = Recording::new(found.started_unix_s);
                    for (end_s, rr_ms) in found.beats {
                        recording.push(Beat { end_s, rr_ms }).map_err(|e| e.to_string())?;
                    }
                    Ok::<_, String>(corrected(recording, ahead_s))
                });
                let rates = rates.into_iter().map(|(at_s, rate)| (at_s - ahead_s, rate)).collect();
                vec![Session { beats: beats.transpose()?, rates, sleep, ..Session::default() }]
            }
        };
        // What does not tell when it began did so when the hospital says.
        if let [session] = sessions.as_mut_slice()
            && let Some(beats) = session.beats.take()
        {
            let start_s = beats.started_unix_s().unwrap_or(seconds(about.start_us));
            session.beats = Some(beats.starting(Some(start_s)));
        }
        Ok(sessions)
    }

    /// What of a wearable's numbers is read.
    fn admitted(self, mut found: Numbers) -> Result<Numbers, String> {
        if self.heart == Switch::Off {
            found.beats = None;
        }
        if self.summaries == Switch::Off {
            (found.rates, found.sleep) = (Vec::new(), Vec::new());
        }
        let any = found.beats.is_some() || !found.rates.is_empty() || !found.sleep.is_empty();
        if any { Ok(found) } else { Err(OFF.to_owned()) }
    }

    fn sessions(self, opened: &mut E4, ahead_s: f64) -> Result<Vec<Session>, String> {
        let mut sessions = Vec::new();
        for at in 0..opened.sessions().len() {
            let known = opened.sessions().get(at).is_some_and(|s| s.start_us.is_some());
            let mut session = Session::default();
            if self.heart == Switch::On {
                let beats = opened.read(at, e4::BEATS, |reader| {
                    let parsed = physiology::format::parse(reader, Some(Format::E4));
                    parsed.map_err(|error| error.to_string())
                })?;
                session.beats =
                    beats.map(
                        |beats| {
                            if known { corrected(beats, ahead_s) } else { beats.starting(None) }
                        },
                    );
            }
            if self.skin_conductance == Switch::On {
                let signal = opened.read(at, e4::CONDUCTANCE, |reader| {
                    signal::parse(reader).map_err(|error| format!("EDA.csv: {error}"))
                })?;
                session.conductance = signal.map(|signal| signal.corrected(ahead_s));
            }
            session.movement = opened.read(at, e4::ACCELERATION, |reader| {
                movement::parse(reader, ahead_s).map_err(|error| format!("ACC.csv: {error}"))
            })?;
            sessions.push(session);
        }
        Ok(sessions)
    }
}

impl Recorder for Recordings {
    fn is_on(&self) -> bool {
        [self.heart, self.skin_conductance, self.summaries, self.faces].contains(&Switch::On)
    }

    fn reads(&self, modality: Modality) -> bool {
        Switch::On
            == match modality {
                Modality::Heart => self.heart,
                Modality::SkinConductance => self.skin_conductance,
                Modality::WearableSummaries => self.summaries,
                Modality::Faces => self.faces,
                _ => Switch::Off,
            }
    }

    fn read(&self, file: &Path) -> Result<Vec<Reading>, String> {
        let recorded = self.record(
            file,
            &About { start_us: 0, clock_offset_us: None, consented: Modalities::EVERYTHING },
        )?;
        Ok(recorded.whole.into_iter().map(|(reading, _)| reading).collect())
    }

    fn record(&self, file: &Path, about: &About) -> Result<Recorded, String> {
        let read = self.within(about.consented);
        if face::holds(file)? {
            return match (self.faces, read.faces) {
                (Switch::Off, _) => Err(face::OFF.to_owned()),
                (Switch::On, Switch::Off) => Err(OFF.to_owned()),
                (Switch::On, Switch::On) => face::read(file),
            };
        }
        let sessions = read.open(file, about)?;
        let all_on = [read.heart, read.skin_conductance, read.summaries] == [Switch::On; 3];
        if !all_on && sessions.iter().all(Session::is_empty) {
            return Err(OFF.to_owned());
        }
        let clock = Clock::of_session(about.clock_offset_us.map(seconds));
        let mut values = Vec::new();
        for session in &sessions {
            values.extend(windows_of(session, clock));
        }
        let mut whole = hearts(&sessions, &values);
        whole.extend(nights(&sessions));
        whole.extend(skins(&values));
        let minutes = values.iter().filter(|v| v.feature == "mean_hr_bpm" && v.quality.counts());
        if whole.is_empty() && minutes.count() < 3 {
            return Err("the recording has no window of five minutes that is covered well enough"
                .to_owned());
        }
        let of_beats = sessions.iter().any(|session| session.beats.is_some());
        let windows = values.iter().map(|value| reading_of(value, of_beats)).collect();
        Ok(Recorded { whole, windows, spec: utc::SPEC })
    }
}

fn windows_of(session: &Session, clock: Clock) -> Vec<WindowValue> {
    let gate = Gate { clock, movement: session.movement.as_ref() };
    let (mut values, exertion) = match &session.beats {
        Some(beats) => utc::of_beats(beats, gate),
        None => (utc::of_rates(&session.rates, gate), Exertion::new()),
    };
    if let Some(signal) = &session.conductance {
        values.extend(utc::of_conductance(signal, gate, &exertion));
    }
    values
}

/// Reads a file of the one session that a folder, a zip or `NAME#2` holds; `None` if the path is none of these.
///
/// # Errors
/// A user's fault: what is wrong with it, or that there are several.
pub(super) fn of_session<T>(
    path: &Path,
    name: &str,
    read: impl FnOnce(&mut dyn Read) -> Result<T, RecordingError>,
) -> Option<Result<T, Fault>> {
    let is_zip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"));
    if path.is_file() && !is_zip {
        return None;
    }
    let fault = |message: String| Fault::user(message).at(path.display().to_string());
    let mut opened = match container::open(path) {
        Ok(Opened::E4(opened)) => opened,
        Ok(_) => return None,
        Err(reason) => return Some(Err(fault(reason))),
    };
    if let several @ 2.. = opened.sessions().len() {
        let message = format!("the recording holds {several} sessions, which were joined");
        let hint = format!("name one of them: {}#1 is the first", path.display());
        return Some(Err(fault(message).hint(hint)));
    }
    Some(match opened.read(0, name, |reader| Ok(read(reader))) {
        Ok(Some(found)) => found.map_err(|error| error.fault(path)),
        Ok(None) => Err(fault(format!("the session has no {name}"))),
        Err(reason) => Err(fault(reason)),
    })
}

/// The heart's values. Of beats with acceleration beside them: of the windows of UTC in which nobody moved; of beats
/// alone the median of the good windows since the start; of rates that of the windows.
fn hearts(sessions: &[Session], values: &[WindowValue]) -> Vec<(Reading, u8)> {
    let beats: Vec<&Recording> = sessions.iter().filter_map(|s| s.beats.as_ref()).collect();
    if beats.is_empty() {
        return medians(values, &["mean_hr_bpm"], Modality::WearableSummaries);
    }
    if sessions.iter().any(|s| s.beats.is_some() && s.movement.is_some()) {
        return still(sessions);
    }
    let Some(summary) = window::summarise_all(&beats) else { return Vec::new() };
    let quality = if summary.mark == Mark::Good { 3 } else { 1 };
    let reading = |feature, value| {
        let (n, coverage) = (summary.n_windows_used, summary.coverage);
        let modality = Modality::Heart;
        (Reading { feature, value, n, coverage, modality }, quality)
    };
    vec![reading("mean_hr_bpm", summary.mean_hr_bpm), reading("ln_rmssd", summary.ln_rmssd)]
}

/// The medians of beats over the windows that the movement beside them lets count. A session is one clock to itself:
/// however far it is off, movement and beats were timed by the same.
fn still(sessions: &[Session]) -> Vec<(Reading, u8)> {
    let mut values = Vec::new();
    for session in sessions {
        let gate = Gate { clock: Clock::Sound, movement: session.movement.as_ref() };
        values.extend(session.beats.iter().flat_map(|beats| utc::of_beats(beats, gate).0));
    }
    values.retain(|v| v.length == Length::FiveMinutes && v.quality.counts());
    // As without acceleration: windows that vary; those that are good if there are any, else those that are not so good.
    let of = |values: &[WindowValue], good: bool| -> BTreeSet<i64> {
        let varied = values.iter().filter(|v| v.feature == "ln_rmssd");
        varied.filter(|v| !good || v.quality == Quality::GOOD).map(|v| v.start_us).collect()
    };
    let good = of(&values, true);
    let counted = if good.is_empty() { of(&values, false) } else { good };
    values.retain(|v| counted.contains(&v.start_us));
    medians(&values, &["mean_hr_bpm", "ln_rmssd"], Modality::Heart)
}

/// The variability of nights, as the device states it: never beside that of a shift.
fn nights(sessions: &[Session]) -> Option<(Reading, u8)> {
    let all = sessions.iter().flat_map(|session| &session.sleep);
    let (values, coverages): (Vec<f64>, Vec<f64>) = all
        .filter(|(rmssd_ms, coverage)| *rmssd_ms > 0.0 && *coverage >= LEAST_COVERAGE)
        .map(|(rmssd_ms, coverage)| (rmssd_ms.ln(), *coverage))
        .unzip();
    let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let (value, coverage) = (window::median(values)?, window::median(coverages)?);
    let modality = Modality::WearableSummaries;
    Some((Reading { feature: "ln_rmssd_sleep", value, n, coverage, modality }, 2))
}

fn skins(values: &[WindowValue]) -> Vec<(Reading, u8)> {
    medians(
        values,
        &[
            "scl_mean_us",
            "scl_slope_us_per_min",
            "scr_per_min",
            "scr_amp_mean_us",
            "low_contact_frac",
        ],
        Modality::SkinConductance,
    )
}

/// The medians over the windows of five minutes in which nobody moved.
fn medians(
    values: &[WindowValue],
    features: &[&'static str],
    modality: Modality,
) -> Vec<(Reading, u8)> {
    let of = |feature: &&'static str| {
        let windows: Vec<&WindowValue> = values
            .iter()
            .filter(|v| {
                v.feature == *feature && v.length == Length::FiveMinutes && v.quality.counts()
            })
            .collect();
        let reading = Reading {
            feature,
            value: window::median(windows.iter().map(|v| v.value).collect())?,
            n: u32::try_from(windows.len()).unwrap_or(u32::MAX),
            coverage: window::median(windows.iter().map(|v| v.coverage).collect())?,
            modality,
        };
        Some((reading, windows.iter().map(|v| v.quality.number()).min()?))
    };
    features.iter().filter_map(of).collect()
}

fn reading_of(value: &WindowValue, of_beats: bool) -> WindowReading {
    let WindowValue { feature, value: number, n, coverage, .. } = *value;
    let modality = match feature {
        "mean_hr_bpm" | "ln_rmssd" if of_beats => Modality::Heart,
        "mean_hr_bpm" | "ln_rmssd" => Modality::WearableSummaries,
        _ => Modality::SkinConductance,
    };
    WindowReading {
        reading: Reading { feature, value: number, n, coverage, modality },
        length_s: match value.length {
            Length::Minute => 60,
            Length::FiveMinutes => 300,
        },
        start_us: value.start_us,
        quality: value.quality.number(),
        at_rest: value.at_rest,
    }
}

/// The same recording by a clock that was not ahead.
fn corrected(recording: Recording, ahead_s: f64) -> Recording {
    let started_s = recording.started_unix_s().map(|started_s| started_s - ahead_s);
    recording.starting(started_s)
}

#[expect(clippy::cast_precision_loss, reason = "times until 2255 are exact")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::io::Write as _;

    const ON: Recordings = only(Switch::On, Switch::On);

    const fn only(heart: Switch, skin_conductance: Switch) -> Recordings {
        Recordings { heart, skin_conductance, summaries: heart, faces: Switch::Off }
    }

    const ABOUT: About = About {
        start_us: 1_783_238_400_000_000,
        clock_offset_us: Some(0),
        consented: Modalities::EVERYTHING,
    };

    /// Fifteen minutes of beats every 750 and 850 ms in turn.
    fn beats(start_s: u32) -> String {
        let mut text = format!("{start_s}.0, IBI\n");
        for beat in 1_u32..=1125 {
            let rr = if beat.is_multiple_of(2) { 0.75 } else { 0.85 };
            let end = f64::from(beat / 2) * 1.6 + f64::from(beat % 2) * 0.85;
            writeln!(text, "{end:.2},{rr}").unwrap();
        }
        text
    }

    /// Fifteen minutes of skin conductance, 4 Hz: a rise of 0.6 µS in 3 s, every 20 s.
    fn conductance(start_s: u32) -> String {
        let sample = |i: u32| 2.0 + f64::from((i % 80).min(12)) / 20.0;
        let rows: Vec<String> = (0..3600).map(|i| format!("{:.6}", sample(i))).collect();
        format!("{start_s}.0\n4.0\n{}\n", rows.join("\n"))
    }

    /// The same of acceleration, 4 Hz, shaken in the seventh minute.
    fn acceleration(start_s: u32) -> String {
        let sample = |i: u32| if (1440..1680).contains(&i) { "0,128,0" } else { "0,0,64" };
        let rows: Vec<&str> = (0..3600).map(sample).collect();
        format!("{start_s},{start_s},{start_s}\n4,4,4\n{}\n", rows.join("\n"))
    }

    fn write(dir: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join(name), text).unwrap();
    }

    fn whole(recorded: &Recorded) -> Vec<&'static str> {
        recorded.whole.iter().map(|(reading, _)| reading.feature).collect()
    }

    /// Starts in minutes after the first, of windows of that length, and their qualities.
    fn windows(recorded: &Recorded, feature: &str, length_s: u16) -> Vec<(i64, u8)> {
        let own = recorded.windows.iter();
        let own = own.filter(|w| w.reading.feature == feature && w.length_s == length_s);
        own.map(|w| ((w.start_us - 1_560_279_600_000_000) / 60_000_000, w.quality)).collect()
    }

    #[test]
    fn a_session_gives_the_same_numbers_in_a_folder_and_in_a_zip() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("A01");
        write(&folder, "IBI.csv", &beats(1_560_279_600));
        write(&folder, "EDA.csv", &conductance(1_560_279_600));
        write(&folder, "ACC.csv", &acceleration(1_560_279_600));
        let packed = dir.path().join("A01.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&packed).unwrap());
        for name in ["IBI.csv", "EDA.csv", "ACC.csv"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        }
        zip.finish().unwrap();
        let found = ON.record(&folder, &ABOUT).unwrap();
        let expected = [
            "mean_hr_bpm",
            "ln_rmssd",
            "scl_mean_us",
            "scl_slope_us_per_min",
            "scr_per_min",
            "scr_amp_mean_us",
            "low_contact_frac",
        ];
        assert_eq!(whole(&found), expected);
        let rate = found.whole.first().unwrap().0.value;
        assert!((rate - 75.0).abs() < 0.1);
        let shaken = |k: i64| (k, if k == 6 { 0 } else { 3 });
        assert_eq!(windows(&found, "mean_hr_bpm", 60), (0..15).map(shaken).collect::<Vec<_>>());
        assert_eq!(windows(&found, "scr_per_min", 300), [(0, 3), (5, 0), (10, 3)]);
        assert!(found.windows.iter().all(|w| w.at_rest == (w.quality > 0)));
        let zipped = ON.record(&packed, &ABOUT).unwrap();
        assert_eq!((zipped.whole, zipped.windows), (found.whole, found.windows));
        let beats_alone = ON.record(&folder.join("IBI.csv"), &ABOUT).unwrap();
        assert_eq!(whole(&beats_alone), ["mean_hr_bpm", "ln_rmssd"]);
        assert!(ON.record(dir.path(), &ABOUT).unwrap_err().starts_with("no file of an Empatica"));
    }

    /// Ten minutes at 75 a minute, then five in which the wearer shakes and the heart runs at 85, too little more for a
    /// jump: only acceleration tells.
    #[test]
    fn the_minutes_of_a_wearer_who_moved_are_no_part_of_a_session_s_value() {
        let dir = tempfile::tempdir().unwrap();
        let start = 1_560_279_600_u32;
        let (mut text, mut end) = (format!("{start}.0, IBI\n"), 0.0);
        for beat in 0_u32.. {
            let faster = if end > 600.0 { 0.706 / 0.8 } else { 1.0 };
            let rr = faster * if beat.is_multiple_of(2) { 0.75 } else { 0.85 };
            end += rr;
            if end > 1500.0 {
                break;
            }
            writeln!(text, "{end:.3},{rr:.4}").unwrap();
        }
        let shaken = |i: u32| if i >= 4 * 600 { "0,128,0" } else { "0,0,64" };
        let rows: Vec<&str> =
            (0..4 * 1500).map(|i| if i % 2 == 0 { shaken(i) } else { "0,0,64" }).collect();
        let rows = format!("{start},{start},{start}\n4,4,4\n{}\n", rows.join("\n"));
        write(dir.path(), "IBI.csv", &text);
        let rate = |offset_s: i64| {
            let about = About { clock_offset_us: Some(offset_s * 1_000_000), ..ABOUT };
            let found = ON.record(dir.path(), &about).unwrap();
            assert_eq!(whole(&found), ["mean_hr_bpm", "ln_rmssd"]);
            (found.whole[0].0.value, found.whole[0].0.n)
        };
        assert!(
            (rate(0).0 - 85.0).abs() < 0.2,
            "three of the five windows are fast: {:?}",
            rate(0)
        );
        write(dir.path(), "ACC.csv", &rows);
        for offset_s in [0, 3600] {
            let (value, n) = rate(offset_s);
            assert!((value - 75.0).abs() < 0.2 && n == 2, "{value} {n}");
        }
        // One who moved all the time has no value of a session.
        write(dir.path(), "ACC.csv", &rows.replace("0,0,64\n0,0,64", "0,128,0\n0,0,64"));
        assert!(ON.record(dir.path(), &ABOUT).is_err());
    }

    #[test]
    fn joined_sessions_are_read_together_or_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("A02");
        let (first, second) = (1_560_279_600, 1_560_279_600 + 7_200);
        write(&folder, "IBI.csv", &(beats(first) + &beats(second)));
        write(&folder, "EDA.csv", &(conductance(first) + &conductance(second)));
        let starts = |name: &str| {
            let found = ON.record(&dir.path().join(name), &ABOUT).unwrap();
            let fives = windows(&found, "ln_rmssd", 300);
            assert_eq!(windows(&found, "scl_mean_us", 300), fives);
            fives.into_iter().map(|(minute, _)| minute).collect::<Vec<i64>>()
        };
        assert_eq!(starts("A02#1"), [0, 5, 10]);
        assert_eq!(starts("A02#2"), [120, 125, 130]);
        assert_eq!(starts("A02"), [0, 5, 10, 120, 125, 130]);
    }

    #[test]
    fn the_commands_print_one_session_of_a_folder_and_ask_which_of_several() {
        use super::super::{eda, hrv};
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("A02");
        let (first, second) = (1_560_279_600, 1_560_279_600 + 7_200);
        write(&folder, "IBI.csv", &(beats(first) + &beats(second)));
        write(&folder, "EDA.csv", &conductance(second));
        let print = |name: &str| {
            let filter = physiology::Filter::None;
            let file = dir.path().join(name);
            hrv::run(&hrv::HrvArgs { file, json: true, format: None, filter })
        };
        let fault = print("A02").unwrap_err();
        assert_eq!(fault.message, "the recording holds 2 sessions, which were joined");
        assert!(fault.hint.unwrap().ends_with("A02#1 is the first"));
        assert_eq!(print("A02#2").unwrap().lines().count(), 6, "the last beat ends in a fourth");
        assert_eq!(print("A02#2").unwrap(), print("A02#1").unwrap());
        assert_eq!(print("A02/IBI.csv#2").unwrap(), print("A02#1").unwrap());
        assert!(print("A03").unwrap_err().message.starts_with("the recording cannot be read"));
        let of_eda =
            |name: &str| eda::run(&eda::EdaArgs { file: dir.path().join(name), json: true });
        assert_eq!(of_eda("A02#2").unwrap().lines().count(), 5);
        assert_eq!(of_eda("A02#1").unwrap_err().message, "the session has no EDA.csv");
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_and_one_far_off_gives_no_windows() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "IBI.csv", &beats(1_560_279_600 + 10));
        let with = |clock_offset_us| {
            let about = About { clock_offset_us, ..ABOUT };
            ON.record(&dir.path().join("IBI.csv"), &about).unwrap()
        };
        assert_eq!(windows(&with(Some(10_000_000)), "ln_rmssd", 300), [(0, 2), (5, 2), (10, 2)]);
        assert_eq!(windows(&with(Some(1_000_000)), "ln_rmssd", 300), [(0, 3), (5, 3), (10, 3)]);
        assert_eq!(windows(&with(None), "ln_rmssd", 300).len(), 3, "not compared with any");
        let far = with(Some(40_000_000));
        assert!(far.windows.is_empty() && whole(&far).len() == 2);
    }

    #[test]
    fn beats_that_do_not_tell_when_they_began_did_when_the_session_says() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "rr.txt", &"790\n810\n".repeat(400));
        let found = ON.record(&dir.path().join("rr.txt"), &ABOUT).unwrap();
        let first = found.windows.iter().map(|w| w.start_us).min();
        assert_eq!(first, Some(1_783_238_400_000_000));
    }

    #[test]
    fn wearables_give_rates_in_windows_and_nights_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let rate = |s: u32| {
            format!(
                "{{\"dateTime\":\"06/11/19 19:{:02}:{:02}\",\"value\":{{\"bpm\":70,\"confidence\":2}}}}",
                s / 60,
                s % 60
            )
        };
        let rates: Vec<String> = (0..900).step_by(5).map(rate).collect();
        write(dir.path(), "heart_rate-2019-06-11.json", &format!("[{}]", rates.join(",")));
        let found = ON.record(&dir.path().join("heart_rate-2019-06-11.json"), &ABOUT).unwrap();
        assert_eq!(whole(&found), ["mean_hr_bpm"]);
        assert_eq!(windows(&found, "mean_hr_bpm", 300), [(0, 3), (5, 3), (10, 3)]);
        let name = "Heart Rate Variability Details - 2019-06-12.csv";
        let night =
            "timestamp,rmssd,coverage\n2019-06-12T02:10:00,40,0.96\n2019-06-12T02:15:00,10,0.2\n";
        write(dir.path(), name, night);
        let found = ON.record(&dir.path().join(name), &ABOUT).unwrap();
        assert_eq!((whole(&found), found.windows.len()), (vec!["ln_rmssd_sleep"], 0));
    }

    #[test]
    fn what_is_switched_off_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "IBI.csv", &beats(1_560_279_600));
        write(dir.path(), "EDA.csv", &conductance(1_560_279_600));
        write(dir.path(), "rr.txt", &"790\n810\n".repeat(400));
        let skin = only(Switch::Off, Switch::On);
        let found = skin.record(dir.path(), &ABOUT).unwrap();
        assert!(whole(&found).iter().all(|f| f.starts_with("sc") || *f == "low_contact_frac"));
        assert_eq!(skin.record(&dir.path().join("rr.txt"), &ABOUT).unwrap_err(), OFF);
        let rate = "[{\"dateTime\":\"06/11/19 19:00:00\",\"value\":{\"bpm\":70,\"confidence\":2}}]";
        write(dir.path(), "heart_rate-1.json", rate);
        assert_eq!(skin.record(&dir.path().join("heart_rate-1.json"), &ABOUT).unwrap_err(), OFF);
        let heart = only(Switch::On, Switch::Off);
        let found = heart.record(dir.path(), &ABOUT).unwrap();
        assert!(
            found.windows.iter().all(|w| ["mean_hr_bpm", "ln_rmssd"].contains(&w.reading.feature))
        );
        assert!(skin.is_on() && heart.is_on());
        assert!(!only(Switch::Off, Switch::Off).is_on());
    }
}
