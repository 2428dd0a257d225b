//! ICMP messages as flows: the pair of numbers that stands in the place of ports.

use farshore_model::Transport;

/// Type and code of an ICMP message as a pair of ports: a request and its answer belong to one flow.
pub(crate) fn ports(transport: Transport, kind: u8, code: u8) -> (u16, u16) {
    (u16::from(kind), u16::from(transport.counterpart(kind).unwrap_or(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_numbers_of_its_request_turned_round() {
        assert_eq!(ports(Transport::Icmp, 8, 0), (8, 0));
        assert_eq!(ports(Transport::Icmp, 0, 0), (0, 8));
        assert_eq!(ports(Transport::Icmp6, 136, 0), (136, 135));
        // Destination unreachable has no answer: type and code.
        assert_eq!(ports(Transport::Icmp, 3, 1), (3, 1));
    }
}
