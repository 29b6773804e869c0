//! Answers what staff press and write in their chats, by writing it down as facts. The same acts as the pages call;
//! each is checked: only the bound person while she works here, only cases that she may see, only while the case
//! stands where the button was sent from. What a service repeats is answered again and not done again.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, wake};
use crate::assignment;
use crate::calendar::stockholm;
use crate::case;
use crate::case::list_store::Filter;
use crate::case::store::CaseRow;
use crate::chat::bind::{self, Binding, Code};
use crate::chat::button;
use crate::chat::command::{self, Away, Command};
use crate::chat::{self, Act, Answer, Buttons, Hear, Nonce, Speaker, outbox_store};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::response::acts;
use crate::response::offer_acts::Reach;
use crate::response::press::{self, PUT_OFF};
use crate::web::access::{Person, may_see};

/// How many of her cases `/mina` counts at most.
const MINE: i64 = 200;
/// How many of them it names.
const NAMED: usize = 10;

/// One who hears for the whole program.
#[derive(Clone)]
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

fn buttons(keep: bool) -> Buttons {
    if keep { Buttons::Keep } else { Buttons::Remove }
}

/// Remembers the answer in the transaction that did what was asked, and commits both.
async fn commit(mut tx: Tx, speaker: &Speaker, answer: Answer, now: Time) -> sqlx::Result<Answer> {
    let keeps = answer.buttons == Buttons::Keep;
    outbox_store::put_heard(&mut tx, &speaker.once, &answer.text, keeps, now).await?;
    tx.commit().await?;
    Ok(answer)
}

impl Hearer {
    /// The bound person, while she works here.
    async fn who(&self, tx: &mut Tx, speaker: &Speaker, now: Time) -> sqlx::Result<Option<Person>> {
        let bound = chat::store::staff_of(tx, speaker.channel.slug(), &speaker.address).await?;
        Ok(bound.and_then(|staff| Person::of(&self.0.config.organisation, &staff, now)))
    }

    async fn press(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> sqlx::Result<Answer> {
        let (app, now) = (&self.0, self.0.clock.now());
        let mut tx = app.db.write().await?;
        if let Some((text, keep)) = outbox_store::heard(&mut tx, &speaker.once).await? {
            return Ok(Answer { text, buttons: buttons(keep) });
        }
        let person = self.who(&mut tx, speaker, now).await?;
        let organisation = &app.config.organisation;
        let may = |row: &CaseRow| person.as_ref().is_some_and(|person| may_see(person, row, organisation, now));
        let by = person.as_ref().map(|person| person.key.as_str());
        let pressed = press::press(&mut tx, organisation, by, (act, nonce), may, now).await?;
        let answer = Answer { text: pressed.text, buttons: buttons(!pressed.spent) };
        if pressed.done { commit(tx, speaker, answer, now).await } else { Ok(answer) }
    }

    async fn say(&self, speaker: &Speaker, text: &str) -> sqlx::Result<Answer> {
        let (app, now) = (&self.0, self.0.clock.now());
        let mut tx = app.db.write().await?;
        if let Some((text, keep)) = outbox_store::heard(&mut tx, &speaker.once).await? {
            return Ok(Answer { text, buttons: buttons(keep) });
        }
        let wanted = command::parse(text, now);
        if let Command::Bind(code) = &wanted {
            return self.bind(tx, speaker, code, now).await;
        }
        let Some(person) = self.who(&mut tx, speaker, now).await? else {
            return Ok(Answer::keep(command::NOT_BOUND));
        };
        match wanted {
            Command::Help | Command::Bind(_) => Ok(Answer::keep(command::help())),
            Command::Wrong(text) => Ok(Answer::keep(text)),
            Command::Mine => self.mine(&mut tx, &person.key).await,
            Command::Absence(away) => self.absence(tx, speaker, &person.key, away, now).await,
            Command::Take(case) => self.on_case(tx, speaker, &person, case, Wanted::Take, now).await,
            Command::Later { case, until } => self.on_case(tx, speaker, &person, case, Wanted::Later(until), now).await,
            Command::HandOver { case, to, sure } => {
                let reach = if sure { Reach::Beyond } else { Reach::Within };
                self.on_case(tx, speaker, &person, case, Wanted::HandOver(to, reach), now).await
            }
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
        commit(tx, speaker, Answer::keep(said.swedish()), now).await
    }

    async fn mine(&self, tx: &mut Tx, who: &str) -> sqlx::Result<Answer> {
        let filter = Filter { owner: Some(who), restricted: true, ..Filter::default() };
        let rows = case::list_store::page(tx, &filter, MINE).await?;
        if rows.is_empty() {
            return Ok(Answer::keep(command::NOTHING_WAITS));
        }
        let ids: Vec<String> = rows.iter().take(NAMED).map(|row| row.id.to_string()).collect();
        let count = chat::cases_in_words(rows.len());
        Ok(Answer::keep(format!("Du har {count}: {}. Öppna Lyhörd: {}", ids.join(", "), self.0.links.login())))
    }

    async fn absence(&self, mut tx: Tx, speaker: &Speaker, who: &str, away: Away, now: Time) -> sqlx::Result<Answer> {
        let noted = assignment::store::absences(&mut tx, now).await?;
        let mine: Vec<_> = noted.iter().filter(|absence| absence.staff == who).collect();
        let said = match away {
            Away::Show => {
                let date = |at: Time| chat::swedish::day(at.zoned(&stockholm()).date());
                let span = |from: Time, until: Time| {
                    format!("{} till {}", date(from), date(until.minus(Duration::from_secs(1))))
                };
                let spans: Vec<String> = mine.iter().map(|one| span(one.starts_at, one.ends_at)).collect();
                let none = "Du har ingen frånvaro inlagd.".to_owned();
                return Ok(Answer::keep(if spans.is_empty() {
                    none
                } else {
                    format!("Du är borta {}.", spans.join(", "))
                }));
            }
            Away::Back => {
                // She is back from this; her holidays to come are still to come.
                for one in mine.iter().filter(|one| one.starts_at <= now) {
                    assignment::store::end_absence(&mut tx, one.id, who, now).await?;
                }
                "Välkommen tillbaka! Du får påminnelser igen.".to_owned()
            }
            Away::Between(first, last) => {
                let after = last.tomorrow().unwrap_or(last);
                let (Some(from), Some(until)) = (assignment::start_of(first), assignment::start_of(after)) else {
                    return Ok(Answer::keep("De datumen går inte att läsa."));
                };
                if !mine.iter().any(|one| one.starts_at == from && one.ends_at == until) {
                    assignment::store::put_absence(&mut tx, who, from, until, None).await?;
                }
                format!(
                    "Noterat: du är borta {} till {}. När du går får din ersättare eller en kollega det du har.",
                    chat::swedish::day(first),
                    chat::swedish::day(last)
                )
            }
        };
        wake::around(&mut tx, &self.0.config.organisation, who, now).await?;
        tx.ring_on_commit(TIMETABLE_BELL);
        tx.ring_on_commit(WEB_BELL);
        commit(tx, speaker, Answer::keep(said), now).await
    }

    async fn on_case(
        &self,
        mut tx: Tx,
        speaker: &Speaker,
        person: &Person,
        named: Option<CaseId>,
        wanted: Wanted,
        now: Time,
    ) -> sqlx::Result<Answer> {
        let (organisation, who) = (&self.0.config.organisation, person.key.as_str());
        let named = match named {
            Some(case) => Some(case),
            None => chat::store::latest_case_of(&mut tx, who).await?,
        };
        let Some(case) = named else { return Ok(Answer::keep(command::WHICH_CASE)) };
        let asked = press::offered_to(&mut tx, organisation, Some(who), case, now).await?;
        // Taking is for whoever may see the case, as on its page, or is asked to; the rest is its holder's.
        let may = |row: &CaseRow| match wanted {
            Wanted::Take => may_see(person, row, organisation, now) || (asked && !row.restricted),
            Wanted::Later(_) | Wanted::HandOver(..) => row.owner.as_deref() == Some(who),
        };
        let Some(row) = case::store::find(&mut tx, case).await?.filter(may) else {
            return Ok(Answer::keep(command::NOT_YOUR_CASE));
        };
        let outcome = match wanted {
            Wanted::Take => {
                press::take(&mut tx, organisation, who, case, now).await.map(|_| button::done(Act::Take, case))
            }
            Wanted::Later(until) => acts::snooze(&mut tx, who, case, None, until, PUT_OFF, now)
                .await
                .map(|_| button::done(Act::Later, case)),
            Wanted::HandOver(to, reach) => {
                press::hand_over(&mut tx, organisation, who, &row, (to.as_deref(), reach), now)
                    .await
                    .map(|handed| press::handed_in_swedish(handed, case))
            }
        };
        match outcome {
            Ok(said) => commit(tx, speaker, Answer::keep(said), now).await,
            Err(refused) => Ok(Answer::keep(press::in_swedish(refused, now)?)),
        }
    }
}

enum Wanted {
    Take,
    Later(Time),
    HandOver(Option<String>, Reach),
}
