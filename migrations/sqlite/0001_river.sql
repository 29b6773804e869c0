-- The river: sources, mentions, judgements, cases, reminders, messages, answers and the journal of it all.
-- Times are milliseconds since the Unix epoch, UTC. Lists and objects are JSON text. No index has an author in it.

create table sources (
    id              integer primary key autoincrement,
    key             text not null unique,
    kind            text not null,
    name            text not null,
    address         text not null,
    channel         text not null,
    moved_to        text,
    enabled         boolean not null,
    cursor          text not null default 'null',
    next_poll_at    bigint not null,
    lease_until     bigint not null default 0,
    lease_by        text,
    failures        bigint not null default 0,
    health          text not null default 'ok',
    health_since    bigint not null,
    health_why      text not null default '',
    last_try_at     bigint,
    last_ok_at      bigint,
    last_item_at    bigint
);
create index sources_due on sources (next_poll_at) where enabled;

-- How many posts were seen, heard and turned away by each source and rule and day: all that is kept of what is not ours.
create table tallies (
    day             text not null,
    subject         text not null,
    what            text not null,
    n               bigint not null,
    primary key (day, subject, what)
);

create table mentions (
    id              integer primary key autoincrement,
    source_id       bigint not null references sources (id),
    channel         text not null,
    native_id       text not null,
    url             text,
    url_key         text,
    fingerprint     bigint not null,
    cluster_id      bigint not null default 0,
    thread          text,
    reply_to        text,
    kind            text not null,
    title           text,
    body            text not null,
    html            text,
    author          text,
    language        text,
    site            text not null default '',
    authored_at     bigint not null,
    updated_at      bigint,
    seen_at         bigint not null,
    stored_at       bigint not null,
    own             boolean not null default false,
    imported        boolean not null default false,
    hearing         text not null,
    classification_id bigint,
    settled_at      bigint,
    unique (channel, native_id)
);
create index mentions_unjudged on mentions (id) where classification_id is null;
create index mentions_unsettled on mentions (id) where settled_at is null and classification_id is not null;
create index mentions_url on mentions (url_key) where url_key is not null;
create index mentions_fingerprint on mentions (fingerprint);
create index mentions_cluster on mentions (cluster_id);
create index mentions_thread on mentions (channel, thread) where thread is not null;

-- Near-duplicates: a mention stands under a few bands of its text; two that share one are compared.
create table mention_bands (
    band            bigint not null,
    mention_id      bigint not null references mentions (id) on delete cascade,
    primary key (band, mention_id)
);

create table classifications (
    id              integer primary key autoincrement,
    mention_id      bigint not null references mentions (id) on delete cascade,
    relevance       text not null,
    topic           text not null,
    intent          text not null,
    urgency         text not null,
    sentiment       text not null,
    verdict         text not null,
    judged_by       text not null,
    judged_at       bigint not null
);
create index classifications_of_mention on classifications (mention_id);

create table cases (
    id              integer primary key autoincrement,
    mention_id      bigint not null references mentions (id),
    cluster_id      bigint not null,
    source_id       bigint not null,
    channel         text not null,
    thread          text,
    state           text not null,
    title           text not null,
    topic           text not null,
    intent          text not null,
    sentiment       text not null default 'neu',
    urgency         text not null,
    place           text,
    protected       boolean not null default false,
    restricted      boolean not null default false,
    triage          boolean not null default false,
    unit            text,
    lane            text,
    owner           text,
    route_because   text,
    calendar        text,
    policy_version  text not null default '',
    arrived_at      bigint not null,
    opened_at       bigint not null,
    assigned_at     bigint,
    accepted_at     bigint,
    acknowledged_at bigint,
    due_at          bigint,
    resolve_by      bigint,
    due_because     text,
    discovered_late boolean not null default false,
    first_answer_at bigint,
    closed_at       bigint,
    outcome         text,
    outcome_note    text,
    contact         text,
    round           bigint not null default 0,
    revision        bigint not null default 0,
    next_look_at    bigint,
    hold            text,
    hold_until      bigint,
    imported        boolean not null default false
);
create index cases_waiting on cases (due_at, id) where closed_at is null;
create index cases_look on cases (next_look_at) where next_look_at is not null;
create index cases_unassigned on cases (id) where unit is null;
create index cases_owner on cases (owner, due_at) where closed_at is null;
create index cases_unit on cases (unit, due_at) where closed_at is null;
create index cases_cluster on cases (cluster_id);
create index cases_thread on cases (channel, thread) where thread is not null;
create index cases_opened on cases (opened_at);
create index cases_closed on cases (closed_at) where closed_at is not null;

create table case_mentions (
    case_id         bigint not null references cases (id),
    mention_id      bigint not null references mentions (id) on delete cascade,
    primary key (case_id, mention_id)
);
create index case_mentions_of_mention on case_mentions (mention_id);

create table accounts (
    staff           text primary key,
    password_hash   text,
    disabled        boolean not null default false,
    created_at      bigint not null,
    signed_in_at    bigint
);

create table sign_in_links (
    token_hash      text primary key,
    staff           text not null,
    expires_at      bigint not null,
    used_at         bigint
);

create table sessions (
    token_hash      text primary key,
    staff           text not null,
    csrf            text not null,
    created_at      bigint not null,
    seen_at         bigint not null,
    expires_at      bigint not null
);

create table sign_in_attempts (
    subject         text not null,
    at              bigint not null
);
create index sign_in_attempts_of on sign_in_attempts (subject, at);

create table absences (
    id              integer primary key autoincrement,
    staff           text not null,
    starts_at       bigint not null,
    ends_at         bigint not null,
    deputy          text,
    reason          text,
    ended_at        bigint
);
create index absences_of on absences (staff, ends_at);

create table silences (
    id              integer primary key autoincrement,
    scope           text not null,
    subject         text not null,
    starts_at       bigint not null,
    ends_at         bigint not null,
    reason          text not null,
    made_by         text not null,
    lifted_at       bigint
);
create index silences_running on silences (ends_at);

-- A chat that a member of staff has bound to herself.
create table voices (
    id              integer primary key autoincrement,
    staff           text not null,
    voice           text not null,
    address         text not null,
    place           bigint not null default 0,
    bound_at        bigint not null,
    failed_at       bigint,
    failed_why      text,
    unique (voice, address)
);
create index voices_of on voices (staff, place);

create table bind_codes (
    code_hash       text primary key,
    staff           text not null,
    voice           text not null,
    expires_at      bigint not null,
    used_at         bigint
);

-- What is said and to whom: the key makes it once.
create table reminders (
    id              integer primary key autoincrement,
    case_id         bigint not null references cases (id),
    recipient       text not null,
    due_at          bigint not null,
    stage           text not null,
    round           bigint not null,
    decided_at      bigint not null,
    message_id      bigint,
    unique (case_id, round, recipient, due_at, stage)
);
create index reminders_unsent on reminders (recipient, id) where message_id is null;
create index reminders_of_message on reminders (message_id);

-- The outbox: written before it is sent.
create table messages (
    id              integer primary key autoincrement,
    recipient       text not null,
    voice           text not null,
    address         text not null,
    body            text not null,
    state           text not null,
    created_at      bigint not null,
    attempts        bigint not null default 0,
    next_attempt_at bigint not null,
    lease_until     bigint not null default 0,
    failure         text
);
create index messages_due on messages (next_attempt_at) where state = 'waiting';
create index messages_to on messages (recipient, next_attempt_at);

create table receipts (
    id              integer primary key autoincrement,
    message_id      bigint not null references messages (id),
    external_id     text not null,
    sent_at         bigint not null,
    repeats         bigint not null default 0
);
create index receipts_of_message on receipts (message_id);

-- A button in a chat: opaque, for one person and one state of the case.
create table buttons (
    nonce           text primary key,
    case_id         bigint not null,
    staff           text not null,
    act             text not null,
    stood           text not null,
    made_at         bigint not null,
    used_at         bigint
);

create table responses (
    id              integer primary key autoincrement,
    case_id         bigint not null references cases (id),
    kind            text not null,
    body            text not null,
    url             text,
    unit            text,
    written_by      text not null,
    answered_at     bigint not null,
    noted_at        bigint not null
);
create index responses_of_case on responses (case_id);

create table findings (
    id              integer primary key autoincrement,
    kind            text not null,
    subject         text not null,
    what            text not null,
    found_at        bigint not null,
    settled_at      bigint,
    unique (kind, subject)
);

-- Who holds a thing that only one process may hold.
create table leases (
    name            text primary key,
    holder          text not null,
    until           bigint not null,
    state           text
);

create table journal (
    seq             bigint primary key,
    at              bigint not null,
    actor           text not null,
    kind            text not null,
    case_id         bigint,
    mention_id      bigint,
    body            text not null,
    hash            text not null
);
create index journal_of_case on journal (case_id, seq) where case_id is not null;

create table journal_end (
    seq             bigint not null,
    hash            text not null
);
insert into journal_end (seq, hash) values (0, '0000000000000000000000000000000000000000000000000000000000000000');

-- What a person searches for: the words of a case's first post. å, ä and ö are letters and are not folded.
create virtual table case_words using fts5 (words, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 0", prefix = '3');
