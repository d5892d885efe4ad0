//! Decisions: pure functions of their arguments. No async, no input or output, no clock.
//!
//! Reading order: the words ([`names`], [`now`], [`policy`]), when a job is due ([`schedule`], [`catch_up`], [`forecast`]), what becomes of one
//! run ([`run`], [`retry`], [`alias`]), who is next ([`plan`], [`pace`]), what people ask for ([`request`], [`pause`], of what: [`scope`]), what
//! another policy changes ([`diff`]), whether a backup is new enough ([`freshness`]), how the daemon
//! stands ([`trouble`], [`standing`]), and how all that is written for people ([`prose`]).

pub mod alias;
pub mod blackout;
pub mod catch_up;
pub mod diff;
pub mod forecast;
pub mod freshness;
pub mod hold;
pub mod names;
pub mod nearest;
pub mod now;
pub mod pace;
pub mod pause;
pub mod plan;
pub mod policy;
pub mod proof;
pub mod prose;
pub mod refound;
pub mod reply;
pub mod request;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod spread;
pub mod standing;
pub mod terms;
pub mod trouble;
