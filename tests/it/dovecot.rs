//! A real mail server of a test's own: Debian's dovecot in a folder of its own, on a port of its own. `tests/run` installs
//! it.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const USER: &str = "tips";
pub const PASSWORD: &str = "brevlådans-hemlighet";
/// Dovecot gives nobody's mail to root: the mail is nobody's when the tests run as root.
const NOBODY: u32 = 65_534;

pub struct Dovecot {
    folder: tempfile::TempDir,
    pub port: u16,
    /// Where it speaks TLS from the first byte; 0 when it has no certificate.
    pub secure_port: u16,
    server: Child,
    next: std::cell::Cell<u32>,
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its master ends its servants when it is asked to end, not when it is killed.
        let _ = Command::new("kill").args(["-TERM", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}

fn is_root() -> bool {
    String::from_utf8_lossy(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0"
}

fn name_of(flag: &str) -> String {
    String::from_utf8_lossy(&Command::new("id").args([flag, "-n"]).output().unwrap().stdout).trim().to_owned()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let done =
        Command::new("openssl").args(arguments).current_dir(folder).output().expect("tests/run installs openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Dovecot {
    pub fn start() -> Self {
        Self::begin(false, None)
    }

    /// One that takes no password, only a proof that the service on that port vouches for.
    pub fn with_proofs(service: u16) -> Self {
        Self::begin(false, Some(service))
    }

    /// One with a certificate for `localhost`, by an authority that only [`Self::authority`] tells of. It takes no
    /// password in the clear.
    pub fn with_certificate() -> Self {
        Self::begin(true, None)
    }

    /// The certificate of the authority behind [`Self::with_certificate`].
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn certify(folder: &Path) {
        let new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let authority = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Provutfardaren"];
        openssl(folder, &[&authority[..], &new[..]].concat());
        std::fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
        let request = ["req", "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=localhost"];
        openssl(folder, &[&request[..], &new[..3]].concat());
        let sign = ["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(folder, &[&sign[..], &["-out", "cert.pem", "-days", "2", "-extfile", "ext"][..]].concat());
    }

    fn begin(certificate: bool, proofs: Option<u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let (port, secure_port) = (free_port(), if certificate { free_port() } else { 0 });
        let at = folder.path().display().to_string();
        let (user, group) =
            if is_root() { ("nobody".to_owned(), "nogroup".to_owned()) } else { (name_of("-u"), name_of("-g")) };
        let owner = if is_root() { "uid=65534 gid=65534" } else { "" };
        let protection = if certificate {
            Self::certify(folder.path());
            format!("ssl = required\nssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\n")
        } else {
            "ssl = no\ndisable_plaintext_auth = no\n".to_owned()
        };
        let lets_in = match proofs {
            None => format!("passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {at}/users\n}}\n"),
            Some(service) => {
                let asks = format!(
                    "tokeninfo_url = http://127.0.0.1:{service}/tokeninfo?access_token=\nusername_attribute = username\n"
                );
                std::fs::write(folder.path().join("oauth2"), asks).unwrap();
                format!(
                    "auth_mechanisms = xoauth2\n\
                     passdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {at}/oauth2\n}}\n"
                )
            }
        };
        let configuration = format!(
            "protocols = imap\nbase_dir = {at}/run\nstate_dir = {at}/state\nlog_path = {at}/log\n{protection}\
             listen = 127.0.0.1\ndefault_internal_user = {user}\n\
             default_internal_group = {group}\ndefault_login_user = {user}\nmail_location = maildir:{at}/mail/%u\n\
             auth_failure_delay = 0\n\
             {lets_in}\
             userdb {{\n  driver = static\n  args = {owner} home={at}/mail/%u\n}}\n\
             service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {port}\n  }}\n  \
             inet_listener imaps {{\n    port = {secure_port}\n    ssl = yes\n  }}\n}}\nservice anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n"
        );
        std::fs::write(folder.path().join("conf"), configuration).unwrap();
        std::fs::write(folder.path().join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
        let server = Command::new("/usr/sbin/dovecot")
            .args(["-F", "-c"])
            .arg(folder.path().join("conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dovecot is missing: tests/run installs it (apt-get install dovecot-imapd)");
        let dovecot = Self { folder, port, secure_port, server, next: std::cell::Cell::new(1) };
        dovecot.make_box();
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", dovecot.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        dovecot
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("mail").join(USER)
    }

    fn give(path: &Path) {
        if is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn make_box(&self) {
        let home = self.home();
        for part in ["new", "cur", "tmp"] {
            std::fs::create_dir_all(home.join(part)).unwrap();
            Self::give(&home.join(part));
        }
        Self::give(home.parent().unwrap());
        Self::give(&home);
    }

    /// A letter comes, as a mail server delivers it.
    pub fn delivers(&self, letter: &str) {
        let n = self.next.get();
        self.next.set(n + 1);
        let name = format!("{n:06}.test");
        let on_its_way = self.home().join("tmp").join(&name);
        std::fs::write(&on_its_way, letter.replace('\n', "\r\n")).unwrap();
        Self::give(&on_its_way);
        std::fs::rename(&on_its_way, self.home().join("new").join(&name)).unwrap();
    }

    /// The server forgets how it numbered the letters and begins anew, as after a restore from backup.
    pub fn numbers_anew(&self) {
        for entry in std::fs::read_dir(self.home()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    /// How many letters are still unread and lie where they lay.
    pub fn untouched(&self) -> usize {
        let unread = |part: &str| {
            let files = std::fs::read_dir(self.home().join(part)).unwrap();
            files.filter(|file| !file.as_ref().unwrap().file_name().to_string_lossy().contains(":2,S")).count()
        };
        unread("new") + unread("cur")
    }
}
