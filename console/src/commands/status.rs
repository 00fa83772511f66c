//! Where flags stand across environments: as a table, as values, as blocks in Markdown; and how often patterns have won.
//!
//! A file is read and written here, and only if its block changes; what a block looks like and where it goes is the
//! `rollout` crate's.

use std::{fs, path::Path};

use evaluation::Key;
use jiff::{Timestamp, tz::TimeZone};
use proto::v1;
use rollout::{
    Share,
    status::{self, Block, Date, FlagState, Line},
};
use tonic::Status;

use super::pages;
use crate::{
    args::{Global, PosteriorsArgs, StatusArgs},
    connect::Session,
    error::Error,
    print::{self, Paint},
    view::status::{self as view, PosteriorView, StatusView},
};

/// Flags in one page.
const PAGE: u32 = 500;
/// What serves the flags.
const FLAG_SERVICE: &str = "tidegate";

/// Shows where flags stand, or writes it into a file.
pub(super) async fn run(global: &Global, options: &StatusArgs) -> Result<(), Error> {
    // Read before anything is asked: what cannot be written need not be known.
    let file = options.write.as_deref().map(read).transpose()?;
    let session = Session::open(global).await?;
    let flags = pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListStatusRequest {
            flags: options.flag.iter().map(Key::to_string).collect(),
            page_size: PAGE,
            page_token,
        };
        let response = session.flag_status().list_status(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.flags, page.next_page_token))
    })
    .await
    .map_err(|status: Status| session.error(&status))?;
    let missing = options
        .flag
        .iter()
        .filter(|key| !flags.iter().any(|status| status.flag == key.as_str()));
    let missing: Vec<String> = missing.map(|key| format!("no flag {key} in any environment")).collect();
    if !missing.is_empty() {
        return Err(Error::Refused(missing));
    }
    if let (Some(path), Some(text)) = (&options.write, file) {
        write(path, &text, &flags)?;
    }
    let blocks = if options.block {
        let (blocks, without) = blocks(&flags, options.flag.is_empty())?;
        if !without.is_empty() {
            print::note(&format!(
                "never rolled out, and without a block: {}",
                without.join(", ")
            ));
        }
        Some(blocks)
    } else {
        None
    };
    let views: Vec<StatusView> = flags.iter().map(StatusView::of).collect();
    print::show(global.output, &views, || match (blocks, flags.as_slice()) {
        (Some(blocks), _) => blocks,
        (None, []) => "no flags".into(),
        (None, flags) => view::table(flags, Paint::of(global)),
    })
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

/// Puts the block of each flag in its place in the file.
fn write(path: &Path, text: &str, flags: &[v1::StatusOfFlag]) -> Result<(), Error> {
    let mut written = text.to_owned();
    for status in flags {
        let wrong = |error: status::Error| Error::usage(format!("{}: {error}", path.display()));
        written = status::replace(&written, &block(status)?).map_err(wrong)?;
    }
    let name = path.display();
    if written == text {
        print::note(&format!("{name}: says so already"));
        return Ok(());
    }
    fs::write(path, written).map_err(|error| Error::refused(format!("{name}: {error}")))?;
    print::note(&format!("{name}: written"));
    Ok(())
}

/// The blocks, and the flags that have none: a flag that never changed is passed over unless it was asked for by name.
fn blocks(flags: &[v1::StatusOfFlag], of_all: bool) -> Result<(String, Vec<&str>), Error> {
    let has_none = |status: &&v1::StatusOfFlag| of_all && status.last_changed_us == 0;
    let (without, with): (Vec<_>, Vec<_>) = flags.iter().partition(has_none);
    let blocks: Result<Vec<String>, Error> = with.into_iter().map(|status| Ok(block(status)?.render())).collect();
    let without = without.into_iter().map(|status| status.flag.as_str());
    Ok((blocks?.join("\n"), without.collect()))
}

/// The block of a flag.
fn block(status: &v1::StatusOfFlag) -> Result<Block, Error> {
    let odd = |what: &str| {
        Error::refused(format!(
            "{}: {what}: is the control plane of another version?",
            status.flag
        ))
    };
    let line = |text: &str| Line::new(text).ok_or_else(|| odd(&format!("{text:?} is no text of one line")));
    let cycle = if status.cycle.is_empty() {
        &status.flag
    } else {
        &status.cycle
    };
    let state: FlagState = status
        .state
        .parse()
        .map_err(|_| odd(&format!("no state `{}`", status.state)))?;
    let changed = changed(status)?;
    let mut block = Block::new(line(cycle)?, state, line(FLAG_SERVICE)?, changed);
    block.deployed_pct = share(status.deployed_pct).ok_or_else(|| odd("a percentage beyond 100"))?;
    block.stuck = status.stuck;
    Ok(block)
}

/// The day of the last change in UTC; a flag that never changed has none, and no block.
fn changed(status: &v1::StatusOfFlag) -> Result<Date, Error> {
    let day = (status.last_changed_us != 0)
        .then(|| Timestamp::from_microsecond(status.last_changed_us).ok())
        .flatten()
        .map(|at| at.to_zoned(TimeZone::UTC).date().to_string());
    day.and_then(|day| day.parse().ok()).ok_or_else(|| {
        Error::refused(format!(
            "{}: nothing is known of its last change, so there is no block to write",
            status.flag
        ))
    })
}

/// A percentage in buckets.
fn share(percent: f64) -> Option<Share> {
    let buckets = (1_000.0 * percent).round();
    // Between the bounds every whole number is exact.
    (0.0..=100_000.0)
        .contains(&buckets)
        .then(|| Share::new(buckets as u32))
        .flatten()
}

/// Shows how often patterns have won.
pub(super) async fn posteriors(global: &Global, options: &PosteriorsArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::ListPosteriorsRequest {
        component: options.component.clone().unwrap_or_default(),
        pattern: options.pattern.clone().unwrap_or_default(),
    };
    let response = session.flag_status().list_posteriors(session.call(request)).await;
    let posteriors = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .posteriors;
    let views: Vec<PosteriorView> = posteriors.iter().map(PosteriorView::of).collect();
    print::show(global.output, &views, || match posteriors.as_slice() {
        [] => "no rollout with a component and a pattern has ended".into(),
        posteriors => view::posteriors(posteriors),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn status() -> v1::StatusOfFlag {
        v1::StatusOfFlag {
            flag: "checkout".into(),
            state: "canary-10%".into(),
            deployed_pct: 10.0,
            last_changed_us: 1_779_235_200_000_000,
            cycle: "2026-06-checkout-redesign".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_status_is_a_block() {
        assert_eq!(
            block(&status()).unwrap().render(),
            "<rollout_status>\ncycle: 2026-06-checkout-redesign\nstate: canary-10%\ndeployed_pct: 10\n\
             flag_service: tidegate\nlast_changed: 2026-05-20\nstuck: false\n</rollout_status>"
        );
    }

    #[test]
    fn a_flag_that_never_changed_hides_no_other_and_is_told_when_asked_for() {
        let banner = v1::StatusOfFlag {
            flag: "banner".into(),
            last_changed_us: 0,
            ..status()
        };
        let flags = [banner, status()];
        let alone = block(&status()).unwrap().render();
        assert_eq!(blocks(&flags, true).unwrap(), (alone, vec!["banner"]));
        assert!(blocks(&flags, false).is_err());
    }

    #[test]
    fn what_cannot_be_a_block_says_why() {
        let cases = [
            (
                v1::StatusOfFlag {
                    state: "half".into(),
                    ..status()
                },
                "no state `half`",
            ),
            (
                v1::StatusOfFlag {
                    last_changed_us: 0,
                    ..status()
                },
                "nothing is known of its last change",
            ),
            (
                v1::StatusOfFlag {
                    deployed_pct: f64::NAN,
                    ..status()
                },
                "beyond 100",
            ),
            (
                v1::StatusOfFlag {
                    cycle: "a\nb".into(),
                    ..status()
                },
                "no text of one line",
            ),
        ];
        for (status, part) in cases {
            let error = block(&status).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
