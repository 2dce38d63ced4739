//! A `PostgreSQL` of the test's own: in a folder that vanishes, on a Unix socket, stopped at the end.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running server.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    bin: PathBuf,
    account: Option<u32>,
}

impl Server {
    /// Starts one, or prints why there is none: the programs are not installed, or they refuse this account.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            eprintln!("ignored: no PostgreSQL is installed here");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        // The programs refuse to run as root: then as the account that the package made, or as nobody.
        let root = std::fs::metadata("/proc/self").ok().is_some_and(|found| owner(&found) == 0);
        let account = root.then(|| account("postgres").or_else(|| account("nobody"))).flatten();
        let server = Self { dir, bin, account };
        if let Some(account) = account {
            give(server.dir.path(), account);
        }
        let data = server.dir.path().join("data");
        let made = server
            .run("initdb")
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=emr"])
            .arg("--pgdata")
            .arg(&data)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("ignored: initdb does not run here");
            return None;
        }
        let options =
            format!("-c listen_addresses= -c fsync=off -k {}", server.dir.path().display());
        let started = server
            .run("pg_ctl")
            .args(["start", "--wait", "--silent", "--options", &options, "--log", "/dev/null"])
            .arg("--pgdata")
            .arg(&data)
            .status();
        assert!(started.unwrap().success(), "the server did not start");
        Some(server)
    }

    /// The address of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://emr@localhost/postgres?host={}", self.dir.path().display())
    }

    fn run(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(self.dir.path());
        #[cfg(unix)]
        if let Some(account) = self.account {
            use std::os::unix::process::CommandExt as _;
            command.uid(account).gid(account);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        let _ = self
            .run("pg_ctl")
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(data)
            .status();
    }
}

/// The folder with `initdb`: on the path, or where Debian and Red Hat put it.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for parent in ["/usr/lib/postgresql", "/usr"] {
        let versions = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// The number of an account of this machine.
fn account(name: &str) -> Option<u32> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(unix)]
fn owner(found: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    found.uid()
}

#[cfg(not(unix))]
fn owner(_: &std::fs::Metadata) -> u32 {
    1
}

#[cfg(unix)]
fn give(dir: &Path, account: u32) {
    std::os::unix::fs::chown(dir, Some(account), None).unwrap();
}

#[cfg(not(unix))]
fn give(_: &Path, _: u32) {}
