//! Policies that are good: what they mean, and what they are warned of.

use cdb_backupd::{
    config::{Cadence, Loaded, Machine, check_text},
    domain::policy::{CatchUp, Method, TokenSource},
};
use std::time::Duration;

const TODAY: &str = "2026-11-24T02:00:00Z";
pub(super) const HEAD: &str = "version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou, tags: { env: prod } }
instances: [{ id: cdb-c1nl9rpv, name: orders }, { id: cdb-aaaa0001, name: scratch, region: ap-shanghai, tags: { env: test } }]
defaults: { time_zone: Asia/Shanghai }
";

pub(super) fn load(text: &str) -> Loaded {
    load_at(text, TODAY)
}

pub(super) fn load_at(text: &str, today: &str) -> Loaded {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY_FILE", "/x")], &[], "");
    loaded(text, &machine, today)
}

fn load_on(text: &str, machine: &Machine) -> Loaded {
    loaded(text, machine, TODAY)
}

fn loaded(text: &str, machine: &Machine, today: &str) -> Loaded {
    assert_eq!(super::schema::complaints(text), Vec::<String>::new(), "the schema refuses a good policy");
    match check_text("/etc/cdb-backupd/policy.yaml", text, machine, today.parse().expect("a moment")) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{}", error.faults().iter().map(|f| f.draw(false)).collect::<Vec<_>>().join("\n")),
    }
}

pub(super) fn warnings(loaded: &Loaded) -> Vec<&'static str> {
    loaded.warnings.iter().map(|w| w.code).collect()
}

fn job(rest: &str) -> String {
    format!("{HEAD}jobs:\n  - {{ name: nightly, schedule: \"30 2 * * *\", {rest} }}\n")
}

#[test]
fn the_example_holds_every_default() {
    let loaded = load(include_str!("../../config/policy.yaml"));
    let bare = load(&job("targets: { all: true }, method: physical"));
    let (given, left_out) = (&loaded.policy.jobs[1], &bare.policy.jobs[0]);
    assert_eq!(format!("{:?}", given.retry), format!("{:?}", left_out.retry));
    assert_eq!((given.poll, given.overlap, given.priority), (left_out.poll, left_out.overlap, left_out.priority));
    assert_eq!((given.start_within, given.complete_within), (left_out.start_within, left_out.complete_within));
    assert_eq!(
        (given.spread, given.catch_up, given.max_age, given.suspend),
        (left_out.spread, left_out.catch_up, left_out.max_age, left_out.suspend)
    );
    assert_eq!(loaded.policy.accounts[0], bare.policy.accounts[0]);
    assert_eq!(loaded.policy.history, bare.policy.history);
    assert_eq!((loaded.ledger, loaded.listen), (bare.ledger, bare.listen));
}

#[test]
fn a_policy_in_json_is_a_policy() {
    let text = "{\n\t\"version\": 1,\n\t\"accounts\": {\"main\": {\"credentials\": {\"env_prefix\": \"TENCENTCLOUD\"}}},\n\t\"instances\": \
                [{\"id\": \"cdb-c1nl9rpv\", \"account\": \"main\", \"region\": \"ap-guangzhou\", \"name\": \"orders\\/1\"}],\n\t\"jobs\": []\n}\n";
    assert_eq!(load(text).policy.instances[0].name.as_str(), "orders/1");
}

#[test]
fn what_a_program_writes_as_json_is_a_policy() {
    let text = "{\"version\":\t1, \"x-note\": \"\\ud83d\\ude00\", \"accounts\": {\"main\": {}}, \"instances\": \
                [{\"id\": \"cdb-c1nl9rpv\", \"account\": \"main\", \"region\": \"ap-guangzhou\", \"tags\": {\"mood\": \"\\uD83D\\uDE00\"}}]}";
    let loaded = load(text);
    assert_eq!(loaded.policy.instances[0].tags.values().map(ToString::to_string).collect::<Vec<_>>(), ["\u{1f600}"]);
}

#[test]
fn a_comment_decides_nothing() {
    let text = job("targets: { instances: [\n  orders\n] }, method: physical");
    for comment in ["", "# plain\n", "# a & b, R&D, &x\n", "#\ta tab\n", "# &x, and *y\n"] {
        assert_eq!(load(&format!("{text}{comment}")).policy.jobs.len(), 1, "{comment}");
    }
    assert_eq!(load("version:\t1\nx-a: {a:\t1}\n").policy.jobs.len(), 0);
}

#[test]
fn a_sentence_about_secrets_is_no_secret() {
    let text = job("targets: { all: true }, method: physical");
    for comment in [
        "rotate the secret every 90d; the password: ask ops in room 12",
        "TENCENTCLOUD_SECRET_KEY_FILE=/run/secrets/key1",
        "token: sha256 of the file, secret_key: PAY2_SECRET_KEY, password: ${DB_PASSWORD1}",
    ] {
        assert_eq!(load(&format!("{text}# {comment}\n")).policy.jobs.len(), 1, "{comment}");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_fault() {
    load(&format!("\u{feff}{}", job("targets: { all: true }, method: physical")).replace('\n', "\r\n"));
}

#[test]
fn maps_are_merged_key_by_key() {
    let text = job("targets: { all: true }, method: physical, retry: { after_failed: 3 }").replace(
        "defaults: { time_zone: Asia/Shanghai }",
        "defaults: { time_zone: Asia/Shanghai, retry: { max_backoff: 5m, after_failed: 2 }, start_within: 3h }",
    );
    let policy = load(&text).policy;
    assert_eq!((policy.jobs[0].retry.after_failed, policy.jobs[0].retry.max_backoff), (3, Duration::from_secs(300)));
    assert_eq!(policy.jobs[0].catch_up, CatchUp::Latest { within: Duration::from_secs(3 * 3_600) });
}

#[test]
fn defaults_of_one_method_do_not_disturb_another() {
    let text = job("targets: { all: true }, method: snapshot")
        .replace("time_zone: Asia/Shanghai }", "time_zone: Asia/Shanghai, encrypted: true, tables: [{ db: shop }] }");
    assert_eq!(load(&text).policy.jobs[0].method, Method::Snapshot);
    let text = text.replace("method: snapshot", "method: physical");
    assert_eq!(load(&text).policy.jobs[0].method, Method::Physical { encrypted: Some(true) });
}

#[test]
fn targets_are_resolved_in_the_order_of_the_file() {
    let names = |targets: &str| {
        let policy = load(&job(&format!("targets: {targets}, method: physical, may_be_empty: true"))).policy;
        policy.jobs[0].instances.iter().map(|i| i.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("{ instances: [scratch, cdb-c1nl9rpv] }"), ["orders", "scratch"]);
    assert_eq!(names("{ all: true, except: [orders] }"), ["scratch"]);
    assert_eq!(names("{ tags: { env: prod } }"), ["orders"]);
    assert_eq!(names("{ tags: { env: [prod, test] }, regions: [ap-shanghai] }"), ["scratch"]);
    assert_eq!(names("{ tags: { env: [prod], tier: gold } }"), [""; 0]);
    assert_eq!(names("{ all: true, accounts: [main] }"), ["orders", "scratch"]);
}

#[test]
fn a_short_absence_window_is_for_loopback() {
    let text = "version: 1\naccounts: { main: { endpoint: \"http://127.0.0.1:80\", absence_window: 1s } }\n";
    assert_eq!(load(text).policy.accounts[0].absence_window, Duration::from_secs(1));
}

#[test]
fn the_machine_says_what_the_file_does_not() {
    let machine = |variables: &[(&str, &str)]| Machine::pictured(variables, &[], "");
    let text = "version: 1\n";
    assert_eq!(load_on(text, &machine(&[])).ledger.to_str(), Some("/var/lib/cdb-backupd/ledger.db"));
    assert_eq!(load_on(text, &machine(&[("STATE_DIRECTORY", "/s")])).ledger.to_str(), Some("/s/ledger.db"));
    let both = machine(&[("STATE_DIRECTORY", "/s"), ("CDB_BACKUPD_LEDGER", "/l.db"), ("CDB_BACKUPD_LISTEN", "127.0.0.1:1")]);
    assert_eq!(load_on(text, &both).ledger.to_str(), Some("/l.db"));
    assert_eq!(load_on(text, &both).listen.map(|a| a.port()), Some(1));
    assert_eq!(load_on("version: 1\nledger: sub/l.db\nlisten: off\n", &both).ledger.to_str(), Some("/etc/cdb-backupd/sub/l.db"));
    assert_eq!(load_on("version: 1\nlisten: off\n", &both).listen, None);
    let wrong = check_text("p", text, &machine(&[("CDB_BACKUPD_LISTEN", "here")]), "2026-11-24T02:00:00Z".parse().expect("a moment"));
    assert_eq!(wrong.expect_err("no address").faults()[0].code, "bad-listen");
    let open = check_text("p", text, &machine(&[("CDB_BACKUPD_LISTEN", "10.0.0.1:7306")]), "2026-11-24T02:00:00Z".parse().expect("a moment"));
    assert_eq!(open.expect_err("no token").faults()[0].code, "listen-without-token");
}

#[test]
fn a_token_lets_the_page_be_read_from_elsewhere_and_lies_beside_the_policy_or_where_systemd_puts_credentials() {
    let machine = |variables: &[(&str, &str)]| Machine::pictured(variables, &[], "");
    let text = "version: 1\nlisten: 0.0.0.0:7306\nlisten_token: { file: token }\n";
    let file = |path: &str| Some(TokenSource::File { path: path.into() });
    assert_eq!(load_on(text, &machine(&[])).policy.listen_token, file("/etc/cdb-backupd/token"));
    assert_eq!(load_on(text, &machine(&[("CREDENTIALS_DIRECTORY", "/run/c")])).policy.listen_token, file("/run/c/token"));
    let text = "version: 1\nlisten_token: { env: PAGE_TOKEN }\n";
    let open = load_on(text, &machine(&[("CDB_BACKUPD_LISTEN", "[::]:7306")]));
    assert_eq!(open.policy.listen_token, Some(TokenSource::Env { name: "PAGE_TOKEN".into() }));
    for listen in ["127.0.0.1:7306", "127.8.8.8:1", "\"[::1]:7306\"", "\"[::ffff:127.0.0.1]:7306\""] {
        assert_eq!(load(&format!("version: 1\nlisten: {listen}\n")).policy.listen_token, None, "{listen}");
    }
}

#[test]
fn a_clean_policy_has_no_warning() {
    let loaded = load(&job("targets: { all: true }, method: physical"));
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!(loaded.text_hash.len(), 64);
}

#[test]
fn a_policy_without_jobs_is_warned_of() {
    assert_eq!(warnings(&load("version: 1\n")), ["no-job"]);
}

#[test]
fn an_instance_that_no_job_matches_is_warned_of() {
    let loaded = load(&job("targets: { instances: [orders] }, method: physical"));
    assert_eq!(warnings(&loaded), ["idle-instance"]);
    assert!(loaded.warnings[0].message.contains("`scratch`"));
}

#[test]
fn absent_credentials_are_warned_of() {
    let text = job("targets: { all: true }, method: physical");
    let loaded = load_on(&text, &Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x")], &[], ""));
    assert_eq!(warnings(&loaded), ["absent-credentials"]);
    assert!(loaded.warnings[0].message.ends_with("TENCENTCLOUD_SECRET_KEY is not set"));
    let text = text.replace("credentials: env", "credentials: { file: pay.ini }");
    let beside = Machine::pictured(&[], &["/etc/cdb-backupd/pay.ini"], "");
    assert_eq!(warnings(&load_on(&text, &beside)), [""; 0]);
    let given = Machine::pictured(&[("CREDENTIALS_DIRECTORY", "/run/c")], &["/etc/cdb-backupd/pay.ini"], "");
    assert_eq!(warnings(&load_on(&text, &given)), ["absent-credentials"]);
}

#[test]
fn a_ledger_on_an_unfit_file_system_is_warned_of() {
    let mounts =
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /var/lib rw,nosuid shared:3 - nfs4 host:/x rw\n31 22 0:41 / /tmp rw - tmpfs tmpfs rw\n";
    let on = |ledger: &str| {
        let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], mounts);
        warnings(&load_on(&format!("{}ledger: {ledger}\n", job("targets: { all: true }, method: physical")), &machine))
    };
    assert_eq!(on("/var/lib/cdb-backupd/ledger.db"), ["ledger-file-system"]);
    assert_eq!(on("/tmp/ledger.db"), ["ledger-file-system"]);
    assert_eq!(on("/var/library/ledger.db"), [""; 0]);
}

fn scheduled(schedule: &str, zone: &str, rest: &str) -> Loaded {
    let text = job(&format!("targets: {{ all: true }}, method: physical, time_zone: {zone}{rest}"));
    load(&text.replace("30 2 * * *", schedule))
}

#[test]
fn six_fields_that_fire_every_hour_are_warned_of() {
    let loaded = scheduled("0 2 * * * *", "UTC", ", start_within: 10m");
    assert_eq!(warnings(&loaded), ["every-hour", "piling-backups"]);
    let drawn = loaded.warnings[0].draw(false);
    assert!(drawn.contains("fires every hour at :02") && drawn.contains("for 02:00 daily write `0 2 * * *`"), "{drawn}");
    assert_eq!(warnings(&scheduled("0 0 2 * * *", "UTC", "")), [""; 0]);
}

#[test]
fn a_day_of_the_month_with_a_day_of_the_week_is_warned_of() {
    let loaded = scheduled("0 2 1-7 * SUN", "UTC", "");
    assert_eq!(warnings(&loaded), ["either-day"]);
    assert!(loaded.warnings[0].hint.as_deref().is_some_and(|h| h.contains("SUN#1")));
    for good in ["0 2 * * SUN#1", "0 2 L * *", "0 0 2 1 * *", "@daily"] {
        assert_eq!(warnings(&scheduled(good, "UTC", "")), [""; 0], "{good}");
    }
}

#[test]
fn slots_on_a_night_with_a_clock_change_are_warned_of_with_the_date() {
    let loaded = scheduled("30 2 * * *", "Europe/Berlin", "");
    assert_eq!(warnings(&loaded), ["changed-night"]);
    let moved = "on 2027-03-28 the clock of Europe/Berlin is put forward to 03:00:00 +02:00: the slot in the skipped time comes at that moment";
    assert_eq!(loaded.warnings[0].message, moved);
    let loaded = scheduled("0,30 2 * * SUN", "Europe/Berlin", ", start_within: 10m");
    assert!(loaded.warnings[0].message.ends_with(": 2 slots, up to that moment, become one"), "{}", loaded.warnings[0].message);
    let loaded = scheduled("30 */12 * * *", "Europe/Berlin", "");
    assert_eq!(warnings(&loaded), [""; 0]);
    let loaded = scheduled("30 */2 * * SUN", "Europe/Berlin", ", start_within: 10m");
    assert!(loaded.warnings[0].message.contains("the slot in the skipped time falls away; on 2027-10-31"), "{}", loaded.warnings[0].message);
    let loaded = scheduled("*/30 */2 * * *", "Europe/Berlin", ", start_within: 10m");
    let both = "on 2027-03-28 the clock of Europe/Berlin is put forward to 03:00:00 +02:00: the 2 slots in the skipped time fall away; \
                on 2027-10-31 the clock of Europe/Berlin is put back to 02:00:00 +01:00: the 2 slots in the repeated time come twice";
    assert_eq!(loaded.warnings[0].message, both);
    for hourly in ["30 * * * *", "30 */1 * * *"] {
        assert_eq!(warnings(&scheduled(hourly, "Europe/Berlin", ", start_within: 10m")), ["piling-backups"], "{hourly}");
    }
    for (text, zone) in [("30 4 * * *", "Europe/Berlin"), ("30 2 * * *", "Asia/Shanghai"), ("30 2 1 6 *", "Europe/Berlin")] {
        assert_eq!(warnings(&scheduled(text, zone, "")), [""; 0], "{text} {zone}");
    }
}

#[test]
fn a_start_window_longer_than_the_cadence_is_warned_of() {
    let loaded = scheduled("0 2,3 * * SUN", "UTC", "");
    assert_eq!(warnings(&loaded), ["wide-start-window"]);
    assert!(loaded.warnings[0].message.contains("up to 2h late, and the next slot comes after 1h"), "{}", loaded.warnings[0].message);
    assert_eq!(warnings(&scheduled("0 2,3 * * SUN", "UTC", ", start_within: 1h")), [""; 0]);
}

#[test]
fn a_job_that_leaves_many_backups_is_warned_of_with_their_number() {
    let loaded = scheduled("15 * * * *", "UTC", ", start_within: 30m");
    assert_eq!(warnings(&loaded), ["piling-backups"]);
    assert!(loaded.warnings[0].message.contains("about 17520 manual backups a year"), "{}", loaded.warnings[0].message);
    assert_eq!(warnings(&scheduled("15 * * * *", "UTC", ", start_within: 30m, suspend: true")), [""; 0]);
}

#[test]
fn a_region_that_is_not_known_is_warned_of_with_the_nearest() {
    let text = job("targets: { all: true }, method: physical").replace("region: ap-guangzhou,", "region: ap-guangzhuo,");
    let loaded = load(&text);
    assert_eq!(warnings(&loaded), ["unknown-region"]);
    assert!(loaded.warnings[0].draw(false).contains("did you mean `ap-guangzhou`?"));
    let loaded = load(&job("targets: { all: true }, method: physical").replace("region: ap-guangzhou,", "region: me-riyadh,"));
    assert_eq!(warnings(&loaded), ["unknown-region"]);
    let own = "region: ap-new, name: orders }, { id: cdb-aaaa0001, name: scratch, region: ap-new, tags";
    let text =
        job("targets: { all: true }, method: physical").replace("name: orders }, { id: cdb-aaaa0001, name: scratch, region: ap-shanghai, tags", own);
    assert_eq!(warnings(&load(&text)), ["unknown-region"]);
}

#[test]
fn every_region_of_the_simulated_cloud_is_known() {
    for region in cdb_backupd::sim::REGIONS {
        let text = job("targets: { all: true }, method: physical").replace("region: ap-guangzhou,", &format!("region: {region},"));
        assert_eq!(warnings(&load(&text)), [""; 0], "{region}");
    }
}

#[test]
fn a_step_that_is_longer_than_its_field_is_warned_of() {
    let loaded = scheduled("*/90 2 * * *", "UTC", "");
    assert_eq!(warnings(&loaded), ["long-step"]);
    assert!(loaded.warnings[0].draw(false).contains("the minute is 0 alone"), "{}", loaded.warnings[0].draw(false));
    assert_eq!(warnings(&scheduled("*/30 2 * * SUN", "UTC", ", start_within: 10m")), [""; 0]);
}

#[test]
fn six_fields_are_warned_of_with_how_often_they_fire() {
    for (schedule, label, hint) in [
        ("0 */5 * * * *", "fires every 5 minutes", "for every 5 hours write `0 */5 * * *`; for every 5 minutes five fields do: `*/5 * * * *`"),
        ("0 30 * * * MON", "fires every hour at :30", "for 02:30 on its days write `30 2 * * MON`"),
        ("0 2 * * * MON", "fires every hour at :02", "for 02:00 on its days write `0 2 * * MON`"),
    ] {
        let loaded = scheduled(schedule, "UTC", ", start_within: 1m");
        let warning = loaded.warnings.iter().find(|w| w.code == "every-hour").expect("it is warned of");
        assert!(warning.draw(false).contains(label), "{}", warning.draw(false));
        assert_eq!(warning.hint.as_deref(), Some(hint));
    }
}

#[test]
fn lengths_are_written_as_in_a_policy() {
    let loaded = scheduled("0 2 * * *", "UTC", ", start_within: 30d");
    assert_eq!(loaded.warnings[0].message, "a run may start up to 30d late, and the next slot comes after 1d");
    assert_eq!(loaded.warnings[0].hint.as_deref(), Some("write `start_within: 1d` or less in this job"));
    assert!(loaded.warnings[0].draw(false).contains("longer than the time between two slots"));
}

#[test]
fn slots_in_a_blackout_are_no_calls() {
    let hourly = job("targets: { all: true }, method: physical, start_within: 10m").replace("30 2 * * *", "30 * * * *");
    let dark = "blackouts: [{ schedule: \"0 2 * * *\", lasts: 23h }, { schedule: \"0 3 * * *\", lasts: 2h }]\n";
    let a_year = |text: &str| {
        let policy = load(text).policy;
        Cadence::of(&policy.jobs[0], &policy.blackouts, "2026-11-24T02:00:00Z".parse().expect("a moment")).a_year
    };
    assert_eq!((a_year(&hourly), a_year(&format!("{hourly}{dark}"))), (8_760.0, 365.0));
}

#[test]
fn the_example_is_clean() {
    assert_eq!(warnings(&load(include_str!("../../config/policy.yaml"))), [""; 0]);
}
