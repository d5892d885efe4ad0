//! Ten troubles, each walked through at all the places where a person looks: what `status`, the page, `/readyz` (with `/healthz`), `/metrics` and the
//! log say, within what time, and how it ends without a hand. What is wrong is decided once, in `domain::trouble`; each place asks it. `full` beside this
//! file does the same with a disk that is really full or read-only, and with the real loop hanging for a real minute.
//!
//! | trouble | status, and exit | page | readyz | metrics | log | within | ends |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | loop hangs | not ok, 3: hangs, cannot write, or is gone | the same | 503 `stuck`, healthz 503 | `pulse_age_seconds` > 60 | ERROR `the loop hangs`, by another task | 62 s | its next pass |
//! | disk full | as above, after 61 s | `ledger_not_writable` | 503 | `trouble`, `ledger_writable` 0 | ERROR once, INFO at the end | the next write | tried each second |
//! | ledger read-only | the same | the same, at a door that opens before the ledger | 503 | the same | ERROR `cannot be opened yet` | the start | tried each second |
//! | API dead an hour | not ok, 3: `cloud_silent`, since when | the same | 503, the account | `trouble` | ERROR once, INFO at the end | 2 min of its first call | asked each minute |
//! | key revoked | not ok, 3: `account_held`, which | the same | 503, the account | `trouble`, `account_held` | ERROR once, INFO at the end | 20 s of its first call | asked each 30 s, keys read afresh |
//! | clock 10 min off | not ok, 3: `clock_unproved` | the same | 503 | `trouble`, `clock_proved` 0 | WARN at the step and how far, INFO at the end | 2 s | asked each 10 s |
//! | bad reload | not ok, 3: `policy_refused`, the fault | the same | 200, the fault | `trouble` | ERROR with the fault | 2 s | the next good file |
//! | ledger put back | ok, 0: `ledger_put_back`, until when | the same | 200, until when | `trouble` | WARN until when, INFO at the end | the first pass | its time is over |
//! | two daemons | the first's: ok, 0 | the first's | 200 | the first's | the second's: ERROR, exit 75 | 5 s | the next start after the first's end |
//! | port taken | not ok, 3: no pass has finished, or is gone | nobody's | nobody's | nobody's | ERROR with the address, exit 1 | 5 s, status 61 s | the next start after it is free |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cloud;
mod own;
mod places;
mod process;
mod readme;
mod stage;
