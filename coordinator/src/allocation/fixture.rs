//! Synthetic releases of the billing study with known noise, for tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::many_single_char_names, reason = "the letters of the model")]
use crate::model::gram::{
    Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs, Later, Predicted,
};
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Distribution as _, StandardNormal};
use tacit_shared::study::Study;

const BILLING: &str = include_str!("../../../configs/studies/empathy-billing.toml");

/// Sites of the synthetic federation.
pub(crate) const SITES: usize = 8;
/// Sds of noise per unit of one scale: A, b, q, then heads, residual and x of sums, then members.
const SD: [f64; 7] = [20.0, 3.0, 1.0, 15.0, 4.0, 15.0, 12.0];

/// Clinicians: columns of the billing study, outcome, site, membership of its two groups.
pub(crate) struct Rows {
    pub(crate) x: DMatrix<f64>,
    pub(crate) y: DVector<f64>,
    pub(crate) site: Vec<usize>,
    pub(crate) member: [Vec<bool>; 2],
}

/// The billing study, with the lines of its `[allocation]` from `by` on and its last ones replaced.
pub(crate) fn study(by: &str, more: &str) -> Study {
    let text = BILLING.replace("by = [\"sites\", \"levels:specialty\", \"codes\"]", by);
    let text =
        if by.contains("codes") { text } else { text[..text.find("[codes]").unwrap()].to_owned() };
    let text = if more.contains("[allocation.equity]") && by.contains("sites") {
        text.replace("meta = 0.01", "meta = 0.005\nsite_groups = 0.005")
    } else {
        text
    };
    Study::parse(&format!("{text}\n{more}")).unwrap()
}

pub(crate) fn site_names() -> Vec<String> {
    (0..SITES).map(|site| format!("site-{site}")).collect()
}

pub(crate) fn rows(n: usize, seed: u64) -> Rows {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let site: Vec<usize> =
        (0..n).map(|row| (row.wrapping_mul(2_654_435_761) >> 9) % (SITES + 2)).collect();
    let site: Vec<usize> = site.into_iter().map(|site| site.min(SITES - 1)).collect();
    let mut x = DMatrix::zeros(n, 8);
    for row in 0..n {
        let lean = f64::from(u32::try_from(site[row]).unwrap()) / 20.0 - 0.2;
        x[(row, 0)] = 1.0;
        x[(row, 1)] = (lean + 0.3 * normal()).clamp(-1.0, 1.0);
        for column in 2..5 {
            x[(row, column)] = (0.35 * normal()).clamp(-1.0, 1.0);
        }
        // A third is of the reference.
        if row % 3 > 0 {
            x[(row, 5 + row % 7 % 3)] = 1.0;
        }
    }
    let mut flag = |column: usize, least: f64| -> Vec<bool> {
        (0..n).map(|row| x[(row, column)] + 0.3 * normal() > least).collect()
    };
    let member = [flag(1, 0.35), flag(2, 0.3)];
    let beta = DVector::from_vec(vec![0.62, 0.10, -0.05, 0.08, -0.04, 0.05, 0.09, 0.15]);
    let mut y = &x * beta;
    for row in 0..n {
        // The first group is valued too low by every formula that does not know it.
        y[row] += if member[0][row] { 0.06 } else { 0.0 } + 0.08 * normal();
    }
    Rows { x, y, site, member }
}

/// The sums of a table in a frame that mixes columns, with noise of the given scale; 0: none.
pub(crate) fn release(rows: &Rows, scale: f64, seed: u64) -> Inputs {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut noise = |sd: f64| -> f64 {
        let normal: f64 = StandardNormal.sample(&mut rng);
        sd * scale * normal
    };
    let frame = frame();
    let z = &rows.x * &frame.w;
    let r = &rows.y - &rows.x * &frame.b0;
    let mut a = z.transpose() * &z;
    for j in 0..8 {
        for i in 0..=j {
            a[(i, j)] += noise(if i == j { SD[0] } else { SD[0] / 2f64.sqrt() });
            a[(j, i)] = a[(i, j)];
        }
    }
    let b = (z.transpose() * &r).map(|value| value + noise(SD[1]));
    let q = r.norm_squared() + noise(SD[2]);
    let variance = |sd: f64| (scale * sd).powi(2);
    let known = GramNoise { tau2: variance(SD[0]), vb: variance(SD[1]), vq: variance(SD[2]) };
    let gram = Gram::new(GramSums { a, b, q }, known, frame).unwrap();
    let mut part = |inside: &dyn Fn(usize) -> bool| {
        let flags = DVector::from_fn(rows.y.len(), |row, _| f64::from(u8::from(inside(row))));
        let x = (z.transpose() * &flags).map(|sum| sum + noise(SD[5]));
        GroupSums {
            heads: flags.sum() + noise(SD[3]),
            weight: x[0],
            residual: flags.dot(&r) + noise(SD[4]),
            x,
            noise: GroupNoise {
                heads: scale * SD[3],
                weight: scale * SD[5],
                residual: scale * SD[4],
                x: scale * SD[5],
            },
            later: Later::default(),
        }
    };
    let all = part(&|_| true);
    let groups = [0, 1].map(|group| part(&|row| rows.member[group][row])).to_vec();
    let mut sites: Vec<GroupSums> =
        (0..SITES).map(|site| part(&|row| rows.site[row] == site)).collect();
    for (at, site) in sites.iter_mut().enumerate() {
        let here = |row: &usize| rows.site[*row] == at && rows.member[0][*row];
        let members = u32::try_from((0..rows.y.len()).filter(here).count()).unwrap();
        site.later.members = vec![f64::from(members) + noise(SD[6])];
        site.later.members_sd = scale * SD[6];
    }
    Inputs::new(gram, all, groups, sites).unwrap()
}

/// The same release as a later period has it: of each site besides what the earlier formula gives.
pub(crate) fn later(rows: &Rows, scale: f64, seed: u64) -> Inputs {
    let inputs = release(rows, scale, seed);
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xabcd);
    let b0 = frame().b0;
    let base = b0[0];
    let earlier = &rows.x * b0;
    let mut sites = inputs.sites().to_vec();
    for (at, site) in sites.iter_mut().enumerate() {
        let here = (0..rows.y.len()).filter(|row| rows.site[*row] == at);
        let normal: f64 = StandardNormal.sample(&mut rng);
        let sum = here.map(|row| earlier[row] - base).sum::<f64>() + 2.0 * scale * normal;
        site.later.predicted = Some(Predicted { sum, sd: 2.0 * scale, base });
    }
    let (gram, mut all) = (inputs.gram().clone(), inputs.all().clone());
    let normal: f64 = StandardNormal.sample(&mut rng);
    let sum = earlier.add_scalar(-base).sum() + 2.0 * scale * normal;
    all.later.predicted = Some(Predicted { sum, sd: 2.0 * scale, base });
    Inputs::new(gram, all, inputs.groups().to_vec(), sites).unwrap()
}

fn frame() -> Frame {
    let w = DMatrix::from_fn(8, 8, |row, column| match (row, column) {
        (0, 0) => 1.0,
        (0, column) => -0.05 * f64::from(u32::try_from(column).unwrap()),
        (row, column) if row == column => 2.2,
        (row, column) if row + 1 == column => 0.2,
        _ => 0.0,
    });
    Frame { w, b0: DVector::from_vec(vec![0.65, 0.08, 0.0, 0.05, 0.0, 0.0, 0.05, 0.1]) }
}
