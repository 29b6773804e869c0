//! A throw-away `PostgreSQL`: made for this run, on loopback, gone with it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

struct Cluster {
    address: String,
    /// Its standard input is a pipe that we hold: when this process ends, however it ends, the server stops.
    _server: Child,
    _folder: tempfile::TempDir,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static COUNT: AtomicU32 = AtomicU32::new(0);

fn tools() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is not installed: run tests/run, which installs it")
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("no initdb under /usr/lib/postgresql: run tests/run")
}

fn is_root() -> bool {
    let out = Command::new("id").arg("-u").output().unwrap();
    out.stdout.starts_with(b"0")
}

/// `initdb` and `postgres` refuse root; then they run as the user `postgres`.
fn command(program: &str) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    }
}

#[expect(clippy::zombie_processes, reason = "the server ends when our end of its pipe closes")]
fn start() -> Cluster {
    let folder = tempfile::Builder::new().prefix("lyhord-pg").tempdir().unwrap();
    let data = folder.path().join("data");
    if is_root() {
        assert!(Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap().success());
    }
    let tools = tools();
    let made = command(&tools.join("initdb").to_string_lossy())
        .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=lyhord", "-D"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "initdb");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!(
        "{} -D '{}' -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=200 \
         -c full_page_writes=off -c synchronous_commit=off -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off \
         -c log_min_messages=fatal & server=$!; read -r _; kill -QUIT $server; wait $server; rm -rf '{}'",
        tools.join("postgres").display(),
        data.display(),
        folder.path().display()
    );
    let server = command("bash").args(["-c", &script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            let ready = Command::new(tools.join("pg_isready"))
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q"])
                .status();
            if ready.unwrap().success() {
                return Cluster {
                    address: format!("postgres://lyhord@127.0.0.1:{port}"),
                    _server: server,
                    _folder: folder,
                };
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("PostgreSQL did not start");
}

/// The address of a new, empty database.
pub fn empty() -> String {
    copy_of("template0")
}

/// The address of a new database that is like the one at `address`, which nobody is connected to.
pub fn like(address: &str) -> String {
    copy_of(address.rsplit('/').next().unwrap())
}

fn copy_of(template: &str) -> String {
    let cluster = CLUSTER.get_or_init(start);
    let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let server = cluster.address.trim_start_matches("postgres://lyhord@127.0.0.1:").to_owned();
    let made = Command::new(tools().join("createdb"))
        .args(["-h", "127.0.0.1", "-p", &server, "-U", "lyhord", "-T", template, &name])
        .status()
        .unwrap();
    assert!(made.success(), "createdb");
    format!("{}/{name}", cluster.address)
}
