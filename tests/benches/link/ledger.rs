//! Durable charges beside the disk's own appends.
use crate::report::{median, print};
use crate::setting::{Fallible, Setting};
use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};
use tacit_node::store::{FILE, Store, ledger};
use tacit_shared::codec;
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::Budgets;
use tacit_shared::units::{Delta, Epsilon};

const TURN: Duration = Duration::from_millis(700);
const TURNS: usize = 5;

pub(crate) async fn measure() -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let setting = Setting::asking(5, 8, "0.05")?;
    let store = Store::open(&dir.path().join(FILE)).await.map_err(|e| e.to_string())?;
    let budget =
        || -> Fallible<Budget> { Ok(Budget::new(Epsilon::new(100.0)?, Delta::new(1e-6)?)?) };
    let budgets = Budgets { clinician: budget()?, patient: budget()? };
    let mut ledger = ledger::open(&store, budgets.into()).await.map_err(|e| e.to_string())?;
    let mut file = File::create(dir.path().join("appended"))?;
    let (mut disk, mut charges, mut number) = (Vec::new(), Vec::new(), 0_u64);
    for _ in 0..TURNS {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < TURN {
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            count += 1;
        }
        disk.push(f64::from(count) / start.elapsed().as_secs_f64());
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < TURN {
            number += 1;
            let round = codec::hash("round of a bench", &[&number.to_be_bytes()]);
            drop(ledger.charge(&setting.plan, round, 1_790_000_000).await?);
            count += 1;
        }
        charges.push(f64::from(count) / start.elapsed().as_secs_f64());
    }
    let ratios: Vec<f64> = charges.iter().zip(&disk).map(|(charge, disk)| charge / disk).collect();
    print(
        "Durable charges of one writer, by the clock on the wall",
        &["append 4 KiB + fdatasync", "charges", "ratio (median of pairs)"],
        &[vec![
            format!("{:.0} /s", median(&disk)),
            format!("{:.0} /s", median(&charges)),
            format!("{:.0} %", 100.0 * median(&ratios)),
        ]],
    );
    Ok(())
}
