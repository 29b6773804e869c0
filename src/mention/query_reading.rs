//! A query read aloud in plain Swedish, for the one who wonders what a rule listens for.

use super::query::{Case, Field, Forms, Order, Query, Word};

/// Most words of one row of alternatives that are read out; the rest are counted.
const MAX_READ: usize = 12;

/// What the query listens for, as one Swedish sentence.
#[must_use]
pub fn reading(query: &Query) -> String {
    format!("Träffar inlägg {}.", clause(query))
}

/// What a post must be like: "som innehåller …" or "som inte innehåller …".
fn clause(query: &Query) -> String {
    match query {
        Query::Field(..) => format!("som {}", field(query)),
        Query::Not(inner) => match &**inner {
            Query::Field(..) => format!("som inte {}", field(inner)),
            Query::All(_) | Query::Any(_) | Query::Not(_) => {
                format!("för vilka det inte gäller att de är inlägg {}", clause(inner))
            }
            other => format!("som inte innehåller {}", thing(other)),
        },
        Query::All(parts) => parts.iter().map(group).collect::<Vec<_>>().join(" och "),
        Query::Any(parts) if parts.iter().all(is_thing) => format!("som innehåller {}", thing(query)),
        Query::Any(parts) => parts.iter().map(group).collect::<Vec<_>>().join(", eller "),
        other => format!("som innehåller {}", thing(other)),
    }
}

fn group(query: &Query) -> String {
    match query {
        Query::Any(parts) if !parts.iter().all(is_thing) => format!("({})", clause(query)),
        Query::All(_) => format!("({})", clause(query)),
        other => clause(other),
    }
}

fn is_thing(query: &Query) -> bool {
    match query {
        Query::Word(_) | Query::Phrase(_) | Query::Named(_) | Query::Near(_) | Query::Field(Field::Tag, _) => true,
        Query::Any(parts) => parts.iter().all(is_thing),
        Query::Field(..) | Query::Not(_) | Query::All(_) => false,
    }
}

/// Something that can stand in a text.
fn thing(query: &Query) -> String {
    match query {
        Query::Word(one) => word(one),
        Query::Phrase(words) => {
            let exact = words.iter().any(|word| word.case == Case::Exact);
            let row: Vec<String> = words.iter().map(ToString::to_string).collect();
            let case = if exact { " med just de stora och små bokstäverna" } else { "" };
            format!("»{}« bredvid varandra{case}", row.join(" "))
        }
        Query::Named(name) => format!("något ur listan eller kontot @{name}"),
        Query::Field(Field::Tag, tag) => format!("taggen #{tag}"),
        Query::Near(near) => {
            let steps = match near.within {
                1 => "alldeles intill".to_owned(),
                within => format!("högst {within} ord från"),
            };
            let order = if near.order == Order::AsWritten { ", i den ordningen" } else { "" };
            format!("{} {steps} {}{order}", bracketed(&near.left), bracketed(&near.right))
        }
        Query::Any(parts) => alternatives(parts),
        other => other.to_string(),
    }
}

fn bracketed(query: &Query) -> String {
    match query {
        Query::Any(_) | Query::Near(_) => format!("({})", thing(query)),
        other => thing(other),
    }
}

fn alternatives(parts: &[Query]) -> String {
    let shown: Vec<String> = parts.iter().take(MAX_READ).map(thing).collect();
    let more = parts.len().saturating_sub(shown.len());
    match (shown.split_last(), more) {
        (Some((last, rest)), 0) if !rest.is_empty() => format!("{} eller {last}", rest.join(", ")),
        (_, 0) => shown.join(", "),
        _ => format!("{} eller något av {more} till", shown.join(", ")),
    }
}

fn word(word: &Word) -> String {
    let letters = &word.letters;
    if word.case == Case::Exact {
        return format!("»{letters}« med just de stora och små bokstäverna");
    }
    let starred = match (letters.strip_prefix('*'), letters.strip_suffix('*')) {
        (Some(end), _) => Some(format!("ord som slutar på »{}«", end.replace('*', "…"))),
        (None, Some(start)) => Some(format!("ord som börjar på »{}«", start.replace('*', "…"))),
        (None, None) => letters
            .split_once('*')
            .map(|(start, end)| format!("ord som börjar på »{start}« och slutar på »{}«", end.replace('*', "…"))),
    };
    let plain = starred.unwrap_or_else(|| format!("»{letters}«"));
    match word.forms {
        Forms::Written => plain,
        Forms::Noun | Forms::Name => format!("{plain} i alla böjningar"),
        Forms::Unaccented => format!("{plain} i alla böjningar, även utan prickar och ringar"),
        Forms::Misspelt => format!("{plain} i alla böjningar, även utan prickar och ringar eller med en bokstav fel"),
    }
}

fn field(query: &Query) -> String {
    let Query::Field(field, value) = query else { return query.to_string() };
    match field {
        Field::Channel => format!("kommer från kanalen {value}"),
        Field::Source => format!("kommer från källan {value}"),
        Field::Site => format!("ligger på {value}"),
        Field::Language => format!("är märkta med språket {value}"),
        Field::Kind => format!("är av slaget {value}"),
        Field::Tag => format!("har taggen #{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::*;

    fn read(text: &str) -> String {
        reading(&parse(text).unwrap())
    }

    #[test]
    fn a_query_is_read_aloud_in_plain_swedish() {
        insta::assert_snapshot!(read("kommun~ AND (hemtjänst* OR *skola~) NOT source:alekuriren"), @"Träffar inlägg som innehåller »kommun« i alla böjningar och som innehåller ord som börjar på »hemtjänst« eller ord som slutar på »skola« i alla böjningar och som inte kommer från källan alekuriren.");
        insta::assert_snapshot!(read("(ale OR ales) NEAR/8 @beer"), @"Träffar inlägg som innehåller (»ale« eller »ales«) högst 8 ord från något ur listan eller kontot @beer.");
        insta::assert_snapshot!(read("{SFI} OR \"ale torg\" OR #ale"), @"Träffar inlägg som innehåller »SFI« med just de stora och små bokstäverna, »ale torg« bredvid varandra eller taggen #ale.");
    }

    #[test]
    fn long_rows_are_counted_not_read() {
        let row: Vec<String> = (0..40).map(|number| format!("ord{number}")).collect();
        assert!(read(&row.join(" OR ")).contains("eller något av 28 till"));
    }
}
