//! The measurements that an operator watches, as Prometheus reads them. A pure function over numbers: every label comes
//! from a closed list, so that the number of series is bounded whatever happens.

use prometheus::{Encoder as _, IntGaugeVec, Opts, Registry, TextEncoder};

/// The numbers of one moment, as the stores count them: `(label, count)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Mentions that nobody has judged.
    pub mentions_waiting: i64,
    /// Open cases.
    pub cases_open: i64,
    /// Open cases whose promise is broken.
    pub cases_late: i64,
    /// Sources by health.
    pub sources: Vec<(String, i64)>,
    /// Messages by state.
    pub messages: Vec<(String, i64)>,
    /// Jobs by status.
    pub jobs: Vec<(String, i64)>,
    /// What the machine says of this process; nothing where it does not say.
    pub process: Option<Process>,
}

/// What this process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Processor time since it began, milliseconds.
    pub cpu_ms: i64,
    /// Memory held, bytes.
    pub resident_bytes: i64,
}

/// Labels of sources; anything else is counted under `other`.
const HEALTHS: &[&str] = &["ok", "degraded", "blind", "dead"];
/// Labels of messages.
const STATES: &[&str] = &["waiting", "sending", "sent", "failed"];
/// Labels of jobs, as the queue's library writes them, in lower case.
const STATUSES: &[&str] = &["pending", "queued", "running", "done", "failed", "killed"];
/// Clock ticks of a second on Linux, fixed for programs since 2.4.
const TICKS_PER_SECOND: i64 = 100;
/// Bytes of a memory page where this runs (x86-64 and ARM64 Linux as shipped).
const PAGE_BYTES: i64 = 4_096;

/// The numbers as Prometheus text.
///
/// # Errors
/// When two series have the same name, which a test rules out.
pub fn text(numbers: &Numbers) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    let plain = |name: &str, help: &str, value: i64| -> Result<(), prometheus::Error> {
        let gauge = prometheus::IntGauge::new(name, help)?;
        gauge.set(value);
        registry.register(Box::new(gauge))
    };
    plain("lyhord_mentions_waiting", "Mentions that nobody has judged yet.", numbers.mentions_waiting)?;
    plain("lyhord_cases_open", "Cases that wait for an answer.", numbers.cases_open)?;
    plain("lyhord_cases_late", "Open cases whose promised time has passed.", numbers.cases_late)?;
    if let Some(process) = numbers.process {
        plain("process_cpu_milliseconds", "Processor time of this process.", process.cpu_ms)?;
        plain("process_resident_memory_bytes", "Memory held by this process.", process.resident_bytes)?;
    }
    let labelled = [
        ("lyhord_sources", "Sources by health.", "health", HEALTHS, &numbers.sources),
        ("lyhord_messages", "Messages in the outbox by state.", "state", STATES, &numbers.messages),
        ("lyhord_jobs", "Jobs in the queue by status.", "status", STATUSES, &numbers.jobs),
    ];
    for (name, help, label, known, counts) in labelled {
        let gauge = IntGaugeVec::new(Opts::new(name, help), &[label])?;
        for value in known {
            gauge.with_label_values(&[*value]).set(0);
        }
        for (value, count) in counts {
            let value = value.to_lowercase();
            let value = known.iter().find(|known| **known == value).copied().unwrap_or("other");
            gauge.with_label_values(&[value]).add(*count);
        }
        registry.register(Box::new(gauge))?;
    }
    let mut bytes = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads what Linux says in `/proc/self/stat`.
#[must_use]
pub fn process(stat: &str) -> Option<Process> {
    // The name may hold blanks and brackets: the fields are counted from the last bracket.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    let ticks = number(11)?.saturating_add(number(12)?);
    Some(Process {
        cpu_ms: ticks.saturating_mul(1_000 / TICKS_PER_SECOND),
        resident_bytes: number(21)?.saturating_mul(PAGE_BYTES),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_are_a_closed_list() {
        let numbers = Numbers {
            sources: vec![("ok".into(), 3), ("<script>".into(), 1), ("x".into(), 1)],
            jobs: vec![("Pending".into(), 7)],
            ..Numbers::default()
        };
        let text = text(&numbers).unwrap();
        assert!(text.contains("lyhord_sources{health=\"ok\"} 3\n"));
        assert!(text.contains("lyhord_sources{health=\"other\"} 2\n"));
        assert!(text.contains("lyhord_sources{health=\"dead\"} 0\n"));
        assert!(text.contains("lyhord_jobs{status=\"pending\"} 7\n"));
        assert!(!text.contains("script"));
    }

    #[test]
    fn the_process_is_read_past_a_name_with_brackets() {
        let stat = "42 (ly) hord) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 8 0 1000 99999 2048 1844";
        assert_eq!(process(stat), Some(Process { cpu_ms: 3_000, resident_bytes: 2_048 * 4_096 }));
        assert_eq!(process("nonsense"), None);
    }
}
