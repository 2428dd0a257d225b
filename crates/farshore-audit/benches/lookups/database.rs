//! Writes the merged sets as a database in the MMDB form, so that another program can be asked the same. Owns no reading.
//!
//! Form: <https://maxmind.github.io/MaxMind-DB/>. One tree for both families, IPv4 in `::/96`, as its makers have it.

use farshore_audit::parties::{Answer, Stretches};

/// The bytes of a file that says what the stretches say.
pub fn of(stretches: &Stretches) -> Vec<u8> {
    let mut tree = Tree::default();
    let v4: Vec<_> = stretches.v4().map(|(start, answer)| (u64::from(start), answer)).collect();
    let v4 = tree.grow(&v4, None, 0, 1 << 31);
    // Between the upper half of an address that is all zero and IPv4 lie 32 bits that are.
    let carrier = (0..32).fold(v4, |below, _| tree.node([below, Branch::None]));
    tree.carrier = Some(carrier);
    let v6: Vec<_> = stretches.v6().collect();
    let root = tree.grow(&v6, None, 0, 1 << 63);
    tree.written(root, stretches)
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Branch {
    #[default]
    None,
    Node(usize),
    Data(Answer),
}

#[derive(Default)]
struct Tree {
    nodes: Vec<[Branch; 2]>,
    /// What stands at the upper half that is all zero.
    carrier: Option<Branch>,
}

impl Tree {
    fn node(&mut self, branches: [Branch; 2]) -> Branch {
        self.nodes.push(branches);
        Branch::Node(self.nodes.len() - 1)
    }

    /// The tree of the keys from `first` on, `half` of them in either branch; `before` holds for keys in front of all starts.
    fn grow(&mut self, starts: &[(u64, Option<Answer>)], before: Option<Answer>, first: u64, half: u64) -> Branch {
        if let Some(carrier) = self.carrier.filter(|_| first == 0 && half == 0) {
            return carrier;
        }
        let goes_on = self.carrier.is_some() && first == 0;
        let (at, rest) = match starts {
            [(start, answer), rest @ ..] if *start == first => (*answer, rest),
            _ => (before, starts),
        };
        if (rest.is_empty() && !goes_on) || half == 0 {
            return at.map_or(Branch::None, Branch::Data);
        }
        let (low, high) = rest.split_at(rest.partition_point(|(start, _)| *start < first + half));
        let last = low.last().map_or(at, |(_, answer)| *answer);
        let branches = [self.grow(low, at, first, half / 2), self.grow(high, last, first + half, half / 2)];
        if branches[0] == branches[1] && !matches!(branches[0], Branch::Node(_)) {
            return branches[0];
        }
        self.node(branches)
    }

    fn written(mut self, root: Branch, stretches: &Stretches) -> Vec<u8> {
        // The root comes first.
        let Branch::Node(root) = root else { return Vec::new() };
        self.nodes.reverse();
        let count = self.nodes.len();
        assert_eq!(root, count - 1, "the root was made last");
        let mut data = Vec::new();
        let mut places = std::collections::HashMap::new();
        let mut file = Vec::with_capacity(count * 8);
        for branch in self.nodes.into_iter().flatten() {
            let value = match branch {
                Branch::None => count,
                Branch::Node(index) => count - 1 - index,
                Branch::Data(answer) => {
                    let place = places.entry(answer.number()).or_insert_with(|| {
                        let place = data.len();
                        row(stretches, answer, &mut data);
                        place
                    });
                    count + 16 + *place
                }
            };
            file.extend_from_slice(&u32::try_from(value).expect("a tree of 32 bits").to_be_bytes());
        }
        file.extend_from_slice(&[0; 16]);
        file.extend_from_slice(&data);
        file.extend_from_slice(b"\xab\xcd\xefMaxMind.com\xe9");
        for (key, value) in [
            ("binary_format_major_version", vec![0xa1, 2]),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x04, 0x02, 0x6a, 0x90, 0x2a, 0x00]),
            ("database_type", text("Merged")),
            ("description", vec![0xe0]),
            ("ip_version", vec![0xa1, 6]),
            ("languages", vec![0x00, 0x04]),
            ("node_count", number(u32::try_from(count).expect("a tree of 32 bits"))),
            ("record_size", vec![0xa1, 32]),
        ] {
            file.extend(text(key));
            file.extend(value);
        }
        file
    }
}

/// `{"countries": [a, b, c], "asn": n}`.
fn row(stretches: &Stretches, answer: Answer, data: &mut Vec<u8>) {
    let said = stretches.said(answer);
    data.push(0xe2);
    data.extend(text("countries"));
    data.extend([u8::try_from(said.countries.len()).expect("few sets"), 0x04]);
    for country in said.countries {
        data.extend(text(country.as_ref().map_or("", |it| it.code())));
    }
    data.extend(text("asn"));
    data.extend(number(said.asn));
}

fn text(it: &str) -> Vec<u8> {
    let length = u8::try_from(it.len()).expect("short");
    assert!(length < 29, "longer texts have another form");
    [&[0x40 | length], it.as_bytes()].concat()
}

fn number(it: u32) -> Vec<u8> {
    [&[0xc4_u8][..], &it.to_be_bytes()].concat()
}
