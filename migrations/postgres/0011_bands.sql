-- SQLite keeps the bands of a text in their index alone since this version; here nothing changes.
comment on table mention_bands is 'Near copies: a mention stands under a few bands of its text.';
