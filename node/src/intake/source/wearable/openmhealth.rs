//! Open mHealth and IEEE 1752.1 data points: `heart_rate` in beats/min, `rr_interval` in ms.
//!
//! A data point is `{header, body}`, or the body alone. Bodies of other schemas are left out and counted; a
//! unit that is not the schema's is a reject. A summary (`descriptive_statistic`) lands as one, never as a beat.
use super::super::moment::{Moment, rfc3339};
use super::super::{RawTable, Step, Tables};
use super::elements::Elements;
use super::{Sample, table};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::Path;
use tacit_shared::fault::Fault;

#[derive(Deserialize)]
struct Point {
    header: Option<IgnoredAny>,
    body: Option<Body>,
    #[serde(flatten)]
    bare: Body,
}

#[derive(Deserialize, Default)]
struct Body {
    heart_rate: Option<UnitValue>,
    rr_interval: Option<UnitValue>,
    effective_time_frame: Option<Frame>,
    descriptive_statistic: Option<String>,
}

#[derive(Deserialize)]
struct UnitValue {
    value: f64,
    unit: String,
}

#[derive(Deserialize)]
struct Frame {
    date_time: Option<String>,
    time_interval: Option<Interval>,
}

#[derive(Deserialize)]
struct Interval {
    start_date_time: Option<String>,
    end_date_time: Option<String>,
}

/// The data points of a file.
pub(in crate::intake::source) struct Points {
    elements: Elements,
    tables: Vec<RawTable>,
    others: u64,
}

impl Points {
    pub(in crate::intake::source) fn open(name: &str, path: &Path) -> Result<Self, Fault> {
        Ok(Self { elements: Elements::open(path)?, tables: vec![table(name)], others: 0 })
    }
}

impl Tables for Points {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.elements.position()
    }

    fn total(&self) -> u64 {
        self.elements.total()
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        let Some((line, object)) = self.elements.next()? else { return Ok(false) };
        let point: Point = match serde_json::from_slice(object) {
            Ok(point) => point,
            Err(error) if error.is_data() => {
                out.refuse(0, line, "body", "not shaped as an Open mHealth data point");
                return Ok(true);
            }
            Err(_) => return Err(self.elements.fault("a data point is not JSON")),
        };
        let body = match (point.header, point.body) {
            (_, Some(body)) => body,
            (None, None) => point.bare,
            (Some(_), None) => {
                out.refuse(0, line, "body", "missing");
                return Ok(true);
            }
        };
        match sample(body) {
            Ok(Some(sample)) => sample.land(line, out),
            Ok(None) => self.others += 1,
            Err((column, reason)) => out.refuse(0, line, column, reason),
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        match self.others {
            0 => Vec::new(),
            count => vec![format!(
                "{count} data points are of other schemas than heart rate and R-R interval: left out"
            )],
        }
    }
}

fn sample(body: Body) -> Result<Option<Sample>, (&'static str, &'static str)> {
    let (kind, unit, found) = match (body.heart_rate, body.rr_interval) {
        (Some(rate), None) if rate.unit == "beats/min" => ("heart_rate", "/min", rate),
        (None, Some(interval)) if interval.unit == "ms" => ("rr_interval", "ms", interval),
        (Some(_), None) => return Err(("heart_rate", "in a unit that is not beats/min")),
        (None, Some(_)) => return Err(("rr_interval", "in a unit that is not ms")),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(("body", "both a heart rate and an interval")),
    };
    if !found.value.is_finite() || found.value <= 0.0 {
        return Err(("value", "not above zero"));
    }
    let frame = body.effective_time_frame.unwrap_or(Frame { date_time: None, time_interval: None });
    let interval = frame.time_interval;
    let ends = interval.as_ref().and_then(|i| i.end_date_time.as_deref());
    let end = ends.and_then(rfc3339);
    let time = frame.date_time.or(interval.and_then(|i| i.start_date_time));
    let start: Option<Moment> = time.as_deref().and_then(rfc3339);
    Ok(Some(Sample {
        kind,
        start_us: start.map(|m| m.us),
        end_us: end.map(|m| m.us),
        tz_min: start.map(|m| m.tz_min),
        time,
        value: found.value,
        unit,
        statistic: body.descriptive_statistic,
        ..Sample::default()
    }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::super::tests::{Noted, read, real};
    use super::*;

    fn read_text(text: &str) -> Noted {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, text).unwrap();
        let mut points = Points::open("omh", &path).unwrap();
        let (rows, refused) = read(&mut points).unwrap();
        (rows, refused, points.notes())
    }

    #[test]
    fn points_land_with_unit_and_time() {
        let (rows, refused, notes) = read_text(
            r#"[{"header":{"id":"x"},"body":{"heart_rate":{"value":61,"unit":"beats/min"},"effective_time_frame":{"date_time":"2026-01-01T00:00:00+01:00"}}},
            {"header":{},"body":{"step_count":{"value":1,"unit":"steps"}}},
            {"rr_interval":{"value":0.8,"unit":"s"}},
            {"heart_rate":{"value":1,"unit":"Hz"}},
            {"header":{}},
            {"rr_interval":{"value":"x","unit":"ms"}}]"#,
        );
        assert_eq!(
            rows,
            [
                "raw_omh|1|heart_rate|2026-01-01T00:00:00+01:00|1767222000000000|-|60|61.0|/min|-|-|-"
            ]
        );
        assert_eq!(
            refused,
            [
                "3 rr_interval: in a unit that is not ms",
                "4 heart_rate: in a unit that is not beats/min",
                "5 body: missing",
                "6 body: not shaped as an Open mHealth data point",
            ]
        );
        assert_eq!(
            notes,
            ["1 data points are of other schemas than heart rate and R-R interval: left out"]
        );
    }

    #[test]
    fn the_published_instances_land() {
        let Some(real) = real("formats/openmhealth") else { return };
        let mut found = Vec::new();
        for name in [
            "heart-rate-2.0-with-descriptive-statistic.json",
            "rr-interval-1.0-with-statistic.json",
            "rr-interval-1.0-with-time-frame.json",
            "data-point-1.0-valid-data-point.json",
        ] {
            let mut points = Points::open("omh", &real.join(name)).unwrap();
            let (rows, refused) = read(&mut points).unwrap();
            assert_eq!(refused, Vec::<String>::new());
            found.extend(rows);
        }
        assert_eq!(
            found,
            [
                "raw_omh|1|heart_rate|2020-02-05T06:00:00+01:00|1580878800000000|1580965200000000|60|50.0|/min|minimum|-|-",
                "raw_omh|1|rr_interval|2013-02-05T07:25:00Z|1360049100000000|1360135500000000|0|30.0|ms|average|-|-",
                "raw_omh|1|rr_interval|2013-02-05T07:25:00Z|1360049100000000|-|0|30.0|ms|-|-|-",
            ]
        );
    }
}
