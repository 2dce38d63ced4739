//! The curves in plain numbers: ln δ(ε), its parts, the zCDP bound, and bisection.
//!
//! Formulas and sources stand in [`super`], which checks the inputs and chooses the side to round to.
/// ln √(2π).
const LN_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_8;
/// √(π/2).
const ROOT_HALF_PI: f64 = 1.253_314_137_315_500_3;
/// Below this μ the two terms of the curve nearly cancel, and the integral takes their place.
const SMALL_MU: f64 = 0.01;

/// ln δ(ε) at μ; −∞ where δ = 0.
pub(super) fn ln_delta(mu: f64, epsilon: f64) -> f64 {
    if mu <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if mu.is_infinite() {
        return 0.0;
    }
    let h = epsilon / mu - mu / 2.0;
    if h < -39.0 {
        // 1 − δ = Φ(h) + φ(h)·R(x) is below the resolution of numbers near 1.
        return 0.0;
    }
    if h > 1e100 {
        return f64::NEG_INFINITY;
    }
    let ln_density = -h * h / 2.0 - LN_ROOT_TWO_PI;
    if mu < SMALL_MU {
        return ln_density + libm::log(mu) + libm::log(mean_slope(h, mu));
    }
    let x = h + mu;
    let present = ln_phi(-h);
    // ε − x²/2 = −h²/2: the large terms of ε + ln Φ(−x) cancel by algebra, not by subtraction.
    let absent = if x > 5.0 { ln_density - libm::log(fraction(x)) } else { epsilon + ln_phi(-x) };
    if absent >= present {
        return f64::NEG_INFINITY;
    }
    present + libm::log(-libm::expm1(absent - present))
}

/// ln Φ(z).
pub(super) fn ln_phi(z: f64) -> f64 {
    if z > 0.0 {
        libm::log1p(-libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2) / 2.0)
    } else if z > -5.0 {
        libm::log(libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2) / 2.0)
    } else {
        -z * z / 2.0 - LN_ROOT_TWO_PI - libm::log(fraction(-z))
    }
}

/// 1/R(x) for x ≥ 5: the continued fraction x + 1/(x + 2/(x + 3/…)), from its tail.
fn fraction(x: f64) -> f64 {
    let terms = if x < 10.0 { 200 } else { 60 };
    (1..=terms).rev().fold(x, |tail, k| x + f64::from(k) / tail)
}

/// The mean of −R′(t) = 1 − t·R(t) over [h, h + width], by Gauss and Legendre's three points: at
/// widths below 0.01 its error is below one part in 10¹⁶.
fn mean_slope(h: f64, width: f64) -> f64 {
    let slope = |t: f64| {
        if t < 5.0 {
            let tail = libm::erfc(t * std::f64::consts::FRAC_1_SQRT_2);
            1.0 - t * ROOT_HALF_PI * libm::exp(t * t / 2.0) * tail
        } else {
            // 1 − t/f with f = t + 1/g is 1/(f·g): no cancellation.
            let f = fraction(t);
            (f - t) / f
        }
    };
    let middle = h + width / 2.0;
    let reach = width / 2.0 * libm::sqrt(0.6);
    (5.0 * slope(middle - reach) + 8.0 * slope(middle) + 5.0 * slope(middle + reach)) / 18.0
}

/// CKS20, Proposition 12: the least bound over α. Each α gives a valid bound, so a search that
/// misses the best one is loose, never wrong.
pub(super) fn zcdp_bound(rho: f64, ln_delta: f64) -> f64 {
    let bound = |x: f64| {
        let excess = libm::exp(x);
        (1.0 + excess) * rho
            - libm::log1p(libm::exp(-x))
            - (ln_delta + libm::log1p(excess)) / excess
    };
    let (from, to, steps) = (-8.0, 25.0, 600u32);
    let step = (to - from) / f64::from(steps);
    let at = |index: u32| from + step * f64::from(index);
    let best =
        (0..=steps).map(at).fold(from, |best, x| if bound(x) < bound(best) { x } else { best });
    let (mut low, mut high) = (best - step, best + step);
    let golden = (libm::sqrt(5.0) - 1.0) / 2.0;
    for _ in 0..80 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if bound(left) < bound(right) {
            high = right;
        } else {
            low = left;
        }
    }
    bound(f64::midpoint(low, high)).min(bound(best))
}

/// Neighbouring numbers between which a condition changes.
pub(super) struct Edge {
    /// The last at which it is true.
    pub(super) below: f64,
    /// The first at which it is false.
    pub(super) above: f64,
}

/// Where a condition that is true near 0 and false far out changes, to the resolution of the
/// arithmetic; `None` if it is true for all numbers or for none.
pub(super) fn boundary(is_below: impl Fn(f64) -> bool) -> Option<Edge> {
    let (mut below, mut above) = (1.0, 1.0);
    if is_below(1.0) {
        while is_below(above) {
            below = above;
            above *= 2.0;
            if f64::is_infinite(above) {
                return None;
            }
        }
    } else {
        while !is_below(below) {
            above = below;
            below /= 2.0;
            if below <= 0.0 {
                return None;
            }
        }
    }
    while let Some(middle) = between(below, above) {
        if is_below(middle) {
            below = middle;
        } else {
            above = middle;
        }
    }
    Some(Edge { below, above })
}

/// A number strictly between the two, or `None` if they are neighbours.
pub(super) fn between(below: f64, above: f64) -> Option<f64> {
    let middle = below + (above - below) / 2.0;
    (below < middle && middle < above).then_some(middle)
}
