//! What all judgements of a post cost: p50 and p99 over the seed posts, on one core, in CPU time. Each post is judged a
//! few times and its middle time is taken, so that what the machine does beside is not counted.
//!
//! `cargo bench --bench judgement`. Before timing, the judge must know most of what the seed says about the posts.

use std::hint::black_box;

use cpu_time::ProcessTime;
use lyhord::classification::judge::Judge;
use lyhord::classification::seed;
use lyhord::classification::train::Lesson;
use measure::{Better, figure, median};

#[expect(dead_code, reason = "the other benches tell ratios")]
mod measure;

const ROUNDS: usize = 5;

fn check(judge: &Judge, lessons: &[Lesson]) {
    let known = lessons.iter().filter_map(|lesson| Some((lesson, lesson.topic.as_ref()?)));
    let (mut right, mut all) = (0, 0);
    for (lesson, topic) in known {
        all += 1;
        right += usize::from(judge.judge(&lesson.subject(), None).topic == *topic);
    }
    assert!(all >= 500 && right * 2 > all, "{right} of {all} topics are right: this is not the judge that is shipped");
}

/// CPU microseconds for one post.
fn one(judge: &Judge, lesson: &Lesson) -> f64 {
    let start = ProcessTime::now();
    black_box(judge.judge(&black_box(lesson).subject(), None));
    start.elapsed().as_secs_f64() * 1e6
}

fn main() {
    let judge = Judge::shipped().expect("the shipped judge");
    let lessons = seed::lessons();
    check(&judge, &lessons);
    let mut times: Vec<f64> =
        lessons.iter().map(|lesson| median((0..ROUNDS).map(|_| one(&judge, lesson)).collect()).0).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let letters: usize = lessons.iter().map(|lesson| lesson.title.len() + lesson.text.len()).sum();
    println!("{} posts of {} bytes, all judgements of each", lessons.len(), letters / lessons.len());
    println!("p50 {:.0} µs, p90 {:.0} µs, most {:.0} µs", at(50), at(90), at(100));
    figure("", "all judgements of a post, p99", 300.0, Some(100.0), at(99), "µs", Better::Less);
}
