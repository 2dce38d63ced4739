//! The two programs as child processes, as people start them.
//!
//! [`Programs`] has them built (which is nothing to do when they are fresh) and linked into a folder of
//! the test's own, so that a later build does not change them under it. What was started ends with its
//! owner: a [`Running`] kills its whole process group when it is dropped.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tacit_shared::fault::Fault;

/// How often a child is asked whether it ended.
const POLL: Duration = Duration::from_millis(10);
/// The programs, by the names of their binaries.
const NAMES: [&str; 2] = ["tacit-node", "tacit-coordinator"];

/// `tacit-node` and `tacit-coordinator`, built and in one folder.
#[derive(Debug)]
pub struct Programs {
    dir: PathBuf,
}

/// A child process, its output on its way into files.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    files: [PathBuf; 2],
    ended: bool,
}

/// How a child process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged, and its error.
    pub stderr: String,
}

impl Programs {
    /// Has the programs built once for this process, and links them into `dir`, which is made.
    ///
    /// # Errors
    /// A fault if they do not build or cannot be linked.
    pub fn in_folder(dir: &Path) -> Result<Self, Fault> {
        static BUILT: OnceLock<Result<PathBuf, Fault>> = OnceLock::new();
        let built = BUILT.get_or_init(build).clone()?;
        std::fs::create_dir_all(dir).map_err(|e| wrong(dir, &e))?;
        for name in NAMES {
            let (from, to) = (built.join(name), dir.join(name));
            // Another file system takes no link: then a copy.
            std::fs::hard_link(&from, &to)
                .or_else(|_| std::fs::copy(&from, &to).map(drop))
                .map_err(|e| wrong(&from, &e))?;
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The folder, for a `PATH`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command of the node.
    pub fn node(&self) -> Command {
        Command::new(self.dir.join("tacit-node"))
    }

    /// A command of the coordinator.
    pub fn coordinator(&self) -> Command {
        Command::new(self.dir.join("tacit-coordinator"))
    }
}

impl Running {
    /// Starts a command; what it writes lands in `dir`, under `name`.
    ///
    /// # Errors
    /// A fault if it cannot be started.
    pub fn start(command: &mut Command, dir: &Path, name: &str) -> Result<Self, Fault> {
        let files = ["out", "err"].map(|kind| dir.join(format!("{name}.{kind}")));
        let [out, err] = &files;
        let make = |path: &PathBuf| File::create(path).map_err(|e| wrong(path, &e));
        command.stdin(Stdio::null()).stdout(make(out)?).stderr(make(err)?);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn().map_err(|e| Fault::operator(format!("{name}: {e}")))?;
        Ok(Self { child, name: name.to_owned(), files, ended: false })
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// A fault with what it wrote if `patience` is over; then it is killed.
    pub fn wait(mut self, patience: Duration) -> Result<Ended, Fault> {
        let started = Instant::now();
        loop {
            let status = self.child.try_wait();
            match status.map_err(|e| Fault::operator(format!("{}: {e}", self.name)))? {
                Some(status) => {
                    self.ended = true;
                    return Ok(self.written(status.code()));
                }
                None if started.elapsed() > patience => {
                    let Ended { stdout, stderr, .. } = self.written(None);
                    let message = format!("{} did not end in time", self.name);
                    return Err(Fault::operator(format!("{message}\n{stdout}\n{stderr}")));
                }
                None => std::thread::sleep(POLL),
            }
        }
    }

    /// Ends it as a power cut would (SIGKILL), with everything it started.
    ///
    /// # Errors
    /// A fault if it had ended by itself before.
    pub fn kill(mut self) -> Result<Ended, Fault> {
        let status = self.child.try_wait().map_err(|e| Fault::operator(e.to_string()))?;
        if let Some(status) = status {
            self.ended = true;
            let Ended { stdout, stderr, .. } = self.written(None);
            let message = format!("{} ended by itself before, {status}", self.name);
            return Err(Fault::operator(format!("{message}\n{stdout}\n{stderr}")));
        }
        self.end();
        Ok(self.written(None))
    }

    fn end(&mut self) {
        self.ended = true;
        #[cfg(unix)]
        {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status(); // the child follows
        }
        let _ = self.child.kill(); // gone already is as good
        let _ = self.child.wait();
    }

    fn written(&self, code: Option<i32>) -> Ended {
        let read = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let [out, err] = &self.files;
        Ended { code, stdout: read(out), stderr: read(err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.end();
        }
    }
}

/// Builds into the folder that the running test was built into, by its profile.
fn build() -> Result<PathBuf, Fault> {
    let exe = std::env::current_exe().map_err(|e| Fault::operator(e.to_string()))?;
    let no_place = || Fault::operator("not run from a target folder").at(exe.display().to_string());
    // target/PROFILE/deps/NAME
    let profile = exe.parent().and_then(Path::parent).ok_or_else(no_place)?;
    let target = profile.parent().ok_or_else(no_place)?;
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => return Err(no_place()),
    };
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells a test about its package would make build scripts run again.
    for (key, _) in std::env::vars_os() {
        let known = key.to_str().unwrap_or_default();
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if told.iter().any(|start| known.starts_with(start)) || known == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(&key);
        }
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--profile", name, "--target-dir"])
        .arg(target)
        .args(NAMES.iter().flat_map(|name| ["-p", name]))
        .output()
        .map_err(|e| Fault::operator(format!("cargo: {e}")))?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(Fault::operator(format!("the programs do not build:\n{said}")));
    }
    Ok(profile.to_owned())
}

fn wrong(path: &Path, error: &std::io::Error) -> Fault {
    Fault::operator(error.to_string()).at(path.display().to_string())
}
