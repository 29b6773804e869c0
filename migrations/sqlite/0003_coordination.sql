-- Coordination: what happened to each promise, the unit's queue, offers, absence feeds, what was decided when, checklists.

alter table cases add column waiting_since bigint;
alter table cases add column waiting_until bigint;
alter table cases add column acknowledged_by text;
alter table cases add column deadline_at bigint;
alter table cases add column queued_at bigint;
alter table cases add column ladder text;
alter table cases add column promise_look_at bigint;
alter table cases add column promise_started_at bigint;
alter table cases add column threat text;
create index cases_promise_look on cases (promise_look_at) where promise_look_at is not null;
create index cases_queued on cases (unit, due_at, id) where queued_at is not null;
create index cases_threat on cases (threat) where threat is not null;

-- The life of a promise: activate, apply, pause, resume, fulfil, breach, withdraw. Due times are folded from here.
create table promise_events (
    id              integer primary key autoincrement,
    case_id         bigint not null references cases (id),
    promise         text not null,
    what            text not null,
    at              bigint not null,
    due_at          bigint,
    left_ms         bigint,
    actor           text,
    calendar        text,
    policy          text,
    from_arrival_at bigint,
    late            boolean not null default false
);
create index promise_events_of_case on promise_events (case_id, id);
insert into promise_events (case_id, promise, what, at, due_at, calendar, policy, from_arrival_at, late)
    select id, 'first-response', 'activate', opened_at, due_at, calendar, policy_version, due_at, discovered_late
    from cases where due_at is not null;
insert into promise_events (case_id, promise, what, at, due_at, calendar, policy, from_arrival_at, late)
    select id, 'resolution', 'activate', opened_at, resolve_by, calendar, policy_version, resolve_by, discovered_late
    from cases where resolve_by is not null;
insert into promise_events (case_id, promise, what, at, actor)
    select c.id, p.promise, case when c.first_answer_at is null then 'withdraw' else 'fulfil' end,
      coalesce(c.first_answer_at, c.closed_at), case when c.first_answer_at is null then null else 'person' end
    from cases c cross join (select 'first-response' as promise union all select 'resolution') p
    where c.closed_at is not null and c.due_at is not null;
update cases set promise_look_at = due_at where closed_at is null and due_at is not null;

-- Calendars, ladders and response times as they were decided, so that what was begun with one goes on by it.
create table decided (
    kind            text not null,
    version         text not null,
    body            text not null,
    kept_at         bigint not null,
    primary key (kind, version)
);

-- Somebody has room: a case was closed, or somebody came back.
create table rooms (
    unit            text primary key,
    at              bigint not null
);

alter table absences add column told text not null default 'page';
alter table absences add column begun_at bigint;
create index absences_to_begin on absences (starts_at) where begun_at is null and ended_at is null;

-- Where the reading of somebody's absence feed has come to. The address is a secret and stands in no table.
create table absence_feeds (
    staff           text primary key,
    address_hash    text not null,
    next_poll_at    bigint not null,
    etag            text,
    last_modified   text,
    failures        bigint not null default 0,
    last_try_at     bigint,
    last_ok_at      bigint,
    why             text not null default ''
);
create index absence_feeds_due on absence_feeds (next_poll_at);

-- A case offered to somebody, who has yet to say yes.
create table offers (
    id              integer primary key autoincrement,
    case_id         bigint not null references cases (id),
    from_staff      text not null,
    to_staff        text,
    to_unit         text,
    note            text not null default '',
    offered_at      bigint not null,
    ends_at         bigint not null,
    tell            text not null default 'receiver',
    tell_at         bigint,
    settled_at      bigint,
    settled_by      text,
    outcome         text,
    because         text
);
create unique index offers_open on offers (case_id) where settled_at is null;
create index offers_to_end on offers (ends_at) where settled_at is null;
create index offers_to_tell on offers (tell_at) where tell_at is not null;

-- Said although a silence, quiet hours or a closed office stood in the way.
alter table reminders add column breaks boolean not null default false;

-- Steps of a lane's checklist that have been done.
create table steps (
    case_id         bigint not null references cases (id),
    step            text not null,
    note            text not null default '',
    done_by         text not null,
    done_at         bigint not null,
    primary key (case_id, step)
);

-- When somebody's weekly summary comes next.
create table weeklies (
    staff           text primary key,
    next_at         bigint not null
);
create index weeklies_due on weeklies (next_at);
