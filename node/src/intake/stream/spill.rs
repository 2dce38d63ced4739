//! Encounters set aside by patient, so that each patient's stand together and memory stays the same whatever their number.
//!
//! ```text
//! record = patient's keyed hash (16 bytes), clinician (4), flags (1), each value that is asked for (8)
//! part   = the hash's first bits; parts grow in number with the file, so that each stays near 16 MiB
//! ```
//! What passes a small buffer goes into files without a name in the node's folder, gone with the process. They hold what the
//! database holds: keyed hashes and checked values, never an id.
use crate::store::pseudonym::Key;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tacit_shared::fault::Fault;

/// Bytes of a record before its values.
const HEAD: usize = 21;
/// Bytes that a part should have.
const PART_BYTES: u64 = 16 << 20;
const PARTS_MAX: u64 = 1024;
/// Bytes of all buffers of one writer.
const BUFFERS_BYTES: usize = 4 << 20;

/// The patient is not known: the hash is the encounter's.
pub(crate) const UNNAMED: u8 = 1;
/// The clinician excluded the encounter.
pub(crate) const EXCLUDED: u8 = 2;
/// It was in the earlier days that a study compares with.
pub(crate) const EARLIER: u8 = 4;

/// One encounter; a value that is not known is not a number.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) patient: Key,
    /// The clinician's place among all.
    pub(crate) person: u32,
    pub(crate) flags: u8,
    values: &'a [u8],
}

impl<'a> Visit<'a> {
    /// Reads a record.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let (patient, rest) = record.split_first_chunk::<16>()?;
        let (person, rest) = rest.split_first_chunk::<4>()?;
        let (flags, values) = rest.split_first()?;
        let person = u32::from_le_bytes(*person);
        Some(Self { patient: *patient, person, flags: *flags, values })
    }

    /// Its values, in the order in which they were asked for.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + use<'a> {
        self.values.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes))
    }
}

/// Records by part.
pub(crate) struct Spill {
    parts: Vec<Mutex<Part>>,
    shift: u32,
    width: usize,
    dir: PathBuf,
}

#[derive(Default)]
struct Part {
    file: Option<File>,
    rest: Vec<u8>,
}

/// One thread's way of setting records aside.
pub(crate) struct Writer<'a> {
    spill: &'a Spill,
    buffers: Vec<Vec<u8>>,
    limit: usize,
}

impl Spill {
    /// For so many records at most, with so many values each; files are made in `dir`.
    pub(crate) fn new(records: u64, values: usize, dir: &Path) -> Self {
        let width = HEAD + 8 * values;
        let bytes = records.saturating_mul(width as u64);
        let parts = (bytes / PART_BYTES + 1).next_power_of_two().min(PARTS_MAX);
        let made = std::iter::repeat_with(Mutex::default);
        let parts = made.take(usize::try_from(parts).unwrap_or(1)).collect::<Vec<_>>();
        let shift = 16_u32.saturating_sub(parts.len().trailing_zeros());
        Self { parts, shift, width, dir: dir.to_owned() }
    }

    /// Bytes of a record.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// A writer.
    pub(crate) fn writer(&self) -> Writer<'_> {
        let buffers = vec![Vec::new(); self.parts.len()];
        let limit = (BUFFERS_BYTES / self.parts.len().max(1)).clamp(4 << 10, 256 << 10);
        Writer { spill: self, buffers, limit }
    }

    /// All records of a part, in no order.
    ///
    /// # Errors
    /// An operator's fault of the disk.
    pub(crate) fn part(&self, index: usize) -> Result<Vec<u8>, Fault> {
        let Some(part) = self.parts.get(index) else { return Ok(Vec::new()) };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        if let Some(file) = &mut part.file {
            let mut read = || {
                let length = file.seek(SeekFrom::End(0))?;
                all.reserve(usize::try_from(length).unwrap_or_default());
                file.seek(SeekFrom::Start(0))?;
                file.read_to_end(&mut all)
            };
            read().map_err(|e| disk(&e))?;
        }
        all.extend_from_slice(&part.rest);
        Ok(all)
    }

    fn append(&self, index: usize, bytes: &mut Vec<u8>, last: bool) -> Result<(), Fault> {
        let Some(part) = self.parts.get(index) else { return Ok(()) };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if last {
            part.rest.append(bytes);
            return Ok(());
        }
        if part.file.is_none() {
            part.file = Some(tempfile::tempfile_in(&self.dir).map_err(|e| disk(&e))?);
        }
        if let Some(file) = &mut part.file {
            file.write_all(bytes).map_err(|e| disk(&e))?;
        }
        bytes.clear();
        Ok(())
    }
}

impl Writer<'_> {
    /// Sets a record aside; `values` must be as many as were announced.
    ///
    /// # Errors
    /// An operator's fault of the disk.
    pub(crate) fn push(
        &mut self,
        (patient, person, flags): (&Key, u32, u8),
        values: impl Iterator<Item = f64>,
    ) -> Result<(), Fault> {
        let [first, second, ..] = *patient;
        let head = u16::from_be_bytes([first, second]);
        let index = usize::try_from(u32::from(head) >> self.spill.shift).unwrap_or_default();
        if let Some(buffer) = self.buffers.get_mut(index) {
            if buffer.capacity() == 0 {
                buffer.reserve(self.limit + self.spill.width);
            }
            buffer.extend_from_slice(patient);
            buffer.extend_from_slice(&person.to_le_bytes());
            buffer.push(flags);
            values.for_each(|value| buffer.extend_from_slice(&value.to_le_bytes()));
            if buffer.len() >= self.limit {
                self.spill.append(index, buffer, false)?;
            }
        }
        Ok(())
    }

    /// Hands over what is left.
    ///
    /// # Errors
    /// An operator's fault of the disk.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        for (index, buffer) in self.buffers.iter_mut().enumerate() {
            if !buffer.is_empty() {
                self.spill.append(index, buffer, true)?;
            }
        }
        Ok(())
    }
}

fn disk(error: &std::io::Error) -> Fault {
    Fault::operator(format!("no temporary file could be written or read: {error}"))
        .hint("the node's folder needs room for about 40 bytes an encounter")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_record_comes_back_once_with_its_patients_others() {
        let dir = tempfile::tempdir().unwrap();
        let count = 40_000_u32;
        // Two records a patient, spread over the parts.
        let patient = |n: u32| {
            let mut patient = [0; 16];
            let mixed = (n / 2).wrapping_mul(0x9e37_79b9);
            patient.iter_mut().zip(mixed.to_be_bytes()).for_each(|(to, from)| *to = from);
            patient
        };
        let minutes = |n: u32| f64::from(n) / 3.0;
        let spill = Spill::new(20_000_000, 2, dir.path());
        assert_eq!(spill.parts(), 64);
        std::thread::scope(|scope| {
            for half in 0..2 {
                let spill = &spill;
                scope.spawn(move || {
                    let mut writer = spill.writer();
                    for n in (half..count).step_by(2) {
                        let values = [minutes(n), f64::NAN].into_iter();
                        writer.push((&patient(n), n, EXCLUDED), values).unwrap();
                    }
                    writer.finish().unwrap();
                });
            }
        });
        let mut seen = Vec::new();
        for part in 0..spill.parts() {
            let bytes = spill.part(part).unwrap();
            let mut here: Vec<u32> = Vec::new();
            for record in bytes.chunks(spill.width()) {
                let found = Visit::read(record).unwrap();
                let values: Vec<f64> = found.values().collect();
                assert!((values[0] - minutes(found.person)).abs() < f64::EPSILON);
                assert!(values[1].is_nan() && values.len() == 2);
                assert!(found.patient == patient(found.person) && found.flags == EXCLUDED);
                here.push(found.person);
            }
            here.sort_unstable();
            assert!(here.iter().all(|n| here.binary_search(&(n ^ 1)).is_ok()));
            seen.extend(here);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..count).collect::<Vec<_>>());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
