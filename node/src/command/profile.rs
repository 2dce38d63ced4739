//! `tacit-node profile`: which profile is in force, and the two signatures that put another one in force.
//!
//! Showing decides nothing. A signature takes the digest, typed by a person who read the document, and the key of
//! that person. What the signatures mean is [`crate::office::profile`]'s.
use super::approve::read;
use super::officer::key_file;
use super::retain::look_again;
use crate::config::Config;
use crate::link::session::unix_now;
use crate::measure::standing as cells;
use crate::office::profile::{InForce, Role, Said};
use crate::store::{self, Store, officer, profile};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, to_hex};
use tacit_shared::study::profile::document::Document;
use time::OffsetDateTime;

/// Arguments of `profile`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProfileArgs {
    /// What to do
    #[command(subcommand)]
    pub what: ProfileCommand,
}

/// The commands about profiles.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ProfileCommand {
    /// Show the profile in force, who signed it, and what was refused under it
    Show(ShowArgs),
    /// Check a document and say what it allows and whose signatures it needs
    Check(CheckArgs),
    /// Make the staff representative's key and pin it
    Key(KeyArgs),
    /// Sign a document; a wider one is in force once two people did
    Sign(SignArgs),
    /// Take a signature back: the document is in force no more
    TakeBack(TakeBackArgs),
}

/// Arguments of `profile show`.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
}

/// Arguments of `profile check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The document
    pub file: PathBuf,
}

/// Arguments of `profile key`.
#[derive(Clone, Debug, clap::Args)]
pub struct KeyArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// File for the key: kept by the representative, not in the node's folder
    #[arg(long)]
    pub key: PathBuf,
    /// Pin the new key in place of the one pinned before; every profile has to be signed again
    #[arg(long)]
    pub replace: bool,
}

/// Arguments of `profile sign`.
#[derive(Clone, Debug, clap::Args)]
pub struct SignArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The document
    pub file: PathBuf,
    /// Who signs
    #[arg(long = "as", value_enum)]
    pub role: Role,
    /// Its digest, as both people read it; without it, nothing is signed
    #[arg(long)]
    pub digest: Option<Digest>,
    /// The key that signs; for the officer `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Arguments of `profile take-back`.
#[derive(Clone, Debug, clap::Args)]
pub struct TakeBackArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Digest of the document
    pub digest: Digest,
    /// Whose signature
    #[arg(long = "as", value_enum)]
    pub role: Role,
    /// The key that signs; for the officer `officer.p8` in the folder if not given
    #[arg(long)]
    pub key: Option<PathBuf>,
}

/// Shows, signs or takes back.
///
/// # Errors
/// A fault of the document, the key or the folder: then nothing is signed.
pub async fn run(args: &ProfileArgs) -> Result<String, Fault> {
    match &args.what {
        ProfileCommand::Show(args) => show(args).await,
        ProfileCommand::Check(args) => {
            let (document, _) = open_document(&args.file)?;
            Ok(about(&document))
        }
        ProfileCommand::Key(args) => make_key(args).await,
        ProfileCommand::Sign(args) => sign(args).await,
        ProfileCommand::TakeBack(args) => take_back(args).await,
    }
}

/// The document in force at a node, or, without a database, the built-in one.
///
/// # Errors
/// A fault of the folder or the database.
pub(super) async fn of_folder(dir: Option<&Path>) -> Result<Document, Fault> {
    match dir.map(|dir| dir.join(store::FILE)) {
        Some(file) if file.is_file() => {
            let store = Store::open(&file).await?;
            let found = profile::now(&store, unix_now()).await;
            store.close().await;
            Ok(found?.document)
        }
        _ => Document::built_in().map_err(|e| Fault::bug(e.to_string())),
    }
}

async fn show(args: &ShowArgs) -> Result<String, Fault> {
    let store = open(&args.dir).await?;
    let in_force = profile::now(&store, unix_now()).await?;
    let pinned = profile::pinned(&store).await?;
    let refusals = profile::refusals(&store).await?;
    let pins = [
        (Role::Officer, officer::pins(&store).await?),
        (Role::StaffRepresentative, profile::pins(&store).await?),
    ];
    store.close().await;
    let mut page = format!("In force\n{}\n", about(&in_force.document));
    page.push_str(&signatures(&in_force));
    for role in [Role::Officer, Role::StaffRepresentative] {
        let key = pinned.of(role).map_or("none is pinned".to_owned(), |key| to_hex(key.as_bytes()));
        let _ = write!(page, "\n  key of the {role}: {key}"); // a String
    }
    // Whoever put a key of their own in another's place is seen here.
    for (role, pins) in pins {
        for (key, at_s) in pins {
            let _ = write!(page, "\n  pinned for the {role} on {}: {}", day(at_s), to_hex(&key.0)); // a String
        }
    }
    if let Some(why) = &in_force.falls_short {
        let _ = write!(page, "\nSigned last, but not in force: {why}");
    }
    if !refusals.is_empty() {
        page.push_str("\nRefused so far");
    }
    for refusal in refusals {
        let (last, times) = (day(refusal.last_unix_s), refusal.times);
        let _ = write!(page, "\n  {last}, {times} times: {}", refusal.why);
    }
    Ok(page)
}

fn signatures(in_force: &InForce) -> String {
    if in_force.signed.is_empty() {
        return "  signed by  nobody: it is built in".to_owned();
    }
    let by =
        |word: &crate::office::profile::Word| format!("{} on {}", word.role, day(word.at_unix_s));
    let all: Vec<String> = in_force.signed.iter().map(by).collect();
    format!("  signed by  {}", all.join("; "))
}

/// What a document says, and whose signatures it needs.
fn about(document: &Document) -> String {
    let list = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(", ");
    let keep = document.keep();
    let mut lines = vec![
        format!(
            "Profile {}, version {}: {}",
            document.kind(),
            document.version(),
            document.title()
        ),
        format!("  purposes   {}", list(&mut document.purposes().iter().map(ToString::to_string))),
    ];
    lines.extend(document.legal().basis.iter().map(|basis| format!("  basis      {basis}")));
    let agreement = document.legal().agreement.as_deref().unwrap_or("none is recorded");
    lines.push(format!("  agreement  {agreement}"));
    lines.extend(document.approval().map(|a| format!("  approval   {}, {}", a.id, a.board)));
    lines.push(format!(
        "  data       {}",
        list(&mut document.modalities().iter().map(ToString::to_string))
    ));
    lines.push(format!(
        "  recipients {}",
        list(&mut document.recipients().iter().map(ToString::to_string))
    ));
    lines.push(format!(
        "  kept       encounters {} days, answers {}, features {}",
        keep.encounters, keep.answers, keep.features
    ));
    lines.push(
        document
            .ends()
            .map_or("  ends       never".to_owned(), |day| format!("  ends       after {day}")),
    );
    let needs = if document.is_wider() {
        "wider than what is built in: in force once the officer and the staff representative signed it"
    } else {
        "within what is built in: the officer's signature is enough"
    };
    lines.push(format!("  needs      {needs}"));
    lines.push(format!("  digest     {}", document.digest()));
    lines.join("\n")
}

async fn make_key(args: &KeyArgs) -> Result<String, Fault> {
    let store = open(&args.dir).await?;
    if !args.replace && profile::pinned(&store).await?.representative.is_some() {
        return Err(Fault::user("a key of the staff representative is pinned here already")
            .hint("`--replace` pins a new one, in a file of its own; every profile has to be signed again"));
    }
    kept_elsewhere(&args.dir, &args.key)?;
    let key = officer::create_key(&args.key)?.verifying_key();
    profile::pin(&store, &key, unix_now()).await?;
    store.close().await;
    Ok(format!(
        "The staff representative's key is {}; whom the clinicians chose keeps it, and nobody else.\n\
         Its public half is pinned:\n  {}",
        args.key.display(),
        to_hex(key.as_bytes())
    ))
}

async fn sign(args: &SignArgs) -> Result<String, Fault> {
    let (document, text) = open_document(&args.file)?;
    let origin = args.file.display().to_string();
    let mut page = about(&document);
    let digest = document.digest();
    match args.digest {
        None => {
            let (dir, role) = (args.dir.display(), args.role);
            let _ = write!(
                page,
                "\nNothing was signed. To sign:\n  tacit-node profile sign --dir {dir} --as {role} {origin} --digest {digest}"
            );
            return Ok(page);
        }
        Some(given) if given != digest => {
            let message = format!("the document's digest is {digest}, not {given}");
            return Err(Fault::user(message)
                .at(&origin)
                .hint("it differs from the one that was agreed on; nothing was signed"));
        }
        Some(_) => {}
    }
    filled_in(&document).map_err(|fault| fault.at(&origin))?;
    let key = officer::read_key(&key_of(&args.dir, args.role, args.key.as_deref())?)?;
    let store = open(&args.dir).await?;
    let given = (args.role, Said::Given);
    cells::suspend_all(&store).await?;
    profile::say(&store, &key, (&document, &text), given, unix_now()).await?;
    let in_force = profile::now(&store, unix_now()).await?;
    let stays_away = look(&store, &args.dir).await;
    store.close().await;
    page.push_str("\nSigned. ");
    page.push_str(&standing(&in_force, digest));
    page.push_str(&stays_away?);
    Ok(page)
}

async fn take_back(args: &TakeBackArgs) -> Result<String, Fault> {
    let key = officer::read_key(&key_of(&args.dir, args.role, args.key.as_deref())?)?;
    let store = open(&args.dir).await?;
    let text = profile::text(&store, args.digest).await?;
    let document = Document::parse(&text).map_err(|e| e.into_fault("a signed profile"))?;
    let back = (args.role, Said::TakenBack);
    cells::suspend_all(&store).await?;
    profile::say(&store, &key, (&document, &text), back, unix_now()).await?;
    let in_force = profile::now(&store, unix_now()).await?;
    let stays_away = look(&store, &args.dir).await;
    store.close().await;
    let now = standing(&in_force, args.digest);
    Ok(format!("The signature is taken back. {now}{}", stays_away?))
}

/// Looks at the cells of approved studies: under another profile other rows are read.
async fn look(store: &Store, dir: &Path) -> Result<String, Fault> {
    let now_us = unix_now().saturating_mul(1_000_000);
    look_again(store, dir, &Config::open(dir)?, now_us).await
}

fn standing(in_force: &InForce, digest: Digest) -> String {
    let document = &in_force.document;
    if document.digest() == digest {
        return "It is in force from now on.".to_owned();
    }
    let why = in_force.falls_short.as_ref().map_or(String::new(), |why| format!(": {why}"));
    format!("In force is profile `{}`, version {}{why}.", document.kind(), document.version())
}

/// Holds that nobody signs the example as it was shipped.
fn filled_in(document: &Document) -> Result<(), Fault> {
    let approval =
        document.approval().map(|approval| [approval.id.as_str(), approval.board.as_str()]);
    let mut texts = approval.iter().flatten().copied().chain(document.legal().agreement.as_deref());
    if texts.any(|text| text.starts_with("YOUR ")) {
        return Err(Fault::user("the document still has the words of the example").hint(
            "write the reference of your approval and of your agreement where it says YOUR",
        ));
    }
    Ok(())
}

fn key_of(dir: &Path, role: Role, key: Option<&Path>) -> Result<PathBuf, Fault> {
    match (role, key) {
        (Role::StaffRepresentative, Some(key)) => {
            kept_elsewhere(dir, key)?;
            Ok(key.to_path_buf())
        }
        (Role::Officer, Some(key)) => Ok(key.to_path_buf()),
        (Role::Officer, None) => Ok(key_file(dir, None)),
        (Role::StaffRepresentative, None) => {
            Err(Fault::user("the staff representative's key is not named")
                .hint("`--key FILE` names it; `tacit-node profile key` makes one"))
        }
    }
}

/// Holds that the representative's key is no file in the node's folder: whoever runs the node would sign with both keys.
fn kept_elsewhere(dir: &Path, key: &Path) -> Result<(), Fault> {
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|e| {
            Fault::operator(format!("cannot be read: {e}")).at(path.display().to_string())
        })
    };
    // The file itself may be a link, or not be there yet.
    let folder = match key.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let target = if key.exists() { real(key)? } else { real(folder)? };
    let dir = real(dir)?;
    if target.starts_with(&dir) || real(folder)?.starts_with(&dir) {
        return Err(Fault::user("the staff representative's key lies in the node's folder")
            .at(key.display().to_string())
            .hint("whom the clinicians chose keeps it, on a medium that whoever runs the node cannot read"));
    }
    Ok(())
}

fn open_document(file: &Path) -> Result<(Document, String), Fault> {
    let (text, origin) = read(file)?;
    let document = Document::parse(&text).map_err(|e| e.into_fault(&origin))?;
    Ok((document, text))
}

async fn open(dir: &Path) -> Result<Store, Fault> {
    // Settings first: a folder without them is no node's, and no database is made in it.
    Config::open(dir)?;
    Store::open(&dir.join(store::FILE)).await
}

fn day(unix_s: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix_s)
        .map_or_else(|_| "an impossible day".to_owned(), |at| at.date().to_string())
}
