//! Changes of flags at a time: scheduled, listed, shown, cancelled.
//!
//! `schedule set` computes now what `set` would write now, and sends only the fields that it changes. A change of the
//! lists or the rules replaces them whole; so that it never takes back what somebody else adds in between, it is refused
//! at its time if the flag was changed by then.

use evaluation::Key;
use jiff::Timestamp;
use prost_types::FieldMask;
use proto::v1::{self, scheduled_change::Kind};

use super::{edit, flags, pages};
use crate::{
    args::{Global, ScheduleCommand, ScheduleListArgs, ScheduledFlag, ScheduledSet, WhenArgs},
    connect::Session,
    edit::Edit,
    error::Error,
    print,
    view::schedule::{self, ScheduleView},
};

/// Schedules in one page.
const PAGE: u32 = 100;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: ScheduleCommand) -> Result<(), Error> {
    match command {
        ScheduleCommand::Set(options) => set(global, *options).await,
        ScheduleCommand::Enable(flag) => simple(global, flag, Kind::Enabled(true)).await,
        ScheduleCommand::Disable(flag) => simple(global, flag, Kind::Enabled(false)).await,
        ScheduleCommand::Kill(flag) => simple(global, flag, Kind::Killed(true)).await,
        ScheduleCommand::Revive(flag) => simple(global, flag, Kind::Killed(false)).await,
        ScheduleCommand::Archive(flag) => simple(global, flag, Kind::Archived(true)).await,
        ScheduleCommand::Unarchive(flag) => simple(global, flag, Kind::Archived(false)).await,
        ScheduleCommand::Delete(flag) => simple(global, flag, Kind::Delete(v1::DeleteIt {})).await,
        ScheduleCommand::List(options) => list(global, &options).await,
        ScheduleCommand::Get(name) => get(global, name.id).await,
        ScheduleCommand::Cancel(name) => cancel(global, name.id).await,
    }
}

async fn set(global: &Global, options: ScheduledSet) -> Result<(), Error> {
    let ScheduledSet { set, when } = options;
    if set.create {
        return Err(Error::usage(
            "--create: a change is scheduled for a flag that is there; create it first, disabled if need be",
        ));
    }
    if set.consent.supersede || set.consent.acknowledge_abort.is_some() {
        return Err(Error::usage(
            "--supersede and --acknowledge-abort are a person's word at the moment of the edit; a scheduled change that \
             meets a rollout is refused at its time",
        ));
    }
    let (key, edit) = edit::of(set);
    let session = Session::open(global).await?;
    let stored = match flags::read(&session, &key).await {
        Ok(stored) => stored,
        Err(status) => return Err(flags::missing(&session, &key, status).await),
    };
    let present = stored.flag.unwrap_or_default();
    let Patch { patch, whole_lists } = patch(&edit, &present)?;
    if whole_lists && !when.if_unchanged {
        print::note("the change replaces whole lists or rules: it is refused then if the flag was changed in between");
    }
    let expected = if whole_lists || when.if_unchanged {
        stored.revision
    } else {
        0
    };
    create(global, &session, &key, &when, Kind::Patch(patch), expected).await
}

/// Some fields of a flag.
#[derive(Debug, PartialEq)]
struct Patch {
    patch: v1::FlagPatch,
    /// Whether it replaces lists or rules, which somebody else may add to.
    whole_lists: bool,
}

/// The fields that the edit changes, or that there is nothing to change.
fn patch(edit: &Edit, present: &v1::Flag) -> Result<Patch, Error> {
    let wanted = edit.apply(present).map_err(Error::Refused)?;
    let mut paths = Vec::new();
    let mut flag = v1::Flag {
        key: present.key.clone(),
        r#type: present.r#type,
        ..v1::Flag::default()
    };
    // What an edit says about who gets what is always meant, though it may be so already.
    if let Edit::Serve(_) = edit {
        paths.push("default_serve".to_owned());
        flag.default_serve = wanted.default_serve;
    }
    if wanted.enabled != present.enabled {
        paths.push("enabled".to_owned());
        flag.enabled = wanted.enabled;
    }
    let before = paths.len();
    if wanted.deny != present.deny {
        paths.push("deny".to_owned());
        flag.deny = wanted.deny;
    }
    if wanted.allow != present.allow {
        paths.push("allow".to_owned());
        flag.allow = wanted.allow;
    }
    if wanted.rules != present.rules {
        paths.push("rules".to_owned());
        flag.rules = wanted.rules;
    }
    let whole_lists = paths.len() > before;
    if paths.is_empty() {
        return Err(Error::refused(format!("{}: nothing would change", present.key)));
    }
    Ok(Patch {
        patch: v1::FlagPatch {
            flag: Some(flag),
            update_mask: Some(FieldMask { paths }),
        },
        whole_lists,
    })
}

async fn simple(global: &Global, options: ScheduledFlag, kind: Kind) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let expected = if options.when.if_unchanged {
        match flags::read(&session, &options.key).await {
            Ok(stored) => stored.revision,
            Err(status) => return Err(flags::missing(&session, &options.key, status).await),
        }
    } else {
        0
    };
    create(global, &session, &options.key, &options.when, kind, expected).await
}

async fn create(
    global: &Global,
    session: &Session,
    key: &Key,
    when: &WhenArgs,
    kind: Kind,
    expected_revision: u64,
) -> Result<(), Error> {
    let schedule = v1::Schedule {
        environment: session.environment(),
        flag: key.to_string(),
        at_us: at(when, Timestamp::now().as_microsecond()),
        change: Some(v1::ScheduledChange { kind: Some(kind) }),
        expected_revision,
        deadline_us: when
            .deadline
            .map_or(0, |deadline| i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX)),
        ..v1::Schedule::default()
    };
    let request = v1::CreateScheduleRequest {
        schedule: Some(schedule),
    };
    let schedule = match session.schedules().create_schedule(session.call(request)).await {
        Ok(response) => response.into_inner().schedule.unwrap_or_default(),
        Err(status) => return Err(flags::missing(session, key, status).await),
    };
    print::show(global.output, &ScheduleView::of(&schedule), || {
        format!(
            "{}\ncancel it with: tidegate schedule cancel {} -e {}",
            schedule::line(&schedule),
            print::plain(&schedule.id),
            session.environment()
        )
    })
}

/// The moment, microseconds since 1970 UTC.
fn at(when: &WhenArgs, now_us: i64) -> i64 {
    let after = when
        .after
        .map(|after| now_us.saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)));
    when.at.or(after).unwrap_or(now_us)
}

async fn list(global: &Global, options: &ScheduleListArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let schedules = pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListSchedulesRequest {
            environment: session.environment(),
            flag: options.key.as_ref().map(Key::to_string).unwrap_or_default(),
            ended: options.all,
            page_size: PAGE,
            page_token,
        };
        let response = session.schedules().list_schedules(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.schedules, page.next_page_token))
    })
    .await
    .map_err(|status: tonic::Status| session.error(&status))?;
    let views: Vec<ScheduleView> = schedules.iter().map(ScheduleView::of).collect();
    print::show(global.output, &views, || match schedules.as_slice() {
        [] => format!("no scheduled changes in {}", session.environment()),
        schedules => schedule::list(schedules),
    })
}

async fn get(global: &Global, id: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::GetScheduleRequest {
        environment: session.environment(),
        id,
    };
    let response = session.schedules().get_schedule(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let schedule = response.into_inner().schedule.unwrap_or_default();
    print::show(global.output, &ScheduleView::of(&schedule), || {
        schedule::page(&schedule)
    })
}

async fn cancel(global: &Global, id: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::CancelScheduleRequest {
        environment: session.environment(),
        id,
    };
    let response = session.schedules().cancel_schedule(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let schedule = response.into_inner().schedule.unwrap_or_default();
    print::show(global.output, &ScheduleView::of(&schedule), || {
        schedule::line(&schedule)
    })
}
