-- Which changed files a person has viewed: a mark holds while both versions of the file are the ones that were seen.
CREATE TABLE viewed_file (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    path TEXT NOT NULL,
    content TEXT NOT NULL,
    viewed_by TEXT NOT NULL,
    viewed_at INTEGER NOT NULL,
    UNIQUE (task, path)
);
