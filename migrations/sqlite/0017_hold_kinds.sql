-- Which kind of reason a case is silent for: a silence that begins or ends touches only those it can change.
alter table cases add column hold_kind text;
