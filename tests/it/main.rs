//! Journeys and contracts, one test binary.

mod architecture;
mod bluesky;
mod channels;
mod chats;
mod contract;
mod fake_bluesky;
mod fake_feed;
mod fake_links;
mod fake_mastodon;
mod fake_matrix;
mod fake_mattermost;
mod fake_slack;
mod fake_telegram;
mod harness;
mod judgement_pages;
mod kill;
mod kill_stream;
mod mastodon;
mod operations;
mod pages;
mod policy;
mod postgres;
mod running;
mod story;
