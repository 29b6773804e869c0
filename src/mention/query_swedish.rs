//! The faults of a query as staff read them. The parser speaks the language of the command line; a page speaks Swedish.

use super::query::Fault;

/// What is wrong: as the parser says it, and as a person reads it. `{}` is what stands there.
const WHAT: &[(&str, &str)] = &[
    ("the query is {} bytes, at most {} are read", "regeln är {} byte lång, högst {} läses"),
    ("this parenthesis closes nothing", "den här parentesen stänger ingenting"),
    ("this parenthesis is never closed", "den här parentesen stängs aldrig"),
    ("two terms stand side by side with nothing between them", "två ord står bredvid varandra utan något emellan"),
    ("this brace closes nothing", "den här klammern stänger ingenting"),
    ("this quotation mark is never closed", "det här citattecknet stängs aldrig"),
    ("this brace is never closed", "den här klammern stängs aldrig"),
    ("this {} is never closed", "det här stängs aldrig: {}"),
    ("{} has no distance", "{} saknar avstånd"),
    ("{} is no distance", "{} är inget avstånd"),
    ("`@` without a name", "`@` utan namn"),
    ("{} is no field", "{} är inget fält"),
    ("{} has no value", "{} saknar värde"),
    ("{} cannot stand in the value of {}", "{} kan inte stå i värdet av {}"),
    ("there is no word here", "här finns inget ord"),
    ("`~` stands inside a word", "`~` står inne i ett ord"),
    ("braces mean exactly these letters", "klammer betyder precis de här bokstäverna"),
    ("{} is no word that a text can hold", "{} är inget ord som kan stå i en text"),
    ("there are no letters here", "här finns inga bokstäver"),
    ("too many stars", "för många stjärnor"),
    ("the wildcard leaves {} letters at the ends of the word", "stjärnan lämnar {} bokstäver i ordets ändar"),
    ("a star and `~` do not go together here", "en stjärna och `~` går inte ihop här"),
    ("more than {} levels deep", "mer än {} nivåer djupt"),
    (
        "beside NEAR there can only be words, phrases, lists, tags and OR between them",
        "bredvid NEAR kan bara ord, fraser, listor, taggar och ELLER mellan dem stå",
    ),
    ("more than {} NEAR in a row", "mer än {} NEAR i rad"),
    ("the query ends where a term should stand", "regeln slutar där ett ord skulle stå"),
    ("the parenthesis closes where a term should stand", "parentesen stänger där ett ord skulle stå"),
    ("an operator stands where a term should stand", "ett OCH, ELLER, INTE eller NEAR står där ett ord skulle stå"),
    ("the rule has nothing that must be there", "regeln har inget som måste finnas i inlägget"),
];

/// What to write instead.
const HINT: &[(&str, &str)] = &[
    ("move words into a list in words.toml and write @list", "lägg orden i en lista i words.toml och skriv @lista"),
    ("remove it or open one before", "ta bort den eller öppna en före"),
    (
        "write AND or OR between them, or quotation marks around a phrase",
        "skriv OCH eller ELLER mellan dem, eller citattecken runt en fras",
    ),
    ("write {Word} for exact letters", "skriv {Ord} för precis de bokstäverna"),
    ("close it with another {}", "stäng med ett likadant tecken"),
    ("write {} for at most five words apart", "skriv {} för högst fem ord emellan"),
    ("write a whole number from {}", "skriv ett heltal, {}"),
    (
        "write @list or @account, with letters, digits, _ - and . only",
        "skriv @lista eller @konto, med bara bokstäver, siffror, _ - och .",
    ),
    (
        "known are {}; put quotation marks around a word with a colon",
        "fälten är {}; sätt citattecken runt ett ord med kolon",
    ),
    ("did you mean {}?", "menade du {}?"),
    ("write {}:something without a space", "skriv {}:något utan mellanslag"),
    (
        "name an organisation's source or site, never a profile; people are not watched (REF-01)",
        "nämn en organisations källa eller webbplats, aldrig en profil; människor bevakas inte (REF-01)",
    ),
    ("write at least one letter or digit", "skriv minst en bokstav eller siffra"),
    (
        "write a word between, or put the word in quotation marks when the word itself is meant",
        "skriv ett ord emellan, eller sätt citattecken runt ordet om du menar själva ordet",
    ),
    ("write a word before the sign", "skriv ett ord före tecknet"),
    ("write a word before it", "skriv ett ord före den"),
    ("write a word here", "skriv ett ord här"),
    ("write a word", "skriv ett ord"),
    (
        "write it last: ord~ for inflected forms, Namn~0 without dots and rings, Namn~1 also misspelt",
        "skriv det sist: ord~ för böjningar, Namn~0 utan prickar och ringar, Namn~1 även felstavat",
    ),
    ("leave out * and ~, or use quotation marks instead", "ta bort * och ~, eller använd citattecken i stället"),
    ("write letters and digits", "skriv bokstäver och siffror"),
    ("one word can have two, not side by side", "ett ord kan ha två, inte bredvid varandra"),
    (
        "at least {} letters must stand together at the beginning or the end",
        "minst {} bokstäver måste stå tillsammans i början eller slutet",
    ),
    (
        "`*skola~` inflects the end of compounds; elsewhere the star already takes every ending",
        "`*skola~` böjer slutet av sammansättningar; annars tar stjärnan redan alla ändelser",
    ),
    (
        "add the list under [lists], or the account to `accounts`",
        "lägg listan under [lists] i words.toml, eller kontot i `accounts`",
    ),
    ("split the rule into two", "dela regeln i två"),
    ("put AND, NOT and fields outside the NEAR", "sätt OCH, INTE och fält utanför NEAR"),
    ("add `)`", "lägg till `)`"),
    (
        "a rule of only NOT would match everything; add a word",
        "en regel av bara INTE skulle träffa allt; lägg till ett ord",
    ),
];

/// The fault in Swedish; what is already said so stays.
#[must_use]
pub fn swedish(fault: &Fault) -> Fault {
    let of = |text: &str, table: &[(&str, &str)]| told(text, table).unwrap_or_else(|| text.to_owned());
    Fault { span: fault.span.clone(), what: of(&fault.what, WHAT), hint: of(&fault.hint, HINT) }
}

fn told(text: &str, table: &[(&str, &str)]) -> Option<String> {
    table.iter().find_map(|(english, swedish)| {
        let found = fits(text, english)?;
        Some(found.iter().fold((*swedish).to_owned(), |said, part| said.replacen("{}", part, 1)))
    })
}

/// What stands at each `{}` of the pattern, when the text fits it.
fn fits<'a>(text: &'a str, pattern: &str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let parts: Vec<&str> = parts.collect();
    let mut found = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let end = if at + 1 == parts.len() {
            rest.len().checked_sub(part.len()).filter(|_| rest.ends_with(part))?
        } else {
            rest.find(part)?
        };
        found.push(rest.get(..end)?);
        rest = rest.get(end + part.len()..)?;
    }
    (rest.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::super::watch_tests::ale_words;
    use super::super::words::check;
    use super::*;

    #[test]
    fn every_fault_is_said_in_swedish_with_its_place() {
        let long = "ale OR ".repeat(1_500) + "ale";
        let deep = "(".repeat(60) + "ale" + &")".repeat(60);
        let queries = [
            long.as_str(),
            ") ale",
            "(ale",
            "ale nol",
            "} ale",
            "\"ale",
            "{ale",
            "ale NEAR nol",
            "ale NEAR/x nol",
            "ale NEAR/0 nol",
            "@ ale",
            "kanel:rss",
            "foo:bar",
            "channel:",
            "source:@anna",
            "\"\"",
            "al~e",
            "{ale*}",
            "~",
            "***",
            "a*b*c*d",
            "a*",
            "skol*~",
            deep.as_str(),
            "(ale AND nol) NEAR/2 x",
            "ale AND",
            "(ale AND )",
            "AND ale",
            "ale OR OR nol",
            "author:anna",
            "NOT ale",
            "\"Anna Svensson\"",
            "@okand-lista",
            "a:b c",
            "*",
        ];
        let words = ale_words();
        let mut faults = 0;
        for query in queries {
            let Err(fault) = parse(query).and_then(|_| check(query, &words)) else { continue };
            faults += 1;
            let said = swedish(&fault);
            for text in [&said.what, &said.hint] {
                let padded = format!(" {} ", text.to_lowercase());
                for english in
                    [" the ", " this ", " write ", " is ", " are ", " with ", " there ", " did ", " a word", " of "]
                {
                    assert!(!padded.contains(english), "{query}: {text}");
                }
            }
            assert_eq!(said.span, fault.span);
        }
        assert!(faults >= 28, "{faults} of {} queries are faulty", queries.len());
    }
}
