//! What this machine says of time and processes.

use anyhow::Context;
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};
use std::{fs, time::Duration};

/// CPU time of the calling thread, to the nanosecond.
pub(crate) fn thread_cpu() -> Duration {
    reading(ClockId::ThreadCPUTime)
}

/// Time that really went by, also where the program's own is simulated.
pub(crate) fn wall() -> Duration {
    reading(ClockId::Monotonic)
}

fn reading(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// CPU time of the calling thread that `work` takes.
pub(crate) fn cpu_of<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = thread_cpu();
    let result = work();
    (thread_cpu() - before, result)
}

/// CPU time of a process with all its threads, those that have ended among them; in ticks of the kernel, mostly of 10 ms.
pub(crate) fn process_cpu(pid: u32) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may have blanks; after it come the state as the third field, `utime` as the 14th and `stime`.
    let (_, fields) = text.rsplit_once(") ").context("no process name")?;
    let ticks: Vec<u64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_secs(1).mul_f64(ticks.iter().sum::<u64>() as f64 / clock_ticks_per_second() as f64))
}

/// Resident memory of a process, in bytes.
pub(crate) fn process_rss(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}

/// The value that so many of a hundred do not exceed.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut values = values.to_vec();
    values.sort();
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or_default()
}

pub(crate) fn median(values: &[Duration]) -> Duration {
    percentile(values, 50)
}

pub(crate) fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

pub(crate) fn us(d: Duration) -> f64 {
    d.as_secs_f64() * 1e6
}
