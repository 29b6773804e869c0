//! Logs: a sentence with the id in it and the id as a field. Never post text, names, handles or tokens.

use std::io::IsTerminal as _;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a log collector.
    Json,
}

/// Libraries that tell, when asked for more, what passes through them: passwords, tokens, letters, posts. Nobody can ask.
const TALKATIVE: [&str; 12] = [
    "async_imap",
    "h2",
    "html5ever",
    "hyper",
    "hyper_util",
    "lettre",
    "markup5ever",
    "reqwest",
    "teloxide",
    "teloxide_core",
    "tokio_tungstenite",
    "tungstenite",
];

/// What is logged: as asked, but of what those say no more than warnings. The filters are the whole subscriber's: one of a
/// layer of its own loses the line that follows a question whether something is logged, and sqlx asks after each query
/// (tokio-rs/tracing#2519).
fn quiet(asked: EnvFilter) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync {
    let not_talkative = filter_fn(|of: &Metadata<'_>| {
        let library = of.target().split("::").next().unwrap_or_default();
        *of.level() <= Level::WARN || !TALKATIVE.contains(&library)
    });
    tracing_subscriber::registry().with(asked).with(not_talkative)
}

/// Begins logging to standard error; `LYHORD_LOG` overrides the level (`info`, `lyhord=debug` …). A second call
/// changes nothing.
pub fn begin(form: LogForm, level: &str) {
    let asked = EnvFilter::try_from_env("LYHORD_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},sqlx=warn,apalis=warn,apalis_core=warn")));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(std::io::stderr().is_terminal());
    let begun = match form {
        LogForm::Text => quiet(asked).with(lines).try_init(),
        LogForm::Json => quiet(asked).with(lines.json().flatten_event(true)).try_init(),
    };
    if let Err(fault) = begun {
        tracing::debug!("logging had begun already: {fault}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::Callsite as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_can_ask_a_library_to_tell_what_passes_through_it() {
        for asked in ["trace", "trace,async_imap=trace", "info,async_imap::imap_stream=trace"] {
            let page = Page::default();
            let writer = page.clone();
            let lines = fmt::layer().with_writer(move || writer.clone());
            tracing::subscriber::with_default(quiet(EnvFilter::new(asked)).with(lines), || {
                tracing::trace!(target: "async_imap::imap_stream", "LOGIN tips hemligheten");
                tracing::warn!(target: "async_imap::imap_stream", "varningen");
                tracing::info!(target: "lyhord", "egen rad");
            });
            let said = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
            assert!(!said.contains("hemligheten"), "{asked}: {said}");
            assert!(said.contains("varningen") && said.contains("egen rad"), "{asked}: {said}");
        }
    }

    #[test]
    fn a_question_whether_a_query_is_logged_loses_no_line() {
        let query = tracing::callsite! {
            name: "query", kind: tracing::metadata::Kind::EVENT, target: "sqlx::query", level: Level::DEBUG, fields:
        };
        let page = Page::default();
        let writer = page.clone();
        let lines = fmt::layer().with_writer(move || writer.clone());
        tracing::subscriber::with_default(quiet(EnvFilter::new("info,sqlx=warn")).with(lines), || {
            for _ in 0..3 {
                let asked = tracing::dispatcher::get_default(|to| to.enabled(query.metadata()));
                assert!(!asked);
                tracing::info!(target: "lyhord", "egen rad");
            }
        });
        let said = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(said.matches("egen rad").count(), 3, "{said}");
    }
}
