//! Reference values of 4c and of section 6: estimates, scores, evidence and gates from unit buckets.

use rollout::evidence::certify::{Certification, SampledUnits, certify};
use rollout::evidence::limit::{Kind, Limit, Rule, Side};
use rollout::evidence::robust::{Buckets, Estimate, Finding, Stratum, judge};
use serde::Deserialize;

use crate::{Number, assert_close, vectors};

#[derive(Deserialize)]
pub(crate) struct Robust {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Case {
    name: String,
    kind: String,
    /// Where the difference is positive: for certification the side of safety.
    direction: String,
    limit: Option<f64>,
    rho: Option<f64>,
    certify: bool,
    strata: Vec<Arms>,
    R0: Option<f64>,
    D: Option<f64>,
    V: Option<f64>,
    nu: Option<f64>,
    z: Option<f64>,
    log_e: Option<Number>,
    gate: Option<bool>,
}

#[derive(Deserialize)]
struct Arms {
    t: Sums,
    c: Option<Sums>,
}

#[derive(Deserialize)]
struct Sums {
    num: Vec<i128>,
    den: Vec<u64>,
}

impl Sums {
    fn buckets(&self) -> Buckets {
        Buckets::from_sums(
            self.num.as_slice().try_into().unwrap(),
            self.den.as_slice().try_into().unwrap(),
        )
    }
}

impl Case {
    fn rule(&self) -> Rule {
        let direction = match self.direction.as_str() {
            "above" => Side::Above,
            "below" => Side::Below,
            other => panic!("no such direction: {other}"),
        };
        Rule {
            kind: match self.kind.as_str() {
                "rate" => Kind::Rate,
                "mean" => Kind::Mean,
                other => panic!("no such kind: {other}"),
            },
            limit: match (self.limit, self.rho) {
                (Some(limit), None) => Limit::Absolute(limit),
                (None, Some(rho)) => Limit::Relative(rho),
                both => panic!("no such limit: {both:?}"),
            },
            harm: if self.certify { direction.turned() } else { direction },
        }
    }

    fn strata(&self) -> Vec<Stratum> {
        let stratum = |arms: &Arms| Stratum {
            treatment: arms.t.buckets(),
            control: arms.c.as_ref().map(Sums::buckets),
        };
        self.strata.iter().map(stratum).collect()
    }

    /// The estimate, and whether it counts. The units of certification are not in the vectors.
    fn ask(&self) -> Option<(Estimate, bool)> {
        let units = SampledUnits {
            treatment: 16,
            control: 16,
        };
        if self.certify {
            return match certify(&self.rule(), &self.strata(), units, 0.05) {
                Certification::Silent => None,
                Certification::Early(estimate) => Some((estimate, false)),
                Certification::Unproven(estimate) | Certification::Safe(estimate) => Some((estimate, true)),
            };
        }
        match judge(&self.rule(), &self.strata()) {
            Finding::Silent => None,
            Finding::Early(estimate) => Some((estimate, false)),
            Finding::Speaks(estimate) => Some((estimate, true)),
        }
    }
}

#[track_caller]
fn assert_relatively_close(actual: f64, expected: Option<f64>, what: &str) {
    let expected = expected.unwrap();
    let tolerance = 1e-9 * expected.abs();
    assert!(
        (actual - expected).abs() <= tolerance,
        "{what}: {actual}, expected {expected}"
    );
}

#[test]
fn robust_evidence_is_the_specified_one() {
    let cases = vectors().robust.cases;
    assert!(cases.len() >= 20);
    for case in cases {
        let name = &case.name;
        let Some((estimate, speaks)) = case.ask() else {
            assert!(case.log_e.is_none() && case.D.is_none(), "{name}: silent");
            continue;
        };
        assert_relatively_close(estimate.at_limit, case.R0, &format!("{name}: R0"));
        assert_relatively_close(estimate.difference, case.D, &format!("{name}: d"));
        assert_relatively_close(estimate.variance, case.V, &format!("{name}: V"));
        assert_relatively_close(estimate.freedom, case.nu, &format!("{name}: nu"));
        assert_relatively_close(estimate.score, case.z, &format!("{name}: z"));
        match case.log_e.as_ref().unwrap().value() {
            f64::NEG_INFINITY => assert_eq!(estimate.log_e(), f64::NEG_INFINITY, "{name}"),
            log_e => assert_close(estimate.log_e(), log_e, &format!("{name}: log e")),
        }
        assert_eq!(Some(speaks), case.gate, "{name}: gate");
    }
}
