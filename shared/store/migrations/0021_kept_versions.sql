-- Versions of changed files that a review shows beside the patch: pictures, and the texts that were asked for. By the id
-- of their blob; `content` holds no secret; `is_cut` where it is only the beginning of a longer text.
CREATE TABLE kept_version (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    blob TEXT NOT NULL,
    media_type TEXT NOT NULL,
    width INTEGER,
    height INTEGER,
    is_cut INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL,
    content BLOB NOT NULL,
    kept_at INTEGER NOT NULL,
    UNIQUE (task, blob)
);
