//! Logs: a sentence with the id in it and the id as a field. Never post text, names, handles or tokens.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a log collector.
    Json,
}

/// Begins logging to standard error; `LYHORD_LOG` overrides the level (`info`, `lyhord=debug` …). A second call
/// changes nothing.
pub fn begin(form: LogForm, level: &str) {
    let filter = EnvFilter::try_from_env("LYHORD_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!("{level},sqlx=warn,apalis=warn,apalis_core=warn,teloxide=warn,hyper=warn"))
    });
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let begun = match form {
        LogForm::Text => lines.try_init(),
        LogForm::Json => lines.json().flatten_event(true).try_init(),
    };
    if let Err(fault) = begun {
        tracing::debug!("logging had begun already: {fault}");
    }
}
