//! Names of OpenTelemetry's semantic conventions, the current ones and those that are still met in the field.
//!
//! What a name means is decided where it is read. Older names are listed after the current ones; where both stand, the
//! current one counts.

/// Event of one flag evaluation: of a log record, of a span, or a span of its own.
pub(super) const EVALUATION: &str = "feature_flag.evaluation";
/// The event of a span in older libraries.
pub(super) const OLDER_EVALUATION: &str = "feature_flag";
/// Event of a judge's result.
pub(super) const RESULT: &str = "gen_ai.evaluation.result";
/// Event of a span that failed.
pub(super) const EXCEPTION: &str = "exception";
/// Attribute with the event's name in log records of older libraries.
pub(super) const EVENT_NAME: &str = "event.name";

/// The flag.
pub(super) const FLAG: &str = "feature_flag.key";
/// The variant served.
pub(super) const VARIANT: &str = "feature_flag.result.variant";
/// The same before 1.32.
pub(super) const OLDER_VARIANT: &str = "feature_flag.variant";
/// Why it was served.
pub(super) const REASON: &str = "feature_flag.result.reason";
/// The same before 1.32, and in some libraries.
pub(super) const OLDER_REASONS: [&str; 2] = ["feature_flag.evaluation.reason", "feature_flag.reason"];
/// Whom it was served to.
pub(super) const CONTEXT_ID: &str = "feature_flag.context.id";
/// What it was served from.
pub(super) const VERSION: &str = "feature_flag.version";

/// The class of a failure.
pub(super) const ERROR_TYPE: &str = "error.type";
/// The same in an exception event.
pub(super) const EXCEPTION_TYPE: &str = "exception.type";
/// The status of an HTTP response.
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
/// The same before 1.21.
pub(super) const OLDER_HTTP_STATUS: &str = "http.status_code";
/// The status of an rpc, in words; the older ones in words, and as gRPC's number.
pub(super) const RPC_STATUS: [&str; 3] = ["rpc.status_code", "rpc.response.status_code", "rpc.grpc.status_code"];

/// What a GenAI span did.
pub(super) const OPERATION: &str = "gen_ai.operation.name";
/// Tokens read.
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// The same before 1.27.
pub(super) const OLDER_INPUT_TOKENS: &str = "gen_ai.usage.prompt_tokens";
/// Tokens written.
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// The same before 1.27.
pub(super) const OLDER_OUTPUT_TOKENS: &str = "gen_ai.usage.completion_tokens";
/// Seconds until the first of the answer came; the others are what libraries called it before there was a name.
pub(super) const FIRST_TOKEN: [&str; 3] = [
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.response.time_to_first_token",
    "gen_ai.server.time_to_first_token",
];
/// What was judged.
pub(super) const RESULT_NAME: &str = "gen_ai.evaluation.name";
/// The judge's number.
pub(super) const RESULT_SCORE: &str = "gen_ai.evaluation.score.value";
/// The judge's word.
pub(super) const RESULT_LABEL: &str = "gen_ai.evaluation.score.label";

/// Attributes of a resource that tell one process from another. Not `service.instance.id`: some libraries draw one for
/// each resource that they build, and logs would be of another process than spans.
pub(super) const PROCESS: [&str; 7] = [
    "service.namespace",
    "service.name",
    "host.name",
    "host.id",
    "container.id",
    "k8s.pod.uid",
    "process.pid",
];
/// Attribute of a resource: whether its traces are a sample (`true`), or all that there are (`false`).
pub(super) const SAMPLED: &str = "tidegate.sampled";
