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
//! # Flags
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
//!
//! # Reports
//!
//! An outcome can have a class of failure, a duration and numbers, by the keys of the metrics that measure them. What
//! comes later than the outcome is tracked, here or in another request: an [`Exposure`] is kept as its token.
//!
//! ```no_run
//! use std::time::Duration;
//! use tidegate_client::{Client, Context, Exposed as _, Exposure, Outcome};
//!
//! # async fn example(tidegate: Client, session: &mut Vec<String>) {
//! let checkout = tidegate.boolean("checkout-v2", false, &Context::user("user-7")).await;
//! checkout.report(Outcome::Error.class("card-declined").after(Duration::from_millis(40)));
//! checkout.report(Outcome::Ok.value("revenue", 12.5));
//! checkout.track("conversion", true);
//!
//! session.extend(checkout.token().map(str::to_owned));
//! # let token = String::new();
//! tidegate.track(&Exposure::of_token(token), "complaints", 1);
//! # }
//! ```
//!
//! # Requests
//!
//! Nothing has to be passed along: under a [`ReportLayer`], or in [`Client::observe`], whatever is evaluated belongs to
//! the request that is served, and is reported once with its outcome and duration when it ends. [`Request::current`] adds
//! what only the code inside knows.
//!
//! ```no_run
//! use tidegate_client::{Client, Context, Request};
//!
//! # async fn example(tidegate: Client) -> Result<(), &'static str> {
//! let work = async {
//!     if tidegate.boolean("checkout-v2", false, &Context::user("user-7")).await.value {
//!         Request::current().class("card-declined");
//!         return Err("declined");
//!     }
//!     Ok(())
//! };
//! tidegate.observe(work).await
//! # }
//! ```
//!
//! # OpenFeature
//!
//! With the cargo feature `open-feature` the module `openfeature` has a provider for the OpenFeature SDK and a hook.

mod address;
mod agent;
mod caller;
mod carried;
mod client;
mod context;
mod evaluation;
mod exposure;
mod layer;
mod object;
#[cfg(feature = "open-feature")]
pub mod openfeature;
mod outbox;
mod outcome;
mod queue;
mod report;
mod reporter;
mod request;
mod value;
mod values;

pub use address::{Address, AddressError};
pub use client::{Client, ConnectError, Options};
pub use context::{Attribute, Context};
pub use evaluation::{Arm, Evaluation, EvaluationError, Reason};
pub use exposure::{Exposed, Exposure};
pub use layer::{ReportBody, ReportFuture, ReportLayer, ReportService, by_status};
pub use object::Object;
pub use outbox::Drops;
pub use outcome::Outcome;
pub use report::Report;
pub use request::{Observed, Request};
pub use values::Amount;
