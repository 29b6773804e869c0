//! Journeys and contracts, one test binary.

mod absences;
mod architecture;
mod bluesky;
mod channels;
mod chats;
mod contract;
mod contract_desk;
mod contract_hand;
#[allow(clippy::large_futures, reason = "a journey is one future, and a test has room for it")]
mod coordination;
mod desk;
mod external_judge;
mod fake_bluesky;
mod fake_feed;
mod fake_links;
mod fake_mastodon;
mod fake_matrix;
mod fake_mattermost;
mod fake_slack;
mod fake_telegram;
mod faults;
mod harness;
mod hook;
mod hostile;
mod judgement_pages;
mod kill;
mod kill_stream;
mod mastodon;
mod operations;
mod pages;
mod pages_desk;
mod policy;
mod postgres;
mod running;
mod story;
mod tips;
