-- Instants are microseconds since 1970 UTC; JSON stands as text; ids are UUIDs as the outside sees them.

CREATE TABLE workspace (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    defaults TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- `number` is the short inner key: the event index would double in size with the UUID in it.
CREATE TABLE task (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    prompt TEXT NOT NULL,
    runner TEXT NOT NULL,
    command TEXT NOT NULL,
    workspace TEXT NOT NULL,
    status TEXT NOT NULL,
    stop_reason TEXT,
    budget_minutes INTEGER NOT NULL,
    preset TEXT NOT NULL,
    policy TEXT NOT NULL,
    effective_policy TEXT,
    policy_report TEXT NOT NULL DEFAULT '{}',
    options TEXT NOT NULL DEFAULT '{}',
    labels TEXT NOT NULL DEFAULT '[]',
    priority INTEGER NOT NULL DEFAULT 0,
    base_ref TEXT,
    target_branch TEXT,
    branch TEXT,
    base_commit TEXT,
    worktree TEXT,
    worktree_path TEXT,
    execution_workspace TEXT,
    runner_session_id TEXT,
    diff_stat TEXT,
    ledger TEXT NOT NULL DEFAULT '{}',
    live_attempt TEXT,
    last_seq INTEGER NOT NULL DEFAULT 0,
    approved_at INTEGER,
    approved_attempt INTEGER,
    worktree_merged_at INTEGER,
    worktree_cleaned_at INTEGER,
    archived_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX task_updated ON task (updated_at DESC, number DESC);
CREATE INDEX task_status ON task (status, updated_at DESC);

CREATE TABLE attempt (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    attempt_number INTEGER NOT NULL,
    runner TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    stop_reason TEXT,
    blocked_reason TEXT,
    resume INTEGER NOT NULL DEFAULT 0,
    message TEXT,
    execution_workspace TEXT,
    runner_session_id TEXT,
    queued_at INTEGER NOT NULL,
    claims INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    identity TEXT,
    log_offset INTEGER NOT NULL DEFAULT 0,
    reader_state TEXT,
    runner_state TEXT,
    started_at INTEGER,
    finished_at INTEGER,
    exit_status TEXT,
    exit_code INTEGER,
    signal INTEGER,
    summary TEXT,
    runtime_millis INTEGER NOT NULL DEFAULT 0,
    cost TEXT NOT NULL DEFAULT '{}',
    UNIQUE (task, attempt_number)
);
CREATE INDEX attempt_open ON attempt (status) WHERE finished_at IS NULL;
-- Claims take the first of it; age is the order of insertion, which no jump of the clock changes.
CREATE INDEX attempt_queue ON attempt (priority DESC) WHERE status = 'queued' AND finished_at IS NULL;

-- AUTOINCREMENT: a position is never given twice, also when the newest events went with their task.
CREATE TABLE event (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    attempt TEXT,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (task, seq)
);

-- The command row is outbox and inbox in one: accepted before the answer, finished by exactly one worker.
CREATE TABLE command (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    attempt TEXT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'accepted',
    result TEXT,
    worker TEXT,
    accepted_at INTEGER NOT NULL,
    rung_at INTEGER NOT NULL,
    taken_at INTEGER,
    finished_at INTEGER
);
CREATE INDEX command_state ON command (state);
CREATE INDEX command_attempt ON command (attempt, kind);
CREATE INDEX command_task ON command (task);

CREATE TABLE approval (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    attempt TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    tool TEXT NOT NULL,
    title TEXT NOT NULL,
    command TEXT,
    input TEXT NOT NULL DEFAULT '{}',
    cwd TEXT,
    risk TEXT NOT NULL DEFAULT '[]',
    rule TEXT,
    choices TEXT NOT NULL DEFAULT '[]',
    scope TEXT,
    note TEXT,
    updated_input TEXT,
    decided_by TEXT,
    created_at INTEGER NOT NULL,
    decided_at INTEGER,
    delivered_at INTEGER,
    UNIQUE (attempt, request)
);
CREATE INDEX approval_task ON approval (task, status);

CREATE TABLE capture (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    attempt TEXT,
    base_oid TEXT NOT NULL,
    head_oid TEXT NOT NULL,
    tree_oid TEXT NOT NULL,
    stat TEXT NOT NULL,
    files TEXT NOT NULL,
    flags TEXT NOT NULL DEFAULT '[]',
    patch BLOB NOT NULL,
    truncated INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT,
    captured_at INTEGER NOT NULL
);
CREATE INDEX capture_task ON capture (task);

CREATE TABLE landing (
    id TEXT PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (number) ON DELETE CASCADE,
    capture TEXT NOT NULL,
    strategy TEXT NOT NULL,
    target_branch TEXT,
    state TEXT NOT NULL,
    intent TEXT NOT NULL,
    commit_oid TEXT,
    previous_oid TEXT,
    backup_ref TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
);
CREATE INDEX landing_task ON landing (task);

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);

CREATE TABLE runner (
    name TEXT PRIMARY KEY,
    available INTEGER NOT NULL,
    command TEXT NOT NULL,
    version TEXT,
    detail TEXT,
    capabilities TEXT NOT NULL DEFAULT '{}',
    seen_at INTEGER NOT NULL
);

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    body_hash TEXT NOT NULL,
    task_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE login_link (
    hash TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
);

CREATE TABLE login (
    hash TEXT PRIMARY KEY,
    csrf TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
