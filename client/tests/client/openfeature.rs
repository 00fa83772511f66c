//! Behind the OpenFeature SDK everything arrives in OpenFeature's words, and exposures join their requests.

use std::time::Duration;

use open_feature::provider::{FeatureProvider as _, ProviderStatus};
use open_feature::{
    Client as Flags, EvaluationContext, EvaluationErrorCode, EvaluationReason, FlagMetadata, OpenFeature, StructValue,
};
use proto::v1::value::Kind;
use proto::v1::{ErrorCode, FlagType, OutcomeKind, Reason as WireReason};
use tidegate_client::openfeature::{ExposureHook, TidegateProvider};
use tidegate_client::{Client, Options};
use tonic::Status;

use crate::fake::{Agent, Answer, World, failed, served};
use crate::setting::{Place, exposed, split, tokens};

/// A service that speaks OpenFeature, with an agent that knows these flags.
struct Service {
    flags: Flags,
    client: Client,
    world: World,
    _agent: Agent,
    _place: Place,
}

impl Service {
    async fn new(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let place = Place::new();
        let world = World::new(answers);
        let agent = world.listen(&place.path);
        let client = place.patient();
        let mut api = OpenFeature::default();
        api.set_provider(TidegateProvider::new(&client)).await;
        Self {
            flags: api.create_client(),
            client,
            world,
            _agent: agent,
            _place: place,
        }
    }
}

fn user() -> EvaluationContext {
    EvaluationContext::default().with_targeting_key("user-7")
}

fn object(fields: serde_json::Value) -> Kind {
    use prost_types::value::Kind as Wire;
    let number = |value: &serde_json::Value| prost_types::Value {
        kind: value.as_f64().map(Wire::NumberValue),
    };
    let fields = fields.as_object().unwrap().iter();
    Kind::Object(prost_types::Struct {
        fields: fields.map(|(name, value)| (name.clone(), number(value))).collect(),
    })
}

#[tokio::test]
async fn flags_of_every_type_are_served() {
    let service = Service::new([
        ("boolean", served("v", Kind::Boolean(true)).into()),
        ("text", served("v", Kind::Text("a".to_owned())).into()),
        ("integer", served("v", Kind::Integer(i64::MIN)).into()),
        ("float", served("v", Kind::Number(0.25)).into()),
        (
            "object",
            served("v", object(serde_json::json!({"whole": 3, "part": 0.5}))).into(),
        ),
    ])
    .await;
    let (flags, user) = (&service.flags, user());
    let user = Some(&user);
    assert_eq!(flags.get_bool_value("boolean", user, None).await, Ok(true));
    assert_eq!(flags.get_string_value("text", user, None).await, Ok("a".to_owned()));
    assert_eq!(flags.get_int_value("integer", user, None).await, Ok(i64::MIN));
    assert_eq!(flags.get_float_value("float", user, None).await, Ok(0.25));
    let object: StructValue = flags.get_struct_value("object", user, None).await.unwrap();
    let expected = StructValue::default().with_field("whole", 3).with_field("part", 0.5);
    assert_eq!(object, expected);
}

#[tokio::test]
async fn variant_reason_and_metadata_are_told() {
    let decided = proto::v1::Result {
        token: "token-of-checkout".to_owned(),
        stage: Some(2),
        arm: "treatment".to_owned(),
        reason: WireReason::Split.into(),
        ..served("on", Kind::Boolean(true))
    };
    let shadow = proto::v1::Result {
        shadow: true,
        stale_s: Some(301),
        prerequisite: "parent".to_owned(),
        ..decided.clone()
    };
    let service = Service::new([("live", decided.into()), ("shadow", shadow.into())]).await;
    let live = service
        .flags
        .get_bool_details("live", Some(&user()), None)
        .await
        .unwrap();
    assert_eq!(
        (live.variant.as_deref(), live.reason),
        (Some("on"), Some(EvaluationReason::Split))
    );
    let expected = FlagMetadata::default()
        .with_value("tidegate.token", "token-of-checkout")
        .with_value("tidegate.stage", 2)
        .with_value("tidegate.arm", "treatment");
    assert_eq!(live.flag_metadata, expected);
    let shadow = service
        .flags
        .get_bool_details("shadow", Some(&user()), None)
        .await
        .unwrap();
    let expected = expected
        .with_value("tidegate.shadow", true)
        .with_value("tidegate.stale_s", 301)
        .with_value("tidegate.prerequisite", "parent");
    assert_eq!(shadow.flag_metadata, expected);
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let unset = proto::v1::Result {
        reason: WireReason::Disabled.into(),
        r#type: FlagType::Boolean.into(),
        ..Default::default()
    };
    let service = Service::new([
        ("text", served("v", Kind::Text("a".to_owned())).into()),
        ("keyless", failed(ErrorCode::TargetingKeyMissing, "").into()),
        ("context", failed(ErrorCode::InvalidContext, "too large").into()),
        ("broken", Answer::Fail(Status::internal("broken"))),
        ("unset", unset.into()),
    ])
    .await;
    let general = |words: &str| EvaluationErrorCode::General(words.to_owned());
    for (flag, code) in [
        ("missing", EvaluationErrorCode::FlagNotFound),
        ("text", EvaluationErrorCode::TypeMismatch),
        ("keyless", EvaluationErrorCode::TargetingKeyMissing),
        ("context", EvaluationErrorCode::InvalidContext),
        ("broken", general("refused: broken")),
        ("unset", general("DISABLED: the flag serves the caller's default")),
    ] {
        let refused = service
            .flags
            .get_bool_value(flag, Some(&user()), None)
            .await
            .unwrap_err();
        assert_eq!(refused.code, code, "{flag}");
        assert!(refused.message.is_some(), "{flag}");
    }
}

#[tokio::test]
async fn the_status_is_what_the_last_call_showed() {
    let place = Place::new();
    let stale = proto::v1::Result {
        stale_s: Some(301),
        ..served("on", Kind::Boolean(true))
    };
    let world = World::new([("checkout", split()), ("stale", stale.into()), ("never", Answer::Never)]);
    let mut provider = TidegateProvider::new(&place.patient());
    assert_eq!(provider.metadata().name, "tidegate");
    assert_eq!(provider.status(), ProviderStatus::NotReady);
    provider.initialize(&EvaluationContext::default()).await;
    assert_eq!(provider.status(), ProviderStatus::Error);
    let refused = provider.resolve_bool_value("checkout", &user()).await.unwrap_err();
    assert_eq!(refused.code, EvaluationErrorCode::ProviderNotReady);

    let _agent = world.listen(&place.path);
    provider.initialize(&EvaluationContext::default()).await;
    assert_eq!(provider.status(), ProviderStatus::Ready);
    provider.resolve_bool_value("stale", &user()).await.unwrap();
    assert_eq!(provider.status(), ProviderStatus::STALE);
    provider.resolve_bool_value("missing", &user()).await.unwrap_err();
    assert_eq!(provider.status(), ProviderStatus::Ready);

    let hasty = place.client(Options::default().deadline(Duration::from_millis(20)));
    let hasty = TidegateProvider::new(&hasty);
    hasty.resolve_bool_value("never", &user()).await.unwrap_err();
    assert_eq!(hasty.status(), ProviderStatus::Error);
}

#[tokio::test]
async fn what_the_provider_evaluates_belongs_to_the_request() {
    let service = Service::new([("checkout", split())]).await;
    let observed = service
        .client
        .observe(async { service.flags.get_bool_value("checkout", Some(&user()), None).await });
    assert_eq!(observed.await, Ok(true));
    let heard = &service.world.heard(1).await[0];
    assert_eq!(
        (tokens(&heard.exposures), heard.outcome()),
        (vec!["token-of-checkout"], OutcomeKind::Ok)
    );
}

/// A provider of somebody else, whose answers carry the token of an agent it asked.
struct Elsewhere(open_feature::provider::ProviderMetadata);

#[open_feature::async_trait]
impl open_feature::provider::FeatureProvider for Elsewhere {
    fn metadata(&self) -> &open_feature::provider::ProviderMetadata {
        &self.0
    }

    async fn resolve_bool_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> open_feature::EvaluationResult<open_feature::provider::ResolutionDetails<bool>> {
        let metadata = FlagMetadata::default().with_value("tidegate.token", "token-of-elsewhere");
        Ok(open_feature::provider::ResolutionDetails::builder()
            .value(true)
            .flag_metadata(metadata)
            .build())
    }

    async fn resolve_int_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> open_feature::EvaluationResult<open_feature::provider::ResolutionDetails<i64>> {
        Err(not_here())
    }

    async fn resolve_float_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> open_feature::EvaluationResult<open_feature::provider::ResolutionDetails<f64>> {
        Err(not_here())
    }

    async fn resolve_string_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> open_feature::EvaluationResult<open_feature::provider::ResolutionDetails<String>> {
        Err(not_here())
    }

    async fn resolve_struct_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> open_feature::EvaluationResult<open_feature::provider::ResolutionDetails<StructValue>> {
        Err(not_here())
    }
}

fn not_here() -> open_feature::EvaluationError {
    let code = EvaluationErrorCode::FlagNotFound;
    open_feature::EvaluationError::builder().code(code).build()
}

#[tokio::test]
async fn the_hook_collects_exposures_of_any_provider_and_each_once() {
    let other = exposed(served("on", Kind::Boolean(true)), "token-of-checkout");
    let service = Service::new([("checkout", other)]).await;
    let mut api = OpenFeature::default();
    api.set_provider(Elsewhere(Default::default())).await;
    api.set_named_provider("ours", TidegateProvider::new(&service.client))
        .await;
    api.add_hook(ExposureHook).await;
    let (theirs, ours) = (api.create_client(), api.create_named_client("ours"));
    let observed = service.client.observe(async {
        theirs.get_bool_value("any", Some(&user()), None).await?;
        theirs.get_int_value("none", Some(&user()), None).await.unwrap_err();
        ours.get_bool_value("checkout", Some(&user()), None).await
    });
    assert_eq!(observed.await, Ok(true));
    let heard = &service.world.heard(1).await[0];
    assert_eq!(tokens(&heard.exposures), ["token-of-elsewhere", "token-of-checkout"]);
}
