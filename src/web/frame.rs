//! What stands around every page: the rooms a person has, what waits in them, who she is, and a word about what just
//! happened.

use super::access::{lets_in, who};
use super::fault::Fault;
use super::visitor::Visitor;
use super::words::number;
use super::{Site, store};
use crate::assignment::Role;
use crate::db::Tx;
use axum::http::Method;

/// A room in the menu.
#[derive(Debug, Clone)]
pub struct Room {
    /// Where it is.
    pub href: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What waits there; empty when nothing does.
    pub count: String,
    /// True for the room one stands in.
    pub here: bool,
}

/// A word about what just happened.
#[derive(Debug, Clone)]
pub struct Notice {
    /// `good` or `bad`; also told in words.
    pub tone: &'static str,
    /// What happened, and what one can do.
    pub text: String,
}

/// What stands around a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Title of the window.
    pub title: String,
    /// Name of the municipality.
    pub municipality: String,
    /// The rooms; empty for one who is not signed in.
    pub rooms: Vec<Room>,
    /// Name of the one who is signed in; empty when nobody is.
    pub name: String,
    /// Her role in words.
    pub role: String,
    /// What her forms must carry.
    pub csrf: String,
    /// What just happened.
    pub notice: Option<Notice>,
    /// Voices that do not work, and what that means for the reader.
    pub outages: Vec<String>,
    /// What everybody should know now: a crisis; empty when there is none.
    pub crisis: String,
    /// Hash of stylesheet and script, so that a new version is fetched at once and an old one kept for long.
    pub assets: &'static str,
}

/// The rooms in the order of the menu.
const ROOMS: &[(&str, &str)] = &[
    ("/inkorg", "Inkorg"),
    ("/mina", "Mina ärenden"),
    ("/tips", "Tips"),
    ("/laget", "Läget"),
    ("/bevakning", "Bevakning"),
    ("/kallor", "Källor"),
    ("/chattar", "Chattar"),
    ("/uppfoljning", "Uppföljning"),
    ("/journal", "Journal"),
    ("/organisation", "Organisation"),
];

impl Frame {
    /// The frame around a page for one who is signed in; `here` is the room it stands in, or nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(site: &Site, visitor: &Visitor, tx: &mut Tx, title: &str, here: &str) -> Result<Self, Fault> {
        let person = &visitor.person;
        let organisation = site.organisation();
        let (all, _, mine) = crate::case::list_store::counts(tx, &person.key, visitor.now).await?;
        let waiting = match person.units.first() {
            _ if person.sees_all_units() => all,
            Some(unit) => store::waiting_in_unit(tx, unit, visitor.now).await?.0,
            None => 0,
        };
        let health = crate::source::store::health_counts(tx).await?;
        let amiss: i64 = health.iter().filter(|(slug, _)| slug != "ok").map(|(_, n)| n).sum();
        let ill = crate::chat::outbox_store::ill(tx).await?;
        let rooms = ROOMS
            .iter()
            .filter(|(href, _)| who(&Method::GET, href).is_some_and(|who| lets_in(who, &person.roles)))
            .map(|(href, name)| Room {
                href,
                name,
                count: match *href {
                    "/inkorg" if waiting > 0 => number(waiting),
                    "/mina" if mine > 0 => number(mine),
                    "/kallor" if amiss > 0 => format!("{} ur\u{a0}funktion", number(amiss)),
                    "/chattar" if !ill.is_empty() => format!("{}\u{a0}nere", ill.len()),
                    _ => String::new(),
                },
                here: *href == here,
            })
            .collect();
        let crisis = crate::reminder::store::crisis(tx, visitor.now).await?;
        let crisis = crisis
            .map(|row| format!("Krisläge till {}: {}", super::words::moment(row.ends_at, visitor.now), row.reason));
        let role = person.roles.iter().map(|role: &Role| role.swedish()).collect::<Vec<_>>().join(", ");
        Ok(Self {
            title: title.to_owned(),
            rooms,
            name: organisation.name_of_staff(&person.key).to_owned(),
            role,
            csrf: visitor.csrf.clone(),
            outages: super::chats::outages(&ill, visitor.now),
            crisis: crisis.unwrap_or_default(),
            ..Self::bare(site, title)
        })
    }

    /// The frame around a page for one who is not signed in.
    #[must_use]
    pub fn bare(site: &Site, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            municipality: site.municipality.clone(),
            rooms: Vec::new(),
            name: String::new(),
            role: String::new(),
            csrf: String::new(),
            notice: None,
            outages: Vec::new(),
            crisis: String::new(),
            assets: super::assets::version(),
        }
    }

    /// The same frame with a word about what just happened.
    #[must_use]
    pub fn saying(mut self, notice: Option<Notice>) -> Self {
        self.notice = notice;
        self
    }
}

/// What is said after an act, told by a code in the address so that reloading does nothing again.
#[must_use]
pub fn said(code: Option<&str>) -> Option<Notice> {
    let text = match code? {
        "taget" => "Ärendet är ditt.",
        "kvitterat" => "Kvitterat. Du påminns igen senare.",
        "lamnat" => "Ärendet är överlämnat.",
        "senare" => "Påminnelsen är uppskjuten.",
        "svarat" => "Svaret är noterat och ärendet besvarat.",
        "hanvisat" => "Hänvisningen är noterad.",
        "avskrivet" => "Ärendet är avskrivet. Skälet står i historiken.",
        "oppnat" => "Ärendet är öppet igen.",
        "rattat" => "Rättat. Bedömaren lär sig av det.",
        "rattat-vidare" => "Rättat. Ärendet visas nu bara för dem som ska ha det.",
        "inte-oss" => "Rättat och avskrivet: inlägget handlar inte om oss. Bedömaren lär sig av det.",
        "erbjudet" => "Erbjudandet är skickat. Ärendet är kvar hos den som har det tills någon säger ja.",
        "nej" => "Du sade nej. Den som har ärendet får veta varför.",
        "atertaget" => "Erbjudandet är återtaget.",
        "vantar" => "Löftet vilar tills den som frågade hör av sig.",
        "ordet" => "Vi har ordet igen. Tiden som var kvar löper vidare.",
        "forsta" => "Första svaret är noterat. Löftet om hela svaret gäller fortfarande.",
        "deadline" => "Tiden är noterad, och löftet flyttat om den är tidigare.",
        "flyttat" => "Ärendet är flyttat till rätt ingång med sin ankomstdag.",
        "tyst" => "Tystnaden gäller. Den syns i inkorgen med sitt skäl.",
        "ljud" => "Tystnaden är hävd.",
        "bedomare" => "Den valda bedömaren är i tjänst. Bytet står i journalen.",
        "lasning" => "Källan läses så snart en arbetare är ledig.",
        "sparat" => "Sparat.",
        "tipsat" => "Tack. Tipset bedöms nu och blir ett ärende. Du ser det här under Dina tips.",
        "tipsat-igen" => {
            "Tack. Samma inlägg är redan tipsat om, så det blir inget nytt ärende. Ditt tips står med i det. Du ser det här \
             under Dina tips."
        }
        "kopplad" => "Chatten är kopplad. Skicka gärna ett prov.",
        "prov" => "Provet är på väg. Ladda om sidan om en stund så ser du hur det gick.",
        "utloggad" => "Du är utloggad.",
        _ => return None,
    };
    Some(Notice { tone: "good", text: text.to_owned() })
}
