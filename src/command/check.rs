//! `lyhord check`: everything that is wrong in the configuration at once; with `--online` each source and voice once.

use std::process::ExitCode;

use super::{FOUND_WRONG, Place};
use crate::app::App;
use crate::chat::{Chat as _, Tried};
use crate::config::Config;
use crate::config_or_leave;
use crate::jobs::hear_stream::why_shut;
use crate::source::kinds::Stream;
use crate::source::store::SourceRow;
use crate::source::watched::SourceSetting;
use crate::source::{self, Cursor, Health, SourceKind, jetstream};

/// Says what is wrong, or what there is.
///
/// # Errors
/// When the database cannot be opened for `--online`.
pub async fn run(place: &Place, online: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    println!(
        "Allt stämmer: {} källor, {} regler, {} platser, {} enheter, {} anställda, {} ämnen.",
        config.sources.len(),
        config.words.rules.len(),
        config.words.places.len(),
        config.organisation.units.len(),
        config.organisation.staff.len(),
        config.organisation.topics.len(),
    );
    for (setting, hook) in config.sources.iter().filter_map(|one| Some((one, one.kind.hook()?))) {
        if hook.secrets.is_empty() {
            println!("Webbkroken {}: hemligheten är inte satt, så inget tas emot.", setting.name);
        }
    }
    for setting in &config.sources {
        if matches!(&setting.kind, SourceKind::Mail(mailbox) if mailbox.secret.is_none()) {
            println!("Brevlådan {}: lösenordet är inte satt, så inget läses.", setting.name);
        }
    }
    if let Some(external) = &config.external_judge {
        println!("Extern bedömare: {} hos {}, enligt {}.", external.model, external.address, external.dpia);
    }
    for class in config.retention.iter().filter(|class| class.decision.is_none()) {
        println!("Gallring {}: inget beslut, allt sparas.", class.class);
    }
    if online { Box::pin(try_all(config, place)).await } else { Ok(ExitCode::SUCCESS) }
}

async fn try_all(config: Config, place: &Place) -> anyhow::Result<ExitCode> {
    let app = App::open(config, place.clock.clone()).await?;
    let mut blind = 0;
    for setting in app.config.sources.iter().filter(|setting| !setting.paused) {
        match &setting.kind {
            SourceKind::BlueskyStream(stream) => {
                blind += try_streams(&app, setting, stream).await;
                continue;
            }
            SourceKind::Hook(hook) => {
                let (works, says) = app.knock(setting, hook).await;
                blind += usize::from(!works);
                println!("{}: {says}", setting.name);
                continue;
            }
            _ => {}
        }
        let row = SourceRow::fresh(&setting.key, &setting.name, &setting.address, &setting.channel);
        match app.read_source(&row, &Cursor::default(), &[], app.clock.now()).await {
            Ok(poll) if poll.blind => {
                blind += 1;
                println!("{}: svarar, men vi ser inget. {}", setting.name, poll.remark.unwrap_or_default());
            }
            Ok(poll) => println!("{}: {} inlägg{}", setting.name, poll.posts.len(), remark(poll.remark.as_deref())),
            Err(fault) => {
                blind += 1;
                let why = source::health::judge(Health::Ok, &Err(fault), 1, None, app.clock.now()).why;
                println!("{}: går inte att läsa. {why}", setting.name);
            }
        }
    }
    for account in app.config.accounts.all() {
        if account.secret.is_none() {
            println!("Kontot {} ({}): känt, men ingen hemlighet är satt.", account.handle, account.channel);
            continue;
        }
        let found = app.check_account(account, app.clock.now()).await;
        blind += usize::from(!found.ok);
        println!("Kontot {} ({}): {}", account.handle, account.channel, found.says);
    }
    for voice in app.voices.all() {
        let name = voice.channel().swedish();
        match voice.try_account().await {
            Ok(Tried::Accepted) => println!("{name}: tjänsten svarar och godtar oss"),
            Ok(Tried::CannotBeAsked) => println!("{name}: inställd (går bara att prova med ett prov på Min profil)"),
            Err(fault) => {
                blind += 1;
                println!("{name}: {}", fault.swedish());
            }
        }
    }
    Ok(if blind > 0 { ExitCode::from(FOUND_WRONG) } else { ExitCode::SUCCESS })
}

/// Opens each address of a stream once; says how many did not open.
async fn try_streams(app: &App, setting: &SourceSetting, stream: &Stream) -> usize {
    let mut shut = 0;
    for host in &stream.hosts {
        let name = host.host_str().unwrap_or_default();
        let dialect = jetstream::Dialect::of(host);
        let address = jetstream::address(host, &jetstream::Place::default(), None, app.clock.now());
        match app.dial(setting, address, dialect.protocol()).await {
            Ok(socket) => {
                println!("{}: strömmen hos {name} svarar", setting.name);
                socket.close().await;
            }
            Err(fault) => match why_shut(fault) {
                None => println!("{}: strömmen hos {name} svarar", setting.name),
                Some(fault) => {
                    shut += 1;
                    let why = source::health::judge(Health::Ok, &Err(fault), 1, None, app.clock.now()).why;
                    println!("{}: strömmen hos {name} går inte att öppna. {why}", setting.name);
                }
            },
        }
    }
    shut
}

fn remark(remark: Option<&str>) -> String {
    remark.map(|remark| format!(" ({remark})")).unwrap_or_default()
}

impl SourceRow {
    /// A source as it is before it was ever read.
    #[must_use]
    pub fn fresh(key: &str, name: &str, address: &str, channel: &str) -> Self {
        Self {
            id: crate::id::SourceId(0),
            key: key.to_owned(),
            kind: "feed".to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            channel: channel.to_owned(),
            moved_to: None,
            enabled: true,
            gone_at: None,
            cursor: "null".to_owned(),
            next_poll_at: crate::clock::Time(0),
            failures: 0,
            health: Health::Ok.slug().to_owned(),
            health_since: crate::clock::Time(0),
            health_why: String::new(),
            last_try_at: None,
            last_ok_at: None,
            last_item_at: None,
            streamed: false,
            quiet_since: None,
        }
    }
}
