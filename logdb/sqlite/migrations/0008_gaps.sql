-- A gap may tell of an earlier one anew: its code is the position of that one's first version then.
CREATE INDEX entry_replaced ON entry (meter, kind, code) WHERE op = 6 AND code <> 0;
