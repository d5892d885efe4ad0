//! How a run's state is to be taken at a glance: the same for every reader.

/// All words of a state, the open ones first.
pub const STATES: [&str; 12] =
    ["due", "calling", "uncertain", "running", "succeeded", "failed", "timed_out", "unknown", "expired", "missed", "skipped", "cancelled"];

/// The state of a run that is yet to be sent.
pub const WAITING: &str = "due";
/// The states of a run that was sent and has not ended.
pub const SENT: [&str; 3] = ["calling", "uncertain", "running"];

/// What a state means for whoever looks after backups, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// A good backup exists.
    Good,
    /// It is open.
    Open,
    /// No backup, on purpose.
    OnPurpose,
    /// Nobody knows.
    Unsure,
    /// It ended without a good backup.
    Bad,
}

impl Grade {
    /// Of a word of DESIGN §4.
    pub fn of(state: &str) -> Self {
        match state {
            "succeeded" => Self::Good,
            "failed" | "timed_out" | "expired" | "missed" => Self::Bad,
            "unknown" | "uncertain" => Self::Unsure,
            "skipped" | "cancelled" => Self::OnPurpose,
            _ => Self::Open,
        }
    }
}
