//! Is it a rush? Many people writing about one topic in a short time, against how it uses to be in the same hours of the
//! week. What is counted is when posts were written, never when we found them; copies of one text are one post.
//!
//! The chance of so many is that of a negative binomial: a Poisson whose rate is known from a few weeks only. The
//! loudest of the weeks is left out, so that an earlier rush does not make the next one look ordinary.

use crate::settings::Section;

/// How many earlier weeks the same hours are looked at in.
pub const WEEKS: usize = 4;
/// So rare, or rarer, are as many posts by chance: with fifteen topics looked at all year some false alarms a year.
const CHANCE: f64 = 1e-4;
/// What is thought of a topic that has no history: half a post in half a window.
const PRIOR: f64 = 0.5;

/// From where on it is a rush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Hours that are looked at together; 0 switches the alarm off.
    pub hours: u32,
    /// Posts at least, copies counted once.
    pub least: u32,
    /// Different writers at least: twelve posts by one angry person are no rush.
    pub writers: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { hours: 3, least: 8, writers: 5 }
    }
}

impl Bounds {
    /// `[rush]` of lyhord.toml.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        let usual = Self::default();
        let number =
            |key, range, usual: u32| u32::try_from(section.integer_or(key, range, i64::from(usual))).unwrap_or(usual);
        Self {
            hours: number("hours", 0..=24, usual.hours),
            least: number("posts", 2..=1_000, usual.least),
            writers: number("writers", 2..=1_000, usual.writers),
        }
    }
}

/// What was written about one topic in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Posts, copies counted once.
    pub posts: i64,
    /// Different writers.
    pub writers: i64,
}

/// How many posts there use to be in these hours of the week, rounded.
#[must_use]
pub fn usual(earlier: &[i64; WEEKS]) -> i64 {
    let (calm, weeks) = calm(earlier);
    (2 * calm + weeks) / (2 * weeks)
}

/// The posts of all weeks but the loudest, and how many weeks those are.
fn calm(earlier: &[i64; WEEKS]) -> (i64, i64) {
    let loudest = earlier.iter().max().copied().unwrap_or_default();
    (earlier.iter().sum::<i64>() - loudest, i64::try_from(WEEKS - 1).unwrap_or(i64::MAX))
}

/// Whether there are enough posts by enough writers for anybody to want to hear of them.
#[must_use]
pub fn is_enough(now: Counted, bounds: Bounds) -> bool {
    now.posts >= i64::from(bounds.least) && now.writers >= i64::from(bounds.writers)
}

/// Whether a rush begins: enough posts by enough writers, twice as many as in most earlier weeks, and hardly by chance.
#[must_use]
pub fn begins(now: Counted, earlier: &[i64; WEEKS], bounds: Bounds) -> bool {
    let mut weeks = *earlier;
    weeks.sort_unstable();
    is_enough(now, bounds) && now.posts >= 2 * weeks[WEEKS - 2] && chance(now.posts, earlier) < CHANCE
}

/// Whether a rush has ended: fewer than half as many write as when most did.
#[must_use]
pub fn is_over(posts: i64, most: i64) -> bool {
    posts * 2 < most
}

/// The chance of `posts` or more by what the earlier weeks say.
fn chance(posts: i64, earlier: &[i64; WEEKS]) -> f64 {
    let number = |of: i64| f64::from(i32::try_from(of).unwrap_or(i32::MAX));
    let (calm, weeks) = calm(earlier);
    let (calm, weeks) = (number(calm), number(weeks));
    let (shape, stay) = (calm + PRIOR, (weeks + PRIOR) / (weeks + PRIOR + 1.0));
    let (mut below, mut term, mut n) = (0.0, stay.powf(shape), 0.0);
    for _ in 0..posts.clamp(0, 100_000) {
        below += term;
        term *= (shape + n) / (n + 1.0) * (1.0 - stay);
        n += 1.0;
    }
    1.0 - below
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { hours: 3, least: 8, writers: 5 };

    fn counted(posts: i64, writers: i64) -> Counted {
        Counted { posts, writers }
    }

    #[test]
    fn twelve_people_are_a_rush_and_twelve_posts_of_one_are_not() {
        let quiet = [0, 1, 0, 2];
        assert!(begins(counted(12, 12), &quiet, BOUNDS));
        assert!(!begins(counted(12, 1), &quiet, BOUNDS));
        assert!(!begins(counted(7, 7), &quiet, BOUNDS), "fewer than we want to hear of");
    }

    #[test]
    fn what_comes_each_week_is_no_rush_however_much_it_is() {
        assert!(!begins(counted(14, 12), &[13, 15, 12, 14], BOUNDS), "the council meets on Monday evenings");
        assert!(begins(counted(40, 30), &[13, 15, 12, 14], BOUNDS));
    }

    #[test]
    fn a_rush_of_last_week_hides_none_of_this_week() {
        assert!(begins(counted(14, 12), &[30, 1, 0, 2], BOUNDS));
        assert!(!begins(counted(14, 12), &[30, 28, 0, 2], BOUNDS), "twice is a habit");
    }

    #[test]
    fn what_is_usual_is_rounded_and_leaves_out_the_loudest_week() {
        assert_eq!([usual(&[0; WEEKS]), usual(&[30, 1, 0, 2]), usual(&[2, 2, 1, 9])], [0, 1, 2]);
    }

    #[test]
    fn a_rush_ends_when_fewer_than_half_write() {
        assert!(!is_over(6, 12) && is_over(5, 12) && is_over(0, 1));
    }

    #[test]
    fn a_chance_is_a_chance() {
        assert!((chance(0, &[0; WEEKS]) - 1.0).abs() < 1e-12);
        let mut before = 1.0;
        for posts in 1..60 {
            let now = chance(posts, &[3, 5, 4, 9]);
            assert!(now <= before && now >= -1e-12, "{posts}: {now}");
            before = now;
        }
        assert!(chance(8, &[0; WEEKS]) < CHANCE && chance(4, &[4, 4, 4, 4]) > 0.3);
    }

    /// One post of the made town: hour since the beginning, who, and of which text.
    type Made = (usize, u32, u32);

    /// Nought to three posts a day for five weeks, in the daytime, each by somebody else.
    fn town() -> Vec<Made> {
        let per_day = [1, 0, 2, 3, 1, 0, 2];
        let hours = [9, 13, 18];
        (0..35)
            .flat_map(|day| (0..per_day[day % 7]).map(move |n| day * 24 + hours[n]))
            .zip(1_000..)
            .map(|(hour, n)| (hour, n, n))
            .collect()
    }

    fn count(posts: &[Made], end: usize, hours: usize) -> Counted {
        let inside: Vec<&Made> = posts.iter().filter(|post| post.0 <= end && post.0 + hours > end).collect();
        let distinct = |of: fn(&Made) -> u32| {
            let all: std::collections::BTreeSet<u32> = inside.iter().map(|post| of(post)).collect();
            i64::try_from(all.len()).unwrap()
        };
        counted(distinct(|post| post.2), distinct(|post| post.1))
    }

    /// In which hours of the last week we call it a rush that begins.
    fn ours(posts: &[Made]) -> Vec<usize> {
        let mut most = 0;
        (28 * 24..35 * 24)
            .filter(|hour| {
                let now = count(posts, *hour, 3);
                if most > 0 {
                    most = if is_over(now.posts, most) { 0 } else { most.max(now.posts) };
                    return false;
                }
                let week = |n: usize| count(posts, hour - n * 168, 3).posts;
                let begins = begins(now, &[week(1), week(2), week(3), week(4)], BOUNDS);
                most = if begins { now.posts } else { 0 };
                begins
            })
            .collect()
    }

    /// The published rule of Socialmetrix: the mean of the last day above that of the last week by twice its spread.
    fn socialmetrix(posts: &[Made]) -> Vec<usize> {
        let number = |of: usize| f64::from(u32::try_from(of).unwrap());
        let in_hour = |hour: usize| number(posts.iter().filter(|post| post.0 == hour).count());
        (28 * 24..35 * 24)
            .filter(|hour| {
                let mean = |last: usize| (hour + 1 - last..=*hour).map(in_hour).sum::<f64>() / number(last);
                let week = mean(168);
                let spread = (hour - 167..=*hour).map(|h| (in_hour(h) - week).powi(2)).sum::<f64>() / 168.0;
                mean(24) > week + 2.0 * spread.sqrt()
            })
            .collect()
    }

    #[test]
    fn case_23_a_rush_of_one_of_twelve_and_of_forty_copies() {
        let at = 31 * 24 + 20;
        let with = |more: Vec<Made>| [town(), more].concat();
        let (one, twelve, copies) = (
            with((0..12).map(|n| (at, 1, 100 + n)).collect()),
            with((0..12).map(|n| (at, 10 + n, 100 + n)).collect()),
            with((0..40).map(|n| (at, 10 + n, 100)).collect()),
        );
        assert_eq!(ours(&town()), [] as [usize; 0], "an ordinary week");
        assert_eq!(ours(&one), [] as [usize; 0], "one angry person");
        assert_eq!(ours(&copies), [] as [usize; 0], "one article in forty papers");
        assert_eq!(ours(&twelve), [at], "twelve people, said once");
        // The published rule is silent about twelve people: their own hour is in the week's spread.
        assert_eq!(socialmetrix(&twelve), [] as [usize; 0]);
        // And it cannot tell one person from twelve, nor copies from posts, since it sees numbers only.
        assert_eq!(socialmetrix(&one), socialmetrix(&twelve));
        // Of four an hour for a day it tells hour after hour; we tell once.
        let long = with((0..96).map(|n| (at + n as usize / 4, 10 + n, 100 + n)).collect());
        assert_eq!((ours(&long).len(), socialmetrix(&long).len()), (1, 11));
    }
}
