//! `lyhord demo`: a day in Ale on this machine, with real feeds over loopback, a clock that runs faster, staff that
//! act by a script, and a chat that prints on the terminal. Needs nothing and leaves nothing.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::serve::{Roles, asked_to_stop, parts, until};
use crate::app::App;
use crate::assignment::Organisation;
use crate::calendar::stockholm;
use crate::calendar::words::clock_text;
use crate::case::list_store::Filter;
use crate::case::store::CaseRow;
use crate::case::{DismissReason, Outcome, Threat};
use crate::classification::{Intent, Urgency};
use crate::clock::{Clock, Time};
use crate::config::{self, Config, Overrides};
use crate::db::Tx;
use crate::demo::day::Day;
use crate::demo::staff::{Act, Deed, DemoCase, Person, Script, next_act};
use crate::demo::{FACTOR, feeds, starts_at};
use crate::response::acts::{self, Answer};
use crate::response::{Done, Refused, lane_acts};
use crate::settings::Problem;
use crate::telemetry::{self, LogForm};
use crate::web::sign_in;
use crate::{case, chat, demo, journal, mention, reminder};

const SERVICE: &str = include_str!("demo.toml");
const ORGANISATION: &str = include_str!("../../config/organisation.toml");
const WORDS: &str = include_str!("../../config/words.toml");
const LEXICON: &str = include_str!("../../config/lexicon.toml");

/// What is shorter in the demo than in life.
const HURRY: [(&str, &str); 5] = [
    ("first_response = \"1 arbetsdag\"", "first_response = \"40 min\""),
    ("overdue_after_min = 120", "overdue_after_min = 5"),
    ("deputy_after_min = 120", "deputy_after_min = 5"),
    ("manager_after_min = 240", "manager_after_min = 15"),
    ("chief_after_min = 480", "chief_after_min = 45"),
];

/// How often (real) the staff looks at its cases and the terminal tells what happened.
const BEAT: Duration = Duration::from_millis(250);
/// How many cases the staff looks at.
const MOST: i64 = 200;
/// Who looks at the pages.
const VISITOR_ROLE: crate::assignment::Role = crate::assignment::Role::Chief;

/// Plays the day until Ctrl-C, SIGTERM or the end of any part of it.
///
/// # Errors
/// When no port is free or the temporary folder cannot be made.
pub async fn run(port: u16) -> anyhow::Result<ExitCode> {
    telemetry::begin(LogForm::Text, "warn");
    let folder = std::env::temp_dir().join(format!("lyhord-demo-{}", ulid::Ulid::generate()));
    std::fs::create_dir_all(&folder)?;
    let outcome = play(&folder, port).await;
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} could not be removed", folder.display()))?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn play(folder: &std::path::Path, port: u16) -> anyhow::Result<()> {
    let clock = Clock::scaled(starts_at(), FACTOR);
    let day = Arc::new(Day::shipped().map_err(|problems| in_one(&problems))?);
    let script = Script::shipped(&day).map_err(|problems| in_one(&problems))?;
    let feed_listener = TcpListener::bind("127.0.0.1:0").await?;
    let page_listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let sources = demo::config::sources(&day, feed_listener.local_addr()?);
    let address = page_listener.local_addr()?;
    let config = configuration(folder, &sources, &address.to_string())?;

    let app = Arc::new(App::open(config, clock.clone()).await?);
    app.take_over_configuration().await?;
    let link = welcome(&app).await?;
    println!("Lyhörd spelar upp en dag i Ale: en timme tar {} sekunder. Avsluta med Ctrl-C.", 3_600 / FACTOR);
    println!("Löftena är kortare än i verkligheten, så att det hinner synas vad som händer när ingen svarar.");
    println!("Se den här (länken gäller en gång): {link}\n");

    let (stop, stopped) = watch::channel(false);
    let feed_router = feeds::router(Arc::clone(&day), clock);
    let feed_stop = until(stopped.clone());
    let mut hands = JoinSet::new();
    hands.spawn(async move { Ok(axum::serve(feed_listener, feed_router).with_graceful_shutdown(feed_stop).await?) });
    hands.spawn(tell_and_act(Arc::clone(&app), script, stopped.clone()));
    hands.spawn(parts(Arc::clone(&app), Roles::ALL, Some(page_listener), stopped));
    last_until(asked_to_stop(), hands, &stop).await
}

/// Waits until we are asked to stop or one of the hands ends by itself, lets the others finish, and says the first
/// fault. A hand that ends unasked is a fault, also when it says that all went well.
async fn last_until(
    asked: impl Future<Output = ()>,
    mut hands: JoinSet<anyhow::Result<()>>,
    stop: &watch::Sender<bool>,
) -> anyhow::Result<()> {
    let mut outcome = tokio::select! {
        () = asked => {
            println!("\nSlut för i dag.");
            Ok(())
        }
        Some(ended) = hands.join_next() => {
            said(ended).and(Err(anyhow!("a part of the demo ended by itself")))
        }
    };
    let _ = stop.send(true);
    while let Some(ended) = hands.join_next().await {
        outcome = outcome.and(said(ended));
    }
    outcome
}

fn said(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended?
}

fn configuration(folder: &std::path::Path, sources: &str, address: &str) -> anyhow::Result<Config> {
    let service = SERVICE.replace("{address}", address);
    let organisation = hurried(ORGANISATION);
    let overrides = Overrides {
        database: Some(format!("sqlite:{}", folder.join("lyhord.sqlite").display()).into()),
        listen: Some(address.to_owned()),
    };
    let texts = [
        ("demo.toml", service.as_str()),
        ("sources.toml", sources),
        ("organisation.toml", organisation.as_str()),
        ("words.toml", WORDS),
        ("lexicon.toml", LEXICON),
    ];
    config::read_texts(texts, &overrides).map_err(|problems| in_one(&problems))
}

/// The shipped organisation with shorter promises and a shorter ladder, so that one climb is seen within a minute.
fn hurried(organisation: &str) -> String {
    HURRY.iter().fold(organisation.to_owned(), |text, (usual, shorter)| text.replace(usual, shorter))
}

fn in_one(problems: &[Problem]) -> anyhow::Error {
    anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Binds everybody's voice to the terminal, and makes a sign-in link for the visitor.
async fn welcome(app: &App) -> anyhow::Result<String> {
    let now = app.clock.now();
    let organisation = &app.config.organisation;
    let mut tx = app.db.write().await?;
    for staff in &organisation.staff {
        chat::store::bind_voice(&mut tx, &staff.key, "terminal", &staff.name, now).await?;
    }
    let visitor = organisation.staff.iter().find(|staff| organisation.has_role(&staff.key, VISITOR_ROLE, now));
    let visitor = visitor.context("nobody in organisation.toml is chief")?;
    let path = sign_in::new_link(&mut tx, &visitor.key, now).await?;
    tx.commit().await?;
    Ok(format!("{}{path}", app.config.base_url.as_str().trim_end_matches('/')))
}

/// Lets the staff act, and tells on the terminal what the journal says.
async fn tell_and_act(app: Arc<App>, script: Script, stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
    let stop = until(stopped);
    tokio::pin!(stop);
    let mut told = 0;
    // What is refused once would be refused again: those cases are left to the visitor.
    let mut refused = BTreeSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(BEAT) => {}
        }
        let now = app.clock.now();
        for _ in 0..MOST {
            let mut cases = seen(&app, now).await?;
            cases.retain(|case| !refused.contains(&case.id));
            let Some(act) = next_act(&script, &cases, now) else { break };
            if !carry_out(&app, &act, now).await? {
                refused.insert(act.case);
            }
        }
        told = tell(&app, told).await?;
    }
}

/// The open cases as the staff sees them.
async fn seen(app: &App, now: Time) -> sqlx::Result<Vec<DemoCase>> {
    let mut tx = app.db.read().await?;
    let rows = case::list_store::page(&mut tx, &Filter { restricted: true, ..Filter::default() }, MOST).await?;
    let mut cases = Vec::with_capacity(rows.len());
    for row in &rows {
        let post = mention::store::find(&mut tx, row.mention_id).await?.and_then(|found| found.url).unwrap_or_default();
        let reminded = reminder::store::of_cases(&mut tx, &[row.id]).await?;
        let mine = reminded.iter().filter(|sent| Some(&sent.recipient) == row.owner.as_ref());
        // The notice itself is no reminder: it is what somebody can forget.
        let reminded_at = mine.filter(|sent| sent.stage != "notice").map(|sent| sent.decided_at).max();
        cases.push(DemoCase {
            id: row.id,
            post: post.rsplit('/').next().unwrap_or_default().to_owned(),
            state: row.state.clone(),
            intent: row.intent.clone(),
            urgency: row.urgency.clone(),
            owner: row.owner.as_deref().and_then(|key| person(app, key, now)),
            opened_at: row.opened_at,
            reminded_at,
            accepted_at: row.accepted_at,
            threat: lane_acts::threat_of(row),
        });
    }
    Ok(cases)
}

fn person(app: &App, key: &str, _: Time) -> Option<Person> {
    let organisation = &app.config.organisation;
    let staff = organisation.staff(key)?;
    Some(Person {
        key: key.to_owned(),
        name: staff.name.clone(),
        unit: organisation.name_of_unit(&staff.unit).to_owned(),
    })
}

/// False when the program would not have it.
async fn carry_out(app: &App, act: &Act, now: Time) -> anyhow::Result<bool> {
    let mut tx = app.db.write().await?;
    let row = case::store::find(&mut tx, act.case).await?;
    let Some(row) = row else { return Ok(false) };
    match deed(&mut tx, act, &row, now).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(true)
        }
        Err(Refused::Db(fault)) => Err(fault.into()),
        Err(refused) => {
            tracing::warn!(case = %act.case, "the script could not act: {refused}");
            Ok(false)
        }
    }
}

async fn deed(tx: &mut Tx, act: &Act, row: &CaseRow, now: Time) -> Result<Done, Refused> {
    let (who, case) = (act.who.as_str(), act.case);
    let intent = Intent::from_slug(&row.intent);
    let outcome = intent
        .filter(|intent| case::state::needs_outcome(*intent))
        .map(|intent| if intent == Intent::Praise { Outcome::HandedOn } else { Outcome::Investigated });
    let written = |text| Answer { text, url: None, outcome, unit: row.unit.as_deref(), answered_at: None };
    match &act.deed {
        Deed::Take => acts::take(tx, who, case, None, now).await,
        Deed::Answer(text) => acts::answer(tx, who, case, None, written(text), now).await,
        Deed::Refer { text, contact } => acts::refer(tx, who, case, None, contact, written(text), now).await,
        Deed::Handle(to, note) => lane_acts::handle_threat(tx, who, case, None, *to, note, now).await,
        Deed::Dismiss(words) => acts::dismiss(tx, who, case, None, DismissReason::HandledElsewhere, words, now).await,
    }
}

/// Prints what has happened since line `told`, and returns the last line.
async fn tell(app: &App, told: i64) -> sqlx::Result<i64> {
    let mut tx = app.db.read().await?;
    let lines = journal::after(&mut tx, told, MOST).await?;
    let mut last = told;
    for line in &lines {
        last = line.seq;
        let body = line.json();
        let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let organisation = &app.config.organisation;
        let name = |key: &str| organisation.name_of_staff(key).to_owned();
        let case = line.case_id.map(|case| format!("ärende {case}")).unwrap_or_default();
        let said = match line.kind.as_str() {
            "mention.kept" => {
                format!("hört: {}", app.setting(&text("source")).map_or("okänd källa", |from| from.name.as_str()))
            }
            "mention.judged" => {
                format!("bedömt: {}", judged(organisation, &text("intent"), &text("topic"), &text("urgency")))
            }
            "case.opened" => format!("{case} öppnat"),
            "case.joined" => format!("{case}: samma sak sägs på ett ställe till"),
            "case.assigned" => {
                format!("{case} till {} ({})", name(&text("owner")), organisation.name_of_unit(&text("unit")))
            }
            "reminder.said" => format!("{case}: {} påmind ({})", name(&text("to")), stage(&text("stage"))),
            "case.threat" => format!("{case}: {}", threat(&text("step"))),
            "case.taken" => format!("{case}: {} ”Jag tar det”", name(&line.actor)),
            "case.answered" => format!("{case} besvarat av {}", name(&line.actor)),
            "case.referred" => format!("{case} hänvisat av {}", name(&line.actor)),
            "case.dismissed" => format!("{case} avskrivet av {}", name(&line.actor)),
            "source.health" => format!("källan {} är nu {}", text("source"), text("to")),
            _ => continue,
        };
        println!("{}  {said}", clock_text(line.at, &stockholm()));
    }
    Ok(last)
}

/// A judgement in words: "fråga, skola, brådska normal".
fn judged(organisation: &Organisation, intent: &str, topic: &str, urgency: &str) -> String {
    let intent = Intent::from_slug(intent).map_or(intent, |intent| intent.swedish()).to_lowercase();
    let topic = organisation.topic(topic).map_or(topic, |topic| topic.name.as_str()).to_lowercase();
    let urgency = Urgency::from_slug(urgency).map_or(urgency, |urgency| urgency.swedish()).to_lowercase();
    format!("{intent}, {topic}, brådska {urgency}")
}

fn threat(slug: &str) -> String {
    Threat::from_slug(slug).map_or_else(|| slug.to_owned(), |step| step.swedish().to_lowercase())
}

fn stage(slug: &str) -> String {
    reminder::Stage::from_slug(slug).map_or_else(|| slug.to_owned(), |stage| stage.swedish().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_shorter_than_life_in_every_way_it_says() {
        for (usual, shorter) in HURRY {
            assert!(ORGANISATION.contains(usual), "{usual} is not in organisation.toml");
            assert!(hurried(ORGANISATION).contains(shorter));
        }
    }

    #[test]
    fn the_demo_s_configuration_is_without_fault() {
        let day = Day::shipped().unwrap();
        let sources = demo::config::sources(&day, "127.0.0.1:9".parse().unwrap());
        configuration(std::path::Path::new("/nowhere"), &sources, "127.0.0.1:8").unwrap();
    }

    /// One hand that works until it is told to stop, and one that ends at once as `early` says.
    async fn ends(asked: impl Future<Output = ()>, early: Option<anyhow::Result<()>>) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let mut hands = JoinSet::new();
        hands.spawn(async move {
            until(stopped).await;
            Ok(())
        });
        if let Some(outcome) = early {
            hands.spawn(async move { outcome });
        }
        last_until(asked, hands, &stop).await
    }

    #[tokio::test]
    async fn the_demo_ends_when_asked_and_with_a_fault_when_a_part_of_it_dies() {
        ends(std::future::ready(()), None).await.unwrap();
        let never = std::future::pending::<()>;
        let fault = ends(never(), Some(Err(anyhow!("the disk is full")))).await.unwrap_err();
        assert_eq!(fault.to_string(), "the disk is full");
        let fault = ends(never(), Some(Ok(()))).await.unwrap_err();
        assert_eq!(fault.to_string(), "a part of the demo ended by itself");
    }
}
