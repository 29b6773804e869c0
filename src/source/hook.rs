//! A web hook (webbkrok): an address of ours that an e-service or a press-monitoring supplier hands posts in at.
//!
//! Signed as Standard Webhooks has it, so that there is a library in every language: `webhook-id` (also the idempotency
//! key), `webhook-timestamp` (Unix seconds) and `webhook-signature` (`v1,` and base64 of HMAC-SHA-256 over
//! `id.timestamp.body`). Two secrets hold side by side while one is being changed for another.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::account::{Secret, secret_of};
use crate::clock::Time;
use crate::settings::Section;

/// Where such addresses begin; the source's key follows.
pub const PATH: &str = "/krok/kalla/";
/// The largest delivery: two hundred long articles.
pub const BODY_MAX: usize = 1024 * 1024;
/// How far the sender's clock may be from ours, either way: what Standard Webhooks proposes.
pub const CLOCKS_WITHIN: Duration = Duration::from_mins(5);
/// Shorter than this a secret can be guessed.
const SECRET_MIN: usize = 24;
/// Letters of an idempotency key: a UUID is 36.
const ONCE_MAX: usize = 128;
/// Signatures of one delivery that are tried: a sender who changes secrets sends two.
const SIGNATURES: usize = 4;

/// What of a delivery is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// What a watch rule hears, as everywhere else.
    Heard,
    /// All: everything that is handed in is meant for us.
    Everything,
}

/// A web hook as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The secrets that hold: one, or two while they change; none while the secret is not set, and then nothing is taken.
    pub secrets: Vec<Secret>,
    /// What of a delivery is kept.
    pub takes: Takes,
}

/// Reads the keys of a `[[source]]` that belong to a web hook; nothing when something is wrong, which has then been said.
pub(super) fn read(section: &Section) -> Option<Hook> {
    let takes = match section.choice("takes", &["heard", "everything"]) {
        "everything" => Takes::Everything,
        _ => Takes::Heard,
    };
    let names = [("secret_env", "secret_file"), ("next_secret_env", "next_secret_file")];
    if !section.has("secret_env") && !section.has("secret_file") {
        section.place().report("`secret_env` or `secret_file` is missing: what is handed in must be signed");
        return None;
    }
    let mut secrets = Vec::new();
    for (variable, file) in names {
        let Some(secret) = secret_of(section, variable, file) else { continue };
        if secret.reveal().len() < SECRET_MIN {
            section.place().report(format!(
                "the secret behind `{variable}` or `{file}` is shorter than {SECRET_MIN} letters; make one by \
                 `openssl rand -base64 32`"
            ));
            return None;
        }
        secrets.push(secret);
    }
    Some(Hook { secrets, takes })
}

/// What stands around a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's name for this delivery: the same again is the same delivery.
    pub once: String,
    stamp: String,
    signatures: Vec<Vec<u8>>,
}

impl Envelope {
    /// Reads the three headers and holds the sender's clock against ours.
    ///
    /// # Errors
    /// Which header is missing or wrong, or how far the clocks are apart.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, now: Time) -> Result<Self, Refusal> {
        let need = |name: &'static str| {
            header(name).map(str::trim).filter(|value| !value.is_empty()).ok_or(Refusal::NoHeader(name))
        };
        let (once, stamp, signature) = (need("webhook-id")?, need("webhook-timestamp")?, need("webhook-signature")?);
        if once.len() > ONCE_MAX || !once.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::BadHeader("webhook-id"));
        }
        let seconds: i64 = stamp.parse().map_err(|_| Refusal::BadHeader("webhook-timestamp"))?;
        let apart = i128::from(now.0) - i128::from(seconds) * 1_000;
        if apart.unsigned_abs() > CLOCKS_WITHIN.as_millis() {
            return Err(Refusal::Late { seconds: i64::try_from(apart / 1_000).unwrap_or(i64::MAX) });
        }
        let version_one = signature.split(' ').filter_map(|one| one.strip_prefix("v1,")).take(SIGNATURES);
        let signatures: Vec<Vec<u8>> = version_one.filter_map(|text| STANDARD.decode(text).ok()).collect();
        if signatures.is_empty() {
            return Err(Refusal::BadHeader("webhook-signature"));
        }
        Ok(Self { once: once.to_owned(), stamp: stamp.to_owned(), signatures })
    }
}

impl Hook {
    /// Whether one of our secrets signed this very body. Takes as long whatever a wrong signature looks like.
    ///
    /// # Errors
    /// When none did.
    pub fn verify(&self, envelope: &Envelope, body: &[u8]) -> Result<(), Refusal> {
        let mut good = false;
        for secret in &self.secrets {
            for signature in &envelope.signatures {
                good |= mac(secret, &envelope.once, &envelope.stamp, body)
                    .is_some_and(|mac| mac.verify_slice(signature).is_ok());
            }
        }
        if good { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// The headers of a delivery of our own, for trying the address. Nothing while no secret is set.
    #[must_use]
    pub fn sign(&self, once: &str, body: &[u8], now: Time) -> Option<[(&'static str, String); 3]> {
        let stamp = now.0.div_euclid(1_000).to_string();
        let signature = mac(self.secrets.first()?, once, &stamp, body)?.finalize().into_bytes();
        Some([
            ("webhook-id", once.to_owned()),
            ("webhook-timestamp", stamp),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
        ])
    }
}

/// The key behind a secret: what follows `whsec_` is base64, as Standard Webhooks writes them; any other is itself.
fn mac(secret: &Secret, once: &str, stamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let written = secret.reveal();
    let decoded = written.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let key = decoded.as_deref().unwrap_or(written.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [once.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac)
}

/// Why a delivery is not taken. Each has a status, a name for machines and a sentence for the one who builds the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No source takes deliveries there.
    #[error("no such source")]
    NoSuchSource,
    /// The source rests.
    #[error("paused")]
    Paused,
    /// Its secret is not set on this machine.
    #[error("no secret")]
    NoSecret,
    /// More deliveries than anybody needs.
    #[error("too often")]
    TooOften,
    /// What was handed in before has not been seen to yet.
    #[error("too many wait")]
    Full,
    /// Not JSON, or wrapped up.
    #[error("wrong type")]
    WrongType,
    /// A header is not there.
    #[error("no {0}")]
    NoHeader(&'static str),
    /// A header is not as it should be.
    #[error("bad {0}")]
    BadHeader(&'static str),
    /// The clocks are too far apart; a positive number is a delivery from our past.
    #[error("{seconds} s late")]
    Late {
        /// How far.
        seconds: i64,
    },
    /// None of our secrets signed it.
    #[error("forged")]
    Forged,
    /// Larger than [`BODY_MAX`].
    #[error("too large")]
    TooLarge,
    /// It did not come whole within our patience.
    #[error("too slow")]
    TooSlow,
    /// It ended before its time.
    #[error("cut off")]
    CutOff,
    /// The same idempotency key was used for something else.
    #[error("other body under the same id")]
    OtherBody,
    /// It is signed, but it does not say what the documentation says.
    #[error("unreadable: {0}")]
    Unreadable(Fault),
    /// Our database does not answer.
    #[error("not now")]
    NotNow,
}

/// What is wrong in a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {what}")]
pub struct Fault {
    /// A name for machines.
    pub code: &'static str,
    /// What and what is expected, in Swedish.
    pub what: String,
    /// The item, counted from 0.
    pub item: Option<usize>,
    /// The field.
    pub field: Option<&'static str>,
}

impl Refusal {
    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoSuchSource => 404,
            Self::CutOff => 400,
            Self::NoHeader(_) | Self::BadHeader(_) | Self::Late { .. } | Self::Forged => 401,
            Self::TooSlow => 408,
            Self::OtherBody => 409,
            Self::TooLarge => 413,
            Self::WrongType => 415,
            Self::Unreadable(_) => 422,
            Self::TooOften => 429,
            Self::Paused | Self::NoSecret | Self::Full | Self::NotNow => 503,
        }
    }

    /// Seconds after which the same delivery is welcome again, where waiting helps.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooOften | Self::NotNow => Some(5),
            Self::Full => Some(60),
            Self::Paused | Self::NoSecret => Some(3_600),
            _ => None,
        }
    }

    /// A name for machines; it never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchSource => "unknown_source",
            Self::Paused => "paused",
            Self::NoSecret => "no_secret",
            Self::TooOften => "too_often",
            Self::Full => "too_many_waiting",
            Self::WrongType => "wrong_type",
            Self::NoHeader(_) => "missing_header",
            Self::BadHeader(_) => "bad_header",
            Self::Late { .. } => "late",
            Self::Forged => "bad_signature",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::CutOff => "cut_off",
            Self::OtherBody => "other_body",
            Self::Unreadable(fault) => fault.code,
            Self::NotNow => "not_now",
        }
    }

    /// What happened and what the sender can do, in Swedish.
    #[must_use]
    pub fn says(&self) -> String {
        let fixed = match self {
            Self::NoSuchSource => "Här tas inget emot. Kontrollera adressen: /krok/kalla/ och källans nyckel.",
            Self::Paused => "Källan vilar. Vänta, eller fråga kommunen.",
            Self::NoSecret => "Kommunen har inte satt hemligheten för källan. Vänta, och säg till kommunen.",
            Self::TooOften => {
                "För många leveranser på kort tid. Vänta så länge Retry-After säger; samla gärna flera inlägg."
            }
            Self::Full => "Det som redan är lämnat är inte behandlat än. Vänta så länge Retry-After säger.",
            Self::WrongType => "Kroppen ska vara JSON i UTF-8: Content-Type: application/json, utan Content-Encoding.",
            Self::Forged => {
                "Signaturen stämmer inte med kroppen och hemligheten. Signera webhook-id, punkt, webhook-timestamp, punkt och \
                 kroppen byte för byte som den skickas."
            }
            Self::TooSlow => "Hela kroppen kom inte i tid. Skicka den på nytt med samma webhook-id.",
            Self::CutOff => "Kroppen tog slut för tidigt. Skicka den på nytt med samma webhook-id.",
            Self::OtherBody => "webhook-id är redan använt för en annan leverans. Ge varje leverans ett eget.",
            Self::NotNow => "Vi kan inte ta emot just nu. Skicka samma leverans igen om en stund.",
            Self::TooLarge => {
                return format!("Kroppen får vara högst {BODY_MAX} byte. Dela upp den på flera leveranser.");
            }
            Self::NoHeader(name) => return format!("Huvudet {name} saknas."),
            Self::BadHeader("webhook-timestamp") => "webhook-timestamp ska vara hela sekunder sedan 1970-01-01 UTC.",
            Self::BadHeader("webhook-signature") => {
                "webhook-signature ska vara v1, ett komma och HMAC-SHA-256 i base64."
            }
            Self::BadHeader(name) => return format!("{name} ska vara 1 till {ONCE_MAX} tecken ASCII utan mellanslag."),
            Self::Late { seconds } => {
                let minutes = CLOCKS_WITHIN.as_secs() / 60;
                return format!(
                    "webhook-timestamp ligger {seconds} sekunder efter vår klocka (negativt: före); högst {minutes} minuter \
                     godtas. Ställ klockan, eller signera om med ny tid och samma webhook-id."
                );
            }
            Self::Unreadable(fault) => return fault.what.clone(),
        };
        fixed.to_owned()
    }

    /// The answer's body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut error = json!({ "code": self.code(), "message": self.says() });
        if let Self::Unreadable(fault) = self {
            if let Some(item) = fault.item {
                error["item"] = item.into();
            }
            if let Some(field) = fault.field {
                error["field"] = field.into();
            }
        }
        json!({ "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_674_087_231_000);

    fn hook(secrets: &[&str]) -> Hook {
        Hook { secrets: secrets.iter().map(|secret| Secret::new(secret)).collect(), takes: Takes::Heard }
    }

    fn envelope(headers: &[(&'static str, String)], now: Time) -> Result<Envelope, Refusal> {
        Envelope::read(|name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str()), now)
    }

    /// The example of the Standard Webhooks specification and its libraries.
    #[test]
    fn the_example_of_the_specification_is_accepted() {
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            ("webhook-timestamp", "1614265330".to_owned()),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
        ];
        let read = envelope(&headers, Time(1_614_265_330_000)).unwrap();
        let hook = hook(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        assert_eq!(hook.verify(&read, br#"{"test": 2432232314}"#), Ok(()));
        assert_eq!(hook.verify(&read, br#"{"test": 2432232315}"#), Err(Refusal::Forged));
    }

    #[test]
    fn while_secrets_change_both_hold_and_a_third_does_not() {
        let (old, new) = ("den gamla hemligheten, lång", "den nya hemligheten, också lång");
        let both = hook(&[old, new]);
        for secret in [old, new] {
            let headers = hook(&[secret]).sign("a", b"{}", NOW).unwrap();
            assert_eq!(both.verify(&envelope(&headers, NOW).unwrap(), b"{}"), Ok(()), "{secret}");
        }
        let other = hook(&["en tredje hemlighet, ingens"]).sign("a", b"{}", NOW).unwrap();
        assert_eq!(both.verify(&envelope(&other, NOW).unwrap(), b"{}"), Err(Refusal::Forged));
        assert_eq!(hook(&[]).verify(&envelope(&other, NOW).unwrap(), b"{}"), Err(Refusal::Forged));
        assert!(hook(&[]).sign("a", b"{}", NOW).is_none());
    }

    #[test]
    fn id_time_and_body_are_all_under_the_signature() {
        let hook = hook(&["en hemlighet som är lång nog"]);
        let signed = hook.sign("a", b"{}", NOW).unwrap();
        for (at, other) in [(0, "b"), (1, "1674087232")] {
            let mut changed = signed.clone();
            changed[at].1 = other.to_owned();
            assert_eq!(hook.verify(&envelope(&changed, NOW).unwrap(), b"{}"), Err(Refusal::Forged), "{at}");
        }
        assert_eq!(hook.verify(&envelope(&signed, NOW).unwrap(), b"{} "), Err(Refusal::Forged));
    }

    #[test]
    fn clocks_may_be_five_minutes_apart_either_way() {
        let hook = hook(&["en hemlighet som är lång nog"]);
        let signed = hook.sign("a", b"{}", NOW).unwrap();
        let apart = |seconds: i64| envelope(&signed, Time(NOW.0 + seconds * 1_000));
        assert!(apart(300).is_ok() && apart(-300).is_ok());
        assert_eq!(apart(301), Err(Refusal::Late { seconds: 301 }));
        assert_eq!(apart(-301), Err(Refusal::Late { seconds: -301 }));
    }

    #[test]
    fn a_header_that_is_missing_or_odd_is_named() {
        let signed = hook(&["en hemlighet som är lång nog"]).sign("a", b"{}", NOW).unwrap();
        for at in 0..3 {
            let mut less = signed.clone();
            less[at].1 = String::new();
            assert_eq!(envelope(&less, NOW), Err(Refusal::NoHeader(signed[at].0)));
            let mut odd = signed.clone();
            odd[at].1 = if at == 0 { "a b".to_owned() } else { "ö".to_owned() };
            assert_eq!(envelope(&odd, NOW), Err(Refusal::BadHeader(signed[at].0)));
        }
        let huge = [signed[0].clone(), ("webhook-timestamp", i64::MAX.to_string()), signed[2].clone()];
        assert!(matches!(envelope(&huge, NOW), Err(Refusal::Late { .. })), "no overflow");
    }

    #[test]
    fn every_refusal_says_what_is_wrong_in_swedish_and_has_a_name_of_its_own() {
        let fault = Fault { code: "bad_item", what: "Fel.".into(), item: Some(2), field: Some("text") };
        let all = [
            Refusal::NoSuchSource,
            Refusal::Paused,
            Refusal::NoSecret,
            Refusal::TooOften,
            Refusal::Full,
            Refusal::WrongType,
            Refusal::NoHeader("webhook-id"),
            Refusal::BadHeader("webhook-id"),
            Refusal::Late { seconds: 400 },
            Refusal::Forged,
            Refusal::TooLarge,
            Refusal::TooSlow,
            Refusal::CutOff,
            Refusal::OtherBody,
            Refusal::Unreadable(fault),
            Refusal::NotNow,
        ];
        let mut codes: Vec<&str> = all.iter().map(Refusal::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        for refusal in &all {
            assert!(refusal.says().ends_with('.') && (400..=503).contains(&refusal.status()), "{refusal:?}");
        }
        let body = all[14].body();
        assert_eq!((body["error"]["item"].as_u64(), body["error"]["field"].as_str()), (Some(2), Some("text")));
    }
}
