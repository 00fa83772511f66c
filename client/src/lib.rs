//! Evaluate a flag and report how it turned out, through the Tidegate agent beside this service.
//!
//! Two lines a request: one asks which variant this user gets, one says what came of it. Neither ever fails or holds a
//! request up: without an agent the default is served, and a report that finds its queue full is dropped and counted.
//!
//! ```no_run
//! use tidegate_client::{Address, Client, Context, Outcome};
//!
//! # async fn new_checkout() -> Result<(), std::io::Error> { Ok(()) }
//! # async fn old_checkout() -> Result<(), std::io::Error> { Ok(()) }
//! # async fn example() -> Result<(), tidegate_client::ConnectError> {
//! let tidegate = Client::connect(Address::default())?;
//!
//! let checkout = tidegate.boolean("checkout-v2", false, &Context::user("user-7").with("plan", "pro")).await;
//! let result = if checkout.value { new_checkout().await } else { old_checkout().await };
//! checkout.report(Outcome::of(&result));
//! # Ok(())
//! # }
//! ```
//!
//! Flags of every type are asked for alike, and each answer says why it is what it is:
//!
//! ```no_run
//! use tidegate_client::{Client, Context, Object};
//!
//! # async fn example(tidegate: Client) {
//! let user = Context::user("user-7").with("groups", vec!["staff", "beta"]);
//! let title = tidegate.string("title", "Welcome", &user).await;
//! let page_size = tidegate.integer("page-size", 20, &user).await;
//! let timeout_s = tidegate.float("timeout-seconds", 1.5, &user).await;
//! let theme = tidegate.object("theme", Object::new(), &user).await;
//! if let Some(error) = &page_size.error {
//!     eprintln!("serving {} because of {}: {error}", page_size.value, error.code());
//! }
//! # let _ = (title, timeout_s, theme);
//! # }
//! ```

mod address;
mod client;
mod context;
mod evaluation;
mod object;
mod outcome;
mod queue;
mod reporter;
mod value;

pub use address::{Address, AddressError};
pub use client::{Client, ConnectError, Options};
pub use context::{Attribute, Context};
pub use evaluation::{Arm, Evaluation, EvaluationError, Exposed, Reason};
pub use object::Object;
pub use outcome::Outcome;
