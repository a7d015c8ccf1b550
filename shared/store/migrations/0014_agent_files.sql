-- Files of a repository that an agent's program runs or obeys by itself, as workers found them, and which of them a
-- person trusts: in this workspace, with exactly this content.
CREATE TABLE agent_file (
    id INTEGER PRIMARY KEY,
    workspace TEXT NOT NULL,
    runner TEXT NOT NULL,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    content TEXT NOT NULL,
    problem TEXT,
    found_at INTEGER NOT NULL,
    trusted_at INTEGER,
    UNIQUE (workspace, runner, path, digest)
);

-- The ids of those found where the task starts, at the last look.
ALTER TABLE task ADD COLUMN agent_files TEXT NOT NULL DEFAULT '[]';
