-- The ledger, version 1. Ordinary tables, so that every sqlite3 from 3.26 on can read them; instants are milliseconds UTC.
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE policies (
  policy_id INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  text TEXT NOT NULL,
  loaded_at_ms INTEGER NOT NULL CHECK (typeof(loaded_at_ms) = 'integer')
);

-- How runs are called and followed. A row is never changed: what one run was called with is what it is followed with.
CREATE TABLE terms (
  terms_id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  instance_name TEXT NOT NULL,
  tags TEXT NOT NULL,
  account TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  credentials TEXT NOT NULL,
  region TEXT NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('logical', 'physical', 'snapshot')),
  tables TEXT CHECK (tables IS NULL OR method = 'logical'),
  encrypted INTEGER CHECK (encrypted IS NULL OR (encrypted IN (0, 1) AND method = 'physical')),
  absence_window_ms INTEGER NOT NULL CHECK (typeof(absence_window_ms) = 'integer'),
  after_failed INTEGER NOT NULL CHECK (after_failed BETWEEN 0 AND 8),
  max_attempts INTEGER,
  initial_backoff_ms INTEGER NOT NULL,
  max_backoff_ms INTEGER NOT NULL,
  poll_initial_ms INTEGER NOT NULL,
  poll_max_ms INTEGER NOT NULL,
  overlap TEXT NOT NULL CHECK (overlap IN ('skip', 'queue'))
);

CREATE TABLE runs (
  run_id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  slot_ms INTEGER NOT NULL CHECK (typeof(slot_ms) = 'integer'),
  trigger TEXT NOT NULL CHECK (trigger IN ('schedule', 'manual')),
  request INTEGER NOT NULL DEFAULT 0 CHECK ((trigger = 'schedule') = (request = 0)),
  slot_local TEXT NOT NULL,
  slot_last_ms INTEGER NOT NULL CHECK (slot_last_ms >= slot_ms),
  slots INTEGER NOT NULL CHECK (slots >= 1 AND (slots = 1 OR state = 'missed')),
  terms_id INTEGER NOT NULL REFERENCES terms,
  account TEXT NOT NULL,
  policy_id INTEGER REFERENCES policies,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
  alias TEXT NOT NULL CHECK (length(alias) <= 58),
  not_before_ms INTEGER NOT NULL CHECK (typeof(not_before_ms) = 'integer'),
  start_by_ms INTEGER NOT NULL CHECK (typeof(start_by_ms) = 'integer'),
  complete_by_ms INTEGER NOT NULL CHECK (complete_by_ms >= start_by_ms),
  restart_by_ms INTEGER NOT NULL CHECK (restart_by_ms <= complete_by_ms),
  state TEXT NOT NULL CHECK (state IN ('due', 'calling', 'uncertain', 'running', 'succeeded', 'failed', 'timed_out', 'unknown', 'expired',
    'missed', 'skipped', 'cancelled')),
  generation INTEGER NOT NULL DEFAULT 1 CHECK (generation BETWEEN 1 AND 10),
  attempts INTEGER NOT NULL DEFAULT 0,
  sends INTEGER NOT NULL DEFAULT 0,
  busy INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  wish TEXT CHECK (wish IN ('cancel', 'removed', 'vanished')),
  looked_process INTEGER,
  looked_generation INTEGER CHECK ((looked_generation IS NULL) = (looked_process IS NULL)),
  started_at_ms INTEGER,
  last_class TEXT,
  last_code TEXT,
  last_request_id TEXT,
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state NOT IN ('due', 'uncertain'))),
  attempt_id INTEGER CHECK ((attempt_id IS NULL) = (state NOT IN ('calling', 'uncertain'))),
  signed_at_s INTEGER CHECK ((signed_at_s IS NULL) = (state <> 'calling')),
  process INTEGER CHECK ((process IS NULL) = (state <> 'calling')),
  lease_ms INTEGER CHECK ((lease_ms IS NULL) = (state <> 'calling')),
  doubt TEXT CHECK ((doubt IS NULL) = (state <> 'uncertain') AND (doubt IS NULL OR doubt IN ('ambiguous', 'busy', 'old'))),
  clear_after_ms INTEGER CHECK ((clear_after_ms IS NULL) = (state <> 'uncertain')),
  look_at_ms INTEGER,
  look_step INTEGER CHECK ((look_step IS NULL) = (look_at_ms IS NULL)),
  look_tried INTEGER,
  read_at_ms INTEGER,
  backup_id INTEGER CHECK (backup_id IS NULL OR (typeof(backup_id) = 'integer' AND backup_id > 0)),
  listed INTEGER CHECK ((listed IS NULL) = (state <> 'running')),
  since_ms INTEGER CHECK ((since_ms IS NULL) = (state <> 'running')),
  absent_since_ms INTEGER CHECK (absent_since_ms IS NULL OR state = 'running'),
  follow_until_ms INTEGER,
  reason TEXT,
  why TEXT CHECK ((why IS NULL) = (state IN ('due', 'calling', 'uncertain', 'running'))),
  finished_at_ms INTEGER CHECK ((finished_at_ms IS NULL) = (state IN ('due', 'calling', 'uncertain', 'running'))),
  bytes INTEGER,
  late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
  first_outcome TEXT CHECK ((first_outcome IS NULL) = (late = 0)),
  -- When the row has to be considered, whatever holds it; filled by the one place that writes rows.
  next_at_ms INTEGER CHECK (next_at_ms IS NULL OR typeof(next_at_ms) = 'integer'),
  CHECK (state NOT IN ('uncertain', 'running') OR look_at_ms IS NOT NULL),
  CHECK (state NOT IN ('due', 'calling') OR look_at_ms IS NULL),
  CHECK (state <> 'running' OR backup_id IS NOT NULL),
  CHECK (state NOT IN ('due', 'calling', 'uncertain') OR backup_id IS NULL),
  CHECK (late = 0 OR state = 'succeeded'),
  UNIQUE (job, instance_id, slot_ms, trigger, request)
);
CREATE INDEX runs_ranges ON runs (job, instance_id, slot_ms) WHERE slots > 1;
CREATE INDEX runs_by_slot ON runs (slot_ms);
CREATE INDEX runs_due ON runs (instance_id, priority, slot_ms, start_by_ms, run_id) WHERE state = 'due';
CREATE INDEX runs_ripe ON runs (due_at_ms) WHERE state = 'due';
CREATE INDEX runs_in_flight ON runs (instance_id, job) WHERE state IN ('calling', 'uncertain', 'running');
CREATE INDEX runs_calling ON runs (process) WHERE state = 'calling';
CREATE INDEX runs_timed ON runs (account, state, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX runs_soonest ON runs (account, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX runs_followed ON runs (account, next_at_ms) WHERE follow_until_ms IS NOT NULL;
CREATE INDEX runs_ended ON runs (state, slot_ms) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX runs_good ON runs (job, instance_id, slot_ms) WHERE state = 'succeeded';

CREATE TRIGGER a_closed_run_may_only_turn_out_good
BEFORE UPDATE OF state ON runs
WHEN OLD.state IN ('succeeded', 'failed', 'timed_out', 'unknown', 'expired', 'missed', 'skipped', 'cancelled')
  AND NEW.state <> OLD.state
  AND (NEW.state <> 'succeeded' OR NEW.late <> 1 OR NEW.first_outcome <> OLD.state)
BEGIN
  SELECT RAISE(ABORT, 'a closed run may only turn out good');
END;

CREATE TRIGGER a_missed_slot_has_no_row_of_its_own
BEFORE INSERT ON runs
WHEN NEW.trigger = 'schedule' AND (
  EXISTS (SELECT 1 FROM runs WHERE job = NEW.job AND instance_id = NEW.instance_id AND slots > 1
    AND slot_ms <= NEW.slot_last_ms AND slot_last_ms >= NEW.slot_ms)
  OR (NEW.slots > 1 AND EXISTS (SELECT 1 FROM runs WHERE job = NEW.job AND instance_id = NEW.instance_id AND trigger = 'schedule'
    AND slot_ms BETWEEN NEW.slot_ms AND NEW.slot_last_ms)))
BEGIN
  SELECT RAISE(IGNORE);
END;

-- One API call. A create is written before its first byte is sent, and only its answer is added; a list is written when it said something.
CREATE TABLE attempts (
  attempt_id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  action TEXT NOT NULL CHECK (action IN ('CreateBackup', 'DescribeBackups')),
  generation INTEGER NOT NULL,
  begun_at_ms INTEGER NOT NULL CHECK (typeof(begun_at_ms) = 'integer'),
  signed_at_s INTEGER NOT NULL,
  elapsed_ms INTEGER,
  class TEXT,
  code TEXT,
  message TEXT,
  request_id TEXT,
  backup_id INTEGER
);
CREATE INDEX attempts_by_run ON attempts (run_id);

-- Every number that the cloud ever gave us.
CREATE TABLE backups (
  instance_id TEXT NOT NULL,
  backup_id INTEGER NOT NULL CHECK (typeof(backup_id) = 'integer' AND backup_id > 0),
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  found_by TEXT NOT NULL CHECK (found_by IN ('reply', 'list')),
  status TEXT NOT NULL CHECK (status IN ('running', 'success', 'failed', 'vanished')),
  duplicate INTEGER NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)),
  bytes INTEGER,
  first_seen_ms INTEGER NOT NULL,
  PRIMARY KEY (instance_id, backup_id)
);
CREATE INDEX backups_by_run ON backups (run_id);

-- Slots of a job and instance up to cursor_ms have rows. What makes its slots stands beside it.
CREATE TABLE cursors (
  job TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  schedule TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  terms_id INTEGER NOT NULL REFERENCES terms,
  priority INTEGER NOT NULL,
  cursor_ms INTEGER NOT NULL CHECK (typeof(cursor_ms) = 'integer'),
  next_slot_ms INTEGER,
  PRIMARY KEY (job, instance_id)
);
CREATE INDEX cursors_next ON cursors (next_slot_ms);

-- What people asked for.
CREATE TABLE requests (
  request_id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  uid INTEGER NOT NULL,
  what TEXT NOT NULL,
  arguments TEXT NOT NULL,
  reason TEXT,
  answer TEXT,
  answered_at_ms INTEGER
);

-- The last finished pass; one row.
CREATE TABLE heartbeat (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at_ms INTEGER NOT NULL,
  process INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  verdict TEXT NOT NULL
);

-- For people: one line per run, newest slot first.
CREATE VIEW history AS
SELECT r.run_id, r.job, r.instance_id, t.instance_name, r.account, t.region, t.method, r.slot_local,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.slot_ms / 1000, 'unixepoch') AS slot, r.slots, r.trigger, r.state, r.reason, r.why, r.backup_id, r.bytes,
  r.alias, r.attempts, r.last_code, r.last_request_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_ms / 1000, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.finished_at_ms / 1000, 'unixepoch') AS finished_at
FROM runs r JOIN terms t USING (terms_id)
ORDER BY r.slot_ms DESC, r.run_id DESC;

-- For people: the newest good backup of each job and instance.
CREATE VIEW latest AS
SELECT c.job, c.instance_id, t.instance_name, r.run_id, r.slot_local, strftime('%Y-%m-%dT%H:%M:%SZ', r.slot_ms / 1000, 'unixepoch') AS slot,
  r.backup_id, r.bytes, strftime('%Y-%m-%dT%H:%M:%SZ', r.finished_at_ms / 1000, 'unixepoch') AS finished_at
FROM cursors c
JOIN terms t USING (terms_id)
LEFT JOIN runs r ON r.run_id = (SELECT run_id FROM runs g WHERE g.job = c.job AND g.instance_id = c.instance_id AND g.state = 'succeeded'
  ORDER BY g.slot_ms DESC LIMIT 1);

-- For people: slots that did not end well.
CREATE VIEW gaps AS
SELECT run_id, job, instance_id, instance_name, slot_local, slot, slots, state, reason, why, last_code, last_request_id
FROM history
WHERE state IN ('failed', 'timed_out', 'unknown', 'expired', 'missed', 'skipped', 'cancelled');
