-- Turns: what was there when an agent was told something, and what was there when it had done. What ran before this
-- version counts as one turn an attempt. Comparisons of two states of a task, kept so that they are made once.
CREATE TABLE turn (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    attempt TEXT NOT NULL,
    number INTEGER NOT NULL,
    began_from TEXT,
    ended_with TEXT,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (task, number)
);
INSERT INTO turn (id, task, attempt, number, began_from, ended_with, began_at, ended_at)
SELECT id, task, id, row_number() OVER (PARTITION BY task ORDER BY attempt_number),
       (SELECT capture.id FROM capture WHERE capture.task = attempt.task AND capture.captured_at < attempt.started_at
        ORDER BY capture.rowid DESC LIMIT 1),
       (SELECT capture.id FROM capture WHERE capture.task = attempt.task AND capture.captured_at <= attempt.finished_at
        ORDER BY capture.rowid DESC LIMIT 1),
       started_at, finished_at
FROM attempt WHERE started_at IS NOT NULL AND identity IS NOT NULL;
CREATE TABLE comparison (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    sides TEXT NOT NULL,
    old_oid TEXT NOT NULL,
    new_oid TEXT NOT NULL,
    stat TEXT NOT NULL,
    files TEXT NOT NULL,
    patch BLOB NOT NULL,
    truncated INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL,
    UNIQUE (task, sides)
);
ALTER TABLE capture ADD COLUMN why TEXT NOT NULL DEFAULT 'capture';
ALTER TABLE capture ADD COLUMN patch_dropped INTEGER NOT NULL DEFAULT 0;
UPDATE capture SET why = 'end' WHERE attempt IS NOT NULL;
-- The names of a viewed file as they were captured: where it was moved from, and bytes that are no text.
ALTER TABLE viewed_file ADD COLUMN names TEXT;
