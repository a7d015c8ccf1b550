-- Pages of agents' transcripts that somebody looks at: asked for by the web process, read by a worker, soon forgotten.
CREATE TABLE transcript_page (
    request TEXT PRIMARY KEY,
    wanted_at INTEGER NOT NULL,
    read_at INTEGER,
    page TEXT
);
