-- Servers whose stream is listened to besides the reading, and is away or refused: since when and why. No row: it is heard,
-- or nobody listens.
create table streams_away (
    source_id       bigint primary key references sources (id),
    since           bigint not null,
    why             text not null
);
