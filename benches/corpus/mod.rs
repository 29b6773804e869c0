//! Made posts and made rules, the same in every run: the corpus of the benches.

use std::collections::BTreeSet;

use lyhord::mention::query;
use lyhord::mention::words::{Rule, Sign, Words};

/// A small generator with a fixed seed, so that every run hears the same posts.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }
}

const STARTS: [&str; 20] = [
    "Al", "Nöd", "Älv", "Skep", "Håla", "Starr", "Kung", "Ling", "Öst", "Väs", "Norr", "Sö", "Bjur", "Hult", "Mar",
    "Lin", "Gran", "Ek", "Ås", "Troll",
];
const MIDDLES: [&str; 18] = [
    "", "inge", "är", "und", "holm", "sta", "vik", "lunda", "ker", "ma", "ra", "ne", "torp", "eby", "änge", "ssjö",
    "olle", "ids",
];
const ENDS: [&str; 16] = [
    "by", "stad", "torp", "vik", "köping", "ås", "forsen", "ryd", "hult", "sund", "mora", "berga", "sele", "näs",
    "lösa", "tuna",
];
const KINDS: [&str; 10] =
    ["vägen", "gatan", "skolan", "torget", "parken", "stationen", "badet", "hallen", "gården", ""];
pub const COMMON: &str = "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan man när år säger hon under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än här då sedan över bara in blir upp även vad två vill ha många hur mer går kunde se någon varit dag barn skola vatten väg buss tåg bra dålig tack hej idag imorgon kväll natt vecka hus bil cykel jobb mat kaffe film musik match sol regn snö is sommar vinter höst vår vän familj mamma pappa hund katt bok spel lag boll mål poäng stad land by skog sjö hav fråga svar pengar skatt pris tid plats sida bild nyhet politik parti val lag rätt fel problem hjälp";
const CIVIC: [&str; 30] = [
    "vatten*",
    "skol*",
    "förskol*",
    "hemtjänst*",
    "bygglov*",
    "sop*",
    "gatubelys*",
    "plog*",
    "bibliotek*",
    "kommun~",
    "buss~",
    "väg~",
    "lekplats*",
    "avlopp*",
    "äldreboende~",
    "skatt~",
    "politik*",
    "rektor~",
    "snö~",
    "halka~",
    "park~",
    "simhall*",
    "detaljplan*",
    "nämnd~",
    "parkering*",
    "*skola~",
    "*gård~",
    "tåg~",
    "polis*",
    "brand*",
];

pub struct Corpus {
    pub posts: Vec<String>,
    pub names: Vec<String>,
}

pub fn corpus(posts: usize, spoken: usize, names: usize) -> Corpus {
    let mut dice = Dice(7);
    let mut unique = BTreeSet::new();
    while unique.len() < names {
        let place = format!("{}{}{}{}", dice.pick(&STARTS), dice.pick(&MIDDLES), dice.pick(&MIDDLES), dice.pick(&ENDS));
        unique.insert(match dice.roll(6) {
            0 => format!("{place} {}", dice.pick(&["torg", "kommun", "station", "centrum", "skola", "gymnasium"])),
            _ => format!("{place}{}", dice.pick(&KINDS)),
        });
    }
    let mut names: Vec<String> = unique.into_iter().collect();
    for index in (1..names.len()).rev() {
        names.swap(index, dice.roll(index + 1));
    }
    let common: Vec<&str> = COMMON.split(' ').collect();
    let posts = (0..posts).map(|_| post(&mut dice, &common, &names[..spoken])).collect();
    Corpus { posts, names }
}

fn post(dice: &mut Dice, common: &[&str], names: &[String]) -> String {
    let mut text = String::new();
    for place in 0..8 + dice.roll(24) {
        // Words as language has them: few are very frequent, most are rare, and many nobody has said before.
        let word = match dice.roll(100) {
            0 => names[dice.roll(names.len())].clone(),
            1..=60 => (*common[dice.roll(common.len()).min(dice.roll(common.len()))]).to_owned(),
            61..=80 => {
                format!("{}{}", dice.pick(common), dice.pick(&["en", "et", "arna", "skap", "het", "ning", "are"]))
            }
            _ => format!(
                "{}{}{}",
                dice.pick(&STARTS),
                dice.pick(&MIDDLES),
                dice.pick(&["a", "er", "isk", "ade", "ande", "ligen"])
            ),
        };
        text.push_str(if place == 0 { "" } else { [" ", " ", " ", " ", ", ", ". ", " #", "! "][dice.roll(8)] });
        text.push_str(&word);
    }
    text
}

/// 3,000 rules for 15,000 names: five names, one of two groups of frequent words, sometimes NEAR and NOT.
pub fn boolean_rules(names: &[String]) -> Words {
    let mut dice = Dice(11);
    rules(names.chunks(5).map(|five| {
        let any: Vec<String> = five.iter().map(|name| format!("\"{name}\"")).collect();
        let topic: Vec<&str> = (0..4).map(|_| *dice.pick(&CIVIC)).collect();
        let (any, topic) = (any.join(" OR "), topic.join(" OR "));
        match dice.roll(4) {
            0 => format!("({any}) NEAR/10 ({topic})"),
            1 => format!("({any}) NOT ({topic})"),
            2 => any,
            _ => format!("({any}) AND ({topic})"),
        }
    }))
}

pub fn rules(queries: impl Iterator<Item = String>) -> Words {
    let rules = queries.enumerate().map(|(number, text)| Rule {
        name: format!("regel {number}"),
        query: query::parse(&text).expect("the bench writes queries that can be read"),
        sign: Sign::Review,
        because: String::new(),
    });
    Words { rules: rules.collect(), ..Words::default() }
}
