//! What goes wrong on the way to a page, and what the reader is told: what happened, what we do, what you can do.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database does not answer.
    #[error("database: {0}")]
    Db(#[from] sqlx::Error),
    /// A page could not be written.
    #[error("page: {0}")]
    Page(#[from] askama::Error),
    /// Something of our own failed.
    #[error("{0}")]
    Own(String),
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// There is, but not for the one who asks.
    #[error("forbidden")]
    Forbidden,
    /// The form did not carry the secret that our own page would have sent.
    #[error("form without its secret")]
    Forged,
    /// What was sent cannot be read.
    #[error("unreadable request")]
    Unreadable,
    /// What was sent is larger than is taken.
    #[error("too large a form")]
    TooLarge,
    /// More than is taken in at once.
    #[error("too many at once")]
    TooMany,
}

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    title: &'a str,
    text: &'a str,
}

impl Fault {
    fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Db(_) | Self::Page(_) | Self::Own(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Något gick fel hos oss",
                "Felet är noterat. Inget du skrev har sparats till hälften. Försök igen om en stund; blir det inte bättre, hör av dig till den som sköter systemet.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Sidan finns inte",
                "Adressen leder ingenstans, eller så har det som fanns här tagits bort. Börja om från inkorgen.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "Du har inte tillgång till det här",
                "Sidan hör till en annan enhet eller roll. Behöver du den i ditt arbete, be din chef eller den som sköter systemet.",
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "Formuläret gällde inte längre",
                "Vi kunde inte se att formuläret kom från din inloggade sida, så inget har ändrats. Gå tillbaka, ladda om sidan och försök igen.",
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "Vi kunde inte läsa det som skickades",
                "Inget har ändrats. Gå tillbaka, se efter vad som står i fälten eller i adressen, och försök igen.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Det var för mycket på en gång",
                "Inget har sparats. Gå tillbaka och korta texten eller beskär bilden; en skärmbild får vara högst 4 MB.",
            ),
            Self::TooMany => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Just nu är det för många på en gång",
                "Vänta en liten stund och försök igen.",
            ),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, title, text) = self.told();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(fault = %self, "a page could not be made");
        }
        let body = Page { title, text }.render().unwrap_or_else(|_| title.to_owned());
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
    }
}
