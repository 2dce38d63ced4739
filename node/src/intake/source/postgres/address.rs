//! Where the hospital's database is, and what is asked of the way there.
//!
//! A connection that leaves the machine is TLS with a certificate that was checked for the host's name;
//! one over loopback or a socket may do without. The password is taken from `PGPASSFILE`, `~/.pgpass` or
//! `PGPASSWORD`, so that neither a list of processes nor a shell's history shows it.
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt;
use std::net::IpAddr;
use tacit_shared::fault::Fault;

/// What an address may say after `?`.
const PARAMETERS: [&str; 5] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
/// Most schemas that are searched.
const SCHEMAS_MAX: usize = 16;
/// Longest name in `PostgreSQL`.
const NAME_BYTES_MAX: usize = 63;

/// A database of the hospital: its address, and the schemas with the tables.
#[derive(Clone)]
pub struct Database {
    url: String,
    schemas: Vec<String>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("schemas", &self.schemas.len()).finish_non_exhaustive()
    }
}

impl Database {
    /// A database at `postgres://USER@HOST:PORT/NAME`, or `postgres://USER@localhost/NAME?host=/folder/of/socket`, with
    /// optional `sslmode`, `sslrootcert`, `sslcert` and `sslkey`. Tables are looked for in `schemas`, in their
    /// order.
    ///
    /// # Errors
    /// A user's fault for a shape that is none, and for a password in the address: the address is not quoted.
    pub fn new(url: &str, schemas: &[String]) -> Result<Self, Fault> {
        check_shape(url)?;
        let named = |name: &&String| name.is_empty() || name.len() > NAME_BYTES_MAX;
        if schemas.iter().any(|name| named(&name)) || schemas.len() > SCHEMAS_MAX {
            let message = format!(
                "the schemas are not 1 to {SCHEMAS_MAX} names of 1 to {NAME_BYTES_MAX} bytes"
            );
            return Err(Fault::user(message).at("--schema").hint("as in --schema cdm,vocabulary"));
        }
        Ok(Self { url: url.to_owned(), schemas: schemas.to_vec() })
    }

    /// The schemas to search; none: what the database says.
    pub(super) fn schemas(&self) -> &[String] {
        &self.schemas
    }

    /// How to connect; and the host, port and database, for messages.
    pub(super) fn options(&self) -> Result<(PgConnectOptions, String), Fault> {
        let wrong = |_| shape();
        let options: PgConnectOptions = self.url.parse().map_err(wrong)?;
        let host = match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let name = options.get_database().unwrap_or_default();
        let place = format!("{host}:{}/{name}", options.get_port());
        let options = options
            .statement_cache_capacity(0) // a pooler between may not keep statements
            .disable_statement_logging();
        if is_near(&host) {
            return Ok((options, place));
        }
        let said = self.url.contains("sslmode=") || std::env::var_os("PGSSLMODE").is_some();
        match options.get_ssl_mode() {
            PgSslMode::VerifyFull | PgSslMode::VerifyCa => Ok((options, place)),
            _ if !said => Ok((options.ssl_mode(PgSslMode::VerifyFull), place)),
            _ => Err(Fault::user("the connection leaves this machine and its sslmode checks no certificate")
                .at(place)
                .hint("leave sslmode out, or say verify-full or verify-ca; sslrootcert=FILE names the authority")),
        }
    }
}

/// Whether the host is this machine: a socket's folder, or loopback.
fn is_near(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

fn shape() -> Fault {
    Fault::user("the address of the database is not postgres://USER@HOST:PORT/NAME")
        .at("--postgres")
        .hint("after ? may stand host=/FOLDER (of a socket), sslmode, sslrootcert, sslcert and sslkey")
}

fn check_shape(url: &str) -> Result<(), Fault> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let (address, parameters) =
        rest.ok_or_else(shape)?.split_once('?').unwrap_or((rest.unwrap_or_default(), ""));
    let (authority, name) = address.rsplit_once('/').ok_or_else(shape)?;
    let keys = parameters
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split('=').next().unwrap_or_default());
    let keys: Vec<&str> = keys.collect();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || keys.contains(&"password") {
        return Err(Fault::user("the address of the database holds a password, which every list of processes shows")
            .at("--postgres")
            .hint("write it into the file that PGPASSFILE names (host:port:database:user:password, readable by its owner alone)"));
    }
    if name.is_empty() || name.contains('#') || keys.iter().any(|key| !PARAMETERS.contains(key)) {
        return Err(shape());
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn database(url: &str) -> Result<Database, Fault> {
        Database::new(url, &[])
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for url in ["postgres://emr:s3cret@db/emr", "postgres://emr@db/emr?password=s3cret"] {
            let found = database(url).unwrap_err().to_string();
            assert_eq!(
                found,
                "the address of the database holds a password, which every list of processes shows\n  at:   \
                 --postgres\n  hint: write it into the file that PGPASSFILE names \
                 (host:port:database:user:password, readable by its owner alone)"
            );
        }
        for url in
            ["mysql://db/emr", "postgres://db", "postgres://db/", "postgres://db/emr?options=-c"]
        {
            let found = database(url).unwrap_err();
            assert_eq!(
                found.message, "the address of the database is not postgres://USER@HOST:PORT/NAME",
                "{url}"
            );
        }
        assert!(!format!("{:?}", database("postgres://emr@db/emr").unwrap()).contains("emr"));
        assert!(Database::new("postgres://db/emr", &[String::new()]).is_err());
    }

    #[test]
    fn a_way_out_of_the_machine_needs_a_checked_certificate() {
        let mode =
            |url: &str| database(url).unwrap().options().map(|(options, _)| options.get_ssl_mode());
        assert!(matches!(
            mode("postgres://emr@db.hospital:5432/emr").unwrap(),
            PgSslMode::VerifyFull
        ));
        assert!(matches!(
            mode("postgres://emr@10.0.0.9/emr?sslmode=verify-ca").unwrap(),
            PgSslMode::VerifyCa
        ));
        for weak in ["disable", "prefer", "require"] {
            let found =
                mode(&format!("postgres://emr@db.hospital/emr?sslmode={weak}")).unwrap_err();
            assert_eq!(
                found.to_string(),
                "the connection leaves this machine and its sslmode checks no certificate\n  at:   \
                 db.hospital:5432/emr\n  hint: leave sslmode out, or say verify-full or verify-ca; sslrootcert=FILE \
                 names the authority"
            );
        }
        for near in ["localhost", "127.0.0.1", "[::1]"] {
            let url = format!("postgres://emr@{near}/emr?sslmode=disable&host=/tmp");
            assert!(mode(&url).is_ok(), "{near}");
        }
    }
}
