-- Secrets a person keeps here by name. Sealed with a key that is in a file of its own: a copy of the store has no value.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- Names, never values, of the variables a worker could hand on: a grant that nothing resolves refuses the start.
ALTER TABLE worker ADD COLUMN variables TEXT NOT NULL DEFAULT '[]';
