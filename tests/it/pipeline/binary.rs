//! The real binary on projects in folders of their own.
//!
//! ```text
//!   Folder/project/   dbt_project.yml, livemart.yml, models/, event files      Folder/*.log   what the processes said
//! ```
//!
//! 1. A process that does not end in time is killed, and the test says what it had said until then.
//! 2. The surroundings (profiles in the home folder, DBT_ variables) are kept away.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a command that ends by itself may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);
/// How long anything that is waited for may take to come.
pub const WAIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `met` gives something; says what was awaited when it does not come.
pub fn await_that<T>(what: &str, mut met: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = met() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", WAIT.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// A project in a temporary folder, which goes with the value, unless the test fails.
pub struct Folder {
    base: PathBuf,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("livemart-it-{name}-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&base); // what an earlier process of the same id has left
        fs::create_dir_all(base.join("project")).expect("a folder for the project");
        Folder { base }
    }

    /// A file of the project.
    pub fn path(&self, file: &str) -> PathBuf {
        self.base.join("project").join(file)
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(&path, text).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    }

    /// Writes another text into a file in place of `old`, which must be there.
    pub fn replace(&self, file: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(file)).expect("the file is there");
        assert!(text.contains(old), "{file} has no {old:?}");
        self.write(file, &text.replace(old, new));
    }

    pub fn append(&self, file: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(file)).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_livemart"));
        command.args(args).current_dir(self.base.join("project")).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("DBT_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.env("HOME", &self.base);
        command
    }

    /// Runs a command to its end.
    pub fn livemart(&self, args: &[&str]) -> Answer {
        let number = OUTPUTS.fetch_add(1, Ordering::Relaxed);
        let (out, err) = (self.base.join(format!("{number}.out.log")), self.base.join(format!("{number}.err.log")));
        let mut command = self.command(args);
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
        let mut child = command.spawn().expect("the binary starts");
        let status = end_of(&mut child, COMMAND_MAX);
        let text = |path: &Path| fs::read_to_string(path).expect("text");
        let answer = Answer { code: status.and_then(|s| s.code()).unwrap_or(-1), out: text(&out), err: text(&err) };
        assert!(status.is_some(), "livemart {args:?} did not end: {answer:#?}");
        answer
    }

    /// Starts `livemart serve` on a free port.
    pub fn serve(&self, args: &[&str]) -> Live {
        let number = OUTPUTS.fetch_add(1, Ordering::Relaxed);
        let log = self.base.join(format!("{number}.serve.log"));
        let mut command = self.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        command.stdout(Stdio::null()).stderr(File::create(&log).expect("a file"));
        Live { child: command.spawn().expect("the binary starts"), log }
    }
}

static OUTPUTS: AtomicU64 = AtomicU64::new(0);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the project is kept: {}", self.base.display());
        } else {
            let _ = fs::remove_dir_all(&self.base); // what stays in the temporary folder does no harm
        }
    }
}

/// A running `serve`.
pub struct Live {
    child: Child,
    log: PathBuf,
}

impl Live {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Status and body of a page.
    pub fn get(&mut self, page: &str) -> (u16, String) {
        let address = await_that("serve tells its address", || {
            let said = self.said();
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("serve ended with {status}: {said}");
            }
            let (_, rest) = said.split_once("Metrics and health on http://")?;
            Some(rest.split_once('/')?.0.to_owned())
        });
        let mut stream = TcpStream::connect(&address).expect("the address that serve tells answers");
        write!(stream, "GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// Waits until /readyz answers 200.
    pub fn await_ready(&mut self) {
        await_that("/readyz answers 200", || (self.get("/readyz").0 == 200).then_some(()));
    }

    /// The exit code, when it has ended.
    pub fn try_wait(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().expect("a process of ours").map(|status| status.code())
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: kill has no preconditions; the process has not been waited for, so its id is still its own.
        assert_eq!(unsafe { libc::kill(self.pid() as libc::pid_t, signal) }, 0);
    }

    /// SIGKILL: no chance to say farewell.
    pub fn kill(mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("a process of ours");
    }

    /// SIGTERM; gives the exit code and what was said.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        // SAFETY: kill has no preconditions; the process has not been waited for, so its id is still its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) }, 0);
        let status = end_of(&mut self.child, WAIT);
        let said = self.said();
        (status.unwrap_or_else(|| panic!("serve did not drain: {said}")).code(), said)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let said = self.said();
            let from = said.len().saturating_sub(4_000);
            let from = (from..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
            eprintln!("serve {} said at last:\n{}", self.child.id(), &said[from..]);
        }
    }
}

/// None, and the process killed, when it does not end in time.
fn end_of(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            return Some(status);
        }
        std::thread::sleep(PAUSE);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
