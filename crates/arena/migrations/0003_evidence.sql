-- What each sample contributed (32-bit floats, little endian) and what judging cost, in seconds of processor time.
ALTER TABLE evaluations ADD COLUMN evidence BLOB NOT NULL DEFAULT x'';
ALTER TABLE evaluations ADD COLUMN seconds REAL NOT NULL DEFAULT 0;

-- What a round's weights were made of: JSON.
ALTER TABLE rounds ADD COLUMN basis TEXT;

-- Whose a file or a network was, and the life of one hotkey's submissions.
CREATE INDEX evaluations_by_artefact ON evaluations (genesis, competition, artefact);
CREATE INDEX evaluations_by_canonical ON evaluations (genesis, competition, canonical);
CREATE INDEX evaluations_by_hotkey ON evaluations (genesis, competition, hotkey, round);
