-- Since when a source is gone for good by its own word (410): no start and no configuration with the same address asks it again.
alter table sources add column gone_at bigint;
