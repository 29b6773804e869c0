use std::time::Duration;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::calendar::hours::Week;
use crate::calendar::words::{parse_moment, rfc3339};
use crate::calendar::{Calendars, Year, stockholm};
use crate::settings::{Problems, read};

const HOUR: Duration = Duration::from_hours(1);

/// The calendars of the example configuration.
const EXAMPLE: &str = r#"
[calendar.kontaktcenter]
weekdays = ["08:00-16:30"]

[calendar.kommunikation]
weekdays = ["08:00-12:00", "13:00-16:30"]

[calendar.kommunikation.half_days]
skartorsdagen = "12:00"
dagen-fore-alla-helgons-dag = "12:00"

[[calendar.kommunikation.season]]
name = "sommartid"
from = "06-15"
to = "08-15"
weekdays = ["08:00-12:00", "13:00-16:00"]

[[calendar.kommunikation.exception]]
from = 2026-10-09
why = "planeringsdag"

[calendar.jour]
holidays = "none"
every_day = ["00:00-24:00"]
"#;

fn calendars(text: &str) -> (Calendars, Vec<String>) {
    let problems = Problems::default();
    let root = read("organisation.toml", text, &problems);
    let all = root.section("calendar").map(|section| Calendars::read(&section)).unwrap_or_default();
    drop(root);
    (all, problems.sorted().iter().map(ToString::to_string).collect())
}

fn kontaktcenter() -> Calendar {
    Calendar::weekdays("kontaktcenter", &[(480, 990)])
}

fn nine_to_five() -> Calendar {
    Calendar::weekdays("9-17", &[(540, 1020)])
}

/// A Swedish wall-clock time, `2026-06-18 15:00`.
fn at(text: &str) -> Time {
    let civil: jiff::civil::DateTime = text.parse().unwrap();
    Time::of(stockholm().to_timestamp(civil).unwrap())
}

fn told(time: Time) -> String {
    stockholm().to_datetime(time.timestamp()).strftime("%a %Y-%m-%d %H:%M").to_string()
}

fn hours_after(calendar: &Calendar, from: &str, hours: f64) -> String {
    told(calendar.add_open(at(from), HOUR.mul_f64(hours)).unwrap())
}

fn days_after(calendar: &Calendar, from: &str, days: u16) -> String {
    told(calendar.add_working_days(at(from), days).unwrap())
}

#[test]
fn an_hour_before_the_weekend_ends_on_monday_morning() {
    // chatwoot PR#13392
    assert_eq!(hours_after(&nine_to_five(), "2026-11-20 16:30", 1.0), "Mon 2026-11-23 09:30");
}

#[test]
fn hours_before_opening_count_from_opening() {
    assert_eq!(hours_after(&nine_to_five(), "2026-11-18 10:00", 2.0), "Wed 2026-11-18 12:00");
    assert_eq!(hours_after(&nine_to_five(), "2026-11-18 07:00", 2.0), "Wed 2026-11-18 11:00");
}

#[test]
fn half_an_hour_over_the_weekend_is_due_at_a_quarter_past_nine() {
    let due = nine_to_five().add_open(at("2026-11-20 16:45"), HOUR / 2).unwrap();
    assert_eq!(told(due), "Mon 2026-11-23 09:15");
    assert!(at("2026-11-23 09:15") <= due && due < at("2026-11-23 09:16"), "09:15 keeps the promise, 09:16 breaks it");
}

#[test]
fn four_hours_at_four_o_clock_end_at_noon_the_next_working_day() {
    assert_eq!(hours_after(&nine_to_five(), "2026-11-18 16:00", 4.0), "Thu 2026-11-19 12:00");
}

#[test]
fn a_message_in_the_lunch_break_counts_from_its_end() {
    let split = Calendar::weekdays("lunch", &[(480, 720), (810, 1080)]);
    assert_eq!(hours_after(&split, "2026-11-18 12:30", 1.0), "Wed 2026-11-18 14:30");
    assert_eq!(hours_after(&split, "2026-11-18 11:30", 1.0), "Wed 2026-11-18 14:00");
    assert_eq!(days_after(&split, "2026-11-18 12:30", 1), "Thu 2026-11-19 13:30");
}

#[test]
fn what_fits_exactly_ends_at_closing_time_and_not_at_the_next_opening() {
    assert_eq!(hours_after(&kontaktcenter(), "2026-11-20 08:00", 8.5), "Fri 2026-11-20 16:30");
    let calendar = kontaktcenter();
    let due = calendar.add_open(at("2026-11-20 08:00"), HOUR * 17 / 2 + Duration::from_mins(1)).unwrap();
    assert_eq!(told(due), "Mon 2026-11-23 08:01");
}

#[test]
fn twenty_full_working_days_begin_the_day_after_arrival() {
    // alaveteli: day zero is the day of arrival. 2026-11-23 is a Monday; four weeks later is 21 December.
    assert_eq!(days_after(&kontaktcenter(), "2026-11-23 10:00", 20), "Mon 2026-12-21 10:00");
    // Over Christmas and New Year: 24, 25 and 31 December, 1 and 6 January do not count.
    assert_eq!(days_after(&kontaktcenter(), "2026-12-14 10:00", 20), "Mon 2027-01-18 10:00");
    // On a Saturday the day of arrival is still day zero, not a day lost.
    assert_eq!(days_after(&kontaktcenter(), "2026-11-21 10:00", 1), "Mon 2026-11-23 10:00");
}

#[test]
fn the_next_working_day_is_as_the_almanac_says() {
    let vectors = [
        (date(2026, 4, 2), date(2026, 4, 7)),
        (date(2026, 6, 18), date(2026, 6, 22)),
        (date(2026, 11, 20), date(2026, 11, 23)),
        (date(2026, 12, 23), date(2026, 12, 28)),
        (date(2026, 12, 30), date(2027, 1, 4)),
        (date(2027, 1, 5), date(2027, 1, 7)),
        (date(2027, 3, 25), date(2027, 3, 30)),
        (date(2027, 5, 5), date(2027, 5, 7)),
        (date(2027, 6, 24), date(2027, 6, 28)),
        (date(2027, 11, 5), date(2027, 11, 8)),
    ];
    for (from, next) in vectors {
        assert_eq!(kontaktcenter().working_day_after(from, 1), Ok(next), "{from}");
    }
}

#[test]
fn a_working_day_keeps_the_clock_over_both_nights_when_the_clock_changes() {
    let calendar = kontaktcenter();
    let (autumn, spring) = (at("2026-10-23 15:00"), at("2026-03-27 15:00"));
    let autumn_due = calendar.add_working_days(autumn, 1).unwrap();
    let spring_due = calendar.add_working_days(spring, 1).unwrap();
    assert_eq!((told(autumn_due), autumn_due.since(autumn)), ("Mon 2026-10-26 15:00".into(), HOUR * 73));
    assert_eq!((told(spring_due), spring_due.since(spring)), ("Mon 2026-03-30 15:00".into(), HOUR * 71));
}

#[test]
fn a_shift_over_the_autumn_night_is_nine_hours_and_over_the_spring_night_seven() {
    let (all, faults) = calendars("[calendar.jour]\nholidays = \"none\"\nevery_day = [\"22:00-06:00\"]\n");
    assert_eq!(faults, Vec::<String>::new());
    let jour = all.get("jour").unwrap();
    let open = |from: &str, to: &str| jour.open_between(at(from), at(to));
    assert_eq!(open("2026-10-24 20:00", "2026-10-25 12:00"), HOUR * 9);
    assert_eq!(open("2026-03-28 20:00", "2026-03-29 12:00"), HOUR * 7);
    assert_eq!(open("2026-05-05 20:00", "2026-05-06 12:00"), HOUR * 8);
}

#[test]
fn a_clock_time_that_is_skipped_or_comes_twice_is_one_moment() {
    let calendar = kontaktcenter();
    assert_eq!(told(calendar.moment(date(2026, 3, 29), 150)), "Sun 2026-03-29 03:30");
    let twice = calendar.moment(date(2026, 10, 25), 150);
    assert_eq!(rfc3339(twice, calendar.zone()), "2026-10-25T02:30:00+02:00");
}

#[test]
fn round_the_clock_counts_real_hours() {
    let always = Calendar::always();
    let from = at("2026-10-24 12:00");
    assert_eq!(always.add_open(from, HOUR * 24).unwrap().since(from), HOUR * 24);
    assert_eq!(told(always.add_open(from, HOUR * 24).unwrap()), "Sun 2026-10-25 11:00");
    assert!(always.is_open(at("2026-12-25 03:00")));
}

#[test]
fn the_clock_time_is_moved_into_the_opening_hours() {
    let calendar = kontaktcenter();
    assert_eq!(days_after(&calendar, "2026-11-19 20:15", 1), "Fri 2026-11-20 16:30");
    assert_eq!(days_after(&calendar, "2026-11-19 06:15", 1), "Fri 2026-11-20 08:00");
    assert_eq!(days_after(&calendar, "2026-11-20 16:30", 1), "Mon 2026-11-23 16:30");
}

#[test]
fn a_due_time_is_read_aloud() {
    let due = kontaktcenter().due_after_hours(at("2026-06-18 15:00"), HOUR * 4).unwrap();
    insta::assert_snapshot!(due.because.join("\n"), @r"
    Från torsdag 18 juni 2026 kl. 15.00 räknas 4 timmar öppen tid i kalendern kontaktcenter.
    Fredag 19 juni 2026–söndag 21 juni 2026 räknas inte: midsommarafton, midsommardagen, söndag.
    Klart senast måndag 22 juni 2026 kl. 10.30.
    ");
    let due = kontaktcenter().due_after_working_days(at("2026-10-23 20:00"), 2).unwrap();
    insta::assert_snapshot!(due.because.join("\n"), @r"
    Från fredag 23 oktober 2026 kl. 20.00 räknas 2 arbetsdagar i kalendern kontaktcenter.
    Klockslaget flyttas till 16.30 eftersom det är öppet 08.00–16.30 den dagen.
    Lördag 24 oktober 2026–söndag 25 oktober 2026 räknas inte: lördag, söndag.
    På vägen ställs klockan bakåt till vintertid; klockslagen är svensk tid.
    Klart senast tisdag 27 oktober 2026 kl. 16.30.
    ");
    assert_eq!(rfc3339(due.at, &stockholm()), "2026-10-27T16:30:00+01:00");
}

#[test]
fn a_due_time_as_json_has_the_offset_of_its_own_date() {
    let due = kontaktcenter().due_after_working_days(at("2026-10-23 15:00"), 1).unwrap();
    let json = due.json(&stockholm());
    assert_eq!(json["due_at"], "2026-10-26T15:00:00+01:00");
    assert_eq!(json["because"].as_array().unwrap().len(), due.because.len());
    assert!(due.text(&stockholm()).starts_with("2026-10-26T15:00:00+01:00\n  Från fredag 23 oktober 2026"));
}

#[test]
fn a_moment_is_read_with_or_without_an_offset() {
    let read = |text| parse_moment(text, &stockholm()).ok();
    let expected = Some(at("2026-06-18 15:00"));
    for text in ["2026-06-18T15:00:00+02:00", "2026-06-18T13:00:00Z", "2026-06-18T15:00", "2026-06-18 15:00"] {
        assert_eq!(read(text), expected, "{text}");
    }
    assert_eq!(read("i morgon"), None);
}

#[test]
fn hours_that_cannot_be_meant_are_refused() {
    assert_eq!(open_hours(1.5), Some(HOUR * 3 / 2));
    assert_eq!(open_hours(0.0), Some(Duration::ZERO));
    assert_eq!([-1.0, f64::NAN, f64::INFINITY, 1e300].map(open_hours), [None; 4]);
}

#[test]
fn the_example_configuration_reads_without_a_fault() {
    let (all, faults) = calendars(EXAMPLE);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(all.names(), ["jour", "kommunikation", "kontaktcenter"]);
    let calendar = all.get("kontaktcenter").unwrap();
    let day = |of: Date| calendar.day(of);
    assert_eq!(day(date(2026, 11, 23)).hours.intervals(), [(480, 990)]);
    assert!(all.get("jour").unwrap().works_on(date(2026, 12, 25)));
}

#[test]
fn local_choices_are_data_with_a_date() {
    let (all, faults) = calendars(
        r#"
        [calendar.a]
        weekdays = ["08:00-12:00", "13:00-17:00"]
        friday = ["08:00-15:00"]
        bridge_days = "closed"
        half_days = { skartorsdagen = "12:00", valborgsmassoafton = "closed" }
        [[calendar.a.season]]
        from = "06-15"
        to = "08-15"
        name = "sommartid"
        weekdays = ["09:00-15:00"]
        [[calendar.a.exception]]
        from = 2026-10-09
        why = "planeringsdag"
        [[calendar.a.exception]]
        from = 2026-10-10
        to = 2026-10-11
        why = "öppet hus"
        hours = ["10:00-14:00"]
        [[calendar.a.change]]
        from = 2027-01-01
        weekdays = ["07:00-16:00"]
        "#,
    );
    assert_eq!(faults, Vec::<String>::new());
    let calendar = all.get("a").unwrap();
    let open = |y, m, d| calendar.day(date(y, m, d)).hours.intervals().to_vec();
    assert_eq!(open(2026, 5, 5), [(480, 720), (780, 1020)], "an ordinary Tuesday");
    assert_eq!(open(2026, 5, 8), [(480, 900)], "Friday has its own hours");
    assert_eq!(open(2026, 4, 2), [(480, 720)], "skärtorsdagen is a half day");
    assert_eq!(open(2026, 4, 30), [], "valborg is closed here");
    assert_eq!(open(2026, 5, 15), [], "the klämdag after Ascension Day is closed here");
    assert_eq!(open(2026, 7, 7), [(540, 900)], "summer hours");
    assert_eq!(open(2026, 10, 9), [], "planning day");
    assert_eq!(open(2026, 10, 11), [(600, 840)], "a Sunday with open doors");
    assert_eq!(open(2027, 5, 7), [(420, 960)], "the change inherits nothing: klämdagar are open again");
    let due = calendar.due_after_working_days(at("2026-10-08 10:00"), 2).unwrap();
    assert_eq!(told(due.at), "Sun 2026-10-11 10:00");
    assert!(due.because.iter().any(|line| line.contains("planeringsdag")), "{:?}", due.because);
}

#[test]
fn faults_in_a_calendar_are_said_with_their_line() {
    let (_, faults) = calendars(
        "[calendar.a]\nweekdays = [\"8-16\"]\nzone = \"Europe/Ale\"\n[calendar.a.half_days]\njulafton = \"12:00\"\nskartorsdag = \"12:00\"\n",
    );
    insta::assert_snapshot!(faults.join("\n"), @r#"
    organisation.toml:1: calendar `a` has a week without open hours: nothing would fall due
    organisation.toml:2: `8` is not hours as "08:00-16:30"
    organisation.toml:3: `zone` `Europe/Ale` is no time zone, as "Europe/Stockholm"
    organisation.toml:5: half day `julafton`, expected one of trettondagsafton, skartorsdagen, valborgsmassoafton, dagen-fore-kristi-himmelsfard, dagen-fore-nationaldagen, dagen-fore-alla-helgons-dag
    organisation.toml:6: half day `skartorsdag`, expected one of trettondagsafton, skartorsdagen, valborgsmassoafton, dagen-fore-kristi-himmelsfard, dagen-fore-nationaldagen, dagen-fore-alla-helgons-dag; did you mean `skartorsdagen`?
    "#);
}

#[test]
fn a_calendar_that_never_opens_says_so_and_does_not_hang() {
    let (all, faults) = calendars("[calendar.a]\nweekdays = []\n");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let calendar = all.get("a").unwrap();
    assert!(calendar.add_open(at("2026-01-01 00:00"), HOUR).is_err());
    assert!(calendar.add_working_days(at("2026-01-01 00:00"), 1).is_err());
    assert_eq!(calendar.next_open(at("2026-01-01 00:00")), None);
}

#[test]
fn the_version_is_the_fingerprint_of_the_data() {
    let (a, b) = (kontaktcenter(), kontaktcenter());
    assert_eq!(a.version(), b.version());
    assert_ne!(a.version(), nine_to_five().version());
    let kept: Calendar = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
    assert_eq!(kept, a, "a promise's calendar can be kept as text and read again");
    let mut all = Calendars::default();
    all.insert(Calendar::weekdays("kontaktcenter", &[(540, 900)]));
    assert_ne!(all.of(&a.version()), Some(&a), "not kept: today's of the same name");
    all.keep(kept);
    assert_eq!(all.of(&a.version()), Some(&a));
    assert_eq!(
        all.get("kontaktcenter").unwrap().version(),
        Calendar::weekdays("kontaktcenter", &[(540, 900)]).version()
    );
}

#[test]
fn fifty_thousand_hours_are_counted_by_the_day_not_by_the_minute() {
    // Twenty-five years of open time: a loop by the minute would take thirteen million steps.
    let due = kontaktcenter().add_open(at("2026-01-05 08:00"), HOUR * 50_000).unwrap();
    assert_eq!(stockholm().to_datetime(due.timestamp()).year(), 2049);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn open_time_that_is_added_is_the_open_time_between(start in 0_i64..2_000_000_000, minutes in 1_u64..30_000, lunch: bool) {
        let calendar = if lunch { Calendar::weekdays("l", &[(480, 720), (810, 1080)]) } else { kontaktcenter() };
        let (from, open) = (Time(start * 1_000), Duration::from_mins(minutes));
        let due = calendar.add_open(from, open).unwrap();
        prop_assert_eq!(calendar.open_between(from, due), open);
        // It ends at closing time at the latest, never in closed time.
        prop_assert!(calendar.is_open(due.minus(Duration::from_millis(1))));
        let later = calendar.add_open(from.plus(HOUR), open).unwrap();
        prop_assert!(later >= due, "who comes later is not due sooner");
    }

    #[test]
    fn next_open_is_open_and_nothing_before_it_is(start in 0_i64..2_000_000_000, step in 1_u64..600) {
        let calendar = kontaktcenter();
        let now = Time(start * 1_000);
        let opens = calendar.next_open(now).unwrap();
        prop_assert!(calendar.is_open(opens));
        let between = now.plus(Duration::from_mins(step));
        prop_assert!(between >= opens || opens == now || !calendar.is_open(between));
    }
}

#[test]
fn a_week_that_is_always_open_never_closes() {
    let calendar = Calendar::weekly("a", Week::always(), Year::Plain);
    let now = at("2026-10-25 02:30");
    assert_eq!(calendar.next_open(now), Some(now));
    assert_eq!(calendar.open_between(at("2026-10-25 00:00"), at("2026-10-26 00:00")), HOUR * 25);
    assert_eq!(calendar.open_between(at("2026-03-29 00:00"), at("2026-03-30 00:00")), HOUR * 23);
}
