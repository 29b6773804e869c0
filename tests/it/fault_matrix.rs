//! Each fault of each open channel and the test that shows what becomes of it; or why the channel has no such fault. A test
//! that is named here and is not there fails this one.
//!
//! The other way round a row reads as what its channel can do wrong: a mail server has no status but says no, a web hook is
//! the one who is asked, a colleague pastes and nothing is fetched.

use std::collections::BTreeSet;

use crate::policy::functions;

const FAULTS: [&str; 13] = [
    "401",
    "403",
    "429 with headers",
    "429 without",
    "5xx",
    "slow drip",
    "truncated body",
    "wrong type",
    "duplicate pages",
    "reordered pages",
    "clock skew",
    "token revoked in mid-paging",
    "stream cut in mid-message",
];

enum Cell {
    /// Shown by this test.
    By(&'static str),
    /// The channel has no such fault, and why.
    No(&'static str),
}

use Cell::{By, No};

/// What a stream that refuses is shown by.
const REFUSED: Cell = By("a_host_that_refuses_in_whatever_way_is_told_and_heard_again_from_the_same_place");
const PDS: Cell = By("every_fault_of_the_account_s_server_leaves_the_place_and_says_what_it_is");
const TAGS: Cell = By("every_fault_of_the_server_leaves_the_place_and_says_what_it_is");
const TOLD: Cell = By("every_fault_of_what_is_said_to_our_account_leaves_the_place");
const AWAY: Cell = By("a_server_s_stream_that_is_away_is_told_on_the_source_s_row_until_it_is_back");
const CUT: Cell = By("a_server_s_stream_that_is_cut_in_mid_message_leaves_no_hole_and_what_it_tells_twice_is_once");
const IMAP: Cell = By("every_fault_of_a_server_is_said_in_words_and_loses_nothing");
const BYTES: Cell = By("a_frame_that_comes_a_byte_at_a_time_is_silence_until_it_is_whole");
const DRIP: Cell = By("a_body_that_drips_is_left_in_time_by_every_channel");
const TURNED: Cell = By("pages_that_come_turned_round_or_twice_lose_nothing_and_double_nothing");
const POLLED: Cell = No("it is asked, and asked again: see the stream's own row");
const PASTED: Cell = No("a colleague pastes by hand: nobody is asked, and no link is fetched");

const MATRIX: [(&str, [Cell; FAULTS.len()]); 8] = [
    (
        "Bluesky, the stream",
        [
            REFUSED,
            REFUSED,
            By("a_host_that_asks_us_to_wait_is_not_asked_before_its_time"),
            REFUSED,
            REFUSED,
            BYTES,
            By("a_compressed_stream_is_read_its_dictionary_changes_and_what_cannot_be_read_is_asked_for_plain"),
            By("a_stream_that_sends_something_else_is_blind_and_what_it_sends_counts_for_nothing"),
            By("what_is_told_twice_is_one_and_what_is_told_out_of_order_is_heard"),
            By("what_is_told_twice_is_one_and_what_is_told_out_of_order_is_heard"),
            By("a_host_whose_clock_is_an_hour_ahead_hides_nothing_of_the_next_host"),
            No("it is open to all: there is no token"),
            By("a_stream_that_is_cut_in_mid_message_goes_on_from_what_was_kept"),
        ],
    ),
    (
        "Bluesky, our account",
        [
            PDS,
            PDS,
            PDS,
            PDS,
            PDS,
            DRIP,
            PDS,
            PDS,
            TURNED,
            TURNED,
            By("what_a_slow_clock_dates_back_is_heard_all_the_same"),
            By("a_session_that_ends_is_renewed_and_one_that_is_withdrawn_in_mid_paging_loses_nothing"),
            POLLED,
        ],
    ),
    (
        "Mastodon, tags",
        [
            TAGS,
            TAGS,
            TAGS,
            TAGS,
            TAGS,
            DRIP,
            TAGS,
            TAGS,
            TAGS,
            TAGS,
            By("a_server_whose_clock_is_ahead_hides_no_post_that_comes_after"),
            TAGS,
            POLLED,
        ],
    ),
    (
        "Mastodon, our account",
        [
            TOLD,
            By("an_account_that_may_not_read_what_is_said_to_it_is_blind_and_the_keeper_is_told"),
            TOLD,
            TOLD,
            TOLD,
            DRIP,
            TOLD,
            TOLD,
            TOLD,
            TOLD,
            No("what an account is told is numbered as it comes, by no clock"),
            TOLD,
            POLLED,
        ],
    ),
    (
        "Mastodon, the stream",
        [
            AWAY,
            AWAY,
            By("a_host_that_wants_peace_has_it_from_streams_and_questions_alike"),
            AWAY,
            AWAY,
            BYTES,
            CUT,
            AWAY,
            CUT,
            By("other_words_at_a_later_hour_are_a_new_version"),
            No("it is a bell: what it announces is read by its number"),
            AWAY,
            CUT,
        ],
    ),
    (
        "E-mail",
        [
            IMAP,
            IMAP,
            No("IMAP has no headers: that it is too much is said in words, and for how long is not"),
            IMAP,
            By("a_no_a_bad_or_a_goodbye_between_two_letters_loses_none_of_them"),
            By("a_letter_that_drips_is_left_in_time_and_what_came_before_it_is_kept"),
            By("a_no_a_bad_or_a_goodbye_between_two_letters_loses_none_of_them"),
            IMAP,
            By("answers_that_come_twice_and_in_another_order_double_nothing"),
            By("answers_that_come_twice_and_in_another_order_double_nothing"),
            By("a_letter_is_as_old_as_it_says_but_never_younger_than_its_coming"),
            By("who_is_shut_out_between_two_readings_keeps_what_was_read_and_goes_on_there"),
            No("the bell (IDLE) carries no letter: that it breaks off costs promptness, and the box is read on time"),
        ],
    ),
    (
        "Web hook: we are the one who is asked",
        [
            By("what_is_tampered_with_late_or_signed_by_another_is_refused_and_leaves_nothing"),
            No("who signs may hand in; there is nothing in between"),
            By("a_flood_is_turned_away_and_so_is_more_than_can_be_seen_to"),
            No("we always say how long"),
            By("a_hook_without_its_secret_takes_nothing_and_says_so_and_one_that_rests_asks_for_patience"),
            By("a_body_that_drips_is_waited_for_no_longer_than_we_bear_and_one_that_ends_early_is_not_taken"),
            By("a_body_that_drips_is_waited_for_no_longer_than_we_bear_and_one_that_ends_early_is_not_taken"),
            By("each_fault_of_a_delivery_has_a_status_and_a_sentence_of_its_own"),
            By("the_same_delivery_five_times_at_once_is_one"),
            By("edits_and_deletions_are_versions_and_tombstones_in_whatever_order_they_come"),
            By("clocks_may_be_five_minutes_apart_either_way"),
            By("a_secret_that_was_changed_at_one_end_only_makes_the_hook_blind_and_the_keeper_is_told"),
            No("a delivery is one body, and one that is cut off is a truncated one"),
        ],
    ),
    (
        "A colleague's tip",
        [PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED, PASTED],
    ),
];

#[test]
fn each_fault_of_each_open_channel_is_shown_by_a_test_or_cannot_be() {
    let known: BTreeSet<String> = functions();
    let mut wrong = Vec::new();
    for (channel, cells) in &MATRIX {
        for (fault, cell) in FAULTS.iter().zip(cells) {
            match cell {
                By(test) if known.contains(*test) => {}
                By(test) => wrong.push(format!("{channel}, {fault}: {test} is not a test")),
                No(why) if why.len() > 10 => {}
                No(_) => wrong.push(format!("{channel}, {fault}: it is not said why")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
