//! Laws of the ladder, tried on many made-up cases.

use proptest::prelude::*;

use super::week::{at, case, line, office};
use super::*;

fn minutes() -> impl Strategy<Value = i64> {
    0_i64..14 * 24 * 60
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The answer at each minute until `next_look_at` is the answer now: a sweep that sleeps till then misses nothing.
    #[test]
    fn the_next_look_is_never_later_than_the_true_change(
        starts in 0_i64..8,
        due_in in 30_i64..5 * 24 * 60,
        look in minutes(),
        acknowledged in proptest::option::of(minutes()),
        snoozed in proptest::option::of((minutes(), minutes())),
        away in proptest::collection::vec((0_usize..4, minutes(), minutes()), 0..4),
        silent in proptest::collection::vec((0_u8..4, minutes(), minutes()), 0..4),
        told in proptest::collection::vec((0_usize..4, 0_usize..8), 0..6),
        shift: bool,
        digest: bool,
        around_the_clock: bool,
    ) {
        // Two weeks that hold a Friday and the spring night; or Christmas.
        let origin = if starts < 4 { at("2026-03-26 00:00") } else { at("2026-12-21 00:00") };
        let start = Time(origin.0 + starts * 7 * 3_600_000);
        let after = |minutes: i64| Time(start.0 + minutes * 60_000);
        let (office, always) = (office(), Calendar::always());
        let shifts = Calendar::weekdays("skift", &[(300, 420), (1_080, 1_260)]);
        let mut case = case(if around_the_clock { &always } else { &office }, "2026-01-01 08:00", "2026-01-01 09:00");
        (case.round_at, case.started_at, case.due_at) = (start, start, after(due_in));
        case.acknowledged = acknowledged.map(|at| Acknowledged { by: "anna".into(), at: after(at) });
        case.snooze = snoozed.map(|(at, for_min)| Snooze { by: "bo".into(), at: after(at), until: after(at + for_min) });
        let mut people = line(if shift { &shifts } else { &office });
        for (who, from, length) in away {
            let slot = [&mut people.holder, &mut people.deputy, &mut people.manager, &mut people.chief].into_iter().nth(who);
            if let Some(Some(person)) = slot {
                person.away.push((after(from), after(from + length)));
            }
        }
        if digest {
            people.holder.as_mut().unwrap().digest = Some(Rhythm::Day { minute: 600 });
        }
        let silences: Vec<Silence> = silent
            .into_iter()
            .map(|(scope, from, length)| Silence {
                scope: match scope {
                    0 => Scope::Person("anna".into()),
                    1 => Scope::Unit("gata".into()),
                    2 => Scope::Topic("vatten".into()),
                    _ => Scope::Crisis,
                },
                from: after(from),
                until: after(from + length / 4),
                reason: format!("{scope}"),
            })
            .collect();
        let sent: Vec<Sent> = told
            .into_iter()
            .map(|(who, stage)| Sent {
                to: ["anna", "bo", "cia", "dan"][who].into(),
                due_at: case.due_at,
                stage: Stage::ALL[stage],
            })
            .collect();
        let ladder = Ladder::default();
        let now = after(look);
        let decided = |now| decide(&case, &sent, &people, &silences, &ladder, now);
        let first = decided(now);
        if let Decision::Send { to, stage, .. } = &first.decision {
            let key = Sent { to: to.clone(), due_at: case.due_at, stage: *stage };
            prop_assert!(!sent.contains(&key), "said before: {:?}", key);
            prop_assert_eq!(first.next_look_at, Some(now));
        } else {
            prop_assert!(first.next_look_at.is_none_or(|next| next > now), "looks again at once: {:?}", first);
            // Three days minute by minute hold a weekend's edge, every office's night and a whole digest.
            let until = first.next_look_at.map_or(i64::MAX, |next| next.0).min(after(look + 3 * 24 * 60).0);
            let mut then = now.0 + 60_000;
            while then < until {
                let later = decided(Time(then));
                prop_assert_eq!(&later.decision, &first.decision, "at {:?}, next look {:?}", Time(then), first.next_look_at);
                then += 60_000;
            }
        }
    }
}
