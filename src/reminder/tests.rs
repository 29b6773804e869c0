//! Timetables: the ladder is told a week and read back.

use super::week::{Act, Week, at, case, line, nine_to_five, office, person};
use super::*;

#[test]
fn a_day_up_the_whole_ladder() {
    let office = office();
    let week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    insta::assert_snapshot!(week.told("2026-11-30 00:00"), @r"
    Wed 18/11 08:00 anna Notice | 10:00 anna DueSoon | 11:12 anna DueClose | 12:00 anna Due | 14:00 anna Overdue | 14:00 bo Deputy | 16:00 cia Manager
    Thu 19/11 11:30 dan Chief
    ");
}

#[test]
fn over_a_weekend_nobody_is_disturbed() {
    // zammad#4432: no reminder at midnight or at the weekend when the service time is Mon-Fri.
    let office = nine_to_five();
    let mut week = Week::new(case(&office, "2026-11-20 15:00", "2026-11-23 15:00"), line(&office));
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-12-01 00:00"), @r"
    Fri 20/11 15:00 anna Notice | 15:00 Påmint, nästa påminnelse måndag 11.00
    Mon 23/11 11:00 anna DueSoon | 11:00 Påmint, nästa påminnelse 13.24 | 13:24 anna DueClose | 13:24 Påmint, nästa påminnelse 15.00 | 15:00 anna Due | 15:00 Påmint, nästa påminnelse i morgon 09.00 | 17:00 Tyst: kontoret stängt till i morgon 09.00
    Tue 24/11 09:00 anna Overdue | 09:00 bo Deputy | 09:00 Påmint, nästa påminnelse 11.00 | 11:00 cia Manager | 11:00 Påmint, nästa påminnelse 15.00 | 15:00 dan Chief | 15:00 Påmint, inget mer att påminna om
    ");
}

#[test]
fn a_case_that_arrives_at_midnight_is_told_when_the_office_opens() {
    let office = nine_to_five();
    let mut week = Week::new(case(&office, "2026-11-21 00:00", "2026-11-24 12:00"), line(&office));
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-23 10:00"), @r"
    Sat 21/11 00:00 Tyst: kontoret stängt till måndag 09.00 | 07:00 Tyst: kontoret stängt till måndag 09.00
    Mon 23/11 09:00 anna Notice | 09:00 Påmint, nästa påminnelse 14.30
    ");
}

#[test]
fn over_midsummer_the_clock_stands_still() {
    let office = office();
    let week = Week::new(case(&office, "2026-06-18 14:00", "2026-06-22 14:00"), line(&office));
    insta::assert_snapshot!(week.told("2026-06-30 00:00"), @r"
    Thu 18/06 14:00 anna Notice
    Mon 22/06 09:45 anna DueSoon | 12:18 anna DueClose | 14:00 anna Due | 16:00 anna Overdue | 16:00 bo Deputy
    Tue 23/06 09:30 cia Manager | 13:30 dan Chief
    ");
}

#[test]
fn over_both_nights_when_the_clock_changes() {
    let office = office();
    let spring = Week::new(case(&office, "2026-03-27 15:00", "2026-03-30 15:00"), line(&office));
    let autumn = Week::new(case(&office, "2026-10-23 15:00", "2026-10-26 15:00"), line(&office));
    insta::assert_snapshot!(format!("{}\n\n{}", spring.told("2026-04-02 00:00"), autumn.told("2026-10-29 00:00")), @r"
    Fri 27/03 15:00 anna Notice
    Mon 30/03 10:45 anna DueSoon | 13:18 anna DueClose | 15:00 anna Due
    Tue 31/03 08:30 anna Overdue | 08:30 bo Deputy | 10:30 cia Manager | 14:30 dan Chief
    
    Fri 23/10 15:00 anna Notice
    Mon 26/10 10:45 anna DueSoon | 13:18 anna DueClose | 15:00 anna Due
    Tue 27/10 08:30 anna Overdue | 08:30 bo Deputy | 10:30 cia Manager | 14:30 dan Chief
    ");
}

#[test]
fn a_case_by_the_clock_is_told_once_in_the_night_that_has_two_half_past_two() {
    let always = Calendar::always();
    let mut case = case(&always, "2026-10-25 00:30", "2026-10-25 03:30");
    case.urgency = Urgency::Acute;
    let week = Week::new(case, line(&always));
    insta::assert_snapshot!(week.told("2026-10-26 00:00"), @"Sun 25/10 00:30 anna Notice (bryter) | 02:30 anna DueSoon (bryter) | 02:42 anna DueClose (bryter) | 03:30 anna Due (bryter) | 05:30 anna Overdue (bryter) | 05:30 bo Deputy (bryter) | 07:30 cia Manager | 11:30 dan Chief");
    let mut case = self::case(&always, "2026-03-29 00:30", "2026-03-29 03:30");
    case.urgency = Urgency::Acute;
    let week = Week::new(case, line(&always));
    insta::assert_snapshot!(week.told("2026-03-30 00:00"), @"Sun 29/03 00:30 anna Notice (bryter) | 01:30 anna DueSoon (bryter) | 03:06 anna DueClose (bryter) | 03:30 anna Due (bryter) | 05:30 anna Overdue (bryter) | 05:30 bo Deputy (bryter) | 07:30 cia Manager | 11:30 dan Chief");
}

#[test]
fn an_absence_that_begins_in_the_middle_hands_it_to_the_deputy() {
    let office = office();
    let mut people = line(&office);
    people.holder.as_mut().unwrap().away = vec![(at("2026-11-18 13:00"), at("2026-11-25 00:00"))];
    let week = Week::new(case(&office, "2026-11-18 10:00", "2026-11-19 10:00"), people);
    insta::assert_snapshot!(week.told("2026-11-30 00:00"), @r"
    Wed 18/11 10:00 anna Notice | 13:00 bo Notice | 14:15 bo DueSoon
    Thu 19/11 08:18 bo DueClose | 10:00 bo Due | 12:00 bo Overdue | 14:00 cia Manager
    Fri 20/11 09:30 dan Chief
    Wed 25/11 08:00 anna Overdue
    ");
}

#[test]
fn when_the_manager_is_away_it_still_ends_with_a_line_manager() {
    let office = office();
    let mut people = line(&office);
    people.manager.as_mut().unwrap().away = vec![(at("2026-11-01 00:00"), at("2026-12-25 00:00"))];
    let week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), people);
    let told = week.told("2026-11-30 00:00");
    assert!(told.contains("16:00 dan Manager"), "{told}");
}

#[test]
fn when_everybody_is_away_the_inbox_says_so_until_somebody_is_back() {
    let office = office();
    let mut people = People { holder: Some(person("anna", &office)), ..People::default() };
    people.holder.as_mut().unwrap().away = vec![(at("2026-11-18 00:00"), at("2026-11-20 00:00"))];
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-20 12:00"), people);
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-20 08:00"), @r"
    Wed 18/11 08:00 Ingen att påminna: alla i ledet är frånvarande till fredag 00.00
    Thu 19/11 10:00 Ingen att påminna: alla i ledet är frånvarande till i morgon 00.00 | 16:18 Ingen att påminna: alla i ledet är frånvarande till i morgon 00.00
    Fri 20/11 00:00 Tyst: kontoret stängt till 08.00 | 07:00 Tyst: kontoret stängt till 08.00 | 08:00 anna DueClose | 08:00 Påmint, nästa påminnelse 12.00
    ");
}

#[test]
fn an_acknowledgement_stops_it_and_a_stale_one_starts_it_again() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.acts = vec![(at("2026-11-18 10:30"), Act::Acknowledge)];
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-30 00:00"), @r"
    Wed 18/11 08:00 anna Notice | 08:00 Påmint, nästa påminnelse 10.00 | 10:00 anna DueSoon | 10:00 Påmint, nästa påminnelse 11.12 | 10:30 Tyst: kvitterat, påminns igen i morgon 10.00
    Thu 19/11 10:00 anna Overdue | 10:00 Påmint, nästa påminnelse 12.00 | 12:00 bo Deputy | 12:00 Påmint, nästa påminnelse 14.00 | 14:00 cia Manager | 14:00 Påmint, nästa påminnelse i morgon 09.30
    Fri 20/11 09:30 dan Chief | 09:30 Påmint, inget mer att påminna om
    ");
}

#[test]
fn who_goes_home_ill_takes_her_word_along() {
    let office = office();
    let mut people = line(&office);
    people.holder.as_mut().unwrap().away = vec![(at("2026-11-18 11:00"), at("2026-11-25 00:00"))];
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), people);
    week.acts = vec![(at("2026-11-18 09:00"), Act::Acknowledge)];
    let told = week.told("2026-11-18 12:30");
    assert_eq!(told, "Wed 18/11 08:00 anna Notice | 11:00 bo DueSoon | 11:12 bo DueClose | 12:00 bo Due");
}

#[test]
fn saying_i_have_it_again_and_again_does_not_keep_it_from_the_manager() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.acts = (9..17)
        .flat_map(|hour| [18, 19, 20].map(|day| (at(&format!("2026-11-{day} {hour:02}:00")), Act::Acknowledge)))
        .collect();
    week.acts.sort_by_key(|(at, _)| *at);
    insta::assert_snapshot!(week.told("2026-11-30 00:00"), @r"
    Wed 18/11 08:00 anna Notice
    Thu 19/11 11:30 anna Overdue | 13:30 bo Deputy | 15:30 cia Manager
    Fri 20/11 11:00 dan Chief
    ");
}

#[test]
fn a_snooze_never_passes_the_due_time() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.acts = vec![(at("2026-11-18 09:00"), Act::Snooze(at("2026-12-24 00:00")))];
    let told = week.told("2026-11-18 12:30");
    assert_eq!(told, "Wed 18/11 08:00 anna Notice | 12:00 anna Due");
}

#[test]
fn a_snooze_after_the_due_time_has_a_bound() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 09:00"), line(&office));
    week.acts = vec![(at("2026-11-18 09:30"), Act::Snooze(at("2027-12-24 00:00")))];
    let told = week.told("2026-11-30 00:00");
    // 16 open hours from the due time: seven and a half on Wednesday and all of Thursday.
    assert!(told.contains("\nFri 20/11 08:00 anna Overdue"), "{told}");
}

#[test]
fn putting_it_off_again_and_again_does_not_keep_it_from_the_manager() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 09:00"), line(&office));
    let from = at("2026-11-18 09:30");
    let every_other_hour = (0..40).map(|n| from.plus(std::time::Duration::from_hours(2 * n)));
    week.acts = every_other_hour.map(|now| (now, Act::Snooze(now.plus(std::time::Duration::from_hours(72))))).collect();
    let told = week.told("2026-11-21 00:00");
    assert!(
        told.ends_with("\nFri 20/11 08:00 anna Overdue | 10:00 bo Deputy | 12:00 cia Manager | 16:00 dan Chief"),
        "{told}"
    );
}

#[test]
fn an_answer_by_anybody_stops_it_at_once() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.acts = vec![(at("2026-11-18 10:30"), Act::Answer)];
    assert_eq!(week.told("2026-12-30 00:00"), "Wed 18/11 08:00 anna Notice | 10:00 anna DueSoon");
}

#[test]
fn we_spoke_last_so_nothing_escalates_until_the_citizen_writes_again() {
    // zammad#3140 and #1322
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.acts = vec![
        (at("2026-11-18 08:30"), Act::Answer),
        (at("2026-11-25 09:00"), Act::Reopen(at("2026-11-25 13:00"))),
        (at("2026-11-25 12:00"), Act::Answer),
    ];
    insta::assert_snapshot!(week.told("2026-12-30 00:00"), @r"
    Wed 18/11 08:00 anna Notice
    Wed 25/11 09:00 anna Notice | 11:00 anna DueSoon
    ");
}

#[test]
fn a_reassignment_begins_a_new_round_at_the_stage_that_is_reached() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 16:00"), line(&office));
    week.acts = vec![(at("2026-11-18 12:30"), Act::Reassign("eva"))];
    insta::assert_snapshot!(week.told("2026-11-18 16:15"), @"Wed 18/11 08:00 anna Notice | 12:00 anna DueSoon | 12:30 eva DueSoon | 14:24 eva DueClose | 16:00 eva Due");
}

#[test]
fn an_acknowledgement_by_the_former_holder_does_not_stop_the_new_ones_round() {
    let office = office();
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 16:00"), line(&office));
    week.acts = vec![(at("2026-11-18 09:00"), Act::Acknowledge), (at("2026-11-18 10:00"), Act::Reassign("eva"))];
    let told = week.told("2026-11-18 10:30");
    assert_eq!(told, "Wed 18/11 08:00 anna Notice | 10:00 eva Notice");
}

#[test]
fn silences_hold_with_their_reason_and_end() {
    let office = office();
    let silence = |scope, until: &str, reason: &str| Silence {
        scope,
        from: at("2026-11-18 07:00"),
        until: at(until),
        reason: reason.into(),
    };
    let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
    week.silences = vec![
        silence(Scope::Crisis, "2026-11-18 09:00", "vattenläckan i Nol går före"),
        silence(Scope::Topic("gata-trafik".into()), "2026-11-18 10:00", "snökaos, samlat svar kl. 10"),
        silence(Scope::Unit("skola".into()), "2026-12-18 10:00", "rör inte det här ärendet"),
        silence(Scope::Person("bo".into()), "2026-11-18 15:00", "utbildning"),
    ];
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-19 08:00"), @"Wed 18/11 08:00 Tyst till 10.00: snökaos, samlat svar kl. 10 | 09:00 Tyst till 10.00: snökaos, samlat svar kl. 10 | 10:00 anna DueSoon | 10:00 Påmint, nästa påminnelse 11.12 | 11:12 anna DueClose | 11:12 Påmint, nästa påminnelse 12.00 | 12:00 anna Due | 12:00 Påmint, nästa påminnelse 14.00 | 14:00 anna Overdue | 14:00 Tyst till 15.00: utbildning | 15:00 bo Deputy | 15:00 Påmint, nästa påminnelse 16.00 | 16:00 cia Manager | 16:00 Påmint, nästa påminnelse i morgon 11.30");
}

#[test]
fn only_danger_breaks_the_silence_and_it_says_so() {
    let office = office();
    let always = Calendar::always();
    let mut acute = case(&always, "2026-12-25 02:00", "2026-12-25 02:30");
    acute.urgency = Urgency::Acute;
    let mut week = Week::new(acute, line(&office));
    week.silences = vec![Silence {
        scope: Scope::Crisis,
        from: at("2026-12-24 00:00"),
        until: at("2026-12-27 00:00"),
        reason: "jul".into(),
    }];
    insta::assert_snapshot!(week.told("2026-12-25 12:00"), @"Fri 25/12 02:00 anna Notice (bryter) | 02:15 anna DueSoon (bryter) | 02:24 anna DueClose (bryter) | 02:30 anna Due (bryter) | 04:30 anna Overdue (bryter) | 04:30 bo Deputy (bryter) | 06:30 cia Manager (bryter) | 10:30 dan Chief (bryter)");
}

#[test]
fn danger_reaches_the_last_in_the_line_when_everybody_is_away() {
    let office = office();
    let mut people = line(&office);
    for person in [&mut people.holder, &mut people.deputy, &mut people.manager, &mut people.chief].into_iter().flatten()
    {
        person.away = vec![(at("2026-07-01 00:00"), at("2026-08-01 00:00"))];
    }
    let mut acute = case(&office, "2026-07-15 10:00", "2026-07-15 10:30");
    acute.urgency = Urgency::Acute;
    let told = Week::new(acute.clone(), people.clone()).told("2026-07-15 11:00");
    assert!(told.starts_with("Wed 15/07 10:00 dan Notice (bryter)"), "{told}");
    acute.urgency = Urgency::High;
    let told = decide(&acute, &[], &people, &[], &Ladder::default(), at("2026-07-15 10:00"));
    assert_eq!(told.decision, Decision::Hold { reason: Hold::NobodyThere, until: Some(at("2026-08-01 00:00")) });
}

#[test]
fn quiet_hours_hold_also_when_the_office_is_open() {
    let always = Calendar::always();
    let mut week = Week::new(case(&always, "2026-11-18 18:00", "2026-11-19 12:00"), line(&always));
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-19 10:00"), @r"
    Wed 18/11 18:00 anna Notice | 18:00 Påmint, nästa påminnelse i morgon 07.00
    Thu 19/11 03:00 Tyst: ostörd tid till 07.00 | 07:00 anna DueSoon | 07:00 Påmint, nästa påminnelse 08.24 | 08:24 anna DueClose | 08:24 Påmint, nästa påminnelse 12.00
    ");
}

#[test]
fn what_can_wait_comes_in_the_digest_and_what_cannot_does_not() {
    let office = office();
    let mut people = line(&office);
    people.holder.as_mut().unwrap().digest = Some(Rhythm::Day { minute: 9 * 60 });
    let mut week = Week::new(case(&office, "2026-11-17 10:00", "2026-11-18 14:00"), people);
    week.holds = true;
    insta::assert_snapshot!(week.told("2026-11-18 14:00"), @r"
    Tue 17/11 10:00 Väntar på sammanställningen i morgon 09.00 | 16:15 Väntar på sammanställningen i morgon 09.00
    Wed 18/11 09:00 anna DueSoon | 09:00 Påmint, nästa påminnelse 11.30 | 11:30 anna DueClose | 11:30 Påmint, nästa påminnelse 14.00 | 14:00 anna Due | 14:00 Påmint, nästa påminnelse 16.00
    ");
}

#[test]
fn a_changed_ladder_does_not_touch_a_round_that_runs() {
    // gitlab#323139
    let office = office();
    let old = Ladder::default();
    let ladders = Ladders::new(Ladder { manager_after_min: 0, deputy_after_min: 0, ..old.clone() }, [old.clone()]);
    let running = old.version();
    assert_ne!(running, ladders.current().version());
    let told = |ladder: &Ladder| {
        let mut week = Week::new(case(&office, "2026-11-18 08:00", "2026-11-18 12:00"), line(&office));
        week.ladder = ladder.clone();
        week.told("2026-11-18 13:00")
    };
    assert!(!told(ladders.of(&running)).contains("Manager"), "the old round keeps the old rules");
    assert!(told(ladders.current()).contains("12:00 cia Manager"), "a new round has the new ones");
}
