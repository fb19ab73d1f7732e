//! A PostgreSQL server of a test's own, which may be stopped, killed and started again. Its programs are those of the server
//! in LIVEMART_TEST_POSTGRES, which is asked where it has them.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct OwnServer {
    folder: PathBuf,
    programs: PathBuf,
    pub port: u16,
    /// PostgreSQL refuses to run as root: then it runs as the user `postgres`.
    user: Option<u32>,
    postmaster: Option<Child>,
}

impl OwnServer {
    /// A new cluster that runs; `settings` are lines of postgresql.conf.
    pub fn start(name: &str, settings: &str) -> OwnServer {
        let mut server = OwnServer::create(name);
        server.set(settings);
        server.up();
        server
    }

    /// A new cluster that does not run yet.
    pub fn create(name: &str) -> OwnServer {
        let programs = PathBuf::from(programs());
        let folder = std::env::temp_dir().join(format!("livemart-own-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let user = id(&["-u"]).filter(|id| *id == 0).map(|_| id(&["-u", "postgres"]).expect("a user postgres"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let server = OwnServer { folder, programs, port, user, postmaster: None };
        server.own(&server.folder);
        let made = server
            .program("initdb")
            .args(["-D", &server.data().display().to_string(), "-U", "postgres", "--auth=trust", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "--no-sync"])
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.set(&format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\ntimezone = 'UTC'\nfsync = off"
        ));
        server
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Adds lines to postgresql.conf, for the next start.
    pub fn set(&self, settings: &str) {
        let path = self.data().join("postgresql.conf");
        let before = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, format!("{before}\n{settings}\n")).expect("written");
    }

    /// Writes a file that the server may read and nobody else.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.data().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
        self.own(&path);
        path
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts the server and waits until it listens.
    pub fn up(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let mut program = self.program("postgres");
        program.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(log);
        self.postmaster = Some(program.spawn().expect("postgres runs"));
        let waiting = Instant::now();
        while !self
            .program("pg_isready")
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status()
            .expect("pg_isready")
            .success()
        {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(waiting.elapsed() < Duration::from_secs(60), "the server does not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGINT is the fast shutdown, SIGQUIT the immediate one, which leaves a crash to recover from.
    pub fn down(&mut self, signal: i32) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        // SAFETY: the process is our own child and has not been waited for.
        unsafe { libc::kill(postmaster.id() as i32, signal) };
        postmaster.wait().expect("it ends");
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir("/");
        if let Some(user) = self.user {
            command.uid(user);
        }
        command
    }

    fn own(&self, path: &Path) {
        if let Some(user) = self.user {
            std::os::unix::fs::chown(path, Some(user), None).expect("the server owns its files");
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.down(libc::SIGQUIT);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn programs() -> String {
    super::postgres_sink::Client::new().one("select setting from pg_config where name = 'BINDIR'")
}
