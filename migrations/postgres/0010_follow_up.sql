-- What follows up: a threat after a week and a month, and the time of day that somebody has chosen for her digest.

-- When the handling of a threat is to be followed up, and when somebody is next told of it.
alter table cases add column follow_up_at bigint;
alter table cases add column follow_up_tell_at bigint;
create index cases_follow_up on cases (follow_up_tell_at) where follow_up_tell_at is not null;
update cases set follow_up_at = (select max(s.done_at) from steps s where s.case_id = cases.id and s.step = 'hot:stod')
    + case when threat = 'stod' then 604800000 else 2592000000 end
    where threat in ('stod', 'uppfoljt-7');
update cases set follow_up_tell_at = follow_up_at where follow_up_at is not null;

-- When somebody wants what can wait: `08:15` or `monday 09:00`, nothing for each at once. No row: as the configuration says.
create table digests (
    staff           text primary key,
    rhythm          text not null,
    chosen_at       bigint not null
);
