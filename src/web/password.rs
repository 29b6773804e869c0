//! Passwords: argon2id with the library's own cost (19 MiB, 2 passes: OWASP's first choice), never kept in clear.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Letters of a password at least: length is what makes it hard (NIST SP 800-63B-4 says 15 where it stands alone).
pub const LETTERS_MIN: usize = 15;
/// Letters of a password at most, so that nobody makes the machine hash a book.
pub const LETTERS_MAX: usize = 200;
/// Different letters at least: "aaaaaaaaaaaaaaa" is long and no password.
const DIFFERENT_MIN: usize = 6;

/// What is kept when a password cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("password could not be hashed: {0}")]
pub struct NotHashed(argon2::password_hash::Error);

/// Why a new password is not good enough, in Swedish; nothing when it is.
#[must_use]
pub fn fault(password: &str, staff: &str, again: &str) -> Option<String> {
    let letters = password.chars().count();
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if letters < LETTERS_MIN {
        Some(format!(
            "Lösenordet behöver minst {LETTERS_MIN} tecken. En mening du minns är bättre än ett krångligt ord."
        ))
    } else if letters > LETTERS_MAX {
        Some(format!("Lösenordet får ha högst {LETTERS_MAX} tecken."))
    } else if different.len() < DIFFERENT_MIN {
        Some("Lösenordet behöver fler olika tecken.".to_owned())
    } else if !staff.is_empty() && password.to_lowercase().contains(&staff.to_lowercase()) {
        Some("Lösenordet får inte innehålla ditt användarnamn.".to_owned())
    } else if password != again {
        Some("De två lösenorden är inte lika. Skriv samma lösenord i båda fälten.".to_owned())
    } else {
        None
    }
}

/// Hashes a password. Takes tens of milliseconds: call it where blocking is allowed.
///
/// # Errors
/// [`NotHashed`] when the machine has no randomness to give.
pub fn hash(password: &str) -> Result<String, NotHashed> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(NotHashed)
}

/// True when the password is the one that was hashed. Without a hash as much time passes and the answer is no, so
/// that an account that does not exist cannot be told from one that does.
#[must_use]
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    if password.chars().count() > LETTERS_MAX {
        return false;
    }
    if let Some(hash) = hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    } else {
        let _ = Argon2::default().hash_password(password.as_bytes());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_opens() {
        let kept = hash("en mening att minnas").unwrap();
        assert!(kept.starts_with("$argon2id$"));
        assert!(verify("en mening att minnas", Some(&kept)));
        assert!(!verify("en mening att glömma", Some(&kept)));
        assert!(!verify("en mening att minnas", None));
        assert!(!verify("en mening att minnas", Some("skräp")));
    }

    #[test]
    fn a_short_or_thin_password_is_told_why() {
        let said = |password: &str| fault(password, "anna", password).is_some();
        assert!(said("kort"));
        assert!(said("aaaaaaaaaaaaaaaaaaaa"));
        assert!(said("Anna är bäst i hela världen"));
        assert!(!said("blåbär växer vid sjön"));
        assert!(fault("blåbär växer vid sjön", "anna", "något annat").is_some());
    }
}
