-- What a person says about lines of a capture: a draft, until it is sent to the agent. `content` is the version of the
-- file it was written about, as in viewed_file.
CREATE TABLE comment (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    path TEXT NOT NULL,
    shown_path TEXT NOT NULL,
    content TEXT NOT NULL,
    side TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    quote TEXT NOT NULL,
    body TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER
);
CREATE INDEX comment_task ON comment (task);
