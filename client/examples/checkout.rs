//! A service in miniature: users come, a flag decides which checkout they get, and each outcome is reported.
//!
//! ```sh
//! cargo run -p tidegate-client --example checkout -- [FLAG] [TREATMENT_ERROR_RATE] [CONTROL_ERROR_RATE] [AGENT]
//! ```
//!
//! Start a rollout of the flag meanwhile, and watch what the control plane makes of it.

use std::time::Duration;

use rand::Rng as _;
use tidegate_client::{Address, Client, Context, Outcome};

/// Users of this service.
const USERS: u32 = 5_000;
/// Requests per second.
const RATE: u64 = 400;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let flag = args.next().unwrap_or_else(|| "checkout-v2".to_owned());
    let treatment: f64 = args.next().unwrap_or_else(|| "0.008".to_owned()).parse()?;
    let control: f64 = args.next().unwrap_or_else(|| "0.008".to_owned()).parse()?;
    let agent: Address = args
        .next()
        .map_or_else(|| Ok(Address::default()), |address| address.parse())?;
    let tidegate = Client::connect(agent)?;
    println!("evaluating {flag}; treatment fails in {treatment}, control in {control} of all requests; Ctrl-C ends it");

    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    for number in 1u64.. {
        ticks.tick().await;
        let user = format!("user-{}", rand::rng().random_range(0..USERS));

        let checkout = tidegate.boolean(&flag, false, &Context::user(user)).await;
        let failed = rand::rng().random_bool(if checkout.value { treatment } else { control });
        checkout.report(if failed { Outcome::Error } else { Outcome::Ok });

        if number % (10 * RATE) == 0 {
            println!(
                "{number} requests; the last one got {} ({:?})",
                checkout.value, checkout.reason
            );
        }
    }
    Ok(())
}
