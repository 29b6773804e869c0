//! CPU time, medians and verdicts: how every bench here says what it found.

use std::hint::black_box;

use cpu_time::ProcessTime;

/// CPU seconds of one pass over all things.
pub fn timed<T>(things: &[T], mut each: impl FnMut(&T) -> usize) -> f64 {
    let start = ProcessTime::now();
    let mut sum = 0;
    for thing in things {
        sum += each(black_box(thing));
    }
    black_box(sum);
    start.elapsed().as_secs_f64()
}

/// The middle, the least and the most.
pub fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

/// A ratio of which more is better, beside its gate and its aim.
pub fn say(name: &str, gate: f64, aim: f64, ratios: Vec<f64>) {
    let (middle, least, most) = median(ratios);
    verdict(
        name,
        &format!("{middle:.2} (min {least:.2}, max {most:.2})"),
        middle >= gate,
        middle >= aim,
        &format!("{gate} / {aim}"),
    );
}

/// Any figure beside its gate and its aim.
pub fn verdict(name: &str, figure: &str, gate: bool, aim: bool, goals: &str) {
    let word = if aim {
        "PASS, aim met"
    } else if gate {
        "PASS"
    } else {
        "FAIL"
    };
    println!("{name:<56} {figure:<36} gate / aim {goals:<14} {word}");
}
