-- What came of a check on one tree by one command (both are in the id); the task and a landing keep what they show.
CREATE TABLE check_result (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    tree_oid TEXT NOT NULL,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    verdict TEXT NOT NULL,
    exit_code INTEGER,
    score REAL,
    note TEXT,
    millis INTEGER NOT NULL DEFAULT 0,
    output TEXT NOT NULL DEFAULT '',
    finished_at INTEGER NOT NULL
);
CREATE INDEX check_result_task ON check_result (task);
ALTER TABLE task ADD COLUMN checks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE landing ADD COLUMN checks TEXT NOT NULL DEFAULT '[]';
