//! What can go wrong in a model.
use thiserror::Error;

/// Why a model could not be computed. Numbers in it are of the release, none of a person.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// Two parts do not fit together.
    #[error("{what}: expected {expected} entries, found {found}")]
    Shape {
        /// Which part.
        what: &'static str,
        /// How many entries the other parts ask for.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A number is infinite or not a number.
    #[error("{what}: a number is infinite or not a number")]
    NotFinite {
        /// Where.
        what: &'static str,
    },
    /// A variance or standard deviation of noise is negative or not finite.
    #[error("{what}: the variance of its noise is negative or not finite")]
    NegativeVariance {
        /// Of which part.
        what: &'static str,
    },
    /// A is not symmetric.
    #[error("the Gram matrix is not symmetric")]
    NotSymmetric,
    /// The model has no coefficient or too many.
    #[error("a model has 1 to {most} coefficients, not {found}")]
    Coefficients {
        /// How many it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// The system has no unique solution: columns, or fairness rows, depend on each other.
    #[error(
        "the system has no unique solution (smallest relative pivot {smallest_pivot:e}): some columns or groups depend on each other"
    )]
    Singular {
        /// Smallest pivot of the scaled matrix over its largest.
        smallest_pivot: f64,
    },
    /// Sums without noise that no table of rows gives.
    #[error(
        "the noise-free Gram matrix has the eigenvalue {smallest_eigenvalue:e}; no table of rows gives that"
    )]
    Indefinite {
        /// Its smallest eigenvalue.
        smallest_eigenvalue: f64,
    },
    /// The eigenvalue iteration did not end.
    #[error("the eigenvalues of the Gram matrix could not be found")]
    NoConvergence,
    /// Not more rows than coefficients.
    #[error("{coefficients} coefficients need more than {coefficients} rows")]
    TooFewRows {
        /// Number of coefficients.
        coefficients: usize,
    },
    /// A group that does not exist.
    #[error("there is no group {index}; the sums have {groups}")]
    NoSuchGroup {
        /// Asked for, from 0.
        index: usize,
        /// How many there are.
        groups: usize,
    },
    /// A coefficient that does not exist.
    #[error("there is no coefficient {index}; the model has {coefficients}")]
    NoSuchCoefficient {
        /// Asked for, from 0.
        index: usize,
        /// How many there are.
        coefficients: usize,
    },
    /// A group, or everybody outside it, is too small to be told from its noise.
    #[error("group {index}, or the rest beside it, is too small to be told from its noise")]
    TooSmall {
        /// Which group, from 0.
        index: usize,
    },
    /// Everybody together is too few to be told from the noise.
    #[error("the sums over everybody are too small to be told from their noise")]
    EverybodyTooSmall,
    /// The columns do not tell a group from the rest, so no fit can close its gap.
    #[error("the columns do not tell group {index} from the rest: no fit can close its gap")]
    OutOfReach {
        /// Which group, from 0.
        index: usize,
    },
    /// Noise decides the direction of the dial.
    #[error("noise decides how the gap of group {index} would be closed: report its metrics only")]
    DirectionTooNoisy {
        /// Which group, from 0.
        index: usize,
    },
    /// κ < 1: no fit is published, so none is moved.
    #[error("noise hides the design (κ = {kappa:.2}, at least 1 is needed): no fit is published")]
    DesignTooNoisy {
        /// Signal-to-noise ratio of the design.
        kappa: f64,
    },
    /// A parameter of a fairness term is outside its range.
    #[error("{what} is outside its range")]
    Range {
        /// Which parameter.
        what: &'static str,
    },
    /// A column is a linear combination of others.
    #[error("column {index} is a linear combination of other columns")]
    Collinear {
        /// Which, from 0; 0 is the constant.
        index: usize,
        /// The columns that give it, from 0.
        of: Vec<usize>,
    },
    /// The likelihood of a generalised linear model grows without end.
    #[error(
        "no maximum of the likelihood after {passes} passes: the columns tell the outcomes apart without error, or do so almost"
    )]
    NoMaximum {
        /// Passes over the rows that were made.
        passes: usize,
    },
    /// A variance between sites needs two of them.
    #[error("a variance between sites needs at least 2 sites, not {found}")]
    TooFewSites {
        /// How many there are.
        found: usize,
    },
    /// The columns, or the sites, explain the outcome without error.
    #[error("nothing of the outcome is left to chance, so no variance can be estimated")]
    NothingLeft,
    /// The noise of the site sums hides what varies within sites.
    #[error(
        "{heads:.0} clinicians are too few for slopes within sites at this noise; {needed:.0} are needed"
    )]
    WithinTooNoisy {
        /// Clinicians after down-weighting.
        heads: f64,
        /// How many it takes.
        needed: f64,
    },
}
