//! The file's shape, and no meaning. What each key says of itself is what an editor shows of it: see [`super::schema`].
//!
//! Every key may be absent and every text is text: what must be there, and what a text means, is told by [`super::lower`], all of it at once.
//! No `flatten`, no `untagged`, no enums with data: they lose the place of a fault.

mod words;

pub(in crate::config) use words::{Credentials, Length, Moment, OneOrMore, Text};

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `history`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct History {
    /// Closed runs older than this are dropped, but never the newest good one of a job and instance. Default: `400d`.
    pub(in crate::config) max_age: Option<Length>,
    /// So many closed runs are kept. Default: 10000000.
    #[schemars(range(min = 1_000, max = 100_000_000))]
    pub(in crate::config) max_runs: Option<i64>,
}

/// `ledger_copies`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct LedgerCopies {
    /// The folder of the copies; a relative path begins at the policy's directory.
    #[schemars(length(min = 1))]
    pub(in crate::config) folder: Option<Text>,
    /// How many copies are kept; the oldest go first. Default: 7.
    #[schemars(range(min = 1, max = 1_000))]
    pub(in crate::config) keep: Option<i64>,
}

/// One of `accounts`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Account {
    /// Where the keys are, never the keys themselves. Default: `env`.
    pub(in crate::config) credentials: Option<Credentials>,
    /// The host of the API: https, or plain http:// to a loopback address. Default: `cdb.tencentcloudapi.com`.
    #[schemars(regex(pattern = r"^(https?://)?[^/@\s]+/?$"))]
    pub(in crate::config) endpoint: Option<Text>,
    /// Calls of CreateBackup a second. Default: 5, which is also the most.
    #[schemars(range(min = 0.1, max = 5.0))]
    pub(in crate::config) calls_per_second: Option<f64>,
    /// How many of our backups may be in progress at once. Default: no limit.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) max_running: Option<i64>,
    /// How long after a lost call a list without its backup proves that there is none: at least `390s`, but on a loopback endpoint. Default: `540s`.
    pub(in crate::config) absence_window: Option<Length>,
    /// The offset in which the cloud writes its times; only what is shown depends on it. Default: `"+08:00"`.
    #[schemars(regex(pattern = r"^[+-][0-9]{2}:[0-9]{2}$"))]
    pub(in crate::config) utc_offset: Option<Text>,
}

/// The map form of `credentials`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct CredentialKeys {
    /// A file of keys as the official SDKs' is; a relative path begins at `$CREDENTIALS_DIRECTORY`, else at the policy's directory.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: Option<Text>,
    /// What stands before `_SECRET_ID` and `_SECRET_KEY` in the names of the variables, such as `PAY`.
    #[schemars(regex(pattern = r"^[A-Z_]([A-Z0-9_]{0,98}[A-Z0-9])?$"))]
    pub(in crate::config) env_prefix: Option<Text>,
}

/// `listen_token`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct TokenKeys {
    /// The variable that holds the token.
    #[schemars(regex(pattern = r"^[A-Z_][A-Z0-9_]{0,99}$"))]
    pub(in crate::config) env: Option<Text>,
    /// The file that holds the token; a relative path begins at `$CREDENTIALS_DIRECTORY`, else at the policy's directory.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: Option<Text>,
}

/// One of `instances`, or `instance_defaults`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Instance {
    /// The instance's id, as the console shows it: `cdb-c1nl9rpv`.
    #[schemars(regex(pattern = r"^cdb-[a-z0-9]{8,56}$"))]
    pub(in crate::config) id: Option<Text>,
    /// A name of its own; unique. Default: the id.
    #[schemars(regex(pattern = r"^[^\s,*?\[]{1,60}$"))]
    pub(in crate::config) name: Option<Text>,
    /// One of `accounts`; must stand here or in `instance_defaults`.
    #[schemars(length(min = 1))]
    pub(in crate::config) account: Option<Text>,
    /// The region, such as `ap-guangzhou`; must stand here or in `instance_defaults`.
    #[schemars(regex(pattern = r"^[a-z]{2}-(?!.*-[0-9]+$)[a-z0-9-]{0,39}[a-z0-9]$"))]
    pub(in crate::config) region: Option<Text>,
    /// Words of yours by which jobs find it; those of `instance_defaults` hold unless the same key stands here.
    pub(in crate::config) tags: Option<BTreeMap<String, Text>>,
}

/// One of `jobs`, or `defaults`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Job {
    /// The name of the job, unique: 1 to 32 of a-z, 0-9 and `-`.
    #[schemars(regex(pattern = r"^(?!by-hand$)[a-z0-9][a-z0-9-]{0,31}$"))]
    pub(in crate::config) name: Option<Text>,
    /// When: five cron fields, or six with seconds first; also `@daily` and friends, `L`, `#`. Such as `30 2 * * *`.
    #[schemars(length(min = 1))]
    pub(in crate::config) schedule: Option<Text>,
    /// Which instances.
    pub(in crate::config) targets: Option<Targets>,
    /// How: `logical`, `physical` or `snapshot`; must stand here or in `defaults`.
    #[schemars(extend("enum" = ["logical", "physical", "snapshot"]))]
    pub(in crate::config) method: Option<Text>,
    /// Which databases and tables; only for `logical`. Default: the whole instance.
    #[schemars(length(min = 1))]
    pub(in crate::config) tables: Option<Vec<Table>>,
    /// Whether the backup is encrypted; only for `physical`. Default: as the instance is set.
    pub(in crate::config) encrypted: Option<bool>,
    /// The IANA zone of the schedule, such as `Asia/Shanghai`; must stand here or in `defaults`.
    #[schemars(length(min = 1))]
    pub(in crate::config) time_zone: Option<Text>,
    /// Each instance starts later by a stable share of this, at most `24h`. Default: `0s`.
    pub(in crate::config) spread: Option<Length>,
    /// How long after its slot a run may start. Default: `2h`.
    pub(in crate::config) start_within: Option<Length>,
    /// How long from the end of `start_within` a run can be open. Default: `12h`.
    pub(in crate::config) complete_within: Option<Length>,
    /// The newest slot missed while the daemon was down: `latest` runs it, `none` does not. Default: `latest`.
    #[schemars(extend("enum" = ["latest", "none"]))]
    pub(in crate::config) catch_up: Option<Text>,
    /// A missed slot older than this is not run any more. Default: `start_within`.
    pub(in crate::config) catch_up_within: Option<Length>,
    /// While the previous run of the job and instance is open: `skip` or `queue`. Default: `skip`.
    #[schemars(extend("enum" = ["skip", "queue"]))]
    pub(in crate::config) overlap: Option<Text>,
    /// 0 goes first, 9 last. Default: 5.
    #[schemars(range(min = 0, max = 9))]
    pub(in crate::config) priority: Option<i64>,
    /// How calls and backups that came to nothing are repeated.
    pub(in crate::config) retry: Option<Retry>,
    /// How often a backup in progress is looked at.
    pub(in crate::config) poll: Option<Poll>,
    /// When the newest good backup is too old.
    pub(in crate::config) freshness: Option<Freshness>,
    /// Due runs wait inside `start_within` until this is taken out. Default: false.
    pub(in crate::config) suspend: Option<bool>,
    /// Targets that match nothing are no fault. Default: false.
    pub(in crate::config) may_be_empty: Option<bool>,
    /// Times in which no slot of this job runs.
    pub(in crate::config) blackouts: Option<Vec<Blackout>>,
}

/// `targets`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Targets {
    /// These, by name or id.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub(in crate::config) instances: Option<Vec<Text>>,
    /// Those that have all of these tags; of a list of values any will do.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) tags: Option<BTreeMap<String, OneOrMore>>,
    /// Every instance of the policy.
    #[schemars(extend("const" = true))]
    pub(in crate::config) all: Option<bool>,
    /// Only those of these accounts.
    #[schemars(length(min = 1))]
    pub(in crate::config) accounts: Option<Vec<Text>>,
    /// Only those in these regions.
    #[schemars(length(min = 1))]
    pub(in crate::config) regions: Option<Vec<Text>>,
    /// But not these, by name or id.
    #[schemars(extend("uniqueItems" = true))]
    pub(in crate::config) except: Option<Vec<Text>>,
}

/// One of `tables`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Table {
    /// The database.
    #[schemars(length(min = 1, max = 64))]
    pub(in crate::config) db: Option<Text>,
    /// Its tables. Default: the whole database.
    #[schemars(length(min = 1))]
    pub(in crate::config) tables: Option<Vec<Text>>,
}

/// `retry`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Retry {
    /// How often a backup that ended FAILED is started again. Default: 1.
    #[schemars(range(min = 0, max = 8))]
    pub(in crate::config) after_failed: Option<i64>,
    /// How many calls may come to nothing. Default: any number, until `start_within` is over.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) max_attempts: Option<i64>,
    /// How long before the second call; it doubles from then on. Default: `2s`.
    pub(in crate::config) initial_backoff: Option<Length>,
    /// The longest time between two calls. Default: `10m`.
    pub(in crate::config) max_backoff: Option<Length>,
}

/// `poll`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Poll {
    /// The shortest time between two looks. Default: `15s`.
    pub(in crate::config) initial: Option<Length>,
    /// The longest time between two looks. Default: `5m`.
    pub(in crate::config) max: Option<Length>,
}

/// `freshness`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Freshness {
    /// The age from which a backup is too old; `auto` is the longest gap between slots and both windows. Default: `auto`.
    #[schemars(extend("pattern" = r"^\s*(auto\s*|0|([0-9.]+\s*[a-zA-Zµ]+\s*)+)$"))]
    pub(in crate::config) max_age: Option<Length>,
}

/// One of `blackouts`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Blackout {
    /// The moment at which it begins, with its offset.
    pub(in crate::config) from: Option<Moment>,
    /// The moment at which it ends.
    pub(in crate::config) to: Option<Moment>,
    /// When it begins again and again, as cron fields.
    #[schemars(length(min = 1))]
    pub(in crate::config) schedule: Option<Text>,
    /// How long it lasts each time, such as `10h`.
    pub(in crate::config) lasts: Option<Length>,
    /// The IANA zone of `schedule`. Default: that of the job, or of `defaults`.
    #[schemars(length(min = 1))]
    pub(in crate::config) time_zone: Option<Text>,
    /// Why, in your words; shown wherever it holds something back.
    pub(in crate::config) reason: Option<Text>,
}

macro_rules! top {
    ($($(#[$said:meta])* $key:ident: $shape:ty,)*) => {
        /// The keys at the top. Each is read on its own, so that one at fault hides no other.
        pub(in crate::config) const KEYS: [&str; [$(stringify!($key)),*].len()] = [$(stringify!($key)),*];

        /// A policy of cdb-backupd: which TencentDB for MySQL instances are backed up, how and when.
        #[derive(JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[expect(dead_code, reason = "nothing is read into it as a whole; it is what the schema is made of")]
        pub(in crate::config) struct Top {
            $($(#[$said])* $key: Option<$shape>,)*
        }
    };
}

top! {
    /// The version of this form: 1.
    #[schemars(extend("const" = 1))]
    version: u64,
    /// Where everything is recorded; a relative path begins at the policy's directory. Default: `$CDB_BACKUPD_LEDGER`, else
    /// `$STATE_DIRECTORY/ledger.db`, else `/var/lib/cdb-backupd/ledger.db`.
    #[schemars(length(min = 1))]
    ledger: Text,
    /// A copy of the ledger each night. Default: none.
    ledger_copies: LedgerCopies,
    /// Where the page, /metrics, /healthz and /readyz are: an IP address and a port, or `off`. Default: `$CDB_BACKUPD_LISTEN`, else `127.0.0.1:7306`.
    #[schemars(regex(pattern = r"^(off|.+:[0-9]{1,5})$"))]
    listen: Text,
    /// Where the token is that readers of the page have to know; needed where `listen` is no loopback address.
    listen_token: TokenKeys,
    /// How much of the past is kept.
    history: History,
    /// Keys and endpoints by name: 1 to 32 of a-z, 0-9 and `-`.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9-]{0,31}$" }))]
    accounts: BTreeMap<String, Account>,
    /// What instances share; tags are merged.
    instance_defaults: Instance,
    /// What can be backed up.
    instances: Vec<Instance>,
    /// What jobs share: any key of a job but `name`, `schedule` and `targets`. Maps are merged key by key.
    defaults: Job,
    /// Times in which no slot of any job runs.
    blackouts: Vec<Blackout>,
    /// What is backed up, how and when.
    jobs: Vec<Job>,
}
