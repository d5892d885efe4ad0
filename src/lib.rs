//! Scheduled backups for TencentDB for MySQL: every slot of every schedule is covered by exactly one final row, and never by two backups that did
//! not fail, whatever crashed, timed out or was refused in between.
//!
//! ```text
//!           policy.yaml                               SQLite ledger
//!                │                                         ▲ │
//!                ▼                                  record │ │ view(now)
//!            config ──► Policy ──────────┐                 │ ▼
//!                                        ▼          ┌──────┴────────┐   begin (intent durable)
//!   tokio-cron-scheduler ──ring──►   domain::plan ──►  daemon loop  ├──► cloud::client ──► cdb API
//!    (alarm)                             ▲          └──────┬────────┘      one call = one attempt
//!                                 governor (pace)          │ outcome
//!                                                          ▼
//!                              serve, history, show: readers of the ledger
//! ```
//!
//! # Words
//!
//! * **job**: targets, a method and a schedule. **slot**: one scheduled time of a job, before any spread.
//! * **run**: one job × one instance × one slot (or one request by hand): a row that ends in exactly one outcome.
//! * **attempt**: one API call made for a run. **generation**: which backup of a run this is; a task that ended FAILED may be followed by another.
//! * **alias**: the name by which a run's backup is found again. **look**: one complete reading of an instance's list, in search of an alias.
//! * **pass**: one turn of the loop. **hold**: why a due run may not start yet.
//!
//! # What always holds
//!
//! * The intent is durable before the first byte is sent, and the timestamp that is signed is part of it ([`ledger::Ledger::begin`]).
//! * Nothing is sent again without proof of absence ([`domain::run::seen`]); no row is closed while an attempt is unresolved ([`domain::run::due`]).
//! * Waiting is data: each retry, poll and look is a row with a due time. A call in flight is a row leased past its deadline, so a lost reply, a
//!   crash and an ordinary turn are the same path; there is no recovery code.
//! * The core has no clock, no input or output and no async. `now` is an argument; [`clock`] is the one file that reads one.
//!
//! # Reading order
//!
//! [`domain`] decides, [`ledger`] records, [`cloud`] calls, [`daemon`] turns; [`serve`] shows it over HTTP; [`config`] reads the policy, [`cli`]
//! puts concrete things together; [`alarm`], [`clock`], [`metrics`], [`systemd`] and [`telemetry`] touch the machine; [`sim`] is a model of the
//! cloud, for tests and the demo.

pub mod domain;

pub mod cloud;
pub mod ledger;

pub mod clock;
pub mod daemon;
pub mod metrics;
pub mod serve;

pub mod alarm;
pub mod config;
pub mod systemd;
pub mod telemetry;

pub mod cli;
pub mod sim;
