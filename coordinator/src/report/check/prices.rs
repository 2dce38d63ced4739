//! What must hold of prices and questions.
use super::super::data::{PricePart, PricesPart, ReportData};
use super::{Checked, ensure, finite, interval, truth, unique};

/// Checks both.
pub(super) fn check(data: &ReportData) -> Checked {
    for (at, asked) in data.questions.iter().enumerate() {
        let key = format!("questions[{at}].by");
        ensure(!asked.by.is_empty(), &key, "names no figure")?;
    }
    data.prices.as_ref().map_or(Ok(()), |prices| of_prices(prices, data))
}

fn of_prices(prices: &PricesPart, data: &ReportData) -> Checked {
    let divided =
        data.allocation.is_some() || !data.service_lines.is_empty() || data.codes.is_some();
    ensure(divided, "prices", "are given, but no pool is divided")?;
    ensure(prices.pool_cents > 0, "prices.pool_cents", "is not above 0")?;
    price("prices.point", &prices.point, data)?;
    let names = prices.columns.iter().map(|column| &column.name);
    let same = names.eq(data.coefficients.iter().map(|row| &row.name));
    ensure(same, "prices.columns", "does not name the coefficients in their order")?;
    for (at, column) in prices.columns.iter().enumerate() {
        price(&format!("prices.columns[{at}].price"), &column.price, data)?;
    }
    unique("prices.gaps", prices.gaps.iter().map(|gap| &gap.name))?;
    for (at, gap) in prices.gaps.iter().enumerate() {
        price(&format!("prices.gaps[{at}].price"), &gap.price, data)?;
    }
    Ok(())
}

fn price(key: &str, price: &PricePart, data: &ReportData) -> Checked {
    finite(&format!("{key}.cents"), price.cents)?;
    interval(&format!("{key}.interval"), price.interval)?;
    truth(&format!("{key}.truth"), price.truth, data.rehearsal)
}
