//! Hears what staff press and write in their chats, and writes it down as facts. The same acts as the pages call; each
//! is checked: only the bound person, only while the case stands where the button was sent from.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::assignment;
use crate::calendar::stockholm;
use crate::case::store::{CaseRow, Filter};
use crate::chat::bind::{self, Binding, Code};
use crate::chat::button::{self, Offered, Press};
use crate::chat::command::{self, Away, Command, LATER_DEFAULT};
use crate::chat::settings::Mode;
use crate::chat::telegram_listen::{POLL_WAIT, TelegramEar};
use crate::chat::voices::Voice;
use crate::chat::{self, Act, Answer, Channel, Hear, Keep, Nonce, NotKept, Speaker, Verdict};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::jobs::write_messages::standing;
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::response::acts::{self, Receiver};
use crate::response::{Done, Refused};
use crate::{case, source};

/// Whose turn it is to ask Telegram, and how far it has come.
const TELEGRAM_LEASE: &str = "telegram";
/// How long (real) a listener has the turn: two long polls and a slow network.
const TURN: Duration = Duration::from_secs(90);
/// How often (real) one who does not have the turn asks for it.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// How many of her cases `/mina` counts at most.
const MINE: i64 = 200;

/// Something to listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Telegram's long poll.
    TelegramPoll,
}

/// What this configuration listens to by asking; web hooks are mounted by [`routes`].
#[must_use]
pub fn parts(app: &App) -> Vec<Part> {
    let telegram = app.config.chat.telegram.as_ref();
    telegram.filter(|telegram| telegram.mode == Mode::Poll).map(|_| Part::TelegramPoll).into_iter().collect()
}

/// Listens for ever; the caller drops it to stop. One process at a time has the turn.
///
/// # Errors
/// When the service or the database does not answer; the caller begins again.
pub async fn run(app: Arc<App>, part: Part) -> anyhow::Result<()> {
    let Part::TelegramPoll = part;
    let Some(ear) = telegram_ear(&app)? else { return std::future::pending().await };
    let keep = Kept(Arc::clone(&app));
    let mut opened = false;
    loop {
        if !has_turn(&app).await? {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        if !opened {
            ear.open_poll().await?;
            opened = true;
        }
        ear.round(&keep, POLL_WAIT).await?;
    }
}

/// The web hooks that services post to, to be mounted beside the pages.
///
/// # Errors
/// When no HTTP client can be built on this machine.
pub fn routes(app: &Arc<App>) -> anyhow::Result<axum::Router> {
    let Some(Mode::Webhook { path, secret, .. }) = app.config.chat.telegram.as_ref().map(|telegram| &telegram.mode)
    else {
        return Ok(axum::Router::new());
    };
    let Some(ear) = telegram_ear(app)? else { return Ok(axum::Router::new()) };
    Ok(Arc::new(ear).router(path, secret.clone()))
}

/// Tells Telegram where to post, when it is to post.
///
/// # Errors
/// When Telegram does not take the address; the caller begins again.
pub async fn open_web_hooks(app: &Arc<App>) -> anyhow::Result<()> {
    if let Some(Mode::Webhook { address, secret, .. }) =
        app.config.chat.telegram.as_ref().map(|telegram| &telegram.mode)
        && let Some(ear) = telegram_ear(app)?
    {
        ear.open_webhook(address.clone(), secret).await?;
    }
    Ok(())
}

fn telegram_ear(app: &Arc<App>) -> anyhow::Result<Option<TelegramEar<Hearer>>> {
    let Some(settings) = &app.config.chat.telegram else { return Ok(None) };
    let Some(Voice::Telegram(voice)) = app.voices.of(Channel::Telegram) else { return Ok(None) };
    Ok(Some(TelegramEar::new(&settings.account, Arc::clone(voice), Hearer(Arc::clone(app)))?))
}

async fn has_turn(app: &App) -> sqlx::Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mine = source::store::lease(&mut tx, TELEGRAM_LEASE, &app.holder, now, now.plus(app.clock.told(TURN))).await?;
    tx.commit().await?;
    Ok(mine)
}

/// Where the long poll has come to, in the row of its lease.
struct Kept(Arc<App>);

impl Keep for Kept {
    async fn place(&self) -> Result<Option<String>, NotKept> {
        let read = async {
            let mut tx = self.0.db.read().await?;
            chat::store::listened_to(&mut tx, TELEGRAM_LEASE).await
        };
        read.await.map_err(|_: sqlx::Error| NotKept)
    }

    async fn keep(&self, place: &str) -> Result<(), NotKept> {
        let write = async {
            let mut tx = self.0.db.write().await?;
            chat::store::remember_listened(&mut tx, TELEGRAM_LEASE, place).await?;
            tx.commit().await
        };
        write.await.map_err(|_: sqlx::Error| NotKept)
    }
}

/// One who hears for the whole program.
pub struct Hearer(pub Arc<App>);

impl Hear for Hearer {
    async fn pressed(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> Answer {
        self.press(speaker, act, nonce).await.unwrap_or_else(|fault| not_now(&fault))
    }

    async fn said(&self, speaker: &Speaker, text: &str) -> Answer {
        self.say(speaker, text).await.unwrap_or_else(|fault| not_now(&fault))
    }
}

fn not_now(fault: &sqlx::Error) -> Answer {
    tracing::warn!("what was said in a chat could not be written down: {fault}");
    Answer::keep(chat::NOT_NOW)
}

impl Hearer {
    async fn press(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> sqlx::Result<Answer> {
        let app = &self.0;
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        let by = chat::store::staff_of(&mut tx, speaker.channel.slug(), &speaker.address).await?;
        let made = chat::store::button(&mut tx, nonce.as_str()).await?;
        let row = match &made {
            Some(made) => case::store::find(&mut tx, made.case_id).await?,
            None => None,
        };
        let (Some(made), Some(row)) = (made, row) else { return Ok(refuse(&Verdict::Unknown)) };
        let Ok(stood) = serde_json::from_str(&made.stood) else { return Ok(refuse(&Verdict::Unknown)) };
        let offered = Offered { case: made.case_id, to: made.staff, stood, done: made.used_at.map(|_| act) };
        let press = Press { act, nonce: nonce.clone(), by };
        let verdict = button::judge_press(&press, Some(&offered), &standing(&row));
        let Verdict::Do { act, case } = verdict else { return Ok(refuse(&verdict)) };
        let outcome = match act {
            Act::Take => acts::take(&mut tx, &offered.to, case, None, now).await,
            Act::Later => {
                acts::snooze(&mut tx, &offered.to, case, None, now.plus(LATER_DEFAULT), "Påminn mig senare", now).await
            }
            Act::HandOver => self.hand_over(&mut tx, &offered.to, &row, None, now).await,
        };
        match outcome {
            Ok(_) => {
                chat::store::use_button(&mut tx, nonce.as_str(), now).await?;
                tx.commit().await?;
                Ok(Answer::done(button::done(act, case)))
            }
            Err(refused) => Ok(Answer::keep(self.in_swedish(refused)?)),
        }
    }

    /// To the one named, or to whoever stands in for her.
    async fn hand_over(
        &self,
        tx: &mut Tx,
        who: &str,
        row: &CaseRow,
        to: Option<&str>,
        now: Time,
    ) -> Result<Done, Refused> {
        let organisation = &self.0.config.organisation;
        let unit = row.unit.as_deref().unwrap_or_default();
        let receiver = if let Some(name) = to {
            organisation
                .unit_named(name, now)
                .map(|unit| (unit.deputy.clone(), unit.key.clone()))
                .or_else(|| organisation.staff_named(name, now).map(|staff| (staff.key.clone(), staff.unit.clone())))
        } else {
            let lane = row.lane.as_deref().and_then(assignment::Lane::from_slug).unwrap_or_default();
            let chain = organisation.chain(who, unit, lane, &[], now);
            chain.steps.into_iter().find(|step| step.staff != who).map(|step| (step.staff, unit.to_owned()))
        };
        let Some((staff, unit)) = receiver else {
            return Err(Refused::Incomplete("Jag hittar ingen med det namnet. Öppna Lyhörd och välj där."));
        };
        acts::hand_over(tx, who, row.id, None, Receiver { staff: &staff, unit: &unit }, now).await
    }

    async fn say(&self, speaker: &Speaker, text: &str) -> sqlx::Result<Answer> {
        let app = &self.0;
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        let wanted = command::parse(text, now);
        if let Command::Bind(code) = &wanted {
            return self.bind(tx, speaker, code, now).await;
        }
        let Some(who) = chat::store::staff_of(&mut tx, speaker.channel.slug(), &speaker.address).await? else {
            return Ok(Answer::keep(command::NOT_BOUND));
        };
        match wanted {
            Command::Help | Command::Bind(_) => Ok(Answer::keep(command::help())),
            Command::Wrong(text) => Ok(Answer::keep(text)),
            Command::Mine => self.mine(&mut tx, &who).await,
            Command::Absence(away) => self.absence(tx, &who, away, now).await,
            Command::Take(case) => self.on_case(tx, &who, case, Wanted::Take, now).await,
            Command::Later { case, until } => self.on_case(tx, &who, case, Wanted::Later(until), now).await,
            Command::HandOver { case, to } => self.on_case(tx, &who, case, Wanted::HandOver(to), now).await,
        }
    }

    async fn bind(&self, mut tx: Tx, speaker: &Speaker, code: &Code, now: Time) -> sqlx::Result<Answer> {
        let subject = format!("{}:{}", speaker.channel.slug(), speaker.address);
        let failed = chat::store::tries(&mut tx, &subject, now.minus(bind::TRIES_WITHIN)).await?;
        if u32::try_from(failed).unwrap_or(u32::MAX) >= bind::TRIES {
            return Ok(Answer::keep(Binding::TooMany.swedish()));
        }
        let hash = code.hash(&self.0.secret);
        let said = if let Some(staff) = chat::store::use_code(&mut tx, &hash, speaker.channel.slug(), now).await? {
            chat::store::bind_voice(&mut tx, &staff, speaker.channel.slug(), &speaker.address, now).await?;
            Binding::Bind { staff }
        } else {
            chat::store::put_try(&mut tx, &subject, now).await?;
            Binding::Refused
        };
        tx.commit().await?;
        Ok(Answer::keep(said.swedish()))
    }

    async fn mine(&self, tx: &mut Tx, who: &str) -> sqlx::Result<Answer> {
        let filter = Filter { owner: Some(who), restricted: true, ..Filter::default() };
        let rows = case::store::page(tx, &filter, MINE).await?;
        if rows.is_empty() {
            return Ok(Answer::keep(command::NOTHING_WAITS));
        }
        let ids: Vec<String> = rows.iter().take(10).map(|row| row.id.to_string()).collect();
        let count = chat::cases_in_words(rows.len());
        Ok(Answer::keep(format!("Du har {count}: {}. Öppna Lyhörd: {}", ids.join(", "), self.0.links.login())))
    }

    async fn absence(&self, mut tx: Tx, who: &str, away: Away, now: Time) -> sqlx::Result<Answer> {
        let noted = assignment::store::absences(&mut tx, now).await?;
        let mine: Vec<_> = noted.iter().filter(|absence| absence.staff == who).collect();
        let said = match away {
            Away::Show if mine.is_empty() => "Du har ingen frånvaro inlagd.".to_owned(),
            Away::Show => {
                let date = |at: Time| chat::swedish::day(at.zoned(&stockholm()).date());
                let spans: Vec<String> = mine
                    .iter()
                    .map(|one| {
                        format!("{} till {}", date(one.starts_at), date(one.ends_at.minus(Duration::from_secs(1))))
                    })
                    .collect();
                format!("Du är borta {}.", spans.join(", "))
            }
            Away::Back => {
                for one in &mine {
                    assignment::store::end_absence(&mut tx, one.id, who, now).await?;
                }
                "Välkommen tillbaka! Du får påminnelser igen.".to_owned()
            }
            Away::Between(first, last) => {
                let after = last.tomorrow().unwrap_or(last);
                let (Some(from), Some(until)) = (assignment::start_of(first), assignment::start_of(after)) else {
                    return Ok(Answer::keep("De datumen går inte att läsa."));
                };
                assignment::store::put_absence(&mut tx, who, from, until, None).await?;
                format!(
                    "Noterat: du är borta {} till {}. Din ersättare får dina påminnelser.",
                    chat::swedish::day(first),
                    chat::swedish::day(last)
                )
            }
        };
        case::store::look_again(&mut tx, Some(who), None, now).await?;
        tx.ring_on_commit(TIMETABLE_BELL);
        tx.ring_on_commit(WEB_BELL);
        tx.commit().await?;
        Ok(Answer::keep(said))
    }

    async fn on_case(
        &self,
        mut tx: Tx,
        who: &str,
        named: Option<CaseId>,
        wanted: Wanted,
        now: Time,
    ) -> sqlx::Result<Answer> {
        let named = match named {
            Some(case) => Some(case),
            None => chat::store::latest_case_of(&mut tx, who).await?,
        };
        let Some(case) = named else { return Ok(Answer::keep(command::WHICH_CASE)) };
        let row = case::store::find(&mut tx, case).await?;
        let Some(row) = row.filter(|row| row.owner.as_deref() == Some(who)) else {
            return Ok(Answer::keep(command::NOT_YOUR_CASE));
        };
        let (act, outcome) = match wanted {
            Wanted::Take => (Act::Take, acts::take(&mut tx, who, case, None, now).await),
            Wanted::Later(until) => {
                (Act::Later, acts::snooze(&mut tx, who, case, None, until, "Påminn mig senare", now).await)
            }
            Wanted::HandOver(to) => (Act::HandOver, self.hand_over(&mut tx, who, &row, to.as_deref(), now).await),
        };
        match outcome {
            Ok(_) => {
                tx.commit().await?;
                Ok(Answer::keep(button::done(act, case)))
            }
            Err(refused) => Ok(Answer::keep(self.in_swedish(refused)?)),
        }
    }

    /// What a person is told; a database that did not answer is passed on, so that it is said once.
    fn in_swedish(&self, refused: Refused) -> sqlx::Result<String> {
        if let Refused::Db(fault) = refused {
            return Err(fault);
        }
        let now = self.0.clock.now();
        Ok(refused.swedish(|_| "en kollega", |at| chat::swedish::time_of(at, now)))
    }
}

enum Wanted {
    Take,
    Later(Time),
    HandOver(Option<String>),
}

fn refuse(verdict: &Verdict) -> Answer {
    let text = verdict.refusal().unwrap_or_default();
    match verdict {
        Verdict::Stale { .. } => Answer::done(text),
        _ => Answer::keep(text),
    }
}
