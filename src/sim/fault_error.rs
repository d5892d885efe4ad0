//! Why a text names no faults, or names some that could not strike as it says.

/// What is wrong with a text of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name: choose from the list of names.
    #[error("there is no fault `{0}`; `--faults help` lists them")]
    Name(String),
    /// The argument is not a duration or a span: write `25s` or `10m..20m`.
    #[error("`{0}` is not what this fault takes; write a duration such as `25s`, or a span such as `10m..20m`")]
    Argument(String),
    /// The fault takes no argument: leave `=…` away.
    #[error("`{0}` takes no argument")]
    NoArgument(&'static str),
    /// Not a probability: write a number from 0 to 1.
    #[error("`{0}` is no probability; write a number from 0 to 1")]
    Probability(String),
    /// A probability where chance decides nothing: leave it away.
    #[error("`{fault}` takes no probability; it strikes {when}")]
    NoProbability {
        /// The fault, as it was written.
        fault: String,
        /// What decides instead.
        when: &'static str,
    },
    /// A scripted fault that cannot befall such a call: name another.
    #[error("`{0}` cannot befall a {1}; `--faults help` says what it does")]
    Call(&'static str, &'static str),
    /// A scripted fault that has a time of its own: name it without a call.
    #[error("`{0}` strikes every call in its time; write it without a call")]
    Timed(&'static str),
    /// A scripted fault in another form.
    #[error("`{0}` is no script; write `create#2@cdb-aaaa0001:lost_after_act+lists_late=90s`, where `@…` may be left away")]
    Script(String),
    /// A scripted fault for an instance that is not there: name one that is.
    #[error("there is no instance `{0}` for a fault to befall")]
    Stranger(String),
    /// Two scripted faults of which only one can happen to a call: give them to two calls.
    #[error("`{0}` and `{1}` cannot both happen to one call; give them to different calls")]
    Together(String, String),
    /// Faults of which a call suffers at most one, with chances beyond certainty: lower them.
    #[error("a {call} suffers at most one of {faults}, and their probabilities add up to more than 1; write each with one, such as `{example}:0.3`")]
    TooLikely {
        /// `CreateBackup` or `DescribeBackups`.
        call: &'static str,
        /// Their texts, with commas.
        faults: String,
        /// One of them.
        example: String,
    },
    /// A fault that others, which are certain, never leave room for: make those less likely.
    #[error("`{fault}` could never strike, as {others} always would, and no call suffers both; give that a probability below 1")]
    Never {
        /// The one without a chance.
        fault: String,
        /// Those that are in its way.
        others: String,
    },
}
