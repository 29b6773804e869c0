-- Tips from colleagues: what somebody saw where Lyhörd cannot read, with who pasted it and whether it was open to all.

create table tips (
    id              integer primary key autoincrement,
    -- One of our own staff.
    told_by         text not null,
    -- `open`, `to-us` or `crime`; what was none of these is refused and not written.
    openness        text not null,
    -- Where it was seen, its address and its words; the latter two are let go when the mention has them.
    place           text not null,
    url             text,
    body            text not null,
    told_at         bigint not null,
    -- What became of it; nothing until a job has seen to it.
    mention_id      bigint references mentions (id) on delete cascade
);
create index tips_waiting on tips (id) where mention_id is null;
create index tips_of_mention on tips (mention_id) where mention_id is not null;
create index tips_told on tips (told_by, id);

-- The picture of what was seen: shown in its case to those who may see the case, and gone when its words go.
create table tip_pictures (
    tip_id          bigint primary key references tips (id) on delete cascade,
    -- `png`, `jpeg` or `webp`, told by the first bytes of the picture itself.
    form            text not null,
    picture         blob not null
);

-- How one of our accounts is, in a word, and since when: who keeps the system is told once for each turn.
alter table account_checks add column state text not null default 'well';
alter table account_checks add column since bigint not null default 0;
