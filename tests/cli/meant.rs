//! A word that is nearly one that is known is answered with the one that was probably meant.

use std::process::Command;

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.yaml");
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.args(args).env_clear().env("CDB_BACKUPD_CONFIG", example).current_dir(dir.path());
    let output = command.output().expect("the binary starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn commands_options_and_their_values_are_recognised_behind_a_slip() {
    for (args, meant) in [
        (&["statsu"][..], "'status'"),
        (&["ledger", "rebuidl"], "'rebuild'"),
        (&["history", "--isntance", "orders"], "'--instance'"),
        (&["status", "-o", "jsno"], "'json'"),
        (&["history", "--state", "mised"], "'missed'"),
        (&["backup", "--instance", "orders", "--method", "fysical"], "'physical'"),
        (&["completions", "bsah"], "'bash'"),
        (&["next", "--tz", "Asia/Shangai"], "`Asia/Shanghai`"),
    ] {
        let (code, told) = refused(args);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(meant), "{args:?}: {told}");
    }
}

#[test]
fn names_of_the_policy_are_recognised_behind_a_slip() {
    let ledger = ["--ledger", "ledger.db", "--dry-run"];
    for (args, code, told) in [
        (&["next", "nightly-ful"][..], 2, "there is no job `nightly-ful`; did you mean `nightly-full`?"),
        (&["next", "nothing"], 2, "there is no job `nothing`; the policy has: nightly-full, month-end, orders-nightly"),
        (&["check", "--effective", "month_end"], 2, "there is no job `month_end`; did you mean `month-end`?"),
        (&["backup", "--job", "nightly-fulll"], 1, "the policy in force knows no job nightly-fulll; did you mean `nightly-full`?"),
        (&["backup", "--job", "month-end", "--instance", "order"], 1, "the policy in force knows no instance order; did you mean `orders`?"),
        (&["backup", "--job", "month-end", "--account", "mian"], 1, "the policy in force knows no account mian; did you mean `main`?"),
        (&["pause", "--instance", "cdb-aaaa0002", "--until", "2h", "--reason", "x"], 1, "did you mean `cdb-aaaa0001`?"),
        (&["backfill", "--job", "month-ned", "--since", "3d"], 1, "knows no job month-ned; did you mean `month-end`?"),
        (&["backup", "--job", "elsewhere"], 1, "the policy in force knows no job elsewhere\n"),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(ledger.into_iter().filter(|_| code == 1)).collect();
        let (ended, said) = refused(&args);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
}
