//! Order statistics of a centred window that slides over a series, shorter at both ends.
//!
//! ```text
//! window of i = x[max(0, i − h) ..= min(n − 1, i + h)]        2h + 1 values in the middle
//! quantile q  = linear between the two values around position q·(m − 1) of the m sorted ones
//! ```
//! The window is kept sorted: a step inserts one value and removes one. Values that are not numbers
//! are sorted to the ends and never lead to a panic.

/// What `of` makes of the sorted window around every value, in order.
pub(super) fn centred<R>(values: &[f64], half: usize, mut of: impl FnMut(&[f64]) -> R) -> Vec<R> {
    let mut sorted: Vec<f64> = Vec::with_capacity(values.len().min(2 * half + 2));
    let place = |sorted: &[f64], value: f64| {
        sorted.partition_point(|other| other.total_cmp(&value).is_lt())
    };
    let mut coming = values.iter();
    for value in coming.by_ref().take(half) {
        sorted.insert(place(&sorted, *value), *value);
    }
    let mut results = Vec::with_capacity(values.len());
    for i in 0..values.len() {
        if let Some(&value) = coming.next() {
            sorted.insert(place(&sorted, value), value);
        }
        if let Some(&value) = i.checked_sub(half + 1).and_then(|left| values.get(left)) {
            sorted.remove(place(&sorted, value));
        }
        results.push(of(&sorted));
    }
    results
}

/// The quantile `q` (0 to 1) of sorted values, linear between neighbours; NaN of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    #[expect(clippy::cast_precision_loss, reason = "a window holds fewer than 2⁵³ values")]
    let position = q.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and the last index"
    )]
    let below = position.floor() as usize;
    let low = sorted.get(below).copied().unwrap_or(f64::NAN);
    let Some(high) = sorted.get(below + 1) else { return low };
    low + (high - low) * position.fract()
}

/// The median of sorted values, the mean of the middle two of an even number; NaN of none.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    match (sorted.len(), sorted.len() % 2) {
        (0, _) => f64::NAN,
        (_, 1) => at(middle),
        _ => f64::midpoint(at(middle - 1), at(middle)),
    }
}

/// The median of values in any order; `None` of none.
pub(super) fn median_of(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| median(&values))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_window_is_shorter_at_the_ends() {
        let seen = centred(&[5.0, 1.0, 4.0, 2.0, 3.0], 1, <[f64]>::to_vec);
        assert_eq!(
            seen,
            [
                vec![1.0, 5.0],
                vec![1.0, 4.0, 5.0],
                vec![1.0, 2.0, 4.0],
                vec![2.0, 3.0, 4.0],
                vec![2.0, 3.0]
            ]
        );
        assert!(centred(&[], 3, <[f64]>::len).is_empty());
        assert_eq!(centred(&[1.0, 2.0], 45, <[f64]>::len), [2, 2]);
        assert_eq!(centred(&[1.0, 2.0], 0, <[f64]>::to_vec), [[1.0], [2.0]]);
    }

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert!((quantile(&values, 0.25) - 1.75).abs() < 1e-15);
        assert!((quantile(&values, 0.75) - 5.0).abs() < 1e-15);
        assert!((quantile(&values, 1.0) - 8.0).abs() < 1e-15);
        assert!((quantile(&[3.0], 0.75) - 3.0).abs() < 1e-15);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median_of(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median_of(vec![4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median_of(vec![]), None);
        assert!(median(&[]).is_nan());
    }

    proptest! {
        #[test]
        fn a_sliding_window_equals_sorting_each(
            values in proptest::collection::vec(
                prop_oneof![-3.0..3.0, Just(f64::NAN), Just(-0.0), Just(0.0)], 0..60),
            half in 0_usize..20,
        ) {
            let found = centred(&values, half, |sorted| sorted.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            for (i, found) in found.into_iter().enumerate() {
                let mut direct =
                    values[i.saturating_sub(half)..(i + half + 1).min(values.len())].to_vec();
                direct.sort_by(f64::total_cmp);
                prop_assert_eq!(found, direct.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn the_half_quantile_is_the_median(mut values in proptest::collection::vec(0.0..10.0, 1..40)) {
            values.sort_by(f64::total_cmp);
            let direct = median_of(values.clone()).unwrap();
            prop_assert!((quantile(&values, 0.5) - direct).abs() < 1e-12);
        }
    }
}
