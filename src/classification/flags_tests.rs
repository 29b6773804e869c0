//! What a person must be careful about, in whole posts: each flag with posts that carry it and posts that do not.

use super::judge::Judge;
use super::{Flag, Subject, Urgency};

fn flags(text: &str) -> Vec<Flag> {
    let judge = Judge::shipped().unwrap();
    judge.judge(&Subject { text, channel: "facebook-egen-sida", ..Subject::default() }, None).flags
}

fn all_carry(flag: Flag, posts: &[&str]) {
    for post in posts {
        assert!(flags(post).contains(&flag), "{post}: {:?}", flags(post));
    }
}

fn none_carries(flag: Flag, posts: &[&str]) {
    for post in posts {
        assert!(!flags(post).contains(&flag), "{post}: {:?}", flags(post));
    }
}

#[test]
fn personal_data_of_every_kind_is_flagged_and_ordinary_figures_are_not() {
    all_carry(
        Flag::PersonalData,
        &[
            "Min mors personnummer är 811218-9876, kan ni kolla?",
            "Samordningsnummer 701063-2391 gäller det",
            "Ring mig på 070-123 45 67",
            "Skriv till karin.ek@exempel.se",
            "Hon bor på Byvägen 12 i Skepplanda",
        ],
    );
    none_carries(
        Flag::PersonalData,
        &["Det kostade 2 500 000 kr 2024-05-01", "Ärende 2024-118 har legat i 14 månader", "Köerna på E45 var 30 km"],
    );
}

#[test]
fn threats_in_plain_and_in_veiled_words_are_flagged() {
    all_carry(
        Flag::Threat,
        &[
            "Jag vet var du bor, vi ses i kväll",
            "Handläggaren ska få smaka på knytnäven",
            "ni politiker borde hängas allihop",
            "Bränner ner kommunhuset om ni inte svarar",
            "Akta er jävligt noga när ni går hem",
        ],
    );
    none_carries(Flag::Threat, &["Tack för en fin midsommar i Alafors!", "När öppnar simhallen på lördag?"]);
    // Words of work and everyday life that a threat may also have, and the names of groups of people, which are no sign.
    let harmless = [
        "Kör ut ved i Skepplanda, 900 kr",
        "Vad är er adress i Nödinge?",
        "Har ni modersmålsstöd för romerna i Nödinge?",
        "När är minnesstunden för judarna i Surte kyrka?",
        "Finns det bönerum för muslimerna på Ale gymnasium?",
    ];
    none_carries(Flag::Threat, &harmless);
}

#[test]
fn somebody_who_may_harm_herself_is_acute_whatever_else_she_writes_about() {
    let judge = Judge::shipped().unwrap();
    for text in [
        "Fick avslag igen. Orkar inte leva längre.",
        "Jag ska ta mitt liv i natt, säg det till min handläggare",
        "Barnen får det bättre utan mig",
    ] {
        let judged = judge.judge(&Subject { text, channel: "e-post", ..Subject::default() }, None);
        assert!(judged.flags.contains(&Flag::SelfHarm), "{text}");
        assert_eq!(judged.urgency, Urgency::Acute, "{text}");
    }
    none_carries(Flag::SelfHarm, &["Livet på landet är härligt, kom till Hålanda!"]);
}

#[test]
fn one_who_tells_of_wrongs_at_work_is_flagged() {
    all_carry(
        Flag::WhistleBlowing,
        &[
            "Jag jobbar på boendet och vill vara anonym. Chefen tvingar oss att skriva falska journaler.",
            "Vi i personalen vågar inte säga något om mutorna",
        ],
    );
    none_carries(Flag::WhistleBlowing, &["Jag är så nöjd med personalen på boendet"]);
}

#[test]
fn a_wish_for_a_document_is_flagged_without_the_word_document() {
    all_carry(
        Flag::DocumentRequest,
        &[
            "Jag vill ta del av mejlen mellan er och byggbolaget",
            "Kan ni skicka protokollet från mötet i mars?",
            "Kan jag få en kopia på avtalet?",
        ],
    );
    none_carries(Flag::DocumentRequest, &["Stort hål i vägen vid Surte station", "Tack för snabb hjälp!"]);
}

#[test]
fn a_topic_where_the_matter_itself_may_be_secret_is_flagged() {
    all_carry(
        Flag::ProtectedTopic,
        &["Orosanmälan om grannens barn, vart ringer jag?", "Min dotter har fått en diagnos och behöver stöd i skolan"],
    );
    none_carries(Flag::ProtectedTopic, &["Lampan är trasig på Göteborgsvägen"]);
}
