//! Journeys and contracts, one test binary.

mod architecture;
mod channels;
mod chats;
mod contract;
mod fake_feed;
mod fake_links;
mod fake_matrix;
mod fake_mattermost;
mod fake_slack;
mod fake_telegram;
mod harness;
mod judgement_pages;
mod kill;
mod operations;
mod pages;
mod policy;
mod postgres;
mod running;
mod story;
