-- Voices: how each of them is, what they have heard, and messages that change what an earlier one says.

-- True while a message may say something that is no longer so. The trigger marks it in the transaction that changes
-- the case, whoever changes it.
alter table reminders add column stale boolean not null default false;
create index reminders_stale on reminders (message_id) where stale;
create function cases_moved() returns trigger language plpgsql as $$
begin
    update reminders set stale = true where case_id = new.id and message_id > 0;
    return null;
end $$;
create trigger cases_moved after update of state, owner, round on cases for each row
    when (old.state is distinct from new.state or old.owner is distinct from new.owner or old.round is distinct from new.round)
    execute function cases_moved();

-- `reminder`, `notice` (about the voice itself) or `edit` (changes what the message `edits` says).
alter table messages add column kind text not null default 'reminder';
alter table messages add column edits bigint;
-- Names a notice once and for all.
alter table messages add column once text;
create unique index messages_once on messages (once) where once is not null;
create index messages_edits on messages (edits) where edits is not null;

-- A code that was sent to an address proves that address; one that is shown on the page has none.
alter table bind_codes add column address text;

-- What a service has brought us, by its own name for it, and what we answered: a repeat is answered and not done.
create table heard (
    once            text primary key,
    answer          text not null,
    keeps_buttons   boolean not null,
    heard_at        bigint not null
);
create index heard_when on heard (heard_at);

-- A voice that does not work as it should: `silent` does not answer, `out` does not accept us. No row: it is well.
create table voice_health (
    voice           text primary key,
    state           text not null,
    since           bigint not null,
    why             text not null,
    try_again_at    bigint not null
);
