//! The Swedish year: red days (lag 1989:253), eves and bridge days, computed for any year without a table.

use jiff::civil::{Date, Weekday};

/// A named day of the Swedish year that is not a plain Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// 1 January.
    Nyarsdagen,
    /// 5 January; an ordinary working day that some shorten.
    Trettondagsafton,
    /// 6 January.
    TrettondedagJul,
    /// The Thursday before Easter; an ordinary working day that some shorten.
    Skartorsdagen,
    /// The Friday before Easter.
    Langfredagen,
    /// The Saturday before Easter.
    Paskafton,
    /// Easter Sunday.
    Paskdagen,
    /// Easter Monday.
    AnnandagPask,
    /// 30 April; an ordinary working day that some shorten.
    Valborgsmassoafton,
    /// 1 May.
    ForstaMaj,
    /// The day before Ascension Day; an ordinary working day that some shorten.
    DagenForeKristiHimmelsfard,
    /// The sixth Thursday after Easter.
    KristiHimmelsfardsdag,
    /// The Saturday before Whit Sunday.
    Pingstafton,
    /// The seventh Sunday after Easter.
    Pingstdagen,
    /// Whit Monday, a red day until 2004; the national day took its place.
    AnnandagPingst,
    /// 5 June; an ordinary working day that some shorten.
    DagenForeNationaldagen,
    /// 6 June, a red day since 2005.
    Nationaldagen,
    /// The Friday before midsummer's day: as a Sunday for deadlines (lag 1930:173).
    Midsommarafton,
    /// The Saturday of 20–26 June.
    Midsommardagen,
    /// The Friday before all saints' day; an ordinary working day that some shorten.
    AllhelgonaAfton,
    /// The Saturday of 31 October–6 November.
    AllaHelgonsDag,
    /// 24 December: as a Sunday for deadlines.
    Julafton,
    /// 25 December.
    Juldagen,
    /// 26 December.
    AnnandagJul,
    /// 31 December: as a Sunday for deadlines.
    Nyarsafton,
}

/// What the law makes of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A red day: nobody works.
    Red,
    /// Counted as a Sunday for deadlines although it is not red: the three great eves.
    Eve,
    /// A working day by law; a municipality may shorten it.
    Shortenable,
    /// An eve that is always a Saturday: free by its weekday.
    Saturday,
}

impl Named {
    /// Every named day, in the order of the year.
    pub const ALL: [Self; 25] = [
        Self::Nyarsdagen,
        Self::Trettondagsafton,
        Self::TrettondedagJul,
        Self::Skartorsdagen,
        Self::Langfredagen,
        Self::Paskafton,
        Self::Paskdagen,
        Self::AnnandagPask,
        Self::Valborgsmassoafton,
        Self::ForstaMaj,
        Self::DagenForeKristiHimmelsfard,
        Self::KristiHimmelsfardsdag,
        Self::Pingstafton,
        Self::Pingstdagen,
        Self::AnnandagPingst,
        Self::DagenForeNationaldagen,
        Self::Nationaldagen,
        Self::Midsommarafton,
        Self::Midsommardagen,
        Self::AllhelgonaAfton,
        Self::AllaHelgonsDag,
        Self::Julafton,
        Self::Juldagen,
        Self::AnnandagJul,
        Self::Nyarsafton,
    ];

    /// The name in configuration files.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.words().0
    }

    /// What a person reads, inside a sentence.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        self.words().1
    }

    /// Reads a name from a configuration file.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.slug() == slug)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Nyarsdagen => ("nyarsdagen", "nyårsdagen"),
            Self::Trettondagsafton => ("trettondagsafton", "trettondagsafton"),
            Self::TrettondedagJul => ("trettondedag-jul", "trettondedag jul"),
            Self::Skartorsdagen => ("skartorsdagen", "skärtorsdagen"),
            Self::Langfredagen => ("langfredagen", "långfredagen"),
            Self::Paskafton => ("paskafton", "påskafton"),
            Self::Paskdagen => ("paskdagen", "påskdagen"),
            Self::AnnandagPask => ("annandag-pask", "annandag påsk"),
            Self::Valborgsmassoafton => ("valborgsmassoafton", "valborgsmässoafton"),
            Self::ForstaMaj => ("forsta-maj", "första maj"),
            Self::DagenForeKristiHimmelsfard => ("dagen-fore-kristi-himmelsfard", "dagen före Kristi himmelsfärdsdag"),
            Self::KristiHimmelsfardsdag => ("kristi-himmelsfardsdag", "Kristi himmelsfärdsdag"),
            Self::Pingstafton => ("pingstafton", "pingstafton"),
            Self::Pingstdagen => ("pingstdagen", "pingstdagen"),
            Self::AnnandagPingst => ("annandag-pingst", "annandag pingst"),
            Self::DagenForeNationaldagen => ("dagen-fore-nationaldagen", "dagen före nationaldagen"),
            Self::Nationaldagen => ("nationaldagen", "nationaldagen"),
            Self::Midsommarafton => ("midsommarafton", "midsommarafton"),
            Self::Midsommardagen => ("midsommardagen", "midsommardagen"),
            Self::AllhelgonaAfton => ("dagen-fore-alla-helgons-dag", "dagen före alla helgons dag"),
            Self::AllaHelgonsDag => ("alla-helgons-dag", "alla helgons dag"),
            Self::Julafton => ("julafton", "julafton"),
            Self::Juldagen => ("juldagen", "juldagen"),
            Self::AnnandagJul => ("annandag-jul", "annandag jul"),
            Self::Nyarsafton => ("nyarsafton", "nyårsafton"),
        }
    }

    /// What the law makes of it.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            Self::Midsommarafton | Self::Julafton | Self::Nyarsafton => Standing::Eve,
            Self::Trettondagsafton
            | Self::Skartorsdagen
            | Self::Valborgsmassoafton
            | Self::DagenForeKristiHimmelsfard
            | Self::DagenForeNationaldagen
            | Self::AllhelgonaAfton => Standing::Shortenable,
            Self::Paskafton | Self::Pingstafton => Standing::Saturday,
            _ => Standing::Red,
        }
    }
}

/// Easter Sunday of a year in the Gregorian calendar (Meeus, Jones, Butcher): (month, day).
#[must_use]
pub fn easter(year: i16) -> (i8, i8) {
    let year = i32::from(year);
    let (golden, century, in_century) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let skipped = (century - (century + 8).div_euclid(25) + 1).div_euclid(3);
    let epact = (19 * golden + century - century.div_euclid(4) - skipped + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * in_century.div_euclid(4) - epact - in_century.rem_euclid(4))
        .rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday).div_euclid(451);
    let days = epact + weekday - 7 * late + 114;
    // Both are small by construction: month 3 or 4, day 1 to 31.
    (i8::try_from(days.div_euclid(31)).unwrap_or(4), i8::try_from(days.rem_euclid(31) + 1).unwrap_or(1))
}

/// How many days after Easter Sunday a date of the same year falls (negative: before).
fn after_easter(date: Date) -> i16 {
    let (month, day) = easter(date.year());
    let before_month = if month == 3 { 31 + 28 } else { 31 + 28 + 31 } + i16::from(date.in_leap_year());
    date.day_of_year() - before_month - i16::from(day)
}

/// The first year in which 6 June is a red day and Whit Monday is not.
const NATIONAL_DAY_SINCE: i16 = 2005;

/// What a date is called. A red day wins over an eve that falls on the same date.
#[must_use]
pub fn named(date: Date) -> Option<Named> {
    let (month, day, weekday) = (date.month(), date.day(), date.weekday());
    let found = match (month, day) {
        (1, 1) => Some(Named::Nyarsdagen),
        (1, 5) => Some(Named::Trettondagsafton),
        (1, 6) => Some(Named::TrettondedagJul),
        (5, 1) => Some(Named::ForstaMaj),
        (6, 6) if date.year() >= NATIONAL_DAY_SINCE => Some(Named::Nationaldagen),
        (6, 20..=26) if weekday == Weekday::Saturday => Some(Named::Midsommardagen),
        (6, 19..=25) if weekday == Weekday::Friday => Some(Named::Midsommarafton),
        (10, 31) | (11, 1..=6) if weekday == Weekday::Saturday => Some(Named::AllaHelgonsDag),
        (12, 24) => Some(Named::Julafton),
        (12, 25) => Some(Named::Juldagen),
        (12, 26) => Some(Named::AnnandagJul),
        (12, 31) => Some(Named::Nyarsafton),
        _ => None,
    };
    if found.is_some_and(|day| day.standing() != Standing::Shortenable) {
        return found;
    }
    by_easter(date).or(found).or(match (month, day) {
        (4, 30) => Some(Named::Valborgsmassoafton),
        (6, 5) if date.year() >= NATIONAL_DAY_SINCE => Some(Named::DagenForeNationaldagen),
        (10, 30..=31) | (11, 1..=5) if weekday == Weekday::Friday => Some(Named::AllhelgonaAfton),
        _ => None,
    })
}

/// The days that move with Easter, which falls 22 March–25 April; so none of them outside March–June.
fn by_easter(date: Date) -> Option<Named> {
    if !(3..=6).contains(&date.month()) {
        return None;
    }
    match after_easter(date) {
        -3 => Some(Named::Skartorsdagen),
        -2 => Some(Named::Langfredagen),
        -1 => Some(Named::Paskafton),
        0 => Some(Named::Paskdagen),
        1 => Some(Named::AnnandagPask),
        38 => Some(Named::DagenForeKristiHimmelsfard),
        39 => Some(Named::KristiHimmelsfardsdag),
        48 => Some(Named::Pingstafton),
        49 => Some(Named::Pingstdagen),
        50 if date.year() < NATIONAL_DAY_SINCE => Some(Named::AnnandagPingst),
        _ => None,
    }
}

/// True for a red day: a Sunday or a public holiday by law 1989:253.
#[must_use]
pub fn is_red(date: Date) -> bool {
    date.weekday() == Weekday::Sunday || named(date).is_some_and(|day| day.standing() == Standing::Red)
}

/// True when the law counts the day as a Sunday for deadlines: red days, Saturdays and the three great eves.
#[must_use]
pub fn is_free(date: Date) -> bool {
    date.weekday() == Weekday::Saturday
        || is_red(date)
        || named(date).is_some_and(|day| day.standing() == Standing::Eve)
}

/// True for a klämdag: a working day whose day before and day after are both free. The law gives it no standing.
#[must_use]
pub fn is_bridge(date: Date) -> bool {
    let free = |near: Result<Date, jiff::Error>| near.is_ok_and(is_free);
    !is_free(date) && free(date.yesterday()) && free(date.tomorrow())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan as _;
    use jiff::civil::date;

    fn year(year: i16) -> impl Iterator<Item = Date> {
        date(year, 1, 1).series(1.day()).take_while(move |day| day.year() == year)
    }

    fn dates_of(day: Named, of: i16) -> Vec<String> {
        year(of).filter(|date| named(*date) == Some(day)).map(|date| date.strftime("%a %-d/%-m").to_string()).collect()
    }

    #[test]
    fn the_three_years_are_as_the_almanac_says() {
        let rows = [
            (Named::TrettondedagJul, ["Tue 6/1", "Wed 6/1", "Thu 6/1"]),
            (Named::Skartorsdagen, ["Thu 2/4", "Thu 25/3", "Thu 13/4"]),
            (Named::Langfredagen, ["Fri 3/4", "Fri 26/3", "Fri 14/4"]),
            (Named::Paskdagen, ["Sun 5/4", "Sun 28/3", "Sun 16/4"]),
            (Named::AnnandagPask, ["Mon 6/4", "Mon 29/3", "Mon 17/4"]),
            (Named::ForstaMaj, ["Fri 1/5", "Sat 1/5", "Mon 1/5"]),
            (Named::KristiHimmelsfardsdag, ["Thu 14/5", "Thu 6/5", "Thu 25/5"]),
            (Named::Pingstdagen, ["Sun 24/5", "Sun 16/5", "Sun 4/6"]),
            (Named::Nationaldagen, ["Sat 6/6", "Sun 6/6", "Tue 6/6"]),
            (Named::Midsommarafton, ["Fri 19/6", "Fri 25/6", "Fri 23/6"]),
            (Named::Midsommardagen, ["Sat 20/6", "Sat 26/6", "Sat 24/6"]),
            (Named::AllaHelgonsDag, ["Sat 31/10", "Sat 6/11", "Sat 4/11"]),
            (Named::Julafton, ["Thu 24/12", "Fri 24/12", "Sun 24/12"]),
            (Named::AnnandagJul, ["Sat 26/12", "Sun 26/12", "Tue 26/12"]),
            (Named::Nyarsafton, ["Thu 31/12", "Fri 31/12", "Sun 31/12"]),
        ];
        for (day, expected) in rows {
            for (of, expected) in (2026..).zip(expected) {
                assert_eq!(dates_of(day, of), [expected], "{} {of}", day.swedish());
            }
        }
    }

    #[test]
    fn the_years_have_as_many_working_days_as_counted_by_hand() {
        let working = |of| year(of).filter(|day| !is_free(*day)).count();
        assert_eq!([2026, 2027, 2028].map(working), [251, 253, 251]);
    }

    #[test]
    fn the_bridge_days_are_those_between_two_free_ones() {
        let bridges = |of| year(of).filter(|day| is_bridge(*day)).map(|day| day.to_string()).collect::<Vec<_>>();
        assert_eq!(bridges(2026), ["2026-01-02", "2026-01-05", "2026-05-15"]);
        assert_eq!(bridges(2027), ["2027-05-07"]);
        assert_eq!(bridges(2028), ["2028-01-07", "2028-05-26", "2028-06-05"]);
    }

    #[test]
    fn every_year_keeps_the_rules_of_the_law() {
        for of in 1990..=2060 {
            for day in Named::ALL {
                let national = matches!(day, Named::Nationaldagen | Named::DagenForeNationaldagen);
                // Two names may share a date: 1 May 2008 was Ascension Day, 6 June 2049 is Whit Sunday.
                let shares = day.standing() == Standing::Shortenable
                    || matches!(day, Named::KristiHimmelsfardsdag | Named::Pingstdagen | Named::Pingstafton);
                let found = year(of).filter(|date| named(*date) == Some(day)).count();
                let gone = day == Named::AnnandagPingst && of >= NATIONAL_DAY_SINCE;
                if gone || (national && of < NATIONAL_DAY_SINCE) {
                    assert_eq!(found, 0, "{} {of}", day.swedish());
                } else {
                    assert!(found == 1 || (shares && found == 0), "{} {of}: {found}", day.swedish());
                }
            }
            let (month, day) = easter(of);
            let easter = date(of, month, day);
            for red in [easter - 2.days(), easter, easter + 1.day(), easter + 39.days(), easter + 49.days()] {
                assert!(is_red(red), "{red}");
            }
            for (month, day) in [(1, 1), (1, 6), (5, 1), (12, 25), (12, 26)] {
                assert!(is_red(date(of, month, day)), "{of}-{month}-{day}");
            }
            assert_eq!(
                is_red(date(of, 6, 6)),
                of >= 2005
                    || [0, 49, 50].contains(&after_easter(date(of, 6, 6)))
                    || date(of, 6, 6).weekday() == Weekday::Sunday
            );
            for date in year(of) {
                let weekday = date.weekday();
                match named(date) {
                    Some(Named::Paskdagen) => {
                        assert_eq!(weekday, Weekday::Sunday);
                        assert!(date >= Date::constant(of, 3, 22) && date <= Date::constant(of, 4, 25), "{date}");
                    }
                    Some(Named::Pingstdagen) => assert_eq!(weekday, Weekday::Sunday, "{date}"),
                    Some(Named::KristiHimmelsfardsdag | Named::Skartorsdagen) => {
                        assert_eq!(weekday, Weekday::Thursday, "{date}");
                    }
                    Some(Named::Langfredagen | Named::Midsommarafton) => assert_eq!(weekday, Weekday::Friday, "{date}"),
                    Some(Named::Midsommardagen | Named::AllaHelgonsDag | Named::Paskafton) => {
                        assert_eq!(weekday, Weekday::Saturday, "{date}");
                    }
                    _ => {}
                }
                if weekday == Weekday::Sunday {
                    assert!(is_red(date) && is_free(date));
                }
            }
        }
    }

    /// Easter by Gauss's rule for 1900–2099: another way to the same Sunday than the one the code takes.
    fn gauss(year: i16) -> Date {
        let golden = year % 19;
        let moon = (19 * golden + 24) % 30;
        let sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7;
        let mut day = i32::from(22 + moon + sunday);
        // The two exceptions of the rule: 26 April becomes 19, and 25 April sometimes 18.
        if day == 57 || (day == 56 && moon == 28 && sunday == 6 && golden > 10) {
            day -= 7;
        }
        date(year, 3, 1).saturating_add((day - 1).days())
    }

    #[test]
    fn every_red_day_from_1990_to_2060_is_that_of_another_computation() {
        for of in 1990..=2060 {
            let easter = gauss(of);
            let mut red: Vec<Date> = [(1, 1), (1, 6), (5, 1), (12, 25), (12, 26)].map(|(m, d)| date(of, m, d)).to_vec();
            red.extend([-2, 0, 1, 39, 49].map(|days| easter.saturating_add(days.days())));
            // Whit Monday gave way to the national day in 2005.
            red.push(if of < 2005 { easter.saturating_add(50.days()) } else { date(of, 6, 6) });
            let saturday = |from: Date| from.series(1.day()).find(|day| day.weekday() == Weekday::Saturday).unwrap();
            let midsummer = saturday(date(of, 6, 20));
            red.extend([midsummer, saturday(date(of, 10, 31))]);
            let eves = [midsummer.yesterday().unwrap(), date(of, 12, 24), date(of, 12, 31)];
            for day in year(of) {
                let expected = red.contains(&day) || day.weekday() == Weekday::Sunday;
                assert_eq!(is_red(day), expected, "{day}");
                let free = expected || eves.contains(&day) || day.weekday() == Weekday::Saturday;
                assert_eq!(is_free(day), free, "{day}");
            }
        }
    }

    #[test]
    fn easter_is_where_the_almanac_had_it() {
        let known =
            [(1990, (4, 15)), (2000, (4, 23)), (2008, (3, 23)), (2011, (4, 24)), (2019, (4, 21)), (2038, (4, 25))];
        for (of, expected) in known {
            assert_eq!(easter(of), expected, "{of}");
        }
    }

    #[test]
    fn every_name_reads_back() {
        assert!(Named::ALL.into_iter().all(|day| Named::from_slug(day.slug()) == Some(day)));
    }
}
