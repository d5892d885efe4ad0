//! Regions that are known. No list of them is complete, so another one is worth a word and is no fault.

use crate::domain::nearest::nearest;

/// `cdb-api` README §6.3: access hosts, older constants of the SDKs, and what other products of the cloud list for MySQL.
const KNOWN: [&str; 27] = [
    "ap-bangkok",
    "ap-beijing",
    "ap-beijing-fsi",
    "ap-chengdu",
    "ap-chongqing",
    "ap-guangzhou",
    "ap-hangzhou-ec",
    "ap-hongkong",
    "ap-jakarta",
    "ap-mumbai",
    "ap-nanjing",
    "ap-qingyuan",
    "ap-seoul",
    "ap-shanghai",
    "ap-shanghai-fsi",
    "ap-shenzhen",
    "ap-shenzhen-fsi",
    "ap-singapore",
    "ap-taipei",
    "ap-tianjin",
    "ap-tokyo",
    "eu-frankfurt",
    "eu-moscow",
    "na-ashburn",
    "na-siliconvalley",
    "na-toronto",
    "sa-saopaulo",
];

/// Whether the region is known.
pub(super) fn is_known(region: &str) -> bool {
    KNOWN.contains(&region)
}

/// The known region that was probably meant: by a slip, or by its city alone.
pub(super) fn meant(written: &str) -> Option<&'static str> {
    let lower = written.to_ascii_lowercase();
    let of_city = KNOWN.into_iter().find(|region| region.split_once('-').is_some_and(|(_, city)| city == lower));
    of_city.or_else(|| nearest(&lower, KNOWN))
}
