//! Garmin FIT: the intervals between beats, and the heart rates.
//!
//! ```text
//! header (".FIT", data size) · records · CRC-16        several files may follow one another
//! record: definition of a local type (fields: number, size, base type) | data of one
//! message 78 hrv, field 0: intervals, u16, ms     20 record, 253: seconds since 1989-12-31 UTC, 3: beats per minute
//! ```
//! A reader of these messages alone, of ours: the crate that reads all of FIT brings the whole profile, some
//! thousand message types. Developer fields and other messages are skipped by their size. Both byte orders and
//! compressed time stamps are read; the check sum must hold. A pause in the recording stays a gap: beats go on
//! at the time of the next record.
use super::container::{Beats, unreadable};
use crate::intake::source::wearable::numbers::Numbers;
use std::io::Read;

/// FIT counts seconds from 1989-12-31T00:00:00Z.
pub(in crate::intake) const EPOCH_UNIX_S: i64 = 631_065_600;
/// Largest file.
const BYTES_MAX: u32 = 256 << 20;
/// Most beats of a recording.
const BEATS_MAX: usize = 10_000_000;
/// Records further ahead of the beats than this show a pause, s.
const PAUSE_S: f64 = 5.0;

const HRV: u16 = 78;
const RECORD: u16 = 20;

/// A message that matters here.
#[derive(Debug, PartialEq)]
pub(in crate::intake) enum Message {
    /// Intervals between beats, ms.
    Intervals(Vec<u16>),
    /// A moment, seconds since 1970 UTC, and the heart rate, if there is one.
    Record(i64, Option<u8>),
}

/// Reads the beats and the heart rates of a file.
///
/// # Errors
/// Why there are none, in words that quote nothing of the file.
pub fn numbers(reader: impl Read) -> Result<Numbers, String> {
    let mut messages = Messages::new(reader);
    let mut chain = Chain::default();
    let (mut beats, mut rates) = (Vec::new(), Vec::new());
    while let Some(message) = messages.next()? {
        if beats.len().max(rates.len()) >= BEATS_MAX {
            return Err(format!("more than {BEATS_MAX} beats or heart rates"));
        }
        match message {
            Message::Record(unix_s, rate) => {
                chain.moment(unix_s);
                rates.extend(rate.map(|rate| (seconds(unix_s), f64::from(rate))));
            }
            Message::Intervals(intervals) => {
                beats.extend(intervals.into_iter().map(|ms| (chain.beat(ms), f64::from(ms))));
            }
        }
    }
    if beats.is_empty() && rates.is_empty() {
        return Err("the FIT file holds neither intervals between beats nor heart rates".to_owned());
    }
    let started_unix_s = chain.start_unix_s.map(seconds);
    let beats = (!beats.is_empty()).then_some(Beats { started_unix_s, beats });
    Ok(Numbers { beats, rates, sleep: Vec::new() })
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
fn seconds(unix_s: i64) -> f64 {
    unix_s as f64
}

/// Lays intervals end to end, and moves on over pauses.
#[derive(Default)]
pub(in crate::intake) struct Chain {
    /// The first moment of the file.
    pub(in crate::intake) start_unix_s: Option<i64>,
    end_s: f64,
}

impl Chain {
    pub(in crate::intake) fn moment(&mut self, unix_s: i64) {
        let start = *self.start_unix_s.get_or_insert(unix_s);
        #[expect(clippy::cast_precision_loss, reason = "seconds of one recording")]
        let now_s = (unix_s - start) as f64;
        if now_s > self.end_s + PAUSE_S {
            self.end_s = now_s;
        }
    }

    /// When the beat ends, seconds from the start.
    pub(in crate::intake) fn beat(&mut self, rr_ms: u16) -> f64 {
        self.end_s += f64::from(rr_ms) / 1000.0;
        self.end_s
    }
}

/// What a definition says of its data messages.
#[derive(Default)]
struct Definition {
    message: u16,
    big_endian: bool,
    /// Number and size of each field.
    fields: Vec<(u8, u8)>,
    /// Bytes of developer fields after them.
    developer_bytes: usize,
}

/// The messages of a file.
pub(in crate::intake) struct Messages<R> {
    reader: R,
    definitions: [Option<Definition>; 16],
    /// Bytes of records left in this file.
    left: u32,
    crc: u16,
    timestamp: Option<u32>,
    started: bool,
}

impl<R: Read> Messages<R> {
    pub(in crate::intake) fn new(reader: R) -> Self {
        let definitions = std::array::from_fn(|_| None);
        Self { reader, definitions, left: 0, crc: 0, timestamp: None, started: false }
    }

    /// The next message that matters; `None` at the end of the last file.
    pub(in crate::intake) fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            if self.left == 0 {
                if self.started {
                    self.check_sum()?;
                }
                if !self.header()? {
                    return Ok(None);
                }
                continue;
            }
            if let Some(message) = self.record()? {
                return Ok(Some(message));
            }
        }
    }

    /// Reads a header; `false` if there is no further file.
    fn header(&mut self) -> Result<bool, String> {
        let mut first = [0; 1];
        if self.reader.read(&mut first).map_err(|e| unreadable(&e))? == 0 {
            return if self.started { Ok(false) } else { Err("the file is empty".to_owned()) };
        }
        let [length] = first;
        let mut rest = [0; 13];
        let rest = rest
            .get_mut(..usize::from(length).saturating_sub(1))
            .filter(|r| [11, 13].contains(&r.len()));
        let rest = rest.ok_or("not a FIT file: its header has neither 12 nor 14 bytes")?;
        self.fill(rest)?;
        let [_, _, _, a, b, c, d, b'.', b'F', b'I', b'T', ..] = *rest else {
            return Err("not a FIT file: `.FIT` does not stand in its header".to_owned());
        };
        self.left = u32::from_le_bytes([a, b, c, d]);
        if self.left > BYTES_MAX {
            return Err(format!("the FIT file has more than {BYTES_MAX} bytes"));
        }
        self.crc = 0;
        for byte in first.iter().chain(rest.iter()) {
            self.crc = crc(self.crc, *byte);
        }
        self.definitions = std::array::from_fn(|_| None);
        self.started = true;
        Ok(true)
    }

    fn check_sum(&mut self) -> Result<(), String> {
        let mut stored = [0; 2];
        self.fill(&mut stored)?;
        if u16::from_le_bytes(stored) == self.crc {
            Ok(())
        } else {
            Err("the FIT file is damaged: its check sum does not hold".to_owned())
        }
    }

    fn record(&mut self) -> Result<Option<Message>, String> {
        let [head] = self.take()?;
        if head & 0x80 != 0 {
            if let Some(last) = self.timestamp {
                // Five bits of the time; they went round if they are behind the last.
                let offset = u32::from(head & 0x1F);
                let ahead = offset.wrapping_sub(last) & 0x1F;
                self.timestamp = Some(last.wrapping_add(ahead));
            }
            return self.data((head >> 5) & 0x03, true);
        }
        if head & 0x40 == 0 {
            return self.data(head & 0x0F, false);
        }
        let [_, order, a, b, count] = self.take()?;
        let big_endian = order == 1;
        let message =
            if big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
        let mut definition = Definition { message, big_endian, ..Definition::default() };
        for _ in 0..count {
            let [number, size, _] = self.take()?;
            definition.fields.push((number, size));
        }
        if head & 0x20 != 0 {
            let [count] = self.take()?;
            for _ in 0..count {
                let [_, size, _] = self.take()?;
                definition.developer_bytes += usize::from(size);
            }
        }
        if let Some(slot) = self.definitions.get_mut(usize::from(head & 0x0F)) {
            *slot = Some(definition);
        }
        Ok(None)
    }

    fn data(&mut self, local: u8, compressed: bool) -> Result<Option<Message>, String> {
        let slot = usize::from(local);
        let definition = self.definitions.get_mut(slot).and_then(Option::take);
        let definition = definition.ok_or("the FIT file is damaged: data without a definition")?;
        let (mut heart_rate, mut intervals) = (None, Vec::new());
        let mut timed = compressed;
        let mut buffer = [0; 255];
        for (number, size) in &definition.fields {
            let Some(bytes) = buffer.get_mut(..usize::from(*size)) else { continue };
            self.take_into(bytes)?;
            match (definition.message, *number, &*bytes) {
                (_, 253, &[a, b, c, d]) => {
                    let order = definition.big_endian;
                    let at = [a, b, c, d];
                    let time = if order { u32::from_be_bytes(at) } else { u32::from_le_bytes(at) };
                    if time != u32::MAX {
                        self.timestamp = Some(time);
                        timed = true;
                    }
                }
                (RECORD, 3, &[rate]) => heart_rate = Some(rate).filter(|r| (1..255).contains(r)),
                (HRV, 0, values) => {
                    let value = |pair: &[u8]| match (pair, definition.big_endian) {
                        (&[a, b], true) => u16::from_be_bytes([a, b]),
                        (&[a, b], false) => u16::from_le_bytes([a, b]),
                        _ => 0,
                    };
                    let values = values.chunks_exact(2).map(value);
                    intervals = values.filter(|ms| (1..u16::MAX).contains(ms)).collect();
                }
                _ => {}
            }
        }
        let mut rest = definition.developer_bytes;
        while rest > 0 {
            let step = rest.min(buffer.len());
            self.take_into(buffer.get_mut(..step).unwrap_or_default())?;
            rest -= step;
        }
        let message = definition.message;
        if let Some(place) = self.definitions.get_mut(slot) {
            *place = Some(definition);
        }
        let now = self.timestamp.filter(|_| timed).map(|t| i64::from(t) + EPOCH_UNIX_S);
        Ok(match (message, now) {
            (HRV, _) if !intervals.is_empty() => Some(Message::Intervals(intervals)),
            (RECORD, Some(now)) => Some(Message::Record(now, heart_rate)),
            _ => None,
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.take_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads bytes of the records, within the size that the header told.
    fn take_into(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.left = self
            .left
            .checked_sub(count)
            .ok_or("the FIT file is damaged: a record runs over its end")?;
        self.fill(bytes)?;
        self.crc = bytes.iter().fold(self.crc, |sum, byte| crc(sum, *byte));
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the FIT file is cut off".to_owned(),
            _ => unreadable(&error),
        })
    }
}

/// CRC-16 (polynomial 0x8005, reflected), as FIT has it.
fn crc(sum: u16, byte: u8) -> u16 {
    (0..8).fold(
        sum ^ u16::from(byte),
        |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 }
        },
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
pub(in crate::intake) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file of these records, with header and check sum.
    pub(in crate::intake) fn file(records: &[u8]) -> Vec<u8> {
        let size = u32::try_from(records.len()).unwrap();
        let mut bytes = vec![14, 0x20, 0, 0];
        bytes.extend(size.to_le_bytes());
        bytes.extend(b".FIT");
        let head = bytes.iter().fold(0, |sum, b| crc(sum, *b));
        bytes.extend(head.to_le_bytes());
        bytes.extend(records);
        let sum = bytes.iter().fold(0, |sum, b| crc(sum, *b));
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    /// Definitions of hrv (local 0: five intervals) and record (local 1: time and heart rate, a developer field).
    pub(in crate::intake) const DEFINITIONS: &[u8] = &[
        0x40, 0, 0, 78, 0, 1, 0, 10, 0x84, // hrv
        0x61, 0, 0, 20, 0, 2, 253, 4, 0x86, 3, 1, 0x02, 1, 0, 2, 0, // record
    ];

    pub(in crate::intake) fn hrv(intervals: [u16; 5]) -> Vec<u8> {
        let values = intervals.iter().flat_map(|i| i.to_le_bytes());
        std::iter::once(0).chain(values).collect()
    }

    pub(in crate::intake) fn record(time: u32, rate: u8) -> Vec<u8> {
        let [a, b, c, d] = time.to_le_bytes();
        vec![1, a, b, c, d, rate, 9, 9]
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, String> {
        let mut messages = Messages::new(bytes);
        let mut found = Vec::new();
        while let Some(message) = messages.next()? {
            found.push(message);
        }
        Ok(found)
    }

    const NONE: u16 = u16::MAX;

    #[test]
    fn the_check_sum_is_that_of_the_catalogue() {
        assert_eq!(b"123456789".iter().fold(0, |sum, b| crc(sum, *b)), 0xBB3D);
    }

    #[test]
    fn intervals_and_heart_rates_are_read_past_all_else() {
        let other = [0x42, 0, 1, 0, 23, 1, 7, 2, 0x84, 0x02, 1, 2]; // big endian, another message
        let squeezed = [0x80 | (1 << 5) | 3, 0, 0, 0, 0, 0, 0, 0];
        let mut records = [DEFINITIONS, &other, &record(1_000_000_000, 60)].concat();
        records.extend(hrv([800, 810, NONE, NONE, NONE]));
        records.extend(record(1_000_000_001, 255));
        let expected = vec![
            Message::Record(EPOCH_UNIX_S + 1_000_000_000, Some(60)),
            Message::Intervals(vec![800, 810]),
            Message::Record(EPOCH_UNIX_S + 1_000_000_001, None),
        ];
        assert_eq!(read(&file(&records)).unwrap(), expected);
        let both = [file(&records), file(&records)].concat();
        assert_eq!(read(&both).unwrap().len(), 6);
        // A compressed head carries five bits of time; here they have gone round.
        let plain = [0x41, 0, 0, 20, 0, 1, 3, 1, 2, 0x40 | 2, 0, 0, 20, 0, 1, 253, 4, 0x86];
        let time = 1_000_000_031_u32.to_le_bytes();
        let records = [&plain[..], &[2], &time[..], &[squeezed[0], 61]].concat();
        let found = read(&file(&records)).unwrap();
        let last = 1_000_000_031_u32;
        let ahead = i64::from(3_u32.wrapping_sub(last) & 31);
        assert_eq!(found[1], Message::Record(EPOCH_UNIX_S + i64::from(last) + ahead, Some(61)));
    }

    #[test]
    fn big_endian_files_are_read() {
        let definition = [0x40, 0, 1, 0, 78, 1, 0, 4, 0x84];
        let records = [&definition[..], &[0, 3, 32, 3, 42]].concat();
        assert_eq!(read(&file(&records)).unwrap(), [Message::Intervals(vec![800, 810])]);
    }

    #[test]
    fn beats_follow_one_another_and_a_pause_stays_a_gap() {
        let mut records = [DEFINITIONS, &record(1_000_000_000, 60)].concat();
        records.extend(hrv([1000, 500, NONE, NONE, NONE]));
        records.extend(record(1_000_000_100, 60));
        records.extend(hrv([800, NONE, NONE, NONE, NONE]));
        let found = numbers(file(&records).as_slice()).unwrap().beats.unwrap();
        assert_eq!(found.started_unix_s, Some(1_631_065_600.0));
        assert_eq!(found.beats, [(1.0, 1000.0), (1.5, 500.0), (100.8, 800.0)]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let sound = file(&[DEFINITIONS, &hrv([800; 5])].concat());
        let reason = |bytes: &[u8]| numbers(bytes).unwrap_err();
        assert_eq!(reason(b""), "the file is empty");
        assert_eq!(
            reason(b"PK\x03\x04 no FIT at all"),
            "not a FIT file: its header has neither 12 nor 14 bytes"
        );
        assert_eq!(reason(&[12; 12]), "not a FIT file: `.FIT` does not stand in its header");
        assert_eq!(reason(&sound[..sound.len() - 3]), "the FIT file is cut off");
        let mut turned = sound.clone();
        turned[45] ^= 1;
        assert_eq!(reason(&turned), "the FIT file is damaged: its check sum does not hold");
        assert_eq!(reason(&file(&[0x00, 1])), "the FIT file is damaged: data without a definition");
        assert_eq!(
            reason(&file(&DEFINITIONS[..5])),
            "the FIT file is damaged: a record runs over its end"
        );
        let none = "the FIT file holds neither intervals between beats nor heart rates";
        assert_eq!(reason(&file(DEFINITIONS)), none);
        let rates = numbers(file(&[DEFINITIONS, &record(1, 60)].concat()).as_slice()).unwrap();
        assert!(rates.beats.is_none());
        assert_eq!(rates.rates, [(631_065_601.0, 60.0)]);
    }

    /// Three records with an interval each, as the encoder fit-tool 0.9.16 writes them.
    const FOREIGN: &str = "0c23dc52920000002e46495440000000000500010001028402028403048c0404860004ff00000001000000007da7\
         44400000140003fd048603010205048600007da7443c000000004000004e0001000284002003400000140003fd04\
         8603010205048600017da7443d640000004000004e0001000284002a03400000140003fd04860301020504860002\
         7da7443ec80000004000004e00010002840020035298";

    #[test]
    fn a_file_of_another_encoder_is_read() {
        let digits = FOREIGN.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let start = 1_782_892_800;
        let expected = [
            Message::Record(start, Some(60)),
            Message::Intervals(vec![800]),
            Message::Record(start + 1, Some(61)),
            Message::Intervals(vec![810]),
            Message::Record(start + 2, Some(62)),
            Message::Intervals(vec![800]),
        ];
        assert_eq!(read(&bytes).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn arbitrary_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&file(&bytes));
            let _ = read(&bytes);
        }
    }
}
