//! What people do to rollouts and plans over gRPC, each call with who does it and why.
//!
//! A refusal is the point of many tests, so each call exists as `try_...` too where one is expected.

use proto::{
    said::Said,
    v1::{
        self, act_request::Act, flags_client::FlagsClient, plans_client::PlansClient, rollouts_client::RolloutsClient,
    },
};
use tonic::{Request, Status};

use crate::operator::Operator;

/// Who acts unless a test says otherwise.
pub const ANN: &str = "ann@desk";
/// Why.
pub const REASON: &str = "the plan says so";

/// Acts that need nothing but their name.
pub mod simple {
    use proto::v1::{Nothing, act_request::Act};

    /// It may be approved and started.
    pub const SUBMIT: Act = Act::Submit(Nothing {});
    /// The start, or the gate of the present stage, may open.
    pub const APPROVE: Act = Act::Approve(Nothing {});
    /// The clock stops.
    pub const PAUSE: Act = Act::Pause(Nothing {});
    /// The clock runs again.
    pub const RESUME: Act = Act::Resume(Nothing {});
    /// Into the next stage.
    pub const ADVANCE: Act = Act::Advance(Nothing {});
    /// Held until somebody resumes it.
    pub const HOLD: Act = Act::Hold(Nothing {});
    /// The gate waits for the open issues.
    pub const FIX: Act = Act::Fix(Nothing {});
    /// Treatment to 0 %, without a latch.
    pub const ROLL_BACK: Act = Act::RollBack(Nothing {});
    /// Treatment becomes the flag's default.
    pub const COMPLETE: Act = Act::Complete(Nothing {});
}

/// Back to an earlier stage.
pub fn step_back(stage: &str) -> Act {
    Act::StepBack(v1::StepBack {
        stage: stage.to_owned(),
    })
}

/// An item of a list is done.
pub fn tick(list: &str, item: &str) -> Act {
    Act::Tick(v1::Ticking {
        list: list.to_owned(),
        item: item.to_owned(),
        undone: false,
    })
}

/// Something was found.
pub fn issue(title: &str) -> Act {
    Act::AddIssue(v1::Found {
        title: title.to_owned(),
    })
}

/// It is dealt with.
pub fn closed(number: u32, resolution: &str) -> Act {
    Act::CloseIssue(v1::Closing {
        number,
        resolution: resolution.to_owned(),
    })
}

/// A signal is no harm; `guard` as a person says it, empty: whichever holds it.
pub fn dismiss(signal: &str, guard: &str) -> Act {
    Act::Dismiss(v1::Dismissing {
        signal: signal.to_owned(),
        guard: guard.to_owned(),
    })
}

/// A request that says who makes it, and why.
pub fn by<T>(actor: &str, reason: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    Said::Actor.say(request.metadata_mut(), actor);
    Said::Reason.say(request.metadata_mut(), reason);
    request
}

impl Operator {
    /// Does something to a rollout that is still at a sequence; none: wherever it is.
    pub async fn try_act_at(&self, name: &str, sequence: Option<u64>, act: Act) -> Result<v1::Rollout, Status> {
        let message = v1::ActRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
            expected_sequence: sequence,
            act: Some(act),
        };
        let response = RolloutsClient::new(self.channel())
            .act(by(ANN, REASON, message))
            .await?;
        Ok(response.into_inner().rollout.expect("a rollout is given back"))
    }

    /// Does something to a rollout.
    pub async fn try_act(&self, name: &str, act: Act) -> Result<v1::Rollout, Status> {
        self.try_act_at(name, None, act).await
    }

    /// Does something to a rollout.
    pub async fn act(&self, name: &str, act: Act) -> v1::Rollout {
        let said = format!("{act:?}");
        let done = self.try_act(name, act).await;
        done.unwrap_or_else(|status| panic!("{said} of {name}: {status}"))
    }

    /// Creates a rollout as a draft.
    pub async fn draft(&self, plan: v1::Plan) -> v1::Rollout {
        let message = v1::CreateRolloutRequest {
            environment: self.environment(),
            plan: Some(plan),
            plan_key: String::new(),
        };
        let response = RolloutsClient::new(self.channel())
            .create_rollout(by(ANN, REASON, message))
            .await;
        let response = response.unwrap_or_else(|status| panic!("create rollout: {status}"));
        response.into_inner().rollout.expect("a rollout is given back")
    }

    /// Starts a rollout that was created.
    pub async fn start_draft(&self, name: &str) -> v1::Rollout {
        let message = v1::StartRolloutRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
            ..v1::StartRolloutRequest::default()
        };
        let response = RolloutsClient::new(self.channel())
            .start_rollout(by(ANN, REASON, message))
            .await;
        let response = response.unwrap_or_else(|status| panic!("start {name}: {status}"));
        response.into_inner().rollout.expect("a rollout is given back")
    }

    /// Gives a rollout another plan.
    pub async fn try_edit(&self, name: &str, plan: v1::Plan) -> Result<v1::Rollout, Status> {
        let message = v1::EditRolloutRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
            expected_sequence: None,
            plan: Some(plan),
        };
        let response = RolloutsClient::new(self.channel())
            .edit_rollout(by(ANN, REASON, message))
            .await?;
        Ok(response.into_inner().rollout.expect("a rollout is given back"))
    }

    /// Starts a new run of an ended rollout.
    pub async fn retry(&self, name: &str, reshuffle: bool) -> v1::Rollout {
        let message = v1::RetryRolloutRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
            reshuffle,
        };
        let response = RolloutsClient::new(self.channel())
            .retry_rollout(by(ANN, REASON, message))
            .await;
        let response = response.unwrap_or_else(|status| panic!("retry {name}: {status}"));
        response.into_inner().rollout.expect("a rollout is given back")
    }

    /// All that is known of a rollout.
    pub async fn record(&self, name: &str) -> v1::GetRecordResponse {
        let message = v1::GetRecordRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
        };
        let response = RolloutsClient::new(self.channel()).get_record(message).await;
        let response = response.unwrap_or_else(|status| panic!("record of {name}: {status}"));
        response.into_inner()
    }

    /// A stored plan.
    pub async fn plan(&self, key: &str) -> v1::Plan {
        let message = v1::GetPlanRequest {
            environment: self.environment(),
            key: key.to_owned(),
            version: 0,
        };
        let response = PlansClient::new(self.channel()).get_plan(message).await;
        let response = response.unwrap_or_else(|status| panic!("plan {key}: {status}"));
        let stored = response.into_inner().plan.expect("a plan is given back");
        stored.plan.expect("a stored plan has its document")
    }

    /// Replaces a flag, and ends the rollout that holds it by the same act.
    pub async fn try_supersede(&self, flag: v1::Flag, reason: &str) -> Result<v1::StoredFlag, Status> {
        let message = v1::UpdateFlagRequest {
            environment: self.environment(),
            flag: Some(flag),
            supersede: true,
            ..v1::UpdateFlagRequest::default()
        };
        let response = FlagsClient::new(self.channel())
            .update_flag(by(ANN, reason, message))
            .await?;
        Ok(response.into_inner().flag.expect("an updated flag is given back"))
    }

    /// Replaces a flag, knowing of an abort.
    pub async fn try_update_after_abort(&self, flag: v1::Flag, aborted: &str) -> Result<v1::StoredFlag, Status> {
        let message = v1::UpdateFlagRequest {
            environment: self.environment(),
            flag: Some(flag),
            acknowledge_abort: aborted.to_owned(),
            ..v1::UpdateFlagRequest::default()
        };
        let response = FlagsClient::new(self.channel())
            .update_flag(by(ANN, REASON, message))
            .await?;
        Ok(response.into_inner().flag.expect("an updated flag is given back"))
    }
}
