//! An assistant that answers by one of two models, and what such a service reports: tokens, cost, the time to the first
//! token, and later the score that a judge gave.
//!
//! ```sh
//! cargo run -p tidegate-client --example assistant -- [AGENT]
//! ```

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use rand::Rng as _;
use tidegate_client::{Address, Client, Context, Exposure, Request};

/// Questions that are asked.
const QUESTIONS: u32 = 20;

/// A model: how long it thinks before each token, and what one costs.
#[derive(Clone, Copy)]
struct Model {
    pause: Duration,
    dollars: f64,
}

const OLD: Model = Model {
    pause: Duration::from_millis(3),
    dollars: 0.000_01,
};
const NEW: Model = Model {
    pause: Duration::from_millis(1),
    dollars: 0.000_02,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent: Address = std::env::args()
        .nth(1)
        .map_or_else(|| Ok(Address::default()), |address| address.parse())?;
    let tidegate = Client::connect(agent)?;
    for number in 0..QUESTIONS {
        let user = Context::user(format!("user-{number}"));
        let answered = tidegate
            .observe(answer(&tidegate, &user, "why is the sea salty?"))
            .await;
        if let Ok((answer, Some(exposure))) = answered {
            // A judge works in its own time; what it finds belongs to the same arm.
            tidegate.track(&exposure, "faithfulness", faithfulness(&answer));
        }
    }
    tidegate.close().await;
    println!("asked {QUESTIONS} questions; dropped {:?}", tidegate.drops());
    Ok(())
}

/// Answers as the flag wants, and says what it took. The outcome and the duration are reported by themselves.
async fn answer(tidegate: &Client, user: &Context, question: &str) -> Result<(String, Option<Exposure>), Refused> {
    let asked = Instant::now();
    let request = Request::current();
    let flag = tidegate.boolean("assistant-v2", false, user).await;
    let model = if flag.value { NEW } else { OLD };
    let mut tokens = Box::pin(model.answer(question));
    let mut answer = String::new();
    while let Some(token) = tokens.next().await {
        let Ok(token) = token else {
            request.class("model-refused");
            return Err(Refused);
        };
        if answer.is_empty() {
            // Without a first token there is no value, and that counts as slow.
            request.value("time-to-first-token", asked.elapsed());
        }
        request.add("tokens-per-query", 1).add("cost-per-query", model.dollars);
        answer.push_str(token);
    }
    Ok((answer, flag.exposure()))
}

/// The model does not answer.
#[derive(Debug)]
struct Refused;

impl Model {
    /// The tokens of an answer, as they come.
    fn answer(self, question: &str) -> impl Stream<Item = Result<&'static str, Refused>> + use<> {
        let words = ["rivers ", "carry ", "salt ", "down ", "from ", "rocks"];
        let length = question.len() % words.len() + 1;
        futures::stream::iter(words).take(length).then(move |word| async move {
            tokio::time::sleep(self.pause).await;
            if rand::rng().random_bool(0.01) {
                Err(Refused)
            } else {
                Ok(word)
            }
        })
    }
}

/// How well an answer keeps to its sources, 0 to 1.
fn faithfulness(answer: &str) -> f64 {
    if answer.contains("salt") { 0.9 } else { 0.4 }
}
