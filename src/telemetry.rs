//! Logs: a sentence with the id in it and the id as a field. Never post text, names, handles or tokens.

use std::io::IsTerminal as _;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

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

/// What is logged: as asked, but of what those say no more than warnings.
fn quiet<S>(asked: EnvFilter) -> impl Filter<S> {
    asked.and(filter_fn(|of: &Metadata<'_>| {
        let library = of.target().split("::").next().unwrap_or_default();
        *of.level() <= Level::WARN || !TALKATIVE.contains(&library)
    }))
}

/// Begins logging to standard error; `LYHORD_LOG` overrides the level (`info`, `lyhord=debug` …). A second call
/// changes nothing.
pub fn begin(form: LogForm, level: &str) {
    let asked = EnvFilter::try_from_env("LYHORD_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},sqlx=warn,apalis=warn,apalis_core=warn")));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(std::io::stderr().is_terminal());
    let begun = match form {
        LogForm::Text => tracing_subscriber::registry().with(lines.with_filter(quiet(asked))).try_init(),
        LogForm::Json => {
            let lines = lines.json().flatten_event(true).with_filter(quiet(asked));
            tracing_subscriber::registry().with(lines).try_init()
        }
    };
    if let Err(fault) = begun {
        tracing::debug!("logging had begun already: {fault}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

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
            let lines = fmt::layer().with_writer(move || writer.clone()).with_filter(quiet(EnvFilter::new(asked)));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
                tracing::trace!(target: "async_imap::imap_stream", "LOGIN tips hemligheten");
                tracing::warn!(target: "async_imap::imap_stream", "varningen");
                tracing::info!(target: "lyhord", "egen rad");
            });
            let said = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
            assert!(!said.contains("hemligheten"), "{asked}: {said}");
            assert!(said.contains("varningen") && said.contains("egen rad"), "{asked}: {said}");
        }
    }
}
