-- The ledger, version 1. Ordinary tables, so that every sqlite3 from 3.26 on can read them; instants are milliseconds UTC. Such tables would keep a
-- word in an INTEGER column and bytes in a TEXT one: hence a `typeof` for each that has no list of values. Where rows are written at each transition
-- words stand one by one or behind a test for NULL: for three or more words in one `IN` SQLite builds a table, each time it checks a row.
CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY CHECK (typeof(key) = 'text'),
  value TEXT NOT NULL CHECK (typeof(value) = 'text')
);

CREATE TABLE policies (
  policy_id INTEGER PRIMARY KEY,
  hash TEXT NOT NULL CHECK (typeof(hash) = 'text'),
  text TEXT NOT NULL CHECK (typeof(text) = 'text'),
  loaded_at_ms INTEGER NOT NULL CHECK (typeof(loaded_at_ms) = 'integer')
);

-- How runs are called and followed. A row is never changed: what one run was called with is what it is followed with.
CREATE TABLE terms (
  terms_id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE CHECK (typeof(digest) = 'text'),
  instance_name TEXT NOT NULL CHECK (typeof(instance_name) = 'text'),
  tags TEXT NOT NULL CHECK (typeof(tags) = 'text'),
  account TEXT NOT NULL CHECK (typeof(account) = 'text'),
  endpoint TEXT NOT NULL CHECK (typeof(endpoint) = 'text'),
  credentials TEXT NOT NULL CHECK (typeof(credentials) = 'text'),
  region TEXT NOT NULL CHECK (typeof(region) = 'text'),
  method TEXT NOT NULL CHECK (method IN ('logical', 'physical', 'snapshot')),
  tables TEXT CHECK (typeof(tables) = 'null' OR (typeof(tables) = 'text' AND method = 'logical')),
  encrypted INTEGER CHECK (encrypted IS NULL OR (encrypted IN (0, 1) AND method = 'physical')),
  absence_window_ms INTEGER NOT NULL CHECK (typeof(absence_window_ms) = 'integer'),
  after_failed INTEGER NOT NULL CHECK (typeof(after_failed) = 'integer' AND after_failed BETWEEN 0 AND 8),
  max_attempts INTEGER CHECK (typeof(max_attempts) IN ('integer', 'null')),
  initial_backoff_ms INTEGER NOT NULL CHECK (typeof(initial_backoff_ms) = 'integer'),
  max_backoff_ms INTEGER NOT NULL CHECK (typeof(max_backoff_ms) = 'integer'),
  poll_initial_ms INTEGER NOT NULL CHECK (typeof(poll_initial_ms) = 'integer'),
  poll_max_ms INTEGER NOT NULL CHECK (typeof(poll_max_ms) = 'integer'),
  overlap TEXT NOT NULL CHECK (overlap IN ('skip', 'queue'))
);

CREATE TABLE runs (
  run_id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL CHECK (typeof(job) = 'text'),
  instance_id TEXT NOT NULL CHECK (typeof(instance_id) = 'text'),
  slot_ms INTEGER NOT NULL CHECK (typeof(slot_ms) = 'integer'),
  trigger TEXT NOT NULL CHECK (trigger IN ('schedule', 'manual')),
  request INTEGER NOT NULL DEFAULT 0 CHECK (typeof(request) = 'integer' AND (trigger = 'schedule') = (request = 0)),
  -- The request that asked for it: a run by hand, or a slot that is backfilled. 0: nobody.
  asked INTEGER NOT NULL DEFAULT 0 CHECK (typeof(asked) = 'integer' AND (trigger = 'schedule' OR asked = request)),
  even_if_held INTEGER NOT NULL DEFAULT 0 CHECK (even_if_held = 0 OR (even_if_held = 1 AND asked <> 0)),
  -- How far back a backfilled slot lay: it stands behind all that is due by itself, the newest first.
  behind_ms INTEGER NOT NULL DEFAULT 0 CHECK (typeof(behind_ms) = 'integer' AND behind_ms >= 0),
  slot_local TEXT NOT NULL CHECK (typeof(slot_local) = 'text'),
  slot_last_ms INTEGER NOT NULL CHECK (typeof(slot_last_ms) = 'integer' AND slot_last_ms >= slot_ms),
  slots INTEGER NOT NULL CHECK (typeof(slots) = 'integer' AND slots >= 1 AND (slots = 1 OR state = 'missed')),
  terms_id INTEGER NOT NULL REFERENCES terms,
  account TEXT NOT NULL CHECK (typeof(account) = 'text'),
  policy_id INTEGER REFERENCES policies,
  priority INTEGER NOT NULL CHECK (typeof(priority) = 'integer' AND priority BETWEEN 0 AND 9),
  alias TEXT NOT NULL CHECK (typeof(alias) = 'text' AND length(alias) <= 58),
  not_before_ms INTEGER NOT NULL CHECK (typeof(not_before_ms) = 'integer'),
  start_by_ms INTEGER NOT NULL CHECK (typeof(start_by_ms) = 'integer'),
  complete_by_ms INTEGER NOT NULL CHECK (typeof(complete_by_ms) = 'integer' AND complete_by_ms >= start_by_ms),
  restart_by_ms INTEGER NOT NULL CHECK (typeof(restart_by_ms) = 'integer' AND restart_by_ms <= complete_by_ms),
  state TEXT NOT NULL CHECK (state = 'due' OR state = 'calling' OR state = 'uncertain' OR state = 'running' OR state = 'succeeded'
    OR state = 'failed' OR state = 'timed_out' OR state = 'unknown' OR state = 'expired' OR state = 'missed' OR state = 'skipped'
    OR state = 'cancelled'),
  generation INTEGER NOT NULL DEFAULT 1 CHECK (typeof(generation) = 'integer' AND generation BETWEEN 1 AND 10),
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (typeof(attempts) = 'integer'),
  sends INTEGER NOT NULL DEFAULT 0 CHECK (typeof(sends) = 'integer'),
  busy INTEGER NOT NULL DEFAULT 0 CHECK (typeof(busy) = 'integer'),
  failures INTEGER NOT NULL DEFAULT 0 CHECK (typeof(failures) = 'integer'),
  wish TEXT CHECK (wish IS NULL OR wish IN ('cancel', 'removed', 'vanished')),
  looked_process INTEGER CHECK (typeof(looked_process) IN ('integer', 'null')),
  looked_generation INTEGER CHECK (typeof(looked_generation) IN ('integer', 'null') AND (looked_generation IS NULL) = (looked_process IS NULL)),
  started_at_ms INTEGER CHECK (typeof(started_at_ms) IN ('integer', 'null')),
  last_class TEXT CHECK (last_class IS NULL OR last_class IN ('refused', 'throttled', 'busy', 'ambiguous', 'account', 'rejected')),
  last_code TEXT CHECK (typeof(last_code) IN ('text', 'null')),
  last_request_id TEXT CHECK (typeof(last_request_id) IN ('text', 'null')),
  due_at_ms INTEGER CHECK (typeof(due_at_ms) IN ('integer', 'null') AND (due_at_ms IS NULL) = (state NOT IN ('due', 'uncertain'))),
  attempt_id INTEGER CHECK (typeof(attempt_id) IN ('integer', 'null') AND (attempt_id IS NULL) = (state NOT IN ('calling', 'uncertain'))),
  signed_at_s INTEGER CHECK (typeof(signed_at_s) IN ('integer', 'null') AND (signed_at_s IS NULL) = (state <> 'calling')),
  process INTEGER CHECK (typeof(process) IN ('integer', 'null') AND (process IS NULL) = (state <> 'calling')),
  lease_ms INTEGER CHECK (typeof(lease_ms) IN ('integer', 'null') AND (lease_ms IS NULL) = (state <> 'calling')),
  doubt TEXT CHECK ((doubt IS NULL) = (state <> 'uncertain') AND (doubt IS NULL OR doubt IN ('ambiguous', 'busy', 'old'))),
  clear_after_ms INTEGER CHECK (typeof(clear_after_ms) IN ('integer', 'null') AND (clear_after_ms IS NULL) = (state <> 'uncertain')),
  look_at_ms INTEGER CHECK (typeof(look_at_ms) IN ('integer', 'null')),
  look_step INTEGER CHECK (typeof(look_step) IN ('integer', 'null') AND (look_step IS NULL) = (look_at_ms IS NULL)),
  look_tried INTEGER CHECK (look_tried IS NULL OR (typeof(look_tried) = 'integer' AND look_at_ms IS NOT NULL)),
  read_at_ms INTEGER CHECK (read_at_ms IS NULL OR (typeof(read_at_ms) = 'integer' AND look_at_ms IS NOT NULL)),
  backup_id INTEGER CHECK (typeof(backup_id) IN ('integer', 'null') AND backup_id > 0),
  listed INTEGER CHECK ((listed IS NULL) = (state <> 'running') AND listed IN (0, 1)),
  since_ms INTEGER CHECK (typeof(since_ms) IN ('integer', 'null') AND (since_ms IS NULL) = (state <> 'running')),
  absent_since_ms INTEGER CHECK (absent_since_ms IS NULL OR (typeof(absent_since_ms) = 'integer' AND state = 'running')),
  follow_until_ms INTEGER CHECK (follow_until_ms IS NULL
    OR (typeof(follow_until_ms) = 'integer' AND finished_at_ms IS NOT NULL AND state <> 'succeeded')),
  reason TEXT CHECK (reason IS NULL OR (typeof(reason) = 'text' AND finished_at_ms IS NOT NULL)),
  why TEXT CHECK (typeof(why) IN ('text', 'null') AND (why IS NULL) = (finished_at_ms IS NULL)),
  finished_at_ms INTEGER CHECK (typeof(finished_at_ms) IN ('integer', 'null')
    AND (finished_at_ms IS NULL) = (state = 'due' OR state = 'calling' OR state = 'uncertain' OR state = 'running')),
  bytes INTEGER CHECK (bytes IS NULL OR (typeof(bytes) = 'integer' AND finished_at_ms IS NOT NULL)),
  late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
  first_outcome TEXT CHECK ((first_outcome IS NULL) = (late = 0)
    AND (first_outcome IS NULL OR first_outcome IN ('failed', 'timed_out', 'unknown', 'expired', 'missed', 'skipped', 'cancelled'))),
  -- When the row has to be considered, whatever holds it; filled by the one place that writes rows.
  next_at_ms INTEGER CHECK (typeof(next_at_ms) IN ('integer', 'null')),
  CHECK ((look_at_ms IS NULL) = (state NOT IN ('uncertain', 'running') AND follow_until_ms IS NULL)),
  CHECK (state <> 'running' OR backup_id IS NOT NULL),
  CHECK (backup_id IS NULL OR finished_at_ms IS NOT NULL OR state = 'running'),
  CHECK (late = 0 OR state = 'succeeded'),
  UNIQUE (job, instance_id, slot_ms, trigger, request)
);
CREATE INDEX runs_ranges ON runs (job, instance_id, slot_ms) WHERE slots > 1;
CREATE INDEX runs_by_slot ON runs (slot_ms);
CREATE INDEX runs_due ON runs (instance_id, priority, behind_ms, slot_ms, start_by_ms, run_id) WHERE state = 'due';
CREATE INDEX runs_ripe ON runs (due_at_ms) WHERE state = 'due';
CREATE INDEX runs_in_flight ON runs (instance_id, job) WHERE finished_at_ms IS NULL AND state <> 'due';
CREATE INDEX runs_calling ON runs (process) WHERE state = 'calling';
CREATE INDEX runs_timed ON runs (account, state, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX runs_soonest ON runs (account, next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE INDEX runs_followed ON runs (account, next_at_ms) WHERE follow_until_ms IS NOT NULL;
CREATE INDEX runs_ended ON runs (state, slot_ms) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX runs_good ON runs (job, instance_id, slot_ms) WHERE state = 'succeeded';

CREATE TRIGGER a_closed_run_may_only_turn_out_good
BEFORE UPDATE OF state ON runs
WHEN OLD.finished_at_ms IS NOT NULL
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
  generation INTEGER NOT NULL CHECK (typeof(generation) = 'integer'),
  begun_at_ms INTEGER NOT NULL CHECK (typeof(begun_at_ms) = 'integer'),
  signed_at_s INTEGER NOT NULL CHECK (typeof(signed_at_s) = 'integer'),
  elapsed_ms INTEGER CHECK (typeof(elapsed_ms) IN ('integer', 'null')),
  class TEXT CHECK (typeof(class) IN ('text', 'null')),
  code TEXT CHECK (typeof(code) IN ('text', 'null')),
  message TEXT CHECK (typeof(message) IN ('text', 'null')),
  request_id TEXT CHECK (typeof(request_id) IN ('text', 'null')),
  backup_id INTEGER CHECK (typeof(backup_id) IN ('integer', 'null') AND backup_id > 0)
);
CREATE INDEX attempts_by_run ON attempts (run_id);

-- Every number that the cloud ever gave us.
CREATE TABLE backups (
  instance_id TEXT NOT NULL CHECK (typeof(instance_id) = 'text'),
  backup_id INTEGER NOT NULL CHECK (typeof(backup_id) = 'integer' AND backup_id > 0),
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  generation INTEGER NOT NULL CHECK (typeof(generation) = 'integer'),
  found_by TEXT NOT NULL CHECK (found_by IN ('reply', 'list')),
  status TEXT NOT NULL CHECK (status = 'running' OR status = 'success' OR status = 'failed' OR status = 'vanished'),
  duplicate INTEGER NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)),
  bytes INTEGER CHECK (typeof(bytes) IN ('integer', 'null')),
  first_seen_ms INTEGER NOT NULL CHECK (typeof(first_seen_ms) = 'integer'),
  PRIMARY KEY (instance_id, backup_id)
);
CREATE INDEX backups_by_run ON backups (run_id);

-- Slots of a job and instance up to cursor_ms have rows. What makes its slots stands beside it.
CREATE TABLE cursors (
  job TEXT NOT NULL CHECK (typeof(job) = 'text'),
  instance_id TEXT NOT NULL CHECK (typeof(instance_id) = 'text'),
  schedule TEXT NOT NULL CHECK (typeof(schedule) = 'text'),
  time_zone TEXT NOT NULL CHECK (typeof(time_zone) = 'text'),
  terms_id INTEGER NOT NULL REFERENCES terms,
  priority INTEGER NOT NULL CHECK (typeof(priority) = 'integer'),
  cursor_ms INTEGER NOT NULL CHECK (typeof(cursor_ms) = 'integer'),
  next_slot_ms INTEGER CHECK (typeof(next_slot_ms) IN ('integer', 'null')),
  -- From when on these slots are owed rows: the pair was new then, or its schedule another.
  since_ms INTEGER NOT NULL CHECK (typeof(since_ms) = 'integer'),
  PRIMARY KEY (job, instance_id)
);
CREATE INDEX cursors_next ON cursors (next_slot_ms);

-- What people asked for, and what the daemon answered.
CREATE TABLE requests (
  request_id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL CHECK (typeof(at_ms) = 'integer'),
  who TEXT NOT NULL CHECK (typeof(who) = 'text'),
  uid INTEGER NOT NULL CHECK (typeof(uid) = 'integer'),
  what TEXT NOT NULL CHECK (typeof(what) = 'text'),
  arguments TEXT NOT NULL CHECK (typeof(arguments) = 'text'),
  reason TEXT CHECK (typeof(reason) IN ('text', 'null')),
  answer TEXT CHECK (typeof(answer) IN ('text', 'null')),
  answered_at_ms INTEGER CHECK (typeof(answered_at_ms) IN ('integer', 'null') AND (answered_at_ms IS NULL) = (answer IS NULL))
);
CREATE INDEX requests_open ON requests (request_id) WHERE answered_at_ms IS NULL;

-- What people hold. One whose end has passed, or that was ended, holds nothing.
CREATE TABLE pauses (
  pause_id INTEGER PRIMARY KEY REFERENCES requests,
  scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
  from_ms INTEGER NOT NULL CHECK (typeof(from_ms) = 'integer'),
  until_ms INTEGER CHECK (typeof(until_ms) IN ('integer', 'null')),
  who TEXT NOT NULL CHECK (typeof(who) = 'text'),
  reason TEXT NOT NULL CHECK (typeof(reason) = 'text'),
  ended_at_ms INTEGER CHECK (typeof(ended_at_ms) IN ('integer', 'null'))
);
CREATE INDEX pauses_on ON pauses (pause_id) WHERE ended_at_ms IS NULL;

-- The last finished pass; one row.
CREATE TABLE heartbeat (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at_ms INTEGER NOT NULL CHECK (typeof(at_ms) = 'integer'),
  process INTEGER NOT NULL CHECK (typeof(process) = 'integer'),
  pid INTEGER NOT NULL CHECK (typeof(pid) = 'integer'),
  verdict TEXT NOT NULL CHECK (typeof(verdict) = 'text'),
  says TEXT NOT NULL DEFAULT '' CHECK (typeof(says) = 'text')
);

-- What the loop holds back by itself, as of its last pulse: accounts whose keys the cloud does not accept, instances that cannot be looked at.
CREATE TABLE holds (
  hold TEXT NOT NULL CHECK (hold IN ('account_held', 'cannot_look')),
  name TEXT NOT NULL CHECK (typeof(name) = 'text'),
  since_ms INTEGER NOT NULL CHECK (typeof(since_ms) = 'integer'),
  code TEXT NOT NULL CHECK (typeof(code) = 'text'),
  PRIMARY KEY (hold, name)
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
