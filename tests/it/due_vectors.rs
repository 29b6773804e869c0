//! `lyhord due` on every vector that we have for Swedish working time, through the program itself.

use std::path::Path;
use std::process::Command;

/// Calendars of the cases from elsewhere, beside those that are shipped.
const ELSEWHERE: &str = r#"
[calendar.nio-fem]
weekdays = ["09:00-17:00"]

[calendar.lunch]
weekdays = ["08:00-12:00", "13:30-18:00"]
"#;

/// From when, how much (`4 h` or `1 ad`), by which calendar, and when it is due.
#[rustfmt::skip]
const VECTORS: &[(&str, &str, &str, &str)] = &[
    // The next working day after, as the almanac says.
    ("2026-04-02T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-04-07T10:00:00+02:00"),
    ("2026-06-18T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-06-22T10:00:00+02:00"),
    ("2026-11-20T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-11-23T10:00:00+01:00"),
    ("2026-12-23T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-12-28T10:00:00+01:00"),
    ("2026-12-30T10:00:00+01:00", "1 ad", "kontaktcenter", "2027-01-04T10:00:00+01:00"),
    ("2027-01-05T10:00:00+01:00", "1 ad", "kontaktcenter", "2027-01-07T10:00:00+01:00"),
    ("2027-03-25T10:00:00+01:00", "1 ad", "kontaktcenter", "2027-03-30T10:00:00+02:00"),
    ("2027-05-05T10:00:00+02:00", "1 ad", "kontaktcenter", "2027-05-07T10:00:00+02:00"),
    ("2027-06-24T10:00:00+02:00", "1 ad", "kontaktcenter", "2027-06-28T10:00:00+02:00"),
    ("2027-11-05T10:00:00+01:00", "1 ad", "kontaktcenter", "2027-11-08T10:00:00+01:00"),
    // The other red days of three years; a klämdag counts, annandag pingst is an ordinary Monday.
    ("2025-12-30T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-01-02T10:00:00+01:00"),
    ("2026-01-05T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-01-07T10:00:00+01:00"),
    ("2026-04-30T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-05-04T10:00:00+02:00"),
    ("2026-05-13T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-05-15T10:00:00+02:00"),
    ("2026-05-22T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-05-25T10:00:00+02:00"),
    ("2026-06-05T10:00:00+02:00", "1 ad", "kontaktcenter", "2026-06-08T10:00:00+02:00"),
    ("2026-10-30T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-11-02T10:00:00+01:00"),
    ("2027-05-14T10:00:00+02:00", "1 ad", "kontaktcenter", "2027-05-17T10:00:00+02:00"),
    ("2027-12-23T10:00:00+01:00", "1 ad", "kontaktcenter", "2027-12-27T10:00:00+01:00"),
    ("2027-12-30T10:00:00+01:00", "1 ad", "kontaktcenter", "2028-01-03T10:00:00+01:00"),
    ("2028-01-05T10:00:00+01:00", "1 ad", "kontaktcenter", "2028-01-07T10:00:00+01:00"),
    ("2028-04-13T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-04-18T10:00:00+02:00"),
    ("2028-04-28T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-05-02T10:00:00+02:00"),
    ("2028-05-24T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-05-26T10:00:00+02:00"),
    ("2028-06-02T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-06-05T10:00:00+02:00"),
    ("2028-06-05T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-06-07T10:00:00+02:00"),
    ("2028-06-22T10:00:00+02:00", "1 ad", "kontaktcenter", "2028-06-26T10:00:00+02:00"),
    ("2028-11-03T10:00:00+01:00", "1 ad", "kontaktcenter", "2028-11-06T10:00:00+01:00"),
    ("2028-12-22T10:00:00+01:00", "1 ad", "kontaktcenter", "2028-12-27T10:00:00+01:00"),
    // So many working days has a year: the last of them, and one more is in the next.
    ("2025-12-31T10:00:00+01:00", "251 ad", "kontaktcenter", "2026-12-30T10:00:00+01:00"),
    ("2026-12-31T10:00:00+01:00", "253 ad", "kontaktcenter", "2027-12-30T10:00:00+01:00"),
    ("2027-12-31T10:00:00+01:00", "251 ad", "kontaktcenter", "2028-12-29T10:00:00+01:00"),
    // Over both nights when the clock changes: 73 hours and 71, and a shift of nine hours and of seven.
    ("2026-10-23T15:00:00+02:00", "1 ad", "kontaktcenter", "2026-10-26T15:00:00+01:00"),
    ("2026-03-27T15:00:00+01:00", "1 ad", "kontaktcenter", "2026-03-30T15:00:00+02:00"),
    ("2027-10-29T15:00:00+02:00", "1 ad", "kontaktcenter", "2027-11-01T15:00:00+01:00"),
    ("2028-03-24T15:00:00+01:00", "1 ad", "kontaktcenter", "2028-03-27T15:00:00+02:00"),
    ("2026-10-24T22:00:00+02:00", "9 h", "jour", "2026-10-25T06:00:00+01:00"),
    ("2026-03-28T22:00:00+01:00", "7 h", "jour", "2026-03-29T06:00:00+02:00"),
    // The clock time is moved into the hours of the day.
    ("2026-11-24T06:00:00+01:00", "1 ad", "kontaktcenter", "2026-11-25T08:00:00+01:00"),
    ("2026-11-24T20:00:00+01:00", "1 ad", "kontaktcenter", "2026-11-25T16:30:00+01:00"),
    ("2026-11-21T10:00:00+01:00", "1 ad", "kontaktcenter", "2026-11-23T10:00:00+01:00"),
    // What fits exactly ends at closing time; the rest waits for the next opening, over midsommar too.
    ("2026-11-24T14:30:00+01:00", "2 h", "kontaktcenter", "2026-11-24T16:30:00+01:00"),
    ("2026-11-20T15:00:00+01:00", "4 h", "kontaktcenter", "2026-11-23T10:30:00+01:00"),
    ("2026-06-18T15:00:00+02:00", "2 h", "kontaktcenter", "2026-06-22T08:30:00+02:00"),
    ("2026-06-19T12:00:00+02:00", "0.5 h", "jour", "2026-06-19T12:30:00+02:00"),
    // Half days, summer hours, a planning day and the lunch break, as a unit has chosen them.
    ("2026-04-01T15:00:00+02:00", "1 ad", "kommunikation", "2026-04-02T12:00:00+02:00"),
    ("2026-10-29T15:00:00+01:00", "1 ad", "kommunikation", "2026-10-30T12:00:00+01:00"),
    ("2026-06-30T16:15:00+02:00", "1 ad", "kommunikation", "2026-07-01T16:00:00+02:00"),
    ("2026-10-08T10:00:00+02:00", "1 ad", "kommunikation", "2026-10-12T10:00:00+02:00"),
    ("2026-11-24T12:30:00+01:00", "1 h", "kommunikation", "2026-11-24T14:00:00+01:00"),
    // What broke elsewhere: chatwoot PR#13392, Hootsuite, freescout#3756, chatwoot#14009, alaveteli.
    ("2026-11-20T16:30:00+01:00", "1 h", "nio-fem", "2026-11-23T09:30:00+01:00"),
    ("2026-11-25T10:00:00+01:00", "2 h", "nio-fem", "2026-11-25T12:00:00+01:00"),
    ("2026-11-25T07:00:00+01:00", "2 h", "nio-fem", "2026-11-25T11:00:00+01:00"),
    ("2026-11-20T16:45:00+01:00", "0.5 h", "nio-fem", "2026-11-23T09:15:00+01:00"),
    ("2026-11-25T16:00:00+01:00", "4 h", "nio-fem", "2026-11-26T12:00:00+01:00"),
    ("2026-11-25T12:30:00+01:00", "1 h", "lunch", "2026-11-25T14:30:00+01:00"),
    ("2026-12-14T10:00:00+01:00", "20 ad", "kontaktcenter", "2027-01-18T10:00:00+01:00"),
];

fn due(folder: &Path, from: &str, amount: &str, calendar: &str) -> serde_json::Value {
    let (count, unit) = amount.split_once(' ').unwrap();
    let how = if unit == "h" { "--hours" } else { "--working-days" };
    let said = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .args(["--config", &folder.display().to_string(), "due", "--from", from, how, count])
        .args(["--calendar", calendar, "--json"])
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn the_program_says_every_due_time_as_the_almanac_and_the_offices_have_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in lyhord::config::FILES {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        let mut text = std::fs::read_to_string(from).unwrap();
        if name == "organisation.toml" {
            text.push_str(ELSEWHERE);
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (from, amount, calendar, expected) in VECTORS {
        let said = due(folder.path(), from, amount, calendar);
        assert_eq!(said["due_at"], *expected, "{amount} from {from} by {calendar}: {said}");
        let because = said["because"].as_array().unwrap();
        assert!(because.len() >= 2, "{said}");
        assert!(because.last().unwrap().as_str().unwrap().starts_with("Klart senast "), "{said}");
    }
    let closed = due(folder.path(), "2026-06-18T15:00:00+02:00", "2 h", "kontaktcenter").to_string();
    assert!(closed.contains("midsommarafton") && closed.contains("midsommardagen"), "{closed}");
    let autumn = due(folder.path(), "2026-10-23T15:00:00+02:00", "1 ad", "kontaktcenter").to_string();
    assert!(autumn.contains("vintertid"), "{autumn}");
}
