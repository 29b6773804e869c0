-- Channels: streams, own accounts, edits and deletions, watched threads, the log of supervision.

-- A streamed source is listened to all the time and never due; the other kinds are read when their time comes.
alter table sources add column streamed boolean not null default false;
-- Quiet for too long by its own rhythm since then; nothing while it talks as it used to.
alter table sources add column quiet_since bigint;
-- When the newest item that was seen was written: how an item that is new is told from one that was there before.
alter table sources add column newest_at bigint;

-- The channel's number of a post where we read it, when that is another than the name it has everywhere (Mastodon).
alter table mentions add column local_id text;
-- How many versions of its words there have been, the present one counted.
alter table mentions add column version bigint not null default 1;
-- When its writer or the channel took it away. The row stays; its words go by decision (R4).
alter table mentions add column deleted_at bigint;
create index mentions_local on mentions (source_id, local_id) where local_id is not null;
create index mentions_reply on mentions (channel, reply_to) where own;
create index mentions_deleted on mentions (deleted_at) where deleted_at is not null;

-- The writer has an answer from us in the channel, but what came of it has not been said.
alter table cases add column outcome_owed boolean not null default false;

-- What a post said before it was changed.
create table mention_versions (
    mention_id      bigint not null references mentions (id) on delete cascade,
    version         bigint not null,
    title           text,
    body            text not null,
    html            text,
    said_at         bigint not null,
    replaced_at     bigint not null,
    primary key (mention_id, version)
);

-- Threads in which we have answered: read again and again for a while, so that what is said after us is heard.
create table watched_threads (
    channel         text not null,
    thread          text not null,
    source_id       bigint not null references sources (id),
    local_id        text,
    since           bigint not null,
    until           bigint not null,
    next_at         bigint not null,
    primary key (channel, thread)
);
create index watched_threads_due on watched_threads (source_id, next_at);

-- The log of supervision: from when to when a source was under our eyes. Time between two rows is a gap.
create table supervision (
    id              integer primary key autoincrement,
    source_id       bigint not null references sources (id),
    from_at         bigint not null,
    until_at        bigint not null,
    readings        bigint not null
);
create index supervision_of on supervision (source_id, until_at);

-- How much a source says, hour by hour: numbers only, for knowing when it is too quiet.
create table source_hours (
    source_id       bigint not null references sources (id),
    hour            bigint not null,
    items           bigint not null,
    primary key (source_id, hour)
);

-- Who was told that a source needs her: once for each turn.
create table source_warnings (
    source_id       bigint not null references sources (id),
    recipient       text not null,
    what            text not null,
    since           bigint not null,
    message_id      bigint not null,
    primary key (source_id, recipient, what, since)
);
create index source_warnings_of on source_warnings (message_id);

-- How our own accounts are: whether they still let us in, and until when.
create table account_checks (
    account         text primary key,
    checked_at      bigint not null,
    ok              boolean not null,
    expires_at      bigint,
    why             text not null
);
