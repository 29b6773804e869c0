//! The journal in words: what happened, by whom and when, without a code or an id.

use serde_json::Value;

use super::words;
use crate::assignment::Organisation;
use crate::case::{DismissReason, PromiseKind, Threat};
use crate::chat::Channel;
use crate::classification::correction::Question;
use crate::clock::Time;
use crate::journal::Entry;
use crate::reminder::Stage;
use crate::response::channel_acts::OF_CHANNEL;

/// A line of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) machine: String,
    pub(super) when: String,
    pub(super) text: String,
}

/// An entry as a person reads it.
pub(super) fn told(entry: &Entry, organisation: &Organisation, now: Time) -> Line {
    Line {
        machine: words::machine(entry.at),
        when: words::moment(entry.at, now),
        text: sentence(&entry.actor, &entry.kind, &entry.json(), organisation, now),
    }
}

fn sentence(actor: &str, kind: &str, body: &Value, organisation: &Organisation, now: Time) -> String {
    let who = name_of(actor, organisation);
    let who = who.as_str();
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let name = |key: &str| text(key).map_or("någon", |staff| organisation.name_of_staff(staff));
    let time = |key: &str| body.get(key).and_then(Value::as_i64).map(|at| words::moment(Time(at), now));
    let topic =
        || text("topic").map_or("ett ämne", |slug| organisation.topic(slug).map_or(slug, |topic| topic.name.as_str()));
    let till = |key: &str| time(key).map(|at| format!(" till {at}")).unwrap_or_default();
    match kind {
        "case.opened" => "Hämtat och lagt som ärende".to_owned(),
        "case.joined" => "Ett liknande inlägg lades till".to_owned(),
        "mention.kept" => "Ett inlägg om oss hittades".to_owned(),
        "mention.judged" => "Ett inlägg bedömdes".to_owned(),
        "case.assigned" => {
            let unit = text("unit").map(|unit| format!(" på {}", organisation.name_of_unit(unit))).unwrap_or_default();
            let owner = text("owner").or(text("to")).map_or("en enhet", |owner| organisation.name_of_staff(owner));
            format!("Tilldelat {owner}{unit}")
        }
        "case.taken" => format!("{who}: ”Jag tar det”"),
        "case.handed_over" => {
            format!("{who} lämnade över till {}{}", name("to"), to_board(body, organisation))
        }
        "case.snoozed" => format!("{who} sköt upp påminnelsen{}", till("until")),
        "case.acknowledged" => format!("{who}: ”Jag ser det”"),
        "case.answered" => format!("{who} svarade"),
        "case.answered_in_channel" => format!("{who} svarade i kanalen"),
        "case.breach_withdrawn" => {
            let at = time("answered_at").unwrap_or_default();
            format!("Förseningen är struken: svaret gavs i kanalen {at}, i tid, men hittades först nu")
        }
        "mention.edited" => "Inlägget har ändrats av den som skrev. Tidigare lydelse är sparad".to_owned(),
        "mention.deleted" => "Inlägget är borttaget i kanalen".to_owned(),
        "source.warned" => {
            format!("{} meddelas att källan {} behöver tillsyn", name("to"), text("source").unwrap_or("okänd"))
        }
        "rush.began" => format!("Ovanligt många skriver om {}", topic()),
        "rush.ended" => format!("Det är inte längre ovanligt många som skriver om {}", topic()),
        "account.checked" => {
            let ok = body.get("ok").and_then(Value::as_bool).unwrap_or(false);
            format!(
                "Kontot {} {}",
                text("account").unwrap_or("okänt"),
                if ok { "släpper in oss" } else { "släpper inte in oss" }
            )
        }
        "case.referred" => format!("{who} hänvisade till rätt funktion"),
        "case.dismissed" => {
            let reason =
                text("reason").and_then(DismissReason::from_slug).map(|reason| reason.swedish().to_lowercase());
            format!("{who} avskrev ärendet{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default())
        }
        "case.reopened" => format!("{who} öppnade ärendet igen"),
        "reminder.decided" => {
            let follows = text("stage").is_some_and(|stage| stage.starts_with("follow-"));
            let other = if follows { "uppföljning av hot" } else { "påminnelse" };
            let stage = text("stage").and_then(Stage::from_slug).map_or(other, Stage::swedish).to_lowercase();
            let breaks = body.get("breaks").and_then(Value::as_bool).unwrap_or(false);
            let breaks = if breaks { " (akut, bryter tystnaden)" } else { "" };
            format!("{} ska påminnas: {stage}{breaks}", name("to"))
        }
        "reminder.said" => {
            let voice = text("voice").and_then(Channel::from_slug).map_or("chatten", Channel::swedish);
            format!("{} påmind ({voice})", name("to"))
        }
        "voice.failed" => format!("Chatten för {} går inte längre att nå", name("staff")),
        "source.health" => format!("Källan {} är nu {}", text("source").unwrap_or("okänd"), health(text("to"))),
        "source.missed" => format!(
            "Källan {} hade {} inlägg som inte gick att läsa",
            text("source").unwrap_or("okänd"),
            body.get("items").and_then(Value::as_i64).unwrap_or(1)
        ),
        "account.password_chosen" => format!("{who} valde nytt lösenord"),
        "account.created" | "account.link_made" => format!("{who} gav en inloggningslänk till {}", name("staff")),
        "account.disabled" => format!("{who} stängde kontot för {}", name("staff")),
        "voice.code_made" => format!("{who} bad om en kod för att koppla en chatt"),
        "voice.bound" => format!("{who} kopplade en chatt"),
        "voice.unbound" => format!("{who} kopplade loss en chatt"),
        "absence.noted" => format!("{who} angav frånvaro{}", till("until")),
        "absence.ended" => format!("{who} är tillbaka"),
        "silence.made" => format!("{who} bad om tystnad{}", till("until")),
        "silence.lifted" => format!("{who} hävde tystnaden"),
        "source.read_now" => format!("{who} bad att en källa läses nu"),
        "retention.purged" => format!("Gallring verkställd enligt {}", text("decision").unwrap_or("beslut")),
        "judge.learned" => match text("state") {
            Some("in-office") => "Bedömaren lärde sig av rättelser och en ny version är i tjänst".to_owned(),
            Some("waiting") => "Bedömaren lärde sig av rättelser; den nya versionen väntar på beslut".to_owned(),
            _ => "Bedömaren lärde sig av rättelser men blev sämre, så den förra är kvar".to_owned(),
        },
        "judge.appointed" => {
            let number = body.get("number").and_then(Value::as_i64).unwrap_or_default();
            format!("{who} satte bedömarens version {number} i tjänst")
        }
        "classification.corrected" => corrected(who, text("question"), text("was"), text("became"), organisation),
        _ => coordination(actor, kind, body, organisation, now).unwrap_or_else(|| family(kind, who)),
    }
}

/// What happened to a promise, an offer, a queue, a threat or a silence; nothing for another kind.
fn coordination(actor: &str, kind: &str, body: &Value, organisation: &Organisation, now: Time) -> Option<String> {
    let who = name_of(actor, organisation);
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let name = |key: &str| text(key).map_or("någon", |staff| organisation.name_of_staff(staff));
    let time = |key: &str| body.get(key).and_then(Value::as_i64).map(|at| words::moment(Time(at), now));
    let till = |key: &str| time(key).map(|at| format!(" till {at}")).unwrap_or_default();
    Some(match kind {
        "case.reassigned" => match text("why") {
            Some("absence") => format!("Fördelat om från {} till {}: frånvaron började", name("from"), name("to")),
            Some("queue") => format!("Ur kön till {}", name("to")),
            _ => format!("Fördelat om till {}", name("to")),
        },
        "case.offered" => {
            let unit = text("unit").map(|unit| organisation.name_of_unit(unit));
            format!("{who} erbjöd {}{}", unit.unwrap_or_else(|| name("to")), to_board(body, organisation))
        }
        "case.accepted" => format!("{who} sade ja och har ärendet"),
        "case.declined" => format!("{who} sade nej"),
        "case.offer_withdrawn" => format!("{who} tog tillbaka erbjudandet"),
        "case.offer_expired" => "Ingen svarade på erbjudandet i tid".to_owned(),
        "case.waits" => format!("{who} frågade den som skrev; löftet vilar{}", till("until")),
        "case.resumed" => match text("why") {
            Some("written") => "Den som frågade skrev igen; löftet löper".to_owned(),
            Some("waited-enough") => "Vi har väntat så länge som sades; löftet löper".to_owned(),
            _ => format!("{who} tog tillbaka ordet; löftet löper"),
        },
        "case.first_reply" => format!("{who} gav ett första svar"),
        "case.deadline_set" => format!("{who} noterade journalistens tid{}", till("until")),
        "case.step_done" => format!("{who} bockade av: {}", text("step").unwrap_or_default()),
        "case.step_undone" => format!("{who} ångrade: {}", text("step").unwrap_or_default()),
        "case.threat" => {
            let step = text("step").and_then(Threat::from_slug).map_or("ett steg", Threat::swedish);
            format!("{who}: {step}")
        }
        "case.moved" => {
            format!("{who} flyttade ärendet till rätt ingång; kom in {}", time("arrived_at").unwrap_or_default())
        }
        "promise.broken" => {
            let promise = text("promise").and_then(PromiseKind::from_slug).map_or("Löftet", PromiseKind::swedish);
            format!("Löftet om {} hölls inte i tid", promise.to_lowercase())
        }
        "digest.chosen" => format!("{who} valde när det som kan vänta ska komma"),
        "silence.set" => format!("{who} beslutade om tystnad{}", till("until")),
        "absence.feed" => format!("Frånvaron för {} lästes ur kalendern", name("staff")),
        "digest.weekly" => format!("Veckans läge skickades till {}", name("to")),
        _ => return None,
    })
}

/// ", till en annan nämnd: Samhällsbyggnadsnämnden", when it went from one authority to another.
fn to_board(body: &Value, organisation: &Organisation) -> String {
    let key = body.pointer("/boards/to").and_then(Value::as_str);
    let name =
        key.map(|key| organisation.boards.iter().find(|board| board.key == key).map_or(key, |board| &board.name));
    name.map(|name| format!(", till en annan nämnd: {name}")).unwrap_or_default()
}

/// "Hilda rättade ämne: Skola blev Vatten och avlopp".
fn corrected(
    who: &str,
    question: Option<&str>,
    was: Option<&str>,
    became: Option<&str>,
    organisation: &Organisation,
) -> String {
    let Some(question) = question.and_then(Question::from_slug) else { return format!("{who} rättade bedömningen") };
    let topics = || organisation.topics.iter().map(|topic| (topic.slug.as_str(), topic.name.as_str()));
    let (was, became) = (was.unwrap_or_default(), became.unwrap_or_default());
    let (was, became) = (question.name_of(was, topics()), question.name_of(became, topics()));
    format!(
        "{who} rättade {}: {} blev {}",
        question.swedish().to_lowercase(),
        was.to_lowercase(),
        became.to_lowercase()
    )
}

/// Who did it, as a person reads it: Lyhörd, one of the staff, or our account in a channel when nobody is known.
pub(super) fn name_of(actor: &str, organisation: &Organisation) -> String {
    match actor.strip_prefix(OF_CHANNEL) {
        _ if actor == "lyhord" => "Lyhörd".to_owned(),
        Some(channel) => format!("Kommunens konto ({})", words::channel(channel)),
        None => organisation.name_of_staff(actor).to_owned(),
    }
}

fn health(slug: Option<&str>) -> &'static str {
    match slug {
        Some("ok") => "läsbar",
        Some("blind") => "blind: den svarar men vi ser inget",
        Some("dead") => "död",
        _ => "ostadig",
    }
}

/// A fact of a kind that has no sentence of its own: at least what it was about.
fn family(kind: &str, who: &str) -> String {
    let about = match kind.split('.').next().unwrap_or_default() {
        "case" => "ärendet",
        "mention" => "ett inlägg",
        "classification" => "en bedömning",
        "reminder" => "en påminnelse",
        "message" | "chat" => "ett meddelande",
        "response" => "ett svar",
        "source" => "en källa",
        "audit" | "finding" => "granskningen",
        "account" | "session" => "ett konto",
        "config" => "inställningarna",
        _ => "systemet",
    };
    format!("{who} ändrade {about}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_read_by_a_person() {
        assert_eq!(family("case.something_new", "Lyhörd"), "Lyhörd ändrade ärendet");
        assert_eq!(family("brand.new", "Lyhörd"), "Lyhörd ändrade systemet");
    }
}
