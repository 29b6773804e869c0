-- The last snooze of a case is asked for at each look at it.
create index silences_of_case on silences (subject, id) where scope = 'case';
