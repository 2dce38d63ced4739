//! Intervals and standard errors against fresh noise. Seeds are fixed; each test states its odds.
use super::super::filter;
use super::super::measure::Figure;
use super::super::uncertainty::{Inference, Target};
use super::*;

#[test]
fn standard_errors_match_fresh_noise() {
    check_standard_errors(&rows(500, 5), |inputs| inputs);
}

#[test]
fn standard_errors_count_that_the_weight_is_the_first_sum() {
    // Far from the prior formula, where the two together make a difference.
    let mut rows = rows(500, 5);
    rows.y.add_scalar_mut(0.4);
    check_standard_errors(&rows, |inputs| by_first(&inputs));
}

/// A release whose weights are the first entries of x.
fn by_first(inputs: &Inputs) -> Inputs {
    let first = |sums: &GroupSums| {
        let noise = GroupNoise { weight: sums.noise.x, ..sums.noise };
        GroupSums { weight: sums.x[0], noise, ..sums.clone() }
    };
    let all = |sums: &[GroupSums]| sums.iter().map(first).collect::<Vec<_>>();
    let (groups, sites) = (all(inputs.groups()), all(inputs.sites()));
    Inputs::new(inputs.gram().clone(), first(inputs.all()), groups, sites).unwrap()
}

#[test]
fn the_noise_of_a_groups_row_is_that_of_fresh_draws() {
    // 1,500 draws of four entries: a trace is known to some 2 %.
    let rows = rows(500, 5);
    for read in [by_first, Inputs::clone] {
        let row = |inputs: &Inputs| {
            let (part, rest) = (&inputs.groups()[1], inputs.all().without(&inputs.groups()[1]));
            &part.x / part.weight - &rest.x / rest.weight
        };
        let exact = read(&release(&rows, 0.0, 0));
        let (truth, m) =
            (row(&exact), DMatrix::from_diagonal(&DVector::from_vec(vec![0.5, 1.0, 2.0, 3.0])));
        let (mut found, mut predicted) = (0.0, 0.0);
        for draw in 0..1_500 {
            let noisy = read(&release(&rows, 0.5, draw));
            let apart = row(&noisy) - &truth;
            found += apart.dot(&(&m * &apart));
            predicted += super::super::dial::row_noise(&noisy, 1, &m).unwrap();
        }
        assert!((found / predicted - 1.0).abs() < 0.1, "{}", found / predicted);
    }
}

fn check_standard_errors(rows: &Rows, read: impl Fn(Inputs) -> Inputs) {
    // 1,500 draws: an sd is known to 1.8 %, so 8 % is 4.4 of its own sds; 12 figures, seed fixed.
    let exact = read(release(rows, 0.0, 0));
    let t = solve(exact.gram()).unwrap().t().clone();
    let figures = |inputs: &Inputs| -> Vec<Figure> {
        let group = measure::group(inputs, 1, &t).unwrap();
        let overall = measure::overall(inputs, &t, 0.0).unwrap();
        let site = measure::site(&inputs.sites()[0], &(&t * 3.0), 0.0).unwrap().unwrap();
        vec![
            group.net_compensation_group,
            group.net_compensation_rest,
            group.mean_residual_difference,
            group.predictive_ratio_group.unwrap(),
            group.predictive_ratio_rest.unwrap(),
            group.fair_covariance,
            measure::fitted_mean(inputs.gram(), &inputs.groups()[0], &t).unwrap().unwrap(),
            overall.overall_mean_residual.unwrap(),
            overall.r_squared.unwrap(),
            overall.mean_squared_error.unwrap(),
            Figure { value: site.value, standard_error: Some(site.standard_error) },
        ]
    };
    let truth = figures(&exact);
    let mut squares = vec![0.0; truth.len()];
    let mut predicted = vec![0.0; truth.len()];
    let draws = 1_500u32;
    for draw in 0..draws {
        let noisy = figures(&read(release(rows, 0.5, u64::from(draw))));
        for (index, (noisy, truth)) in noisy.iter().zip(&truth).enumerate() {
            squares[index] += (noisy.value - truth.value).powi(2) / f64::from(draws);
            predicted[index] += noisy.standard_error.unwrap() / f64::from(draws);
        }
    }
    for (index, (square, predicted)) in squares.iter().zip(&predicted).enumerate() {
        let ratio = square.sqrt() / predicted;
        assert!((ratio - 1.0).abs() < 0.08, "figure {index}: {ratio}");
    }
}

#[test]
fn ninety_five_percent_intervals_cover_that_often() {
    // 1,000 releases of one table: coverage of each coefficient has the sd 0.7 points; bounds at 3 sd.
    let rows = rows(500, 9);
    let exact = release(&rows, 0.0, 0);
    let truth = exact.gram().coefficients(solve(exact.gram()).unwrap().t()).unwrap();
    let mut hits = [0u32; 4];
    for seed in 0..1_000 {
        let inputs = release(&rows, 3.0, 50_000 + seed);
        let solution = solve(inputs.gram()).unwrap();
        let inference = Inference::new(inputs.gram(), &solution, Target::ExactData).unwrap();
        for (index, hit) in hits.iter_mut().enumerate() {
            let interval = inference.coefficient(index).unwrap().fieller;
            assert_ne!(interval, Interval::NotEstimable);
            *hit += u32::from(interval.contains(truth[index]));
        }
    }
    for hit in hits {
        assert!((929..=971).contains(&hit), "{hit} of 1000");
    }
}

#[test]
fn the_filter_predicts_better_where_noise_is_strong() {
    // 200 releases at κ about 1.2; what a formula's predictions lose, on the rows themselves.
    let rows = rows(150, 13);
    let exact = release(&rows, 0.0, 0);
    let truth = exact.gram().coefficients(solve(exact.gram()).unwrap().t()).unwrap();
    let loss = |gram: &Gram, t: &DVector<f64>| {
        (&rows.x * (gram.coefficients(t).unwrap() - &truth)).norm_squared() / 150.0
    };
    let (mut plain, mut filtered, mut kappas) = (Vec::new(), Vec::new(), 0.0);
    for seed in 0..200 {
        let inputs = release(&rows, 5.0, 7_000 + seed);
        let gram = inputs.gram();
        kappas += gram.kappa().unwrap() / 200.0;
        plain.push(loss(gram, solve(gram).unwrap().t()));
        filtered.push(loss(gram, &filter::solve(gram).unwrap()));
    }
    let median = |mut losses: Vec<f64>| {
        losses.sort_by(f64::total_cmp);
        losses[100]
    };
    let (plain, filtered) = (median(plain), median(filtered));
    assert!((0.8..2.0).contains(&kappas), "{kappas}");
    assert!(filtered < 0.8 * plain, "{filtered} against {plain}, κ {kappas}");
}
