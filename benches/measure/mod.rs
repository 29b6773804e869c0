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

/// Which way a figure should go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// A ratio of which more is better, as a row of the table in `benches/README.md`.
pub fn say(id: &str, what: &str, gate: f64, aim: f64, ratios: Vec<f64>) {
    let (middle, least, most) = median(ratios);
    let figure = format!("{middle:.2} ({least:.2} to {most:.2})");
    row([id, what, &gate.to_string(), &aim.to_string(), &figure], middle >= gate, middle >= aim);
}

/// Any one figure, as a row of the table in `benches/README.md`.
pub fn figure(id: &str, what: &str, gate: f64, aim: Option<f64>, figure: f64, unit: &str, better: Better) {
    let met = |goal: f64| if better == Better::More { figure >= goal } else { figure <= goal };
    let shown = |goal: f64| format!("{goal} {unit}");
    let cells = [id, what, &shown(gate), &aim.map(shown).unwrap_or_default(), &format!("{figure:.1} {unit}")];
    row(cells, met(gate), aim.is_some_and(met));
}

fn row([id, what, gate, aim, figure]: [&str; 5], gate_met: bool, aim_met: bool) {
    let word = match (gate_met, aim_met) {
        (_, true) => "aim met",
        (true, false) => "met",
        (false, false) => "**not met**",
    };
    println!("| {id} | {what} | {gate} | {aim} | {figure}: {word} |");
}
