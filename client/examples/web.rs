//! A shop over HTTP: nothing in its handlers reports, the layer around them does.
//!
//! ```sh
//! cargo run -p tidegate-client --example web -- [LISTEN] [AGENT]
//! curl -i 'http://127.0.0.1:8080/checkout/user-7?cents=1250'
//! ```

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use tidegate_client::{Address, Client, Context, Outcome, ReportLayer, Request};
use tokio::net::TcpListener;

/// How long the shop's callers wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is bought.
#[derive(Debug, serde::Deserialize)]
struct Order {
    cents: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let agent: Address = args
        .next()
        .map_or_else(|| Ok(Address::default()), |address| address.parse())?;
    let tidegate = Client::connect(agent)?;
    let shop = Router::new()
        .route("/checkout/{user}", post(checkout).get(checkout))
        .with_state(tidegate.clone())
        .layer(ReportLayer::new(&tidegate).patience(PATIENCE));
    println!("serving on {listen}");
    axum::serve(TcpListener::bind(listen).await?, shop).await?;
    Ok(())
}

async fn checkout(
    State(tidegate): State<Client>,
    Path(user): Path<String>,
    Query(order): Query<Order>,
) -> (StatusCode, String) {
    let user = Context::user(user);
    let paid = if tidegate.boolean("checkout-v2", false, &user).await.value {
        pay_anew(&order)
    } else {
        pay(&order)
    };
    match paid {
        Ok(()) => {
            Request::current().value("revenue", f64::from(order.cents) / 100.0);
            (StatusCode::OK, "thank you".to_owned())
        }
        Err(Declined) => {
            // The caller gets what HTTP says of it; for the rollout it is a failure of a class that a guard may expect.
            Request::current().outcome(Outcome::Error).class("card-declined");
            (StatusCode::PAYMENT_REQUIRED, "your card was declined".to_owned())
        }
    }
}

/// The card was refused.
struct Declined;

fn pay(order: &Order) -> Result<(), Declined> {
    if order.cents < 100_000 { Ok(()) } else { Err(Declined) }
}

fn pay_anew(order: &Order) -> Result<(), Declined> {
    if order.cents < 50_000 { Ok(()) } else { Err(Declined) }
}
