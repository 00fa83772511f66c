//! A service that speaks OpenFeature: only its provider says Tidegate, and `observe` reports what it evaluates.
//!
//! ```sh
//! cargo run -p tidegate-client --features open-feature --example openfeature -- [AGENT]
//! ```

use open_feature::{EvaluationContext, OpenFeature};
use tidegate_client::openfeature::{TidegateProvider, exposure};
use tidegate_client::{Address, Client, Exposure};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent: Address = std::env::args()
        .nth(1)
        .map_or_else(|| Ok(Address::default()), |address| address.parse())?;
    let tidegate = Client::connect(agent)?;
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(TidegateProvider::new(&tidegate)).await;
    let flags = api.create_client();
    drop(api);

    let user = EvaluationContext::default()
        .with_targeting_key("user-7")
        .with_custom_field("plan", "pro");
    let exposure = tidegate.observe(checkout(&flags, &user)).await?;
    if let Some(exposure) = exposure {
        // Later, where neither the evaluation nor OpenFeature is at hand.
        tidegate.track(&exposure, "conversion", true);
    }
    tidegate.close().await;
    Ok(())
}

/// One request: it serves by the flag, and gives out the exposure that later events belong to.
async fn checkout(flags: &open_feature::Client, user: &EvaluationContext) -> Result<Option<Exposure>, std::io::Error> {
    let (new, exposure) = match flags.get_bool_details("checkout-v2", Some(user), None).await {
        Ok(details) => (details.value, exposure(&details.flag_metadata)),
        Err(error) => {
            println!("serving the old checkout because of {}", error.code);
            (false, None)
        }
    };
    println!("{} checkout", if new { "new" } else { "old" });
    Ok(exposure)
}
