//! Warnings.
use super::{fault::Findings, machine::Machine};
use crate::domain::policy::Policy;
use chrono::{DateTime, Utc};
use std::path::Path;

pub(super) fn all(_policy: &Policy, _ledger: &Path, _machine: &Machine, _now: DateTime<Utc>, _findings: &mut Findings) {}
