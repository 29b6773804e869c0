-- Many people writing about one topic in a short time. No writer stands here: they are only counted.
create table rushes (
    id              integer primary key autoincrement,
    topic           text not null,
    began_at        bigint not null,
    ended_at        bigint,
    hours           bigint not null,
    posts           bigint not null,
    writers         bigint not null,
    usual           bigint not null
);
create unique index rushes_lasting on rushes (topic) where ended_at is null;
create index rushes_ended on rushes (ended_at);
create index mentions_authored on mentions (authored_at);
