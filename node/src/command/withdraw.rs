//! `tacit-node withdraw`: a person withdraws; what is held of them is erased the same day.
use super::retain::look_again;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::standing;
use crate::store::consent::Purpose;
use crate::store::pseudonym::{Kind, Pseudonyms};
use crate::store::{self, Store, withdraw};
use std::fmt;
use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::str::FromStr;
use tacit_shared::fault::Fault;

/// Longest id, in characters; the same as for a mapping.
const ID_LENGTH_MAX: usize = 200;

/// Arguments of `withdraw`.
#[derive(Clone, Debug, clap::Args)]
pub struct WithdrawArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The person's id, as the hospital's files have it; `-` reads it from the standard input, so that it
    /// stands in no history of commands
    #[arg(long)]
    pub id: Id,
    /// The person is a patient; otherwise a clinician
    #[arg(long)]
    pub patient: bool,
    /// What is withdrawn; without it, everything
    #[arg(long, value_enum)]
    pub purpose: Option<Purpose>,
}

/// An id of the hospital. It is hashed, never kept and never shown.
#[derive(Clone)]
pub struct Id(String);

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({} characters)", self.0.chars().count())
    }
}

impl FromStr for Id {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if !(1..=ID_LENGTH_MAX).contains(&length) {
            return Err(format!("{length} characters; expected 1 to {ID_LENGTH_MAX}"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Id {
    /// The id; read from the standard input if it is `-`.
    ///
    /// # Errors
    /// A user's fault if what is there is no id.
    pub(super) fn given(&self) -> Result<Self, Fault> {
        if self.0 != "-" {
            return Ok(self.clone());
        }
        let mut line = String::new();
        let limit = 4 * ID_LENGTH_MAX as u64 + 2;
        let read = std::io::stdin().lock().take(limit).read_line(&mut line);
        read.map_err(|_| Fault::user("the standard input has no line of text"))?;
        line.trim_end_matches(['\r', '\n'])
            .parse()
            .map_err(|e: String| Fault::user(format!("the id on the standard input has {e}")))
    }

    /// Its key.
    pub(super) fn key(&self, pseudonyms: &Pseudonyms, kind: Kind) -> store::pseudonym::Key {
        pseudonyms.key(kind, &self.0)
    }
}

/// Records the withdrawal and erases; the text counts what was erased.
///
/// # Errors
/// A fault of the folder or the database: then nothing is recorded.
pub async fn run(args: &WithdrawArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let id = args.id.given()?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    pseudonyms.bind(&store).await?;
    let kind = if args.patient { Kind::Patient } else { Kind::Person };
    let key = id.key(&pseudonyms, kind);
    let one = args.purpose.map(|purpose| [purpose]);
    let purposes: &[Purpose] = one.as_ref().map_or(&Purpose::ALL, |one| one);
    standing::suspend_all(&store).await?;
    let now_us = unix_now().saturating_mul(1_000_000);
    let erased = withdraw::withdraw(&store, (kind, &key), purposes, now_us).await;
    let stays_away = look_again(&store, &args.dir, &config, now_us).await;
    store.close().await;
    let erased = erased?;
    let who = if args.patient { "patient" } else { "clinician" };
    let words: Vec<&str> = purposes.iter().map(|purpose| purpose.word()).collect();
    let mut page = format!("The {who} withdrew: {}. Erased:\n{erased}", words.join(", "));
    if erased.rows().is_empty() {
        page.push_str(
            "\nIf rows of theirs were imported, the id differs from the one in the files: try it as it stands there.",
        );
    }
    page.push_str(
        "\nImports leave them out from now on. What left before cannot be recalled; later rounds are without them.",
    );
    page.push_str(&stays_away?);
    Ok(page)
}
