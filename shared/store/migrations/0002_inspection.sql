-- What workers saw in a folder, for the pages: asked for by the web process, which runs no git.
CREATE TABLE inspection (
    path TEXT PRIMARY KEY,
    found TEXT,
    wanted_at INTEGER NOT NULL,
    inspected_at INTEGER
);
