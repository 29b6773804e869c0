//! One key for one page: the same address written in several ways is the same item.

use url::Url;

/// Longest address that is normalised, in bytes; browsers stop at about the same.
const MAX_ADDRESS: usize = 2_048;

/// Parameters that say how somebody came to the page, not which page it is.
const TRACKING: [&str; 24] = [
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "twclid",
    "ttclid",
    "yclid",
    "_hsenc",
    "_hsmi",
    "oly_anon_id",
    "oly_enc_id",
    "vero_id",
    "ref_src",
    "ref_url",
    "spm",
    "cmpid",
    "xtor",
];

/// The address without scheme, `www.` and the like, tracking, fragment and last slash; parameters in order.
///
/// What is no web address comes back trimmed and otherwise untouched, so that a key is always had.
#[must_use]
pub fn key(address: &str) -> String {
    let trimmed = address.trim();
    if trimmed.len() > MAX_ADDRESS {
        return trimmed.to_owned();
    }
    let parsed = Url::parse(trimmed).or_else(|_| Url::parse(&format!("https://{trimmed}")));
    let Ok(url) = parsed else { return trimmed.to_owned() };
    let Some(host) = url.host_str().filter(|host| matches!(url.scheme(), "http" | "https") && host.contains('.'))
    else {
        return trimmed.to_owned();
    };
    let host = site_of(host);
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/').trim_end_matches("/index.html").trim_end_matches("/amp");
    let mut parameters: Vec<&str> = url.query().unwrap_or_default().split('&').filter(says_which).collect();
    parameters.sort_unstable();
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    format!("{host}{port}{path}{query}")
}

/// The host without `www.`, `m.` and `mobile.`, in lower case; the whole host when nothing else would remain.
#[must_use]
pub fn site_of(host: &str) -> String {
    let lower = host.trim_end_matches('.').to_lowercase();
    let mut rest = lower.as_str();
    for prefix in ["www.", "m.", "mobile.", "mobil.", "amp."] {
        if let Some(without) = rest.strip_prefix(prefix).filter(|without| without.contains('.')) {
            rest = without;
        }
    }
    rest.to_owned()
}

fn says_which(pair: &&str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    !name.is_empty() && !name.starts_with("utm_") && !name.starts_with("at_") && !TRACKING.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_has_one_key() {
        for same in [
            "https://www.alekuriren.se/nyheter/vatten?utm_source=fb&id=7&a=1#kommentarer",
            "http://alekuriren.se/nyheter/vatten/?a=1&id=7&fbclid=xyz",
            " https://m.alekuriren.se/nyheter/vatten?id=7&a=1 ",
            "www.ALEKURIREN.se/nyheter/vatten?id=7&a=1",
        ] {
            assert_eq!(key(same), "alekuriren.se/nyheter/vatten?a=1&id=7", "{same}");
        }
    }

    #[test]
    fn different_pages_have_different_keys_and_odd_text_keeps_itself() {
        assert_ne!(key("https://a.example/x?id=1"), key("https://a.example/x?id=2"));
        assert_eq!(key("at://did:plc:abc/app.bsky.feed.post/3k"), "at://did:plc:abc/app.bsky.feed.post/3k");
        assert_eq!(key("hej hopp"), "hej hopp");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_key_and_a_key_is_its_own_key(text in "\\PC{0,60}", path in "[a-z/?&=#.åäö%]{0,30}") {
            let _ = key(&text);
            let once = key(&format!("https://www.ale.se/{path}"));
            proptest::prop_assert_eq!(key(&once), once);
        }
    }
}
