//! Children whose cost is asked of the kernel when they end.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// What a whole process cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system, all threads.
    pub cpu: Duration,
    pub resident_max_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("could not start {program}")]
    Start {
        program: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{program} ended with {status}; the end of what it said ({}):\n{said}", log.display())]
    Ended { program: String, status: ExitStatus, log: PathBuf, said: String },
}

/// Runs a command to its end. What it says on stderr goes to `log`; stdout is given back.
pub fn run_child(command: &mut Command, log: &Path) -> Result<(String, Cost), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |cause| Failure::Start { program: program.clone(), cause };
    let out = log.with_extension("out");
    command.stdin(Stdio::null());
    command.stdout(File::create(&out).map_err(start)?).stderr(File::create(log).map_err(start)?);
    let child = command.spawn().map_err(start)?;
    let cost = finish(&program, &child, log)?;
    Ok((fs::read_to_string(&out).map_err(start)?, cost))
}

/// Asks a child to end, and waits until it has.
pub fn stop_child(child: Child, log: &Path) -> Result<Cost, Failure> {
    // SAFETY: sending a signal touches no memory of ours. The child has not been waited for, so its id is still its own.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
    finish("the server", &child, log)
}

/// Kills a child as a power cut does.
pub fn kill_child(mut child: Child, log: &Path) -> Result<Cost, Failure> {
    let program = || "the server".to_owned();
    let said = fs::read_to_string(log).unwrap_or_default();
    if let Ok(Some(status)) = child.try_wait() {
        return Err(Failure::Ended { program: program(), status, log: log.to_path_buf(), said });
    }
    child.kill().map_err(|cause| Failure::Start { program: program(), cause })?;
    Ok(wait(&child).1)
}

fn finish(program: &str, child: &Child, log: &Path) -> Result<Cost, Failure> {
    let (status, cost) = wait(child);
    if status.success() {
        return Ok(cost);
    }
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(4_000)..]).into_owned();
    Err(Failure::Ended { program: program.to_owned(), status, log: log.to_path_buf(), said })
}

/// Waits for a child and takes its usage with it, which `Child::wait` does not tell.
fn wait(child: &Child) -> (ExitStatus, Cost) {
    let mut status = 0;
    // SAFETY: a `rusage` of zeros is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both places are valid for the answers.
        let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
        if waited >= 0 {
            break;
        }
        let cause = std::io::Error::last_os_error();
        assert_eq!(cause.kind(), std::io::ErrorKind::Interrupted, "a child of ours can be waited for: {cause}");
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    let cost = Cost {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        resident_max_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
    };
    (ExitStatus::from_raw(status), cost)
}
