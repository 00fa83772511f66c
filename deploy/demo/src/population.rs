//! Who uses the service: users that come again and again, a few of them far more often than most.
//!
//! Activity is lognormal, as it is in most services: with sigma 1.5 the busiest hundredth makes about a fifth of the
//! requests. Everything is drawn from a seed, so that two runs have the same users. Nothing here knows of requests.

use std::f64::consts::TAU;

use rand::{
    Rng, SeedableRng as _,
    distr::{Distribution as _, weighted::WeightedIndex},
    rngs::StdRng,
};

/// Sigma of the logarithm of a user's activity.
const SIGMA: f64 = 1.5;

/// Users with their activities.
#[derive(Debug)]
pub(crate) struct Population {
    activity: WeightedIndex<f64>,
    random: StdRng,
}

/// The number of a user, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct User(usize);

impl Population {
    /// This many users, drawn from a seed; at least one.
    pub(crate) fn draw(users: u32, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let activities: Vec<f64> = (0..users.max(1)).map(|_| (SIGMA * normal(&mut random)).exp()).collect();
        // A lognormal number is positive and, so few sigmas from its median, finite; and there is at least one.
        let activity = WeightedIndex::new(activities).expect("positive, finite weights");
        Self { activity, random }
    }

    /// Who makes the next request.
    pub(crate) fn next(&mut self) -> User {
        User(self.activity.sample(&mut self.random))
    }
}

impl User {
    /// The targeting key.
    pub(crate) fn key(self) -> String {
        format!("user-{}", self.0)
    }

    /// Which of so many places this user always goes to.
    pub(crate) fn place(self, places: usize) -> usize {
        self.0 % places.max(1)
    }
}

/// A standard normal number (Box and Muller, 1958).
fn normal(random: &mut StdRng) -> f64 {
    // 1 - [0, 1) is never 0, whose logarithm does not exist.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn requests(seed: u64, number: usize) -> Vec<User> {
        let mut population = Population::draw(10_000, seed);
        (0..number).map(|_| population.next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        assert_eq!(requests(7, 1_000), requests(7, 1_000));
        assert_ne!(requests(7, 1_000), requests(8, 1_000));
    }

    #[test]
    fn a_few_users_make_much_of_the_traffic_and_most_users_come() {
        let mut visits: HashMap<User, usize> = HashMap::new();
        for user in requests(7, 200_000) {
            *visits.entry(user).or_default() += 1;
        }
        assert!(visits.len() > 8_000, "{} users came", visits.len());
        let mut counts: Vec<usize> = visits.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let busiest: usize = counts.iter().take(100).sum();
        assert!(
            (20_000..80_000).contains(&busiest),
            "the busiest hundredth made {busiest}"
        );
    }

    #[test]
    fn a_user_always_goes_to_the_same_place() {
        let user = User(41);
        assert_eq!((user.key(), user.place(2), user.place(0)), ("user-41".to_owned(), 1, 0));
    }
}
