//! What the buttons under a message in Telegram do besides *Jag tar det*: put off, hand over, and nothing at all when
//! somebody else presses or the case has moved on meanwhile.

use lyhord::assignment::offer_store;
use lyhord::id::CaseId;
use lyhord::jobs::hear_staff::Part;
use lyhord::response::acts;

use crate::chats::{SIXTEN, Stage, with_telegram};
use crate::fake_telegram::{FakeTelegram, Sent};
use crate::harness::{ENGINES, Engine, at};

/// A colleague of Sixten's, who stands in for him and he for her; she leads nobody.
const HILDA: &str = "hilda-pahittfors";
const SIXTENS: i64 = 1_000;
const HILDAS: i64 = 1_001;
/// A chat that is nobody's.
const STRANGER: i64 = 1_002;
const LABELS: [&str; 3] = ["Jag tar det", "Påminn mig senare", "Lämna över"];

/// Both have bound their chats, and Sixten has just been told of a case that is due in so many hours.
async fn told(engine: Engine, hours: u64) -> (FakeTelegram, Stage, CaseId, Sent) {
    let (telegram, stage) = with_telegram(engine).await;
    for (staff, chat) in [(SIXTEN, SIXTENS), (HILDA, HILDAS)] {
        stage.bind(staff, "telegram", &chat.to_string()).await;
        telegram.start(chat);
    }
    let case = stage.case_of(lyhord::classification::Urgency::Normal, hours).await;
    stage.pass(1).await;
    let sent = said_to(&telegram, SIXTENS);
    assert_eq!(sent.len(), 1, "{sent:?}");
    (telegram, stage, case, sent[0].clone())
}

fn said_to(telegram: &FakeTelegram, chat: i64) -> Vec<Sent> {
    telegram.sent().into_iter().filter(|sent| sent.chat_id == chat).collect()
}

/// Somebody presses a button as it stood when `sent` was read, and is answered.
async fn press(telegram: &FakeTelegram, stage: &Stage, by: i64, sent: &Sent, label: &str) -> String {
    let button = sent.buttons.iter().find(|(text, _)| text == label);
    let (_, data) = button.unwrap_or_else(|| panic!("no {label} under {sent:?}"));
    let asked = telegram.press_data(by, sent, data);
    stage.hear(Part::TelegramPoll, false).await;
    let (answered, text) = telegram.answers().pop().unwrap();
    assert_eq!(answered, asked, "it is this press that is answered");
    text
}

/// What a press could have changed.
async fn stands(stage: &Stage, case: CaseId) -> (String, Option<String>, i64, i64, i64, i64) {
    let row = stage.row(case).await;
    let silences = stage.number("select count(*) from silences").await;
    let offers = stage.number("select count(*) from offers").await;
    let facts = stage.number("select count(*) from journal").await;
    (row.state, row.owner, row.revision, silences, offers, facts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_is_put_off_by_its_button_is_silent_until_then_and_told_when_it_ends() {
    for engine in ENGINES {
        // Due at noon: the half-way reminder would come at half past ten.
        let (telegram, stage, case, _) = told(engine, 3).await;
        stage.until(at(0, 10, 0)).await;
        let sent = said_to(&telegram, SIXTENS).remove(0);
        let due = stage.row(case).await.due_at;
        let text = press(&telegram, &stage, SIXTENS, &sent, "Påminn mig senare").await;
        assert_eq!(text, format!("Vi påminner dig om ärende {case} senare."));
        stage.until(at(0, 10, 59)).await;
        assert_eq!(said_to(&telegram, SIXTENS).len(), 1, "silent though half of the time has passed");
        let row = stage.row(case).await;
        assert_eq!(row.hold.as_deref(), Some("Tyst: uppskjutet till 11.00"));
        assert_eq!((row.state.as_str(), row.owner.as_deref()), ("assigned", Some(SIXTEN)), "nobody has taken it");
        assert_eq!(row.due_at, due, "the promise to the citizen has not moved");
        stage.until(at(0, 11, 5)).await;
        let sent = said_to(&telegram, SIXTENS);
        assert_eq!(sent.len(), 2, "told when it ends: {sent:?}");
        assert!(sent[1].text.contains(&format!("Ärende {case}")), "{sent:?}");
        press(&telegram, &stage, SIXTENS, &sent[1], "Jag tar det").await;
        assert!(stage.is_taken(case).await, "and the new message has buttons of its own");
        stage.pass(2).await;
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handing_over_by_button_gives_from_one_who_leads_and_offers_from_one_who_does_not() {
    for engine in ENGINES {
        let (telegram, stage, case, first) = told(engine, 30).await;
        // Sixten is deputy of the unit: to give out its work is his to do.
        let text = press(&telegram, &stage, SIXTENS, &first, "Lämna över").await;
        assert_eq!(text, format!("Ärende {case} är lämnat vidare. Du behöver inte göra mer."));
        let row = stage.row(case).await;
        assert_eq!((row.state.as_str(), row.owner.as_deref()), ("assigned", Some(HILDA)));
        let text = press(&telegram, &stage, SIXTENS, &first, "Jag tar det").await;
        assert_eq!(text, format!("Ärende {case} har gått vidare till en kollega. Du behöver inte göra något."));
        stage.pass(2).await;
        let hers = said_to(&telegram, HILDAS);
        assert_eq!(hers.len(), 1, "the one who has it now is told: {hers:?}");

        // Hilda leads nobody: hers is an offer, and she answers for the case until he has said yes.
        let text = press(&telegram, &stage, HILDAS, &hers[0], "Lämna över").await;
        let offered = format!(
            "Ärende {case} är erbjudet. Du ansvarar för det tills någon har sagt ja; svarar ingen får du veta."
        );
        assert_eq!(text, offered);
        let row = stage.row(case).await;
        assert_eq!((row.state.as_str(), row.owner.as_deref()), ("assigned", Some(HILDA)));
        let mut tx = stage.app().db.read().await.unwrap();
        let offer = offer_store::open_offer(&mut tx, case).await.unwrap().unwrap();
        drop(tx);
        assert_eq!((offer.from_staff.as_str(), offer.to_staff.as_deref()), (HILDA, Some(SIXTEN)));
        stage.pass(2).await;
        let his = said_to(&telegram, SIXTENS);
        assert_eq!(his.len(), 2, "the one to whom it is offered is told: {his:?}");
        press(&telegram, &stage, SIXTENS, &his[1], "Jag tar det").await;
        assert!(stage.is_taken(case).await, "his yes makes it his");
        stage.pass(2).await;
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_by_another_than_the_one_who_was_told_does_nothing_and_is_answered_politely() {
    for engine in ENGINES {
        let (telegram, stage, case, sent) = told(engine, 30).await;
        let before = stands(&stage, case).await;
        for by in [HILDAS, STRANGER] {
            for label in LABELS {
                let text = press(&telegram, &stage, by, &sent, label).await;
                assert_eq!(text, "Knappen är till för den som fick meddelandet. Inget har ändrats.", "{by} {label}");
            }
        }
        assert_eq!(stands(&stage, case).await, before);
        let shown = said_to(&telegram, SIXTENS);
        assert_eq!(shown, [sent], "his message and its buttons are as they were");
        press(&telegram, &stage, SIXTENS, &shown[0], "Jag tar det").await;
        assert!(stage.is_taken(case).await, "and they still work for him");
        stage.pass(2).await;
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_of_a_case_that_was_answered_meanwhile_says_how_it_is_now_and_changes_nothing() {
    for engine in ENGINES {
        let (telegram, stage, case, sent) = told(engine, 30).await;
        let mut tx = stage.app().db.write().await.unwrap();
        let text = "Hej! Vi spolar ledningen, vattnet är klart igen vid tolv. Hilda Påhittfors, VA-enheten";
        let answer = acts::Answer { text, url: None, outcome: None, unit: None, answered_at: None };
        acts::answer(&mut tx, HILDA, case, None, answer, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.pass(1).await;
        // His screen may still show the buttons that have been taken away since.
        let before = stands(&stage, case).await;
        assert_eq!(before.0, "answered");
        for label in LABELS {
            let text = press(&telegram, &stage, SIXTENS, &sent, label).await;
            assert_eq!(text, format!("Ärende {case} är redan besvarat. Du behöver inte göra något."), "{label}");
        }
        assert_eq!(stands(&stage, case).await, before);
        stage.pass(2).await;
        let shown = said_to(&telegram, SIXTENS);
        assert_eq!(shown.len(), 1, "nothing new is said");
        assert_eq!(shown[0].buttons.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["Öppna"]);
        stage.running.stop().await;
    }
}
