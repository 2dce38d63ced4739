//! What must hold in a simulated world whatever goes wrong. [`super::watch`] looks.

/// What must hold after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An opened aggregate is the integer sum over its survivors plus the noise they recorded.
    Sum,
    /// An honest site answers each phase of a round with one message, however often it is asked.
    Twice,
    /// Every masked vector that left was charged before, durably, for exactly the plan's cost, and a
    /// restarted ledger has forgotten nothing.
    Paid,
    /// The counter, the opening and the survivors are durable before what depends on them leaves.
    Durable,
    /// A coordinator that follows the protocol says one thing to each site in a phase, before a crash as
    /// after it, and only what is written down and follows from answers that are.
    Said,
    /// A round can be taken up again from whatever start of its transcript was written down, and comes
    /// to no other result.
    Resumes,
    /// A site that was shown a receipt answers only once its ledger knows the answer of which it tells,
    /// and a site that was never set back knows them all.
    Receipts,
    /// At most one set of survivors of a round can be certified.
    OneSet,
    /// A vote is over exactly what the site saw, and only a certified one is answered.
    Voted,
    /// The adversary never holds T shares of both secrets of an honest site.
    Secrets,
    /// Voted sets differ by none or by the gap, and are not too many.
    Differencing,
    /// No machine panics.
    Panic,
    /// The world comes to an end.
    End,
    /// What must open, opens.
    Opens,
    /// The world itself could be built.
    World,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule:?} broken at {at_ms} ms: {what}")]
pub struct Failure {
    /// Which.
    pub rule: Rule,
    /// By whom, and how.
    pub what: String,
    /// In virtual time.
    pub at_ms: u64,
}
