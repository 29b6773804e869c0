-- The bands of a text are their own index: written once a row instead of twice.
create table mention_bands_once (
    band            bigint not null,
    mention_id      bigint not null references mentions (id) on delete cascade,
    primary key (band, mention_id)
) without rowid;
insert into mention_bands_once (band, mention_id) select band, mention_id from mention_bands;
drop table mention_bands;
alter table mention_bands_once rename to mention_bands;
