//! Letters as mail programs write them.

use super::*;

const HOW: Reading<'_> = Reading { channel: "e-post", all_to_us: true, cut_from: None, came_at: None };

fn post(letter: &str) -> Post {
    match read(letter.replace('\n', "\r\n").as_bytes(), HOW) {
        Letter::Post(post) => *post,
        other => panic!("{other:?}"),
    }
}

fn with_text(text: &str) -> String {
    post(&format!("From: Eva Påhittad <eva@example.se>\nMessage-ID: <a@x>\nSubject: Vägen\nContent-Type: text/plain; charset=utf-8\n\n{text}")).text
}

#[test]
fn a_letter_is_read_with_its_name_thread_and_time() {
    let post = post(
        "From: =?iso-8859-1?Q?Eva_P=E5hittad?= <Eva@Example.se>\nTo: tips@ale.example.se\nMessage-ID: <c@x>\n\
         In-Reply-To: <b@x>\nReferences: <a@x> <b@x>\nSubject: SV: =?utf-8?B?VsOkZ2VuIGkgTm9s?=\n\
         Date: Mon, 23 Nov 2026 09:00:00 +0100\nContent-Type: text/plain; charset=iso-8859-1\n\
         Content-Transfer-Encoding: quoted-printable\n\nVem plogar v=E4gen i Nol?\n",
    );
    assert_eq!(post.text, "Vem plogar vägen i Nol?");
    assert_eq!(post.title.as_deref(), Some("Vägen i Nol"));
    assert_eq!(
        (post.native_id.as_str(), post.thread.as_deref(), post.reply_to.as_deref()),
        ("c@x", Some("a@x"), Some("b@x"))
    );
    assert_eq!((post.author.as_deref(), post.writer.as_deref()), (Some("Eva Påhittad"), Some("eva@example.se")));
    assert_eq!(post.authored_at, Some(Time::parse("2026-11-23T09:00:00+01:00").unwrap()));
    assert_eq!((post.kind, post.to_us), (Kind::Mail, true));
}

#[test]
fn only_what_is_new_is_read_and_not_the_history_below_it() {
    for history in [
        "Den 20 november 2026 kl. 10:01 skrev Ale kommun <info@ale.se>:\n> Hej, vilken väg?\n> Hälsningar",
        "Den 20 november 2026 kl. 10:01 skrev Ale kommun\n<info@ale.se> skrev:\n> Hej",
        "On Fri, Nov 20, 2026 at 10:01 AM Ale kommun <info@ale.se> wrote:\n> Hej",
        "-----Ursprungligt meddelande-----\nFrån: Ale kommun\nHej",
        "----- Original Message -----\nHej",
        "Från: Ale kommun <info@ale.se>\nSkickat: den 20 november 2026\nTill: Eva\nÄmne: Vägen\n\nHej",
        "________________________________\nFrån: Ale kommun",
        "> Hej, vilken väg?",
        "-- \nEva Påhittad\nGatan 1",
    ] {
        assert_eq!(with_text(&format!("Det är Brandsbovägen.\n\n{history}")), "Det är Brandsbovägen.", "{history}");
    }
}

#[test]
fn an_answer_between_the_lines_is_read_without_the_lines() {
    assert_eq!(
        with_text("On Fri Ale kommun wrote:\n> Vilken väg?\nBrandsbovägen.\n> När?\nI går."),
        "Brandsbovägen.\nI går."
    );
}

#[test]
fn a_forwarded_question_keeps_what_was_asked() {
    let text = post(
        "From: a@ale.se\nMessage-ID: <f@x>\nSubject: VB: Fråga\n\nKan ni ta den här?\n\nFrån: Eva\nTill: oss\nHur lång är kön?",
    );
    assert!(text.text.contains("Hur lång är kön?") && text.title.as_deref() == Some("Fråga"), "{text:?}");
}

#[test]
fn attachments_and_what_is_cut_are_named_and_not_kept() {
    let letter = "From: a@x.se\nMessage-ID: <g@x>\nSubject: Bild\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
                  --B\nContent-Type: text/plain; charset=utf-8\n\nSe bilden.\n--B\nContent-Type: image/jpeg\n\
                  Content-Disposition: attachment; filename*=utf-8''h%C3%A5l.jpg\nContent-Transfer-Encoding: base64\n\nAAAA\n--B--\n";
    let text = post(letter).text;
    assert_eq!(text, "Se bilden.\n\n[Bilaga: hål.jpg, image/jpeg, 1 kB. Finns i brevlådan.]");
    let how = Reading { cut_from: Some(3_000_000), ..HOW };
    let Letter::Post(post) = read(letter.as_bytes(), how) else { panic!() };
    assert!(post.text.contains("2930 kB; här står bara början"), "{}", post.text);
}

#[test]
fn html_is_read_as_text_and_kept_as_something_to_make_safe() {
    let post = post(
        "From: a@x.se\nMessage-ID: <h@x>\nSubject: X\nContent-Type: text/html; charset=utf-8\n\n<p>Hej &amp; tack</p><script>x</script>",
    );
    assert_eq!(post.text, "Hej & tack");
    assert!(!post.markup.unwrap().sanitised().unwrap().contains("script"));
}

#[test]
fn what_a_machine_answers_and_our_own_reminders_are_no_letters() {
    for head in [
        "Auto-Submitted: auto-replied (vacation)",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "X-Lyhord: 1",
        "X-Autorespond: x",
    ] {
        let letter = format!("From: a@x.se\nMessage-ID: <i@x>\nSubject: Jag är borta\n{head}\n\nTill måndag.");
        assert_eq!(read(letter.as_bytes(), HOW), Letter::Machine, "{head}");
    }
    let made = b"From: a@x.se\r\nSubject: Larm\r\nAuto-Submitted: auto-generated\r\n\r\nNytt om Ale kommun.";
    assert_eq!(read(made, HOW), Letter::Machine, "a machine's letter to us");
    assert!(
        matches!(read(made, Reading { all_to_us: false, ..HOW }), Letter::Post(_)),
        "but an alert is read by the rules"
    );
    let no = b"From: a@x.se\r\nSubject: Hej\r\nAuto-Submitted: no\r\n\r\nHej.";
    assert!(matches!(read(no, HOW), Letter::Post(_)));
}

#[test]
fn a_letter_that_did_not_arrive_says_which_and_why() {
    let report = |status: &str, last: &str| {
        format!(
            "From: MAILER-DAEMON@mx.se\nSubject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\n\n\
             --B\nContent-Type: text/plain\n\nSorry.\n--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.se\n\n\
             Final-Recipient: rfc822; sixten@ale.se\nAction: failed\nStatus: {status}\n\n--B\n{last}\n--B--\n"
        )
        .replace('\n', "\r\n")
    };
    let head = "Content-Type: text/rfc822-headers\n\nMessage-ID: <abc@ale.se>\nSubject: Ett ärende";
    let whole = "Content-Type: message/rfc822\n\nMessage-ID: <abc@ale.se>\nSubject: Ett ärende\n\nHej";
    for last in [head, whole] {
        let Letter::Bounce(bounce) = read(report("5.1.1", last).as_bytes(), HOW) else { panic!("{last}") };
        assert_eq!((bounce.of.as_str(), bounce.is_for_good()), ("abc@ale.se", true));
    }
    for later in ["4.2.2", "5.2.2"] {
        let Letter::Bounce(bounce) = read(report(later, head).as_bytes(), HOW) else { panic!() };
        assert!(!bounce.is_for_good(), "{later}");
    }
}

#[test]
fn a_letter_without_a_name_has_the_same_made_name_each_time() {
    let letter = "From: a@x.se\nSubject: Hej\nDate: Mon, 23 Nov 2026 09:00:00 +0100\n\nHej.";
    assert_eq!(post(letter).native_id, post(letter).native_id);
    assert!(post(letter).native_id.starts_with("utan-id-"));
}

#[test]
fn two_letters_of_one_name_bear_different_marks_and_the_same_letter_bears_the_same() {
    let form = |date: &str, text: &str| {
        post(&format!("From: form@ale.se\nMessage-ID: <form@ale.se>\nSubject: Kontakt\n{date}\n\n{text}"))
    };
    let first = form("Date: Mon, 23 Nov 2026 09:00:00 +0100", "Hej.");
    assert_eq!(first.native_id, "form@ale.se");
    assert!(first.mark.is_some());
    assert_eq!(form("Date: Mon, 23 Nov 2026 09:00:00 +0100", "Hej.").mark, first.mark);
    assert_ne!(form("Date: Mon, 23 Nov 2026 09:00:00 +0100", "Hallå.").mark, first.mark);
    assert_ne!(form("Date: Mon, 23 Nov 2026 09:00:01 +0100", "Hej.").mark, first.mark);
    let nameless = post("From: a@x.se\nSubject: Hej\n\nHej.");
    assert_eq!(nameless.mark, None, "its name is made of what it says");
    // However much of a large letter is fetched, its mark is the same.
    let large = format!("Message-ID: <l@x>\r\nSubject: Lång\r\n\r\n{}", "Rad om gatan i Nol.\r\n".repeat(500));
    let marks = [large.len(), 6_000].map(|end| match read(&large.as_bytes()[..end], HOW) {
        Letter::Post(post) => post.mark,
        other => panic!("{other:?}"),
    });
    assert_eq!(marks[0], marks[1]);
}

#[test]
fn nobody_writes_after_her_letter_has_come_and_one_without_a_date_was_written_when_it_came() {
    let came_at = Time::parse("2026-11-23T08:00:00Z").unwrap();
    let written = |date: &str, came_at| {
        let letter = format!("From: a@x.se\r\nMessage-ID: <d@x>\r\nSubject: Hej\r\n{date}\r\nHej.\r\n");
        match read(letter.as_bytes(), Reading { came_at, ..HOW }) {
            Letter::Post(post) => post.authored_at,
            other => panic!("{other:?}"),
        }
    };
    let before = Some(Time::parse("2026-11-23T07:30:00Z").unwrap());
    assert_eq!(written("Date: Mon, 23 Nov 2026 08:30:00 +0100\r\n", Some(came_at)), before);
    assert_eq!(written("Date: Sun, 23 Nov 2036 08:30:00 +0100\r\n", Some(came_at)), Some(came_at));
    assert_eq!(written("", Some(came_at)), Some(came_at));
    assert_eq!(written("", None), None, "then it is when we read it");
}

#[test]
fn nothing_that_comes_breaks_the_reading() {
    for bytes in [
        &b""[..],
        b"\r\n\r\n",
        b"\xff\xfe\x00",
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n--B\r\n--B--",
    ] {
        let _ = read(bytes, HOW);
    }
    let deep = "Content-Type: multipart/mixed; boundary=B\n\n--B\n".repeat(2_000);
    let _ = read(deep.as_bytes(), HOW);
}
