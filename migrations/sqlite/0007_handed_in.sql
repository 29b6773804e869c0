-- What is handed in at a web hook: each delivery once, written before it is answered, until a job has taken it on.

create table deliveries (
    id              integer primary key autoincrement,
    source_id       bigint not null references sources (id),
    -- The sender's own name for the delivery (idempotency key), and a hash of what it said then.
    once            text not null,
    digest          text not null,
    -- How many items it had. What no watch rule hears is counted here and nowhere kept.
    items           bigint not null,
    -- What is to be taken on, as JSON; empty when it has been.
    kept            text not null,
    received_at     bigint not null,
    taken_at        bigint,
    unique (source_id, once)
);
create index deliveries_waiting on deliveries (id) where taken_at is null;
create index deliveries_taken on deliveries (taken_at) where taken_at is not null;

-- Posts that were said to be gone before they came: a hash of the name only, for as long as deliveries may be late.
create table gone_before (
    source_id       bigint not null references sources (id),
    name_hash       text not null,
    told_at         bigint not null,
    primary key (source_id, name_hash)
);
create index gone_before_when on gone_before (told_at);
