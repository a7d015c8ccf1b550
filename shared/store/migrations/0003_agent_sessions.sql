-- The agents' own session stores, as a worker read them; the web process answers from these rows.
-- A row per transcript (or per entry of Codex's index without one); `shown` marks the one that stands for its session.
CREATE TABLE agent_session (
    path TEXT PRIMARY KEY,
    runner TEXT NOT NULL,
    key TEXT NOT NULL,
    session_id TEXT NOT NULL,
    parent_id TEXT,
    source TEXT NOT NULL,
    title TEXT,
    workspace TEXT,
    message_count INTEGER NOT NULL DEFAULT 0,
    last_message TEXT,
    created_at INTEGER,
    updated_at INTEGER NOT NULL,
    mark TEXT NOT NULL DEFAULT '',
    reader TEXT,
    shown INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX agent_session_shown ON agent_session (updated_at DESC, path DESC) WHERE shown;
CREATE INDEX agent_session_key ON agent_session (key);

-- One row per kind of store: where it is, when somebody asked for it, when it was last read through.
CREATE TABLE agent_store (
    runner TEXT PRIMARY KEY,
    home TEXT,
    wanted_at INTEGER NOT NULL,
    indexed_at INTEGER
);

-- A session belongs to the task that recorded its id.
CREATE INDEX task_session ON task (runner_session_id) WHERE runner_session_id IS NOT NULL;
CREATE INDEX attempt_session ON attempt (runner_session_id) WHERE runner_session_id IS NOT NULL;
