//! The proposed codes as a FHIR R4 Bundle of `ChargeItemDefinition`s, one a code.
//!
//! ```text
//! url, status = draft, experimental, title, code                  what is proposed
//! applicability[].description                                     for which encounters
//! propertyGroup[].priceComponent[]: type = base, factor, amount   relative value and Money
//! extensions on them                                              95 % intervals: valueRange, and Money low and high
//! ```
//! HL7 FHIR R4 (4.0.1), `ChargeItemDefinition`, Bundle of type collection. Addresses start with the study's
//! `base_url`; resolving them is its owner's business. Nothing here is a price that anyone has agreed to.
use super::Report;
use super::data::{CodeRow, CodesPart, ReportData};
use super::number::units;
use serde_json::{Value, json};

/// The bundle, or `None` where the report proposes no codes.
pub fn charge_items(report: &Report) -> Option<Value> {
    let data = report.data();
    let codes = data.codes.as_ref()?;
    let entry = |row: &CodeRow| {
        let resource = definition(data, codes, row);
        json!({ "fullUrl": resource.get("url"), "resource": resource })
    };
    Some(json!({
        "resourceType": "Bundle",
        "id": id(&data.study.name, "codes"),
        "type": "collection",
        "entry": codes.rows.iter().map(entry).collect::<Vec<_>>(),
    }))
}

fn definition(data: &ReportData, codes: &CodesPart, row: &CodeRow) -> Value {
    let base = &codes.base_url;
    let own = id(&data.study.name, &row.code);
    let title = format!(
        "Emotional labour, {}, {} to {} {}s, acuity {} to {}",
        row.specialty, row.time_from, row.time_to, codes.time_unit, row.acuity_from, row.acuity_to
    );
    json!({
        "resourceType": "ChargeItemDefinition",
        "id": own,
        "url": format!("{base}/ChargeItemDefinition/{own}"),
        "version": format!("{}-{}", data.study.from, short(&data.inputs.result)),
        "title": title,
        "status": "draft",
        "experimental": true,
        "date": data.study.to,
        "description": codes.caution,
        "code": {
            "coding": [{
                "system": format!("{base}/CodeSystem/{}", data.study.name),
                "code": row.code,
                "display": title,
            }],
            "text": title,
        },
        "applicability": [
            { "description": format!("Specialty of the clinician: {}", row.specialty) },
            { "description": format!("Time with the patient from {} up to {} {}s", row.time_from, row.time_to, codes.time_unit) },
            { "description": format!("Acuity of the patient from {} up to {}", row.acuity_from, row.acuity_to) },
        ],
        "propertyGroup": [{ "priceComponent": [price(codes, row)] }],
    })
}

fn price(codes: &CodesPart, row: &CodeRow) -> Value {
    let extension = |name: &str| format!("{}/StructureDefinition/{name}", codes.base_url);
    json!({
        "extension": [
            {
                "url": extension("relative-value-interval"),
                "valueRange": {
                    "low": { "value": thousandths(row.relative_low) },
                    "high": { "value": thousandths(row.relative_high) },
                },
            },
            {
                "url": extension("amount-interval"),
                "extension": [
                    { "url": "low", "valueMoney": money(codes, row.amount_low_cents) },
                    { "url": "high", "valueMoney": money(codes, row.amount_high_cents) },
                ],
            },
        ],
        "type": "base",
        "code": { "text": format!("Per {}", codes.per) },
        "factor": thousandths(row.relative_value),
        "amount": money(codes, row.amount_cents),
    })
}

fn money(codes: &CodesPart, cents: i64) -> Value {
    json!({ "value": units(cents), "currency": codes.currency })
}

/// A published factor has three decimals.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// An R4 id: letters, digits, `-` and `.`, 64 at most.
fn id(study: &str, code: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    // The code decides which it is, so it stands whole and the study's name gives way.
    let room = 63_usize.saturating_sub(code.len());
    let study: String = study.chars().take(room).map(plain).collect();
    format!("{study}-{}", code.chars().map(plain).collect::<String>())
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::sample;
    use super::*;
    use std::collections::BTreeSet;

    /// Elements of R4 that may stand at a place.
    fn only(value: &Value, allowed: &[&str]) {
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        for key in value.as_object().unwrap().keys() {
            assert!(allowed.contains(key.as_str()), "{key} is no element of R4 here");
        }
    }

    #[test]
    fn the_bundle_has_the_shape_of_r4() {
        let bundle = charge_items(&Report::new(sample::data()).unwrap()).unwrap();
        only(&bundle, &["resourceType", "id", "type", "entry"]);
        assert_eq!(
            (&bundle["resourceType"], &bundle["type"]),
            (&json!("Bundle"), &json!("collection"))
        );
        let entries = bundle["entry"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        let mut urls = BTreeSet::new();
        for entry in entries {
            only(entry, &["fullUrl", "resource"]);
            let item = &entry["resource"];
            only(
                item,
                &[
                    "resourceType",
                    "id",
                    "url",
                    "version",
                    "title",
                    "status",
                    "experimental",
                    "date",
                    "description",
                    "code",
                    "applicability",
                    "propertyGroup",
                ],
            );
            assert_eq!(item["resourceType"], "ChargeItemDefinition");
            assert_eq!(item["status"], "draft");
            // bdl-7 and the rule for fullUrl: unique, absolute, ending in type and id.
            assert!(urls.insert(entry["fullUrl"].as_str().unwrap().to_owned()));
            let own = item["id"].as_str().unwrap();
            assert!(
                own.len() <= 64
                    && own.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
            );
            let url = item["url"].as_str().unwrap();
            assert!(
                url.starts_with("https://")
                    && url.ends_with(&format!("/ChargeItemDefinition/{own}"))
            );
            only(&item["code"], &["coding", "text"]);
            for condition in item["applicability"].as_array().unwrap() {
                only(condition, &["description", "language", "expression"]);
            }
            let group = &item["propertyGroup"][0];
            only(group, &["applicability", "priceComponent"]);
            let price = &group["priceComponent"][0];
            only(price, &["extension", "type", "code", "factor", "amount"]);
            assert_eq!(price["type"], "base");
            assert!(price["factor"].is_number());
            only(&price["amount"], &["value", "currency"]);
            for extension in price["extension"].as_array().unwrap() {
                // ext-1: a value or further extensions, never both.
                assert_ne!(
                    extension.get("extension").is_some(),
                    extension.get("valueRange").is_some()
                );
                assert!(extension["url"].as_str().unwrap().starts_with("https://"));
            }
        }
    }

    #[test]
    fn amounts_and_factors_are_those_of_the_table() {
        let bundle = charge_items(&Report::new(sample::data()).unwrap()).unwrap();
        let item = &bundle["entry"][1]["resource"];
        let price = &item["propertyGroup"][0]["priceComponent"][0];
        assert_eq!(item["code"]["coding"][0]["code"], "EL-ONC-T2-A1");
        assert_eq!(price["factor"], json!(1.04));
        assert_eq!(price["amount"], json!({ "value": 2.08, "currency": "EUR" }));
        assert_eq!(price["extension"][0]["valueRange"]["low"]["value"], json!(1.019));
        assert_eq!(price["extension"][1]["extension"][1]["valueMoney"]["value"], json!(2.13));
    }

    #[test]
    fn without_codes_there_is_no_bundle() {
        assert_eq!(charge_items(&Report::new(sample::withheld()).unwrap()), None);
    }
}
