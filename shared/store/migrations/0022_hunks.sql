-- Which hunks of changed files a person has viewed, by what they remove and add: a mark holds wherever the hunk stands.
CREATE TABLE viewed_hunk (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    path TEXT NOT NULL,
    hunk TEXT NOT NULL,
    viewed_by TEXT NOT NULL,
    viewed_at INTEGER NOT NULL,
    UNIQUE (task, path, hunk)
);
