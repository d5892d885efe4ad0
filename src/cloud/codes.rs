//! What a code of the cloud means: the one table, code to class, and the prefixes for codes that it lacks.
//!
//! The facts are `cdb-api` README §2.3, the classes DESIGN §6; `tests/contract/codes.rs` holds each row against a list written by hand.

use super::Class::{self, Account, Ambiguous, Busy, Refused, Rejected, Throttled};

/// Every code whose class is known.
pub const CODES: &[(&str, Class)] = &[
    // Keys and addresses: the account is held.
    ("AuthFailure", Account),
    ("AuthFailure.InvalidAuthorization", Account),
    ("AuthFailure.InvalidSecretId", Account),
    ("AuthFailure.MFAFailure", Account),
    ("AuthFailure.SecretIdNotFound", Account),
    ("AuthFailure.SignatureExpire", Account),
    ("AuthFailure.SignatureFailure", Account),
    ("AuthFailure.TokenFailure", Account),
    ("IpInBlacklist", Account),
    ("IpNotInWhitelist", Account),
    // Rights: nobody but a person can mend them.
    ("AuthFailure.SubAccountDenied", Rejected),
    ("AuthFailure.UnauthorizedOperation", Rejected),
    ("OperationDenied.SubAccountOperationDenied", Rejected),
    ("OperationDenied.UserHasNoStrategy", Rejected),
    ("UnauthorizedOperation", Rejected),
    // The rate: intercepted before anything was started.
    ("RequestLimitExceeded", Throttled),
    ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", Throttled),
    ("RequestLimitExceeded.IPLimitExceeded", Throttled),
    ("RequestLimitExceeded.UinLimitExceeded", Throttled),
    ("ResourceInsufficient", Refused),
    // Something else is in progress; it may be our own.
    ("FailedOperation.CdbInstanceLockFailError", Busy),
    ("FailedOperation.InstanceTaskConflictError", Busy),
    ("FailedOperation.OperationInConflictError", Busy),
    ("FailedOperation.StatusConflict", Busy),
    ("FailedOperation.TaskConflictError", Busy),
    ("OperationDenied.ActionInProcess", Busy),
    ("OperationDenied.FlowConflict", Busy),
    ("OperationDenied.InstanceLockerConflict", Busy),
    ("OperationDenied.InstanceStatusError", Busy),
    ("OperationDenied.InstanceTaskRunning", Busy),
    ("OperationDenied.InstanceTaskStatusError", Busy),
    ("OperationDenied.WrongStatus", Busy),
    ("ResourceInUse", Busy),
    ("ResourceUnavailable", Busy),
    // It may have been started.
    ("CdbError", Ambiguous),
    ("CdbError.BackupError", Ambiguous),
    ("CdbError.TaskError", Ambiguous),
    ("FailedOperation", Ambiguous),
    ("FailedOperation.SubmitAsyncTaskError", Ambiguous),
    ("FailedOperation.TimeoutError", Ambiguous),
    ("InternalError", Ambiguous),
    ("InternalError.CdbError", Ambiguous),
    ("InternalError.DatabaseAccessError", Ambiguous),
    ("InternalError.DesError", Ambiguous),
    ("InternalError.HttpError", Ambiguous),
    ("InternalError.NetworkError", Ambiguous),
    ("InternalError.OssError", Ambiguous),
    ("InternalError.TaskError", Ambiguous),
    ("InternalError.TaskFrameError", Ambiguous),
    ("InternalError.UndefinedError", Ambiguous),
    ("InternalError.UnknownError", Ambiguous),
    ("ResponseSizeLimitExceeded", Ambiguous),
    ("ServiceUnavailable", Ambiguous),
    // Never accepted as it is.
    ("ActionOffline", Rejected),
    ("DryRunOperation", Rejected),
    ("InvalidAction", Rejected),
    ("InvalidParameter", Rejected),
    ("InvalidParameter.ControllerNotFoundError", Rejected),
    ("InvalidParameter.InstanceNotFound", Rejected),
    ("InvalidParameterValue", Rejected),
    ("InvalidParameterValue.DataConvertError", Rejected),
    ("InvalidRequest", Rejected),
    ("LimitExceeded", Rejected),
    ("MissingParameter", Rejected),
    ("NoSuchProduct", Rejected),
    ("NoSuchVersion", Rejected),
    ("OperationDenied", Rejected),
    ("OperationDenied.ActionNotSupport", Rejected),
    ("OperationDenied.InstTypeNotSupport", Rejected),
    ("OperationDenied.NotSupportBasic", Rejected),
    ("OperationDenied.OverQuota", Rejected),
    ("OverQuota", Rejected),
    ("RequestSizeLimitExceeded", Rejected),
    ("ResourceNotFound", Rejected),
    ("ResourceNotFound.CdbInstanceNotFoundError", Rejected),
    ("UnknownParameter", Rejected),
    ("UnsupportedOperation", Rejected),
    ("UnsupportedProtocol", Rejected),
    ("UnsupportedRegion", Rejected),
];

/// For codes that the table lacks: what their first part says.
pub const PREFIXES: &[(&str, Class)] = &[
    ("AuthFailure", Account),
    ("CdbError", Ambiguous),
    ("FailedOperation", Ambiguous),
    ("InternalError", Ambiguous),
    ("OperationDenied", Busy),
    ("RequestLimitExceeded", Throttled),
    ("ResourceInUse", Busy),
    ("ResourceUnavailable", Busy),
    ("ServiceUnavailable", Ambiguous),
];

/// The class of a code: its own row, else its first part's, else rejected.
pub fn classify(code: &str) -> Class {
    let row = |table: &[(&str, Class)], name: &str| table.iter().find(|(known, _)| *known == name).map(|(_, class)| *class);
    let first = code.split('.').next().unwrap_or_default();
    row(CODES, code).or_else(|| row(PREFIXES, first)).unwrap_or(Rejected)
}
