//! What is typed as a watch rule.
#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|typed: &str| checks::query(typed));
