//! What a browser sends: read as axum reads it, refused in our own words. The letter NUL stands in no text of ours, and
//! a database refuses to look for it; the address is looked at before this (`guard`), the form here.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// The fields of a form.
#[derive(Debug, Clone, Copy)]
pub struct Form<T>(pub T);

/// What stands behind the question mark of an address.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// What stands in an address itself.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let sent = Bytes::from_request(whole, state).await.map_err(|refused| told(refused.status()))?;
        if has_nul(&sent) {
            return Err(Fault::Unreadable);
        }
        let whole = Request::from_parts(parts, Body::from(sent));
        let axum::Form(form) = axum::Form::from_request(whole, state)
            .await
            .map_err(|_: axum::extract::rejection::FormRejection| Fault::Unreadable)?;
        Ok(Self(form))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let asked = axum::extract::Query::from_request_parts(parts, state).await;
        asked.map(|asked| Self(asked.0)).map_err(|_| Fault::Unreadable)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let named = axum::extract::Path::from_request_parts(parts, state).await;
        named.map(|named| Self(named.0)).map_err(|_| Fault::NotFound)
    }
}

fn told(status: StatusCode) -> Fault {
    if status == StatusCode::PAYLOAD_TOO_LARGE { Fault::TooLarge } else { Fault::Unreadable }
}

/// Whether a form carries the letter NUL, as itself or as browsers write it.
fn has_nul(form: &[u8]) -> bool {
    memchr::memchr(0, form).is_some() || memchr::memmem::find(form, b"%00").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_nul_is_seen_in_both_its_shapes() {
        assert!(has_nul(b"ord=a%00b") && has_nul(b"ord=a\0b"));
        assert!(!has_nul(b"ord=100%25+000") && !has_nul(b""));
    }
}
