//! `[budget]`: what one clinician, and one patient, may lose at this site.
use serde::{Deserialize, Serialize};
use tacit_shared::fault::Fault;
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::Budgets;
use tacit_shared::units::{Delta, Epsilon};

/// Above these a budget promises nothing.
const EPSILON_MAX: f64 = 200.0;
const DELTA_MAX: f64 = 1e-3;

/// What one person of a kind may lose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) epsilon: f64,
    pub(super) delta: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accounts {
    pub(super) clinician: Account,
    pub(super) patient: Account,
}

/// Over everything this site ever answers and, where written, over one study and one calendar year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spending {
    pub(super) clinician: Account,
    pub(super) patient: Account,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) study: Option<Accounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) year: Option<Accounts>,
}

/// Both budgets of the part `key` of the file.
pub(super) fn budgets(key: &str, accounts: &Accounts) -> Result<Budgets, Fault> {
    let budget = |who: &str, account: Account| {
        if account.epsilon > EPSILON_MAX || account.delta > DELTA_MAX {
            let message = format!(
                "`{key}.{who}`: ε {} at δ {}; expected at most {EPSILON_MAX} and {DELTA_MAX}",
                account.epsilon, account.delta
            );
            return Err(Fault::operator(message).hint(
                "beyond that a budget promises nothing; δ is best below 1 in 10 times the persons",
            ));
        }
        let budget = Epsilon::new(account.epsilon)
            .map_err(|e| e.to_string())
            .and_then(|e| Ok((e, Delta::new(account.delta).map_err(|e| e.to_string())?)))
            .and_then(|(e, d)| Budget::new(e, d).map_err(|e| e.to_string()));
        budget.map_err(|e| Fault::operator(format!("`{key}.{who}`: {e}")))
    };
    Ok(Budgets {
        clinician: budget("clinician", accounts.clinician)?,
        patient: budget("patient", accounts.patient)?,
    })
}
