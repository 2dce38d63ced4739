//! What follows from the facts: flows, risks with what is left of them, and the points that stay open.
//!
//! The sentences are this program's reading of its own design and of the law as it was understood when they were
//! written. A risk names what the program does and what it cannot do.
use super::{Flow, Record, Risk};

/// Where data go under this configuration.
pub fn flows(keeps_ids: bool, held: bool) -> Vec<Flow> {
    let flow = |what: &str, way: &str, protected: &str| Flow {
        what: what.to_owned(),
        way: way.to_owned(),
        protected: protected.to_owned(),
    };
    let ids = if keeps_ids {
        "ids become keyed hashes; the ids themselves are kept sealed, under a key of their own"
    } else {
        "ids become keyed hashes and are kept nowhere; raw rows are gone when the import ends"
    };
    let leaves = if held {
        "bounded for each person, noise drawn here, paid for in a ledger, masked, and let go by the officer one by one"
    } else {
        "bounded for each person, noise drawn here, paid for in a ledger, masked so that only a sum over hospitals opens"
    };
    vec![
        flow("the hospital's files", "hospital's systems → this node", ids),
        flow(
            "rows of a study",
            "this node's database → this node's memory",
            "never written elsewhere, never in a log",
        ),
        flow("one vector of noisy sums a release", "this node → coordinator", leaves),
        flow(
            "the opened sum over hospitals",
            "coordinator → recipients of the study",
            "opens over several hospitals together; totals of one hospital stand in it under noise made to hide a person",
        ),
        flow(
            "the opened sum over hospitals",
            "coordinator → the node of every hospital in the round",
            "kept there to verify it, signed by the coordinator; whoever operates the node, an employer, holds it whatever class the recipients are of",
        ),
        flow(
            "a person's own rows",
            "this node → that person, on request",
            "handed over by the steward; nothing about others in it",
        ),
    ]
}

/// The risks, and what is left of each.
pub fn risks(record: &Record) -> Vec<Risk> {
    let mut risks =
        vec![found_out(record), employer(record), pressure(record), pseudonyms(), wrong()];
    if record.data.iter().any(|data| data.about == BODY && data.is_read()) {
        risks.push(body(record));
    }
    risks.push(selective());
    risks
}

/// What [`super::Data::about`] says of signals.
pub const BODY: &str = "clinicians' bodies";
/// What it says of questionnaires that clinicians fill in.
pub const OWN_WORDS: &str = "clinicians, in their own words";

fn risk(whom: &'static str, what: &str, measures: &[&str], left: &str) -> Risk {
    let measures = measures.iter().map(|text| (*text).to_owned()).collect();
    Risk { whom, what: what.to_owned(), measures, left: left.to_owned() }
}

fn found_out(record: &Record) -> Risk {
    let budgets = record
        .budgets
        .iter()
        .map(|b| format!("ε {} at δ {:e} for one {}", b.epsilon, b.delta, b.one));
    let mut found = risk(
        "clinicians and patients",
        "Somebody who reads every result, and knows everyone else's data, finds out that a person is in the data, or \
         what they answered.",
        &[
            "Each person's part is cut to a fixed length, in whole numbers.",
            "Noise is drawn at this node, for the case that other hospitals conspire.",
            "Charges are written down before anything leaves, and nothing is refunded.",
            "A study with a cell of fewer than 10 clinicians or 25 encounters, or with one clinician above a quarter, is not \
             answered, unless the officer approved it with small cells accepted.",
        ],
        "What the budget allows. Choosing it is the hospital's decision, and the larger it is the less it promises.",
    );
    let accepted = record.studies.iter().filter(|s| s.small_cells_accepted);
    let accepted: Vec<&str> = accepted.map(|study| study.name.as_str()).collect();
    if !accepted.is_empty() {
        found.measures.push(format!(
            "Small cells are accepted, and answered, for {}: there the noise alone protects who is in one.",
            accepted.join(", ")
        ));
    }
    found.measures.push(format!(
        "Over everything ever answered: {}.",
        budgets.collect::<Vec<_>>().join("; ")
    ));
    found
}

fn employer(record: &Record) -> Risk {
    let classes = record.profile.recipients.join(", ");
    let mut found = risk(
        "clinicians",
        "The employer learns how its own staff are, from sums that were meant for research.",
        &[
            "No number about one clinician or one team leaves, in any profile; there is no export for it.",
            "What rests on clinicians' own words or bodies goes to no class of recipients that reaches employers.",
            "Who takes part leaves with nobody, and counts carry noise.",
        ],
        "A recipient may pass a report on. Aggregation and opt-in do not by themselves make it lawful to inform an employer.",
    );
    found.measures.push(format!("Recipients that the profile allows: {classes}."));
    found
}

fn pressure(record: &Record) -> Risk {
    let mut found = risk(
        "clinicians",
        "Somebody takes part since a superior expects it, or fears what a refusal looks like.",
        &[
            "Silence is a no where consent is required; a consent ends after 366 days.",
            "A refusal shows to nobody outside, and here only to whoever runs the node.",
            "Withdrawal erases the same day.",
        ],
        "Consent at work is rarely free. It is a safeguard here and not the legal basis.",
    );
    if record.consent.clinicians != "required" {
        found.measures.push(format!(
            "The rule for clinicians is `{}`: they are not asked first.",
            record.consent.clinicians
        ));
    }
    found
}

fn pseudonyms() -> Risk {
    risk(
        "clinicians and patients",
        "Whoever gets hold of the node's machine links rows to people.",
        &[
            "Ids stand in the database as keyed hashes; the key is a file of its own.",
            "Rows go after the times below, and what is erased is overwritten.",
            "Database and keys are readable by their owner alone.",
        ],
        "Database and key together say who is who. The disk has to be encrypted, and the key kept apart in backups.",
    )
}

fn wrong() -> Risk {
    risk(
        "clinicians",
        "A score is wrong, or is taken for a verdict on a person.",
        &[
            "A clinician may see, annotate, contest and exclude what is about them.",
            "Scores come from published questionnaires with their digest; nothing is imputed.",
            "No score may reach personnel, scheduling or pay; the program has no way out for it.",
        ],
        "A mean over few answers says little. Patients' ratings vary with case mix and culture.",
    )
}

fn body(record: &Record) -> Risk {
    let mut found = risk(
        "clinicians",
        "Signals of a body are read as feelings, or as burnout.",
        &[
            "They are plain numbers with their coverage, under no name of a feeling, and in no score unless a composite says so.",
            "Each person opts in by themselves, for that purpose alone.",
            "Two people signed the profile, and either takes it back at once.",
        ],
        "The European Union prohibits inferring emotions of people at work from biometric data. No body measure is reliably tied to burnout.",
    );
    found.measures.extend(
        record.profile.approval.iter().map(|approval| format!("Ethics approval: {approval}.")),
    );
    found
}

fn selective() -> Risk {
    risk(
        "those who rely on a result",
        "Clinicians exclude what speaks against them, and means come out too high.",
        &[
            "Each release carries, under noise, the mean share of encounters, or of answers about them, that clinicians excluded; the report bounds its effect.",
        ],
        "The bound holds for means over encounters. For answers it holds where these spread alike over encounters.",
    )
}

/// What counsel, the parties and the hospital have to settle.
pub fn open_points(record: &Record) -> Vec<String> {
    let mut points = Vec::new();
    let mut add = |condition: bool, point: &str| points.extend(condition.then(|| point.to_owned()));
    let profile = &record.profile;
    let reads = |about| record.data.iter().any(|data| data.about == about && data.is_read());
    add(
        profile.signed.is_empty(),
        "The profile in force is the built-in one: its legal bases are general. State the hospital's own, have them checked, and sign them.",
    );
    add(
        reads(BODY) || reads(OWN_WORDS),
        "Every hospital's node keeps the opened sum of each round, to verify it, also of studies whose recipients do not reach employers. Agree who may open the node's folder and its evidence, and keep both from management.",
    );
    add(
        record.data.iter().any(|data| data.kind == "faces" && data.is_read()),
        "Action units of clinicians' faces are held here. State why nothing less serves, that patients are not in the frame, and that nobody infers from them what a person feels (AI Act, Article 5(1)(f)).",
    );
    add(
        profile.agreement.is_none(),
        "No agreement with the representatives of staff is recorded. In many countries they must agree before such a system runs.",
    );
    add(
        record.contest_to.is_none(),
        "Nobody is named to look at what clinicians contest (`oversight.contest_to`).",
    );
    add(
        record.consent.clinicians == "by-mapping",
        "Clinicians are not asked for consent by this node: say on what the mapping decides who is in.",
    );
    add(
        record.federation.is_none(),
        "No roster is pinned: the other parties, and who is controller with whom, are not known yet.",
    );
    add(
        reads(OWN_WORDS),
        "Whether noisy sums of what clinicians report of themselves may reach any hospital's management, in each country of the federation.",
    );
    add(
        true,
        "Whether a score of engagement counts as monitoring of workers (AI Act, Annex III 4(b)), and from when.",
    );
    add(
        true,
        "Whether patients' ratings of a clinician are performance data under national labour law.",
    );
    add(true, "Whether the exemptions for research hold for this purpose, and what they demand.");
    add(
        true,
        "Who is controller, or joint controller, for a study over several hospitals, and under which agreement.",
    );
    add(
        reads(BODY),
        "Whether reading signals of employees' bodies is lawful here at all, whatever was signed.",
    );
    points
}
