//! The load: requests of sticky, heavy-tailed users at a bounded rate.
//!
//! Requests are sent in small bursts on time, whether or not earlier ones were answered, as users do; but never more
//! than a fixed number at once, so that a slow machine makes less load instead of a pile.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};

use crate::{args::LoadArgs, http::Http, population::Population, signals};

/// Bursts per second.
const BURSTS: u32 = 50;
/// Requests that may be under way at once.
const UNDER_WAY: usize = 256;
/// How often the log gets a line.
const REPORT: Duration = Duration::from_secs(10);

/// What came of the requests so far.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    failed: AtomicU64,
    unanswered: AtomicU64,
    skipped: AtomicU64,
}

/// How many requests each burst has, so that they add up to the rate.
#[derive(Debug)]
struct Pace {
    per_second: u32,
    carry: u32,
}

/// Makes requests until it is asked to stop.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<()> {
    println!("{} requests/s of {} users to {:?}", args.rate, args.users, args.targets);
    let tally = Arc::new(Tally::default());
    tokio::select! {
        () = requests(&args, &tally) => {}
        () = reports(&tally) => {}
        stopped = signals::stop() => stopped?,
    }
    tally.print();
    Ok(())
}

async fn requests(args: &LoadArgs, tally: &Arc<Tally>) {
    let http = Http::new();
    let free = Arc::new(Semaphore::new(UNDER_WAY));
    let mut population = Population::draw(args.users, args.seed);
    let mut pace = Pace {
        per_second: args.rate,
        carry: 0,
    };
    let mut bursts = interval(Duration::from_secs(1) / BURSTS);
    bursts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        bursts.tick().await;
        for _ in 0..pace.next() {
            let user = population.next();
            let Ok(permit) = free.clone().try_acquire_owned() else {
                tally.skipped.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let target = args.targets[user.place(args.targets.len())];
            let (http, tally) = (http.clone(), tally.clone());
            tokio::spawn(async move {
                tally.request(&http, target, &user.key()).await;
                drop(permit);
            });
        }
    }
}

async fn reports(tally: &Tally) {
    let mut due = interval(REPORT);
    loop {
        due.tick().await;
        tally.print();
    }
}

impl Tally {
    async fn request(&self, http: &Http, target: SocketAddr, user: &str) {
        let answer = http.call(Method::GET, target, &format!("/checkout?user={user}")).await;
        let counter = match answer {
            Ok((status, _)) if status.is_success() => &self.answered,
            Ok(_) => &self.failed,
            Err(_) => &self.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn print(&self) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (answered, failed) = (of(&self.answered), of(&self.failed));
        let (unanswered, skipped) = (of(&self.unanswered), of(&self.skipped));
        println!(
            "{answered} answered, {failed} failed, {unanswered} unanswered, {skipped} not sent: too many under way"
        );
    }
}

impl Pace {
    fn next(&mut self) -> u32 {
        let due = self.carry + self.per_second;
        self.carry = due % BURSTS;
        due / BURSTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_add_up_to_the_rate() {
        for per_second in [1, 49, 300, 1_001] {
            let mut pace = Pace { per_second, carry: 0 };
            let sent: u32 = (0..BURSTS).map(|_| pace.next()).sum();
            assert_eq!(sent, per_second);
        }
    }
}
