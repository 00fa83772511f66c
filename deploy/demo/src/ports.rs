//! Which port each part listens on, and whether they are free.
//!
//! The standard ports come first, so that what the demo prints is what the documentation prints. Every port is tried
//! before anything starts, so that a busy one is a line to read and not a child that dies; all busy ones are named at
//! once.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

/// How many ports the demo needs.
const COUNT: u16 = 10;

/// Where other ports are looked for: below those that the system gives to outgoing connections.
const PROPOSED: Range<u16> = 17_420..32_000;

/// The standard ports, in the order of [`Ports::named`].
const STANDARD: [u16; COUNT as usize] = [7420, 7421, 8013, 8014, 8016, 8023, 8024, 8026, 8018, 8028];

/// Where every part listens, on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The control plane's gRPC.
    pub(crate) control_plane: SocketAddr,
    /// The control plane's probes and metrics.
    pub(crate) control_plane_ops: SocketAddr,
    /// Both agents.
    pub(crate) agents: [AgentPorts; 2],
    /// The service beside each agent.
    pub(crate) services: [SocketAddr; 2],
}

/// Where an agent listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgentPorts {
    /// The flagd protocol, and outcomes.
    pub(crate) listen: SocketAddr,
    /// Probes and metrics.
    pub(crate) ops: SocketAddr,
    /// OFREP.
    pub(crate) ofrep: SocketAddr,
}

/// Ports that cannot be listened on, and a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Busy {
    refused: Vec<Refused>,
    /// The first of ports in a row that are free.
    free_from: u16,
}

/// A part, its address, and what the system said.
type Refused = (&'static str, SocketAddr, String);

impl Ports {
    /// The ports of the documentation.
    pub(crate) fn standard() -> Self {
        Self::of(STANDARD)
    }

    /// Consecutive ports from the first one on. None: they would end beyond 65,535, or the first is 0.
    pub(crate) fn from_first(first: u16) -> Option<Self> {
        if first == 0 || first.checked_add(COUNT - 1).is_none() {
            return None;
        }
        let mut ports = STANDARD;
        for (port, offset) in ports.iter_mut().zip(0..COUNT) {
            *port = first + offset;
        }
        Some(Self::of(ports))
    }

    /// Whether the console finds the control plane without being told where it is.
    pub(crate) fn has_standard_control_plane(&self) -> bool {
        self.control_plane == Self::standard().control_plane
    }

    /// Tries to listen on each, briefly.
    pub(crate) fn check(&self) -> Result<(), Busy> {
        let refused = self.refused();
        if refused.is_empty() {
            return Ok(());
        }
        let is_free = |first: &u16| Self::from_first(*first).is_some_and(|ports| ports.refused().is_empty());
        let free_from = PROPOSED.step_by(1_000).find(is_free).unwrap_or(PROPOSED.start);
        Err(Busy { refused, free_from })
    }

    fn refused(&self) -> Vec<Refused> {
        let refused = |(part, address): (&'static str, SocketAddr)| {
            let error = TcpListener::bind(address).err()?;
            Some((part, address, error.to_string()))
        };
        self.named().into_iter().filter_map(refused).collect()
    }

    fn of(ports: [u16; COUNT as usize]) -> Self {
        let [
            plane,
            plane_ops,
            one,
            one_ops,
            one_ofrep,
            two,
            two_ops,
            two_ofrep,
            first,
            second,
        ] = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let agent = |listen, ops, ofrep| AgentPorts { listen, ops, ofrep };
        Self {
            control_plane: plane,
            control_plane_ops: plane_ops,
            agents: [agent(one, one_ops, one_ofrep), agent(two, two_ops, two_ofrep)],
            services: [first, second],
        }
    }

    fn named(&self) -> [(&'static str, SocketAddr); COUNT as usize] {
        let [one, two] = self.agents;
        [
            ("the control plane", self.control_plane),
            ("the control plane's probes", self.control_plane_ops),
            ("agent one", one.listen),
            ("agent one's probes", one.ops),
            ("agent one's OFREP", one.ofrep),
            ("agent two", two.listen),
            ("agent two's probes", two.ops),
            ("agent two's OFREP", two.ofrep),
            ("the service beside agent one", self.services[0]),
            ("the service beside agent two", self.services[1]),
        ]
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, address, error) in &self.refused {
            writeln!(f, "port {}, needed for {part}, cannot be used: {error}", address.port())?;
        }
        let first = self.free_from;
        write!(
            f,
            "Stop what listens there (ss -ltnp names it), or give the demo {COUNT} other ports, these are free:\n  "
        )?;
        write!(
            f,
            "make run DEMO=\"--ports-from {first}\"        or: tidegate-demo --ports-from {first}"
        )
    }
}

impl std::error::Error for Busy {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_standard_ports_are_those_of_the_documentation() {
        let ports = Ports::standard();
        assert_eq!(ports.control_plane.to_string(), "127.0.0.1:7420");
        assert_eq!(ports.agents[0].listen.to_string(), "127.0.0.1:8013");
        assert!(ports.has_standard_control_plane());
    }

    #[test]
    fn ports_in_a_row_end_before_the_last_port() {
        assert_eq!(Ports::from_first(0), None);
        assert_eq!(Ports::from_first(65_527), None);
        let last = Ports::from_first(65_526).unwrap();
        assert_eq!(last.services[1].port(), 65_535);
        assert!(!last.has_standard_control_plane());
    }

    #[test]
    fn no_port_is_given_twice() {
        for ports in [Ports::standard(), Ports::from_first(20_000).unwrap()] {
            let mut numbers = ports.named().map(|(_, address)| address.port());
            numbers.sort_unstable();
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        }
    }

    #[test]
    fn a_busy_port_is_named_with_its_part_and_the_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut ports = Ports::standard();
        ports.services = [taken.local_addr().unwrap(); 2];
        let text = ports.check().unwrap_err().to_string();
        let port = taken.local_addr().unwrap().port();
        assert!(
            text.contains(&format!("port {port}, needed for the service beside agent one")),
            "{text}"
        );
        assert!(text.contains("--ports-from"), "{text}");
    }
}
