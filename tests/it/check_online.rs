//! `lyhord check --online` by the real program, against every kind of source, account and chat: it says in Swedish what
//! works and what does not, its exit code says whether all is well, and no secret is shown.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::jobs;

use crate::dovecot::{self, Dovecot, USER};
use crate::fake_bluesky::{self, DID, FakeJetstream, FakePds};
use crate::fake_feed::{self, FakeFeed, serve};
use crate::fake_links::{FakeSmtp, FakeTeams, teams};
use crate::fake_mastodon::{self, FakeMastodon};
use crate::fake_matrix::{self, FakeMatrix};
use crate::fake_mattermost::{self, FakeMattermost};
use crate::fake_slack::{self, FakeSlack};
use crate::fake_telegram::{self, FakeTelegram};
use crate::harness::{Engine, at, database};
use crate::running::config;

const BOT: &str = "123456:TEST-token-of-no-bot";
const HOOK: &str = "hemlig-nyckel-för-kroken-2026";
const CHAT_KEY: &str = "en nyckel som bara provet har, 32+";
const SLACK_SIGNS: &str = fake_slack::SECRET;
const FLOW: &str = "sig=hemlig-del-av-adressen";
/// What every secret is changed to.
const WRONG: &str = "9999:en-annan-hemlighet-som-inte-galler";

/// The configuration in a folder, with each secret in a file of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in lyhord::config::FILES {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The program's exit code and what it says; on neither of its outputs is a secret shown.
    async fn check(&self) -> (Option<i32>, String) {
        let folder = self.0.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyhord"));
        command.args(["check", "--online"]).env("LYHORD_CONFIG", folder);
        command.env("LYHORD_DATABASE", format!("sqlite:{}/l.sqlite", folder.display()));
        let said = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, log) = (text(&said.stdout), text(&said.stderr));
        shows_no_secret(&format!("{out}{log}"));
        (said.status.code(), out)
    }
}

fn service(base_url: &str, chats: &str) -> String {
    format!(
        "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"http://{base_url}/\"\n{chats}"
    )
}

fn says_all(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "{line}\nis missing in\n{said}");
    }
}

fn shows_no_secret(said: &str) {
    let secrets = [
        fake_bluesky::PASSWORD,
        fake_mastodon::TOKEN,
        dovecot::PASSWORD,
        HOOK,
        CHAT_KEY,
        BOT,
        SLACK_SIGNS,
        fake_slack::TOKEN,
        fake_matrix::TOKEN,
        fake_mattermost::TOKEN,
        FLOW,
        WRONG,
        "access-1",
        "refresh-1",
    ];
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} is shown:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one run of the program, and what it says of each account")]
async fn check_online_says_in_swedish_what_works_and_what_does_not_and_shows_no_secret() {
    let place = Place::new();
    let (jetstream, pds, mastodon) = (FakeJetstream::default(), FakePds::default(), FakeMastodon::default());
    let stream = jetstream.serve().await;
    let blue = serve(fake_bluesky::pds(pds.clone())).await;
    let server = serve(fake_mastodon::app(mastodon.clone())).await;
    let letters = Dovecot::start();
    letters
        .delivers("From: Eva <eva@example.se>\nMessage-ID: <1@example.se>\nSubject: Vatten\n\nBrunt vatten i Nol.\n");
    let feed = FakeFeed::default();
    feed.says("1", "Brunt vatten i Nol, Ale kommun spolar.", at(0, 7, 0));
    let paper = serve(fake_feed::app(feed)).await;
    let bot = serve(fake_telegram::app(FakeTelegram::new(BOT))).await;
    let slack = FakeSlack::default();
    let slack_base = format!("http://{}/", serve(fake_slack::app(slack.clone())).await);
    slack.at(&slack_base);
    let home = serve(fake_matrix::app(FakeMatrix::default())).await;
    let mattermost = serve(fake_mattermost::app(FakeMattermost::default())).await;
    let flow = serve(teams(FakeTeams::default())).await;
    let relay = FakeSmtp::default();
    let relay_port = relay.serve().await;

    let hook = format!(
        "[[source]]\nkey = 'krok'\nname = 'Kroken'\nkind = 'hook'\nsecret_file = '{}'\n",
        place.file("hook", HOOK)
    );
    let ours = database(Engine::Sqlite);
    let app = App::open(config(&service("127.0.0.1:1", ""), &hook, &ours.address), Clock::System).await.unwrap();
    app.take_over_configuration().await.unwrap();
    let base_url = serve(jobs::hear_staff::routes(&Arc::new(app)).unwrap()).await.to_string();

    let sources = |stream: &str| {
        format!(
            "[[account]]\nkey = 'b'\nchannel = 'bluesky'\nhandle = 'ale.example'\nid = '{DID}'\nserver = 'http://{blue}'\n\
             secret_file = '{}'\n\
             [[account]]\nkey = 'm'\nchannel = 'mastodon'\nhandle = '@ale@127.0.0.1'\nserver = 'http://{server}'\n\
             secret_file = '{}'\n\
             [[source]]\nkey = 's1'\nname = 'Strömmen'\nkind = 'bluesky'\naddress = 'ws://{stream}'\nlocal = true\n\
             [[source]]\nkey = 's2'\nname = 'Blåkontot'\nkind = 'bluesky'\nreads = 'account'\naccount = 'b'\n\
             [[source]]\nkey = 's3'\nname = 'Taggarna'\nkind = 'mastodon'\naddress = 'http://{server}'\ntags = ['ale']\nlocal = true\n\
             [[source]]\nkey = 's4'\nname = 'Elefantkontot'\nkind = 'mastodon'\nreads = 'account'\naccount = 'm'\n\
             [[source]]\nkey = 's5'\nname = 'Brevlådan'\nkind = 'mail'\naddress = 'imap://127.0.0.1:{}'\nlocal = true\n\
             encrypted = false\nuser = '{USER}'\nsecret_file = '{}'\n\
             [[source]]\nkey = 's6'\nname = 'Bladet'\nkind = 'feed'\naddress = 'http://{paper}/feed.xml'\nlocal = true\n{hook}",
            place.file("bluesky", fake_bluesky::PASSWORD),
            place.file("mastodon", fake_mastodon::TOKEN),
            letters.port,
            place.file("mail", dovecot::PASSWORD),
        )
    };
    let chats = format!(
        "[chat]\nkey_file = '{}'\n[chat.telegram]\ntoken_file = '{}'\nmode = 'off'\napi_base = 'http://{bot}'\n\
         [chat.slack]\ntoken_file = '{}'\nsigning_secret_file = '{}'\napi_base = '{slack_base}api/'\n\
         [chat.matrix]\nhome_server = 'http://{home}'\nuser_id = '{}'\ntoken_file = '{}'\n\
         [chat.mattermost]\nserver = 'http://{mattermost}'\nbot_id = '{}'\npress_url = 'http://{base_url}/krok/mattermost'\n\
         token_file = '{}'\n\
         [chat.teams]\n[[chat.teams.hook]]\nname = 'va'\nurl_file = '{}'\n\
         [chat.email]\nhost = 'localhost'\nport = {relay_port}\nprotection = 'none'\nfrom = 'Lyhörd <lyhord@ale.se>'\ndomains = ['ale.se']\n",
        place.file("key", CHAT_KEY),
        place.file("telegram", BOT),
        place.file("slack", fake_slack::TOKEN),
        place.file("signing", SLACK_SIGNS),
        fake_matrix::ME,
        place.file("matrix", fake_matrix::TOKEN),
        fake_mattermost::BOT,
        place.file("mattermost", fake_mattermost::TOKEN),
        place.file("teams", &format!("http://{flow}/workflows/1/triggers/manual/paths/invoke?api-version=1&{FLOW}")),
    );
    place.file("lyhord.toml", &service(&base_url, &chats));
    place.file("sources.toml", &sources(&stream.to_string()));
    let (code, said) = place.check().await;
    says_all(
        &said,
        &[
            "Allt stämmer: 7 källor",
            "Strömmen: strömmen hos 127.0.0.1 svarar",
            "Blåkontot: 0 inlägg",
            "Taggarna: 0 inlägg",
            "Elefantkontot: 0 inlägg",
            "Brevlådan: 1 inlägg",
            "Bladet: 1 inlägg",
            "/krok/kalla/krok tar emot",
            "Kontot ale.example (bluesky): Inloggningen fungerar som ale.example.",
            "Kontot @ale@127.0.0.1 (mastodon): Inloggningen fungerar som @ale@",
            "Telegram: tjänsten svarar och godtar oss",
            "Slack: tjänsten svarar och godtar oss",
            "Matrix: tjänsten svarar och godtar oss",
            "Mattermost: tjänsten svarar och godtar oss",
            "Teams: inställd (går bara att prova med ett prov på Min profil)",
            "E-post: tjänsten svarar och godtar oss",
        ],
    );
    assert_eq!(code, Some(0), "{said}");

    // Everything is shut now. Nobody listens where the stream was.
    let shut = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.file("sources.toml", &sources(&shut.to_string()));
    for secret in ["mail", "hook", "telegram", "matrix", "mattermost"] {
        place.file(secret, WRONG);
    }
    pds.password_is_withdrawn(true);
    mastodon.token_is_withdrawn(true);
    mastodon.access("disabled", "disabled");
    slack.revoke(true);
    relay.down(true);
    let (code, said) = place.check().await;
    says_all(
        &said,
        &[
            "Strömmen: strömmen hos 127.0.0.1 går inte att öppna. Källan svarar inte",
            "Blåkontot: går inte att läsa. Källan ",
            "Taggarna: svarar, men vi ser inget. ",
            "Elefantkontot: går inte att läsa. Källan ",
            "Brevlådan: går inte att läsa. Källan ",
            "Bladet: 1 inlägg",
            "/krok/kalla/krok godtar inte vår signatur",
            "Kontot ale.example (bluesky): ",
            "Kontot @ale@127.0.0.1 (mastodon): ",
            "Telegram: tjänsten godtar oss inte: den känner inte vår token",
            "Slack: tjänsten godtar oss inte: den känner inte vår token",
            "Matrix: tjänsten godtar oss inte: den känner inte vår token",
            "Mattermost: tjänsten godtar oss inte: den känner inte vår token",
            "E-post: tjänsten svarar inte nu",
        ],
    );
    for account in ["Kontot ale.example (bluesky): Inloggningen fungerar", "(mastodon): Inloggningen fungerar"] {
        assert!(!said.contains(account), "{said}");
    }
    for english in ["does not", "refused", "os error", "invalid_auth", "Unauthorized", "another user"] {
        assert!(!said.contains(english), "{english}:\n{said}");
    }
    assert_eq!(code, Some(1), "{said}");
}
