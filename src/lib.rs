//! Lyhörd hears what people say about their municipality and sees to it that they get an answer.
//!
//! `src/` is the places, `jobs/` is the movement: a post flows source → mention → classification → case →
//! assignment → reminder → response → audit. A room never calls the next room; it leaves a fact in the database,
//! and a job carries the thing on. ARCHITECTURE.md tells the rest.

// Bedrock: knows no word of the domain.
pub mod calendar;
pub mod clock;
pub mod db;
pub mod hex;
pub mod http;
pub mod id;
pub mod journal;
pub mod queue;
pub mod secret;
pub mod settings;
pub mod telemetry;

// The river, one room a noun.
pub mod assignment;
pub mod audit;
pub mod case;
pub mod chat;
pub mod classification;
pub mod mention;
pub mod reminder;
pub mod response;
pub mod source;

// All of it together.
pub mod app;
pub mod command;
pub mod config;
pub mod demo;
#[path = "../jobs/mod.rs"]
pub mod jobs;
pub mod web;
