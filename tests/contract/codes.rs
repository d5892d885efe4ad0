//! Every code of the vendor's papers has the class that this list, written by hand from them, says.

use cdb_backupd::cloud::{
    Class::{self, Account, Ambiguous, Busy, Refused, Rejected, Throttled},
    codes::{CODES, classify},
};

const BY_HAND: &[(Class, &str)] = &[
    (Account, "AuthFailure AuthFailure.InvalidAuthorization AuthFailure.InvalidSecretId AuthFailure.MFAFailure AuthFailure.SecretIdNotFound"),
    (Account, "AuthFailure.SignatureExpire AuthFailure.SignatureFailure AuthFailure.TokenFailure IpInBlacklist IpNotInWhitelist"),
    (Rejected, "AuthFailure.UnauthorizedOperation AuthFailure.SubAccountDenied OperationDenied.SubAccountOperationDenied UnauthorizedOperation"),
    (Throttled, "RequestLimitExceeded RequestLimitExceeded.UinLimitExceeded RequestLimitExceeded.IPLimitExceeded"),
    (Throttled, "RequestLimitExceeded.GlobalRegionUinLimitExceeded"),
    (Refused, "ResourceInsufficient"),
    (Busy, "FailedOperation.StatusConflict FailedOperation.TaskConflictError OperationDenied.ActionInProcess ResourceInUse ResourceUnavailable"),
    (Busy, "FailedOperation.CdbInstanceLockFailError FailedOperation.InstanceTaskConflictError FailedOperation.OperationInConflictError"),
    (Busy, "OperationDenied.FlowConflict OperationDenied.InstanceLockerConflict OperationDenied.InstanceStatusError OperationDenied.WrongStatus"),
    (Busy, "OperationDenied.InstanceTaskStatusError OperationDenied.InstanceTaskRunning"),
    (Ambiguous, "CdbError FailedOperation InternalError.CdbError InternalError.DatabaseAccessError InternalError.DesError InternalError.HttpError"),
    (Ambiguous, "InternalError.NetworkError InternalError.OssError InternalError.UndefinedError InternalError.UnknownError InternalError"),
    (Ambiguous, "FailedOperation.SubmitAsyncTaskError FailedOperation.TimeoutError InternalError.TaskError InternalError.TaskFrameError"),
    (Ambiguous, "CdbError.BackupError CdbError.TaskError ServiceUnavailable ResponseSizeLimitExceeded"),
    (Rejected, "InvalidParameter InvalidParameter.InstanceNotFound InvalidParameterValue InvalidParameterValue.DataConvertError OverQuota"),
    (Rejected, "OperationDenied OperationDenied.ActionNotSupport OperationDenied.UserHasNoStrategy OperationDenied.NotSupportBasic LimitExceeded"),
    (Rejected, "OperationDenied.InstTypeNotSupport OperationDenied.OverQuota UnsupportedOperation ResourceNotFound InvalidAction NoSuchVersion"),
    (Rejected, "ResourceNotFound.CdbInstanceNotFoundError InvalidParameter.ControllerNotFoundError NoSuchProduct InvalidRequest ActionOffline"),
    (Rejected, "UnsupportedProtocol UnsupportedRegion MissingParameter UnknownParameter RequestSizeLimitExceeded DryRunOperation"),
];

/// Codes that no table has, by their first part.
const UNKNOWN: &[(Class, &str)] = &[
    (Ambiguous, "InternalError.NewCode CdbError.NewCode FailedOperation.NewCode ServiceUnavailable.NewCode"),
    (Throttled, "RequestLimitExceeded.NewCode"),
    (Account, "AuthFailure.NewCode"),
    (Busy, "OperationDenied.NewCode ResourceInUse.NewCode ResourceUnavailable.NewCode"),
    (Rejected, "InvalidParameter.NewCode InvalidParameterValue.NewCode UnsupportedOperation.NewCode Brand.New InternalErrors"),
];

fn listed(list: &[(Class, &'static str)]) -> Vec<(Class, &'static str)> {
    list.iter().flat_map(|(class, codes)| codes.split_whitespace().map(|code| (*class, code))).collect()
}

#[test]
fn every_known_code_has_the_class_of_the_papers() {
    for (class, code) in listed(BY_HAND) {
        assert_eq!(classify(code), class, "{code}");
    }
}

#[test]
fn the_table_and_the_list_by_hand_name_the_same_codes() {
    let mut table: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    let mut by_hand: Vec<&str> = listed(BY_HAND).into_iter().map(|(_, code)| code).collect();
    table.sort_unstable();
    by_hand.sort_unstable();
    assert_eq!(table, by_hand);
}

#[test]
fn a_code_that_nobody_knows_is_classed_by_its_first_part() {
    for (class, code) in listed(UNKNOWN) {
        assert_eq!(classify(code), class, "{code}");
    }
}

#[test]
fn every_code_of_the_vendors_page_stands_in_the_table() {
    let page = include_str!("../vectors/CreateBackup.txt");
    let (_, table) = page.split_once("Error Code Description").unwrap();
    let codes = table.lines().map(str::trim).take_while(|line| *line != "Contact Us").filter_map(|line| line.split_whitespace().next());
    let codes: Vec<&str> = codes.collect();
    assert_eq!(codes.len(), 18, "{codes:?}");
    for code in codes {
        assert!(CODES.iter().any(|(known, _)| *known == code), "{code}");
    }
}
