//! Heads and fitted labour of each unit of a division, from the sums of a release.
//!
//! ```text
//! a site, first period    N · x̄·(prior + t)               x̄: its mean whitened row
//! a site, later period    base·N + Σ(m − base) + Sᵀt      m: what the earlier formula gives, S: Σ x̃
//! a service line          N · a_lᵀA(prior + t)/a_lᵀA·unit
//! a billing code          N · x_c·β                        N: its expected number, x_c: its bands' midpoints
//! ```
//! N is public where the study gives it. Otherwise it is the noisy head count of a site; of a service line its
//! part of everybody by row weights; of a code the line's expected encounters times the public shares of its
//! bands. Labour below 0 is noise and counts as none. Money is [`super::allocate`]'s.
use super::codes::CodeBook;
use crate::model::ModelError;
use crate::model::gram::Inputs;
use crate::model::levels::Levels;
use nalgebra::DVector;

/// A release as it is, or redrawn, and the two fits of it.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// The sums.
    pub inputs: &'a Inputs,
    /// The fit before the dial, whitened.
    pub plain: &'a DVector<f64>,
    /// The fit that pays, whitened.
    pub paying: &'a DVector<f64>,
}

/// What one unit brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labour {
    /// Heads, at least 1; of a code its expected number of encounters, or of clinicians and periods.
    pub heads: f64,
    /// Standard deviation of the noise in them; 0 where they are public.
    pub heads_sd: f64,
    /// Fitted labour, at least 0.
    pub labour: f64,
}

impl Labour {
    /// Labour a head.
    pub fn mean(&self) -> f64 {
        self.labour / self.heads
    }
}

/// The sites; `public` has their public head counts, in the same order.
pub fn sites(state: &State<'_>, public: &[Option<f64>]) -> Vec<Labour> {
    let formula = state.inputs.gram().prior() + state.paying;
    let sums = state.inputs.sites().iter().zip(public);
    sums.map(|(site, public)| {
        let (heads, heads_sd) = public.map_or((site.heads, site.noise.heads), |n| (n, 0.0));
        let heads = heads.max(1.0);
        let labour = match site.later.predicted {
            Some(earlier) => earlier.base * heads + earlier.sum + site.x.dot(state.paying),
            None if site.weight > 0.0 => heads * site.x.dot(&formula) / site.weight,
            None => 0.0,
        };
        Labour { heads, heads_sd, labour: labour.max(0.0) }
    })
    .collect()
}

/// The service lines of one factor, the reference first.
pub fn lines(state: &State<'_>, levels: &Levels, public: &[Option<f64>]) -> Vec<Labour> {
    let gram = state.inputs.gram();
    let weights = levels.weights(gram);
    let all: f64 = weights.iter().map(|weight| weight.value).sum();
    // Shrunk rows weigh less than a head: weights are brought to the heads of everybody.
    let scale = if all > 0.0 { state.inputs.all().heads.max(1.0) / all } else { 0.0 };
    let fitted = levels.fitted(gram, state.paying);
    let rows = weights.iter().zip(&fitted).zip(public);
    rows.map(|((weight, fitted), public)| {
        let noisy = (weight.value * scale, weight.standard_error.unwrap_or(0.0) * scale);
        let (heads, heads_sd) = public.map_or(noisy, |n| (n, 0.0));
        let heads = heads.max(1.0);
        let mean = if weight.value > 0.0 { fitted / weight.value } else { 0.0 };
        Labour { heads, heads_sd, labour: (heads * mean).max(0.0) }
    })
    .collect()
}

/// The billing codes of a book; `lines` are the heads of its service lines.
///
/// # Errors
/// [`ModelError`] if the book is of another design.
pub fn codes(
    state: &State<'_>,
    book: &CodeBook,
    lines: &[Labour],
) -> Result<Vec<Labour>, ModelError> {
    let beta = state.inputs.gram().coefficients(state.paying)?;
    let typical = book.typical(state.inputs.gram());
    let numbers = book.numbers(state.inputs.gram(), lines);
    let of = |(code, heads): (&super::codes::Code, f64)| {
        let heads = heads.max(f64::MIN_POSITIVE);
        let value: f64 = code.row(&typical).iter().zip(beta.iter()).map(|(x, b)| x * b).sum();
        Labour { heads, heads_sd: 0.0, labour: (heads * value).max(0.0) }
    };
    Ok(book.codes().iter().zip(numbers).map(of).collect())
}
