//! What a member of staff writes to the bot: Swedish commands, read without guessing.
//!
//! A bare number is a case; a span has a unit; a day has a slash, a hyphen or a name. What cannot be read becomes a
//! sentence that says how to write it.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::bind::Code;
use super::swedish::stockholm;
use crate::clock::Time;
use crate::id::CaseId;

/// The longest text that is read at all; the longest sensible command is a tenth of it.
const TEXT_MAX: usize = 400;
/// The shortest pause: less is not a pause but a nuisance.
pub const LATER_MIN: Duration = Duration::from_mins(15);
/// The longest pause: more is an absence, and is said with /franvaro.
pub const LATER_MAX: Duration = Duration::from_hours(7 * 24);
/// The pause when none is said, also behind the button *Påminn mig senare*.
pub const LATER_DEFAULT: Duration = Duration::from_hours(1);
/// The hour meant by "i morgon": the first hour of an ordinary office day.
const MORNING_HOUR: i8 = 8;
/// The longest absence that can be said in a chat; a longer one is an employment matter and is set on the page.
const ABSENCE_DAYS: i32 = 366;

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Tell me what I have.
    Mine,
    /// I take it; the case of the latest message when none is said.
    Take(Option<CaseId>),
    /// Remind me about it at that time.
    Later {
        /// The case of the latest message when none is said.
        case: Option<CaseId>,
        /// When to remind again.
        until: Time,
    },
    /// Somebody else should have it.
    HandOver {
        /// The case of the latest message when none is said.
        case: Option<CaseId>,
        /// A colleague or unit as it was written; whoever is next in line when nobody is named.
        to: Option<String>,
        /// Also when it goes to another board: `ja` stood last.
        sure: bool,
    },
    /// I am away.
    Absence(Away),
    /// What can I say?
    Help,
    /// A one-time code: bind this chat to its owner.
    Bind(Code),
    /// It could not be read; the text says how to write it.
    Wrong(String),
}

/// What was said about an absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// Tell me what is noted.
    Show,
    /// I am back.
    Back,
    /// From the first to the last day, both included, in Stockholm.
    Between(Date, Date),
}

/// The commands as the service's menu shows them.
pub const MENU: [(&str, &str); 6] = [
    ("mina", "Visa hur många ärenden du har"),
    ("ta", "Ta ett ärende: /ta 1042"),
    ("senare", "Påminn senare: /senare 1042 2 tim"),
    ("lamna", "Erbjud någon annan: /lamna 1042 Plan och bygg"),
    ("franvaro", "Frånvaro: /franvaro 24/12-6/1"),
    ("hjalp", "Visa vad du kan skriva"),
];

/// What /hjalp answers.
#[must_use]
pub fn help() -> String {
    "Så här kan du skriva:\n\
     /mina – hur många ärenden du har\n\
     /ta 1042 – du tar ärendet\n\
     /senare 1042 2 tim – påminn dig senare (15 min till 7 dagar, eller i morgon)\n\
     /lamna 1042 Plan och bygg – fråga en enhet eller kollega om de tar ärendet\n\
     /franvaro 24/12-6/1 – du är borta (/franvaro slut när du är tillbaka)\n\
     /hjalp – den här texten\n\
     Skriv inte om innehållet i ärenden här. Allt annat gör du i Lyhörd."
        .to_owned()
}

/// What somebody is told whom we do not know.
pub const NOT_BOUND: &str = "Jag vet inte vem du är. Hämta en kod på din sida i Lyhörd och skriv den här.";
/// What /ta, /senare and /lamna answer when it is not clear which case is meant.
pub const WHICH_CASE: &str = "Vilket ärende menar du? Skriv numret, till exempel /ta 1042.";
/// What is answered about a case that is not hers or does not exist: the same words, so that nobody can probe.
pub const NOT_YOUR_CASE: &str = "Det ärendet har du inte. Skriv /mina för att se dina ärenden.";
/// What /mina answers when nothing waits; else it is the text of a message of the channel's tier.
pub const NOTHING_WAITS: &str = "Du har inga ärenden som väntar. Bra jobbat!";

/// Reads what was written at `now`.
#[must_use]
pub fn parse(text: &str, now: Time) -> Command {
    let text = text.trim();
    if text.chars().count() > TEXT_MAX {
        return Command::Wrong("Det blev för långt för mig. Skriv /hjalp så ser du vad jag förstår.".to_owned());
    }
    let Some(said) = text.strip_prefix('/') else {
        return Code::parse(text).map_or_else(unknown, Command::Bind);
    };
    let (verb, rest) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    // In a group a command may carry the bot's name: /ta@lyhord_bot.
    let verb = verb.split('@').next().unwrap_or("").to_lowercase();
    let words: Vec<&str> = rest.split_whitespace().collect();
    match verb.as_str() {
        "mina" => Command::Mine,
        "hjalp" | "hjälp" | "help" => Command::Help,
        "start" if words.is_empty() => Command::Help,
        "start" => Code::parse(rest).map_or_else(|| Command::Wrong(NOT_BOUND.to_owned()), Command::Bind),
        "ta" => take(&words),
        "senare" => later(&words, now),
        "lamna" | "lämna" => hand_over(&words),
        "franvaro" | "frånvaro" => absence(&words, now),
        _ => unknown(),
    }
}

fn unknown() -> Command {
    Command::Wrong("Det förstod jag inte. Skriv /hjalp så ser du vad jag förstår.".to_owned())
}

/// A case first, when there is one; `#1042` is how some write it.
fn case_first<'a, 'b>(words: &'b [&'a str]) -> (Option<CaseId>, &'b [&'a str]) {
    if let Some((first, rest)) = words.split_first() {
        let bare = first.strip_prefix('#').unwrap_or(first);
        let number = bare.len() <= 18 && !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        if let (true, Ok(id)) = (number, bare.parse()) {
            // `2 tim` begins with a number that is no case.
            if rest.first().is_none_or(|unit| unit_of(unit).is_none()) || first.starts_with('#') {
                return (Some(CaseId(id)), rest);
            }
        }
    }
    (None, words)
}

fn take(words: &[&str]) -> Command {
    match case_first(words) {
        (case, []) => Command::Take(case),
        _ => Command::Wrong("Skriv bara ärendets nummer, till exempel /ta 1042.".to_owned()),
    }
}

fn hand_over(words: &[&str]) -> Command {
    let (case, rest) = case_first(words);
    let (rest, sure) = match rest {
        [name @ .., last] if !name.is_empty() && last.to_lowercase() == "ja" => (name, true),
        rest => (rest, false),
    };
    let to = rest.join(" ");
    Command::HandOver { case, to: (!to.is_empty()).then_some(to), sure }
}

fn unit_of(word: &str) -> Option<u64> {
    match word.to_lowercase().as_str() {
        "m" | "min" | "minut" | "minuter" => Some(60),
        "h" | "t" | "tim" | "timme" | "timmar" => Some(3_600),
        "d" | "dag" | "dagar" => Some(86_400),
        _ => None,
    }
}

/// `2h`, `2 tim`, `90min`, `1 dag`.
fn span(words: &[&str]) -> Option<Duration> {
    let joined = words.concat();
    let digits = joined.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = joined.split_at_checked(digits)?;
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit_of(unit)?)?;
    Some(Duration::from_secs(seconds))
}

fn later(words: &[&str], now: Time) -> Command {
    let (case, rest) = case_first(words);
    let until = match rest {
        [] => Some(now.plus(LATER_DEFAULT)),
        ["i", "morgon"] | ["imorgon"] => tomorrow_morning(now),
        ["kl" | "kl.", clock] => clock_today(clock, now),
        words => span(words).map(|span| now.plus(span)).or_else(|| match words {
            [clock] => clock_today(clock, now),
            _ => None,
        }),
    };
    match until {
        Some(until) if (now.plus(LATER_MIN)..=now.plus(LATER_MAX)).contains(&until) => Command::Later { case, until },
        Some(_) => Command::Wrong("Jag kan påminna tidigast om 15 minuter och senast om 7 dagar.".to_owned()),
        None => Command::Wrong(
            "Skriv till exempel /senare 1042 2 tim, /senare 1042 i morgon eller /senare 1042 kl 14.30.".to_owned(),
        ),
    }
}

fn tomorrow_morning(now: Time) -> Option<Time> {
    let zone = stockholm();
    let date = now.zoned(&zone).date().tomorrow().ok()?;
    let at = date.at(MORNING_HOUR, 0, 0, 0).to_zoned_datetime(zone).ok()?;
    Some(Time::of(at.timestamp()))
}

/// `14`, `14.30`, `14:30`, today.
fn clock_today(clock: &str, now: Time) -> Option<Time> {
    let (hour, minute) = clock.split_once(['.', ':']).unwrap_or((clock, "0"));
    let time = jiff::civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    let zone = stockholm();
    let at = now.zoned(&zone).date().to_datetime(time).to_zoned_datetime(zone).ok()?;
    Some(Time::of(at.timestamp()))
}

fn absence(words: &[&str], now: Time) -> Command {
    let today = now.zoned(&stockholm()).date();
    let joined = words.join(" ").to_lowercase();
    match joined.as_str() {
        "" => return Command::Absence(Away::Show),
        "slut" | "tillbaka" | "av" => return Command::Absence(Away::Back),
        _ => {}
    }
    match between(&joined, today) {
        Some((first, last)) if first <= last && days(today, last) <= ABSENCE_DAYS && today <= last => {
            Command::Absence(Away::Between(first, last))
        }
        Some(_) => Command::Wrong(
            "Frånvaron måste sluta i dag eller senare, inom ett år, och inte börja efter att den slutar.".to_owned(),
        ),
        None => Command::Wrong(
            "Skriv till exempel /franvaro i dag, /franvaro 24/12-6/1 eller /franvaro slut när du är tillbaka."
                .to_owned(),
        ),
    }
}

fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

fn between(said: &str, today: Date) -> Option<(Date, Date)> {
    if let Some(one) = day(said, today, today) {
        return Some((one, one));
    }
    for separator in [" till ", " - ", " – ", "–", " ", "-"] {
        let Some((first, last)) = said.split_once(separator) else { continue };
        if let Some(first) = day(first.trim(), today, today) {
            return Some((first, day(last.trim(), today, first)?));
        }
    }
    None
}

/// A day by name or number; without a year, the first such day that is not before `earliest`.
fn day(said: &str, today: Date, earliest: Date) -> Option<Date> {
    match said {
        "i dag" | "idag" => return Some(today),
        "i morgon" | "imorgon" => return today.tomorrow().ok(),
        _ => {}
    }
    if let Ok(date) = said.parse::<Date>() {
        return (said.len() == 10).then_some(date);
    }
    let (number, month) = said.split_once('/')?;
    let (number, month) = (number.parse().ok()?, month.parse().ok()?);
    let this_year = Date::new(earliest.year(), month, number).ok();
    match this_year.filter(|date| *date >= earliest) {
        Some(date) => Some(date),
        None => Date::new(earliest.checked_add(1.year()).ok()?.year(), month, number).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Time {
        Time::parse("2026-11-23T10:00:00+01:00").unwrap()
    }

    fn said(text: &str) -> Command {
        parse(text, now())
    }

    fn until(text: &str) -> String {
        match said(text) {
            Command::Later { until, .. } => super::super::swedish::time_of(until, now()),
            other => format!("{other:?}"),
        }
    }

    fn away(text: &str) -> String {
        match said(text) {
            Command::Absence(Away::Between(first, last)) => format!("{first} {last}"),
            Command::Absence(other) => format!("{other:?}"),
            _ => "wrong".to_owned(),
        }
    }

    #[test]
    fn a_case_is_taken_by_number_with_or_without_the_bot_s_name() {
        for text in ["/ta 1042", "/TA@lyhord_bot #1042", "  /ta   1042 "] {
            assert_eq!(said(text), Command::Take(Some(CaseId(1042))), "{text}");
        }
        assert_eq!(said("/ta"), Command::Take(None));
        assert!(matches!(said("/ta 1042 genast"), Command::Wrong(_)));
    }

    #[test]
    fn later_is_read_as_people_write_it() {
        assert_eq!(until("/senare"), "kl. 11.00");
        assert_eq!(until("/senare 2h"), "kl. 12.00");
        assert_eq!(until("/senare 2 tim"), "kl. 12.00");
        assert_eq!(until("/senare 1042 90 min"), "kl. 11.30");
        assert_eq!(until("/senare 1042 i morgon"), "tisdag 24 november kl. 08.00");
        assert_eq!(until("/senare kl 14"), "kl. 14.00");
        assert_eq!(until("/senare 1042 14.30"), "kl. 14.30");
        assert_eq!(said("/senare 1042"), Command::Later { case: Some(CaseId(1042)), until: now().plus(LATER_DEFAULT) });
        assert_eq!(
            said("/senare #2 3 dagar"),
            Command::Later { case: Some(CaseId(2)), until: now().plus(Duration::from_hours(72)) }
        );
    }

    #[test]
    fn later_has_bounds() {
        for text in
            ["/senare 14 min", "/senare 8 dagar", "/senare kl 9", "/senare 99999999999999999999 h", "/senare snart"]
        {
            assert!(matches!(said(text), Command::Wrong(_)), "{text}");
        }
    }

    #[test]
    fn handing_over_may_name_somebody() {
        assert_eq!(
            said("/lamna 1042 Plan och bygg"),
            Command::HandOver { case: Some(CaseId(1042)), to: Some("Plan och bygg".into()), sure: false }
        );
        assert_eq!(
            said("/lamna 1042 Plan och bygg ja"),
            Command::HandOver { case: Some(CaseId(1042)), to: Some("Plan och bygg".into()), sure: true }
        );
        assert_eq!(said("/lämna"), Command::HandOver { case: None, to: None, sure: false });
    }

    #[test]
    fn an_absence_without_a_year_is_the_next_one() {
        assert_eq!(away("/franvaro 24/12-6/1"), "2026-12-24 2027-01-06");
        assert_eq!(away("/frånvaro i dag"), "2026-11-23 2026-11-23");
        assert_eq!(away("/franvaro i morgon till 27/11"), "2026-11-24 2026-11-27");
        assert_eq!(away("/franvaro 2026-12-24 2026-12-27"), "2026-12-24 2026-12-27");
        assert_eq!(away("/franvaro 1/3"), "2027-03-01 2027-03-01");
        assert_eq!(away("/franvaro slut"), "Back");
        assert_eq!(away("/franvaro"), "Show");
    }

    #[test]
    fn an_absence_that_is_over_or_backwards_or_endless_is_refused() {
        for text in [
            "/franvaro 2026-11-01",
            "/franvaro 2026-12-27 2026-12-24",
            "/franvaro 2026-12-01 2028-01-01",
            "/franvaro 31/2",
            "/franvaro länge",
        ] {
            assert_eq!(away(text), "wrong", "{text}");
        }
    }

    #[test]
    fn a_code_binds_bare_or_behind_start() {
        let code = Code::of(42);
        assert_eq!(said(&code.shown()), Command::Bind(code.clone()));
        assert_eq!(said(&format!("/start {}", code.shown())), Command::Bind(code));
        assert_eq!(said("/start"), Command::Help);
    }

    #[test]
    fn what_is_not_a_command_is_answered_politely() {
        for text in ["hej", "/radera allt", "/", "", &"å".repeat(TEXT_MAX + 1)] {
            let Command::Wrong(answer) = said(text) else { panic!("{text}") };
            assert!(answer.contains("/hjalp"), "{answer}");
        }
    }

    #[test]
    fn the_menu_fits_telegram_and_every_entry_is_understood() {
        for (verb, told) in MENU {
            assert!(verb.bytes().all(|byte| byte.is_ascii_lowercase()) && told.chars().count() <= 256);
            assert!(!matches!(said(&format!("/{verb}")), Command::Wrong(_)), "{verb}");
            assert!(help().contains(&format!("/{verb}")), "{verb}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_a_pause_stays_within_bounds(words in "[0-9a-zåäö#./: -]{0,40}") {
            if let Command::Later { until, .. } = said(&format!("/senare {words}")) {
                prop_assert!(until >= now().plus(LATER_MIN) && until <= now().plus(LATER_MAX));
            }
        }

        #[test]
        fn no_text_makes_the_parser_fall_over(text in "\\PC{0,60}") {
            let _ = said(&text);
            let _ = said(&format!("/franvaro {text}"));
            let _ = said(&format!("/ta {text}"));
        }
    }
}
