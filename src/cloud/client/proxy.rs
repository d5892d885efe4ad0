//! Which proxy calls to https endpoints go through, as the line at the start says it. The library reads the same variables in the same order;
//! loopback endpoints never go through one.

use crate::cloud::credentials::{Environment, of_process};

/// In the library's order; the first that is set is used.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Hosts that are reached without it.
const BYPASS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxy of this process; absent when there is none.
pub fn proxies_in_use() -> Option<String> {
    proxies_among(&of_process())
}

/// The proxy that these variables name, without its user and password, and the hosts that are reached without it.
pub fn proxies_among(environment: &Environment) -> Option<String> {
    let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, environment(name).filter(|value| !value.is_empty())?)));
    let (name, proxy) = first(&PROXY)?;
    let shown = proxy.rsplit_once('@').map_or(proxy.as_str(), |(_, host)| host);
    let bypass = first(&BYPASS).map(|(name, hosts)| format!(" {name}={hosts}")).unwrap_or_default();
    Some(format!("{name}={shown}{bypass}"))
}
