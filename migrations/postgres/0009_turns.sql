-- How often a source has been read: a bell that rings again in the moment of a reading asks for another one.
alter table sources add column turns bigint not null default 0;
