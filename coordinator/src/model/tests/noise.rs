//! Intervals and standard errors against fresh noise. Seeds are fixed; each test states its odds.
use super::super::filter;
use super::super::measure::Figure;
use super::super::uncertainty::{Inference, Target};
use super::*;

#[test]
fn standard_errors_match_fresh_noise() {
    // 1,500 draws: an sd is known to 1.8 %, so 8 % is 4.4 of its own sds; 10 figures, seed fixed.
    let rows = rows(500, 5);
    let exact = release(&rows, 0.0, 0);
    let t = solve(exact.gram()).unwrap().t().clone();
    let figures = |inputs: &Inputs| -> Vec<Figure> {
        let group = measure::group(inputs, 1, &t).unwrap();
        let overall = measure::overall(inputs, &t, 0.0).unwrap();
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
        ]
    };
    let truth = figures(&exact);
    let mut squares = vec![0.0; truth.len()];
    let mut predicted = vec![0.0; truth.len()];
    let draws = 1_500u32;
    for draw in 0..draws {
        let noisy = figures(&release(&rows, 0.5, u64::from(draw)));
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
