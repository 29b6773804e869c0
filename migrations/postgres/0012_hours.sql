-- When a message may be sent: held until its reader's hours, asked for by herself, or without any way to her.

-- Until when a message waits because its reader is not disturbed at this hour. It is put into words anew when it goes.
alter table messages add column held_until bigint;
-- Its reader has just asked for it, so that it goes at any hour.
alter table messages add column asked boolean not null default false;
create index messages_held on messages (held_until) where held_until is not null and state = 'waiting';

-- Since when a reminder has had no way to its reader: it stands in the inbox only, until she chooses a voice.
alter table reminders add column unreached_at bigint;
create index reminders_unreached on reminders (recipient) where unreached_at is not null;
