//! Times as a Swede reads them: `kl. 10.42` today, `fredag 27 november kl. 10.42` another day; and in her language why a
//! service does not carry a message.

use jiff::tz::TimeZone;

use crate::clock::Time;

const DAYS: [&str; 7] = ["måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"];
const MONTHS: [&str; 12] = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
];

/// The zone all staff live in. The zone table is compiled in, so UTC is only what a broken build would say.
#[must_use]
pub fn stockholm() -> TimeZone {
    TimeZone::get("Europe/Stockholm").unwrap_or(TimeZone::UTC)
}

/// `kl. 10.42` when it is the same day as `now`, else with the day, and with the year when that differs.
#[must_use]
pub fn time_of(time: Time, now: Time) -> String {
    let zone = stockholm();
    let (then, today) = (time.zoned(&zone), now.zoned(&zone));
    let clock = format!("kl. {:02}.{:02}", then.hour(), then.minute());
    if then.date() == today.date() {
        return clock;
    }
    let year = if then.year() == today.year() { String::new() } else { format!(" {}", then.year()) };
    format!("{}{year} {clock}", day(then.date()))
}

/// `fredag 27 november`.
#[must_use]
pub fn day(date: jiff::civil::Date) -> String {
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    let month = usize::try_from(date.month() - 1).unwrap_or(0);
    let (weekday, month) = (DAYS.get(weekday).unwrap_or(&""), MONTHS.get(month).unwrap_or(&""));
    format!("{weekday} {} {month}", date.day())
}

/// Why an address will never take a message, in Swedish; the voices say it for the log.
#[must_use]
pub fn never(said: &str) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        ("blocked", "boten är blockerad"),
        ("account is closed", "kontot är avslutat"),
        ("has not started", "boten är inte startad"),
        ("no longer in the group", "boten är inte kvar i gruppen"),
        ("end-to-end encrypted", "rummet är krypterat från ände till ände"),
        ("not in the room", "boten är inte med i rummet"),
        ("refused the letter", "e-postservern tar inte emot brev till adressen"),
        ("outside our own domains", "adressen ligger utanför kommunens domäner"),
        ("no such hook", "flödet finns inte längre i inställningarna"),
        ("may not write", "boten får inte skriva där"),
        ("not exist", "adressen finns inte"),
        ("not let us", "boten får inte skriva där"),
        ("too l", "meddelandet är för stort"),
    ];
    KNOWN.iter().find(|(part, _)| said.contains(part)).map_or("tjänsten tog inte emot meddelandet", |(_, why)| why)
}

/// Why a service does not accept us at all, in Swedish; the voices say it for the log.
#[must_use]
pub fn out_of_order(said: &str) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        ("`user_id`", "vår token är en annan användares än `user_id`"),
        ("`bot_id`", "vår token är en annan användares än `bot_id`"),
        ("token", "den känner inte vår token"),
        ("not let us in", "den släpper inte in oss"),
        ("not carry", "den tar inte emot våra brev"),
    ];
    KNOWN.iter().find(|(part, _)| said.contains(part)).map_or("den förstår inte det vi skickar", |(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(time: &str, now: &str) -> String {
        time_of(Time::parse(time).unwrap(), Time::parse(now).unwrap())
    }

    #[test]
    fn a_time_today_is_only_the_clock() {
        assert_eq!(said("2026-11-23T10:42:00+01:00", "2026-11-23T08:00:00+01:00"), "kl. 10.42");
    }

    #[test]
    fn another_day_is_said_with_its_name() {
        assert_eq!(said("2026-11-27T10:42:00+01:00", "2026-11-23T08:00:00+01:00"), "fredag 27 november kl. 10.42");
    }

    #[test]
    fn another_year_is_said_too() {
        assert_eq!(said("2027-01-04T08:05:00+01:00", "2026-12-30T08:00:00+01:00"), "måndag 4 januari 2027 kl. 08.05");
    }

    #[test]
    fn the_day_is_the_day_in_stockholm_also_when_utc_says_otherwise() {
        assert_eq!(said("2026-06-30T22:30:00Z", "2026-07-01T06:00:00Z"), "kl. 00.30");
    }

    #[test]
    fn summer_time_is_two_hours_before_utc() {
        assert_eq!(said("2026-07-01T08:00:00Z", "2026-07-01T06:00:00Z"), "kl. 10.00");
    }

    #[test]
    fn what_every_voice_says_for_the_log_is_told_in_swedish() {
        assert_eq!(never("the person has blocked the bot"), "boten är blockerad");
        assert_eq!(never("the relay refused the letter (550)"), "e-postservern tar inte emot brev till adressen");
        assert_eq!(never("Slack refused the message"), "tjänsten tog inte emot meddelandet");
        assert_eq!(never(""), "tjänsten tog inte emot meddelandet");
        for said in ["Telegram does not know the bot's token", "the service does not know our token (401)"] {
            assert_eq!(out_of_order(said), "den känner inte vår token");
        }
        assert_eq!(out_of_order("the relay does not let us in (535)"), "den släpper inte in oss");
        assert!(out_of_order("the token is another user's than `bot_id`").contains("annan användares"));
    }
}
