-- What staff say of a judgement, the judges that learned from it, and the ways to find earlier answers.

-- A judgement that a person has corrected: an example to learn from, with who and when. Never about who wrote the post.
create table corrections (
    id              integer primary key autoincrement,
    mention_id      bigint not null references mentions (id) on delete cascade,
    case_id         bigint references cases (id),
    question        text not null,
    was             text not null,
    became          text not null,
    reason          text,
    made_by         text not null,
    made_at         bigint not null
);
create index corrections_of_mention on corrections (mention_id, id);
create index corrections_made on corrections (made_at);

-- The judges: the one in office, those that were, those that were refused. The shipped one has no bytes of its own.
create table judge_versions (
    number          bigint primary key,
    hash            text not null,
    basis           text not null,
    model           blob,
    figures         text not null,
    figures_before  text,
    corrections     bigint not null,
    learned_to      bigint not null,
    learned         text not null,
    state           text not null,
    made_at         bigint not null,
    stands_since    bigint not null,
    stands_by       text not null,
    because         text not null
);
create index judge_versions_in_office on judge_versions (number) where state = 'in-office';

-- A case whose judgement was corrected before anybody began: it is given out anew, and has its holder until then.
alter table cases add column reroute boolean not null default false;
drop index cases_unassigned;
create index cases_unassigned on cases (id) where unit is null or reroute;

-- Earlier answers by topic and place, without walking over the archive.
create index cases_answered on cases (topic, closed_at) where state = 'answered' and not protected and not restricted;
create index cases_answered_place on cases (topic, place, closed_at) where state = 'answered' and not protected and not restricted;
