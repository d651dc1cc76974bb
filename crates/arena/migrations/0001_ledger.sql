-- One row a round of one competition on one chain.
CREATE TABLE rounds (
    genesis       TEXT    NOT NULL,
    competition   TEXT    NOT NULL,
    round         INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    cutoff_block  INTEGER NOT NULL,
    cutoff_hash   TEXT    NOT NULL,
    seed_hash     TEXT    NOT NULL,
    weights       TEXT,
    weights_call  TEXT,
    weights_block INTEGER,
    paid_block    INTEGER,
    abstained     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (genesis, competition, round)
) STRICT;

-- One row a submission and round: what was judged, with what, and what came of it.
CREATE TABLE evaluations (
    genesis         TEXT    NOT NULL,
    competition     TEXT    NOT NULL,
    round           INTEGER NOT NULL,
    hotkey          TEXT    NOT NULL,
    commit_block    INTEGER NOT NULL,
    extrinsic_index INTEGER NOT NULL,
    artefact        TEXT,
    sample          TEXT    NOT NULL,
    bytes           INTEGER NOT NULL,
    engine          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    reason          TEXT,
    score           REAL    NOT NULL,
    metrics         TEXT    NOT NULL,
    PRIMARY KEY (genesis, competition, round, hotkey)
) STRICT;

-- How far the journal has been applied, in bytes.
CREATE TABLE journal (
    applied INTEGER NOT NULL
) STRICT;
INSERT INTO journal (applied) VALUES (0);
