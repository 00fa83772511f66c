//! Tidegate behind the OpenFeature SDK: a provider that asks the agent, and a hook that ties outcomes to what was asked.
//!
//! A service that speaks OpenFeature changes nothing but its provider, and puts the
//! [`ReportLayer`](crate::ReportLayer) around itself: what is evaluated in a request is then reported with it.
//!
//! ```no_run
//! use open_feature::{EvaluationContext, OpenFeature};
//! use tidegate_client::openfeature::TidegateProvider;
//! use tidegate_client::{Address, Client};
//!
//! # async fn example() -> Result<(), tidegate_client::ConnectError> {
//! let tidegate = Client::connect(Address::default())?;
//! let mut api = OpenFeature::singleton_mut().await;
//! api.set_provider(TidegateProvider::new(&tidegate)).await;
//! let flags = api.create_client();
//!
//! let user = EvaluationContext::default().with_targeting_key("user-7");
//! let checkout = flags.get_bool_value("checkout-v2", Some(&user), None).await.unwrap_or(false);
//! # let _ = checkout;
//! # Ok(())
//! # }
//! ```

mod answer;
mod context;
mod hook;
mod provider;

pub use hook::{ExposureHook, exposure};
pub use provider::TidegateProvider;
