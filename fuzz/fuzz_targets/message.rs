//! A message of a stream.
#![no_main]

use std::sync::LazyLock;

use lyhord::mention::watch::Watch;

#[path = "../checks.rs"]
mod checks;

static WATCH: LazyLock<Watch> = LazyLock::new(checks::watch);

libfuzzer_sys::fuzz_target!(|message: &[u8]| checks::message(&WATCH, message));
