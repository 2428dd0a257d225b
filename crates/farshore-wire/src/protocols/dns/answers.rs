//! One query has one answer: a second one that says something else came from somebody else.
//!
//! Resolvers vary what they say from query to query, so answers are held against each other only under one question, and
//! only if there are more of them than the question was asked; where it was repeated, or one of them is a failure, only if
//! their IP headers tell two senders apart. The order of records, their lifetimes
//! and everything but addresses and the code is left out of account.

use std::hash::{DefaultHasher, Hasher as _};

use farshore_model::Span;

use super::message::{Message, Section};
use crate::packet::Mark;

/// Questions that wait in one flow: more than a client asks at a time under one port.
const WAITING: usize = 16;
/// The code of a name that does not exist (RFC 1035, section 4.1.1).
const NO_NAME: u16 = 3;
/// Those of a server that failed, and of one that refuses (the same).
const SERVER_FAILURE: u16 = 2;
const REFUSED: u16 = 5;

/// The latest questions of one flow.
#[derive(Debug, Default)]
pub struct Answers {
    waiting: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    id: u16,
    question: u64,
    /// How often it was asked, and how often answered.
    times: u32,
    answers: u32,
    /// Most wait for one.
    answer: Option<Box<Answer>>,
}

/// An answer, as far as answers are held against each other.
#[derive(Clone, Debug)]
struct Answer {
    says: Says,
    mark: Option<Mark>,
    at: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Says {
    /// Addresses, sorted: their number and digest.
    Addresses(usize, u64),
    NoName,
    /// The server could not, or would not (RFC 1035, section 4.1.1).
    Failure(u16),
}

impl Says {
    const fn is_failure(&self) -> bool {
        matches!(self, Self::Failure(_))
    }
}

/// Two answers to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The earlier and the later.
    pub places: [Span; 2],
    pub because: String,
}

impl Answers {
    /// Takes a query or a response.
    pub fn message(&mut self, message: &Message, bytes: &[u8], mark: Option<Mark>, at: Span) -> Option<Contradiction> {
        let question = message.questions.first()?;
        let key = digest(&(question.name.dotted.to_ascii_lowercase(), question.kind, question.class));
        let id = message.header.id;
        let known = self.waiting.iter_mut().find(|it| it.id == id && it.question == key);
        if !message.header.is_response() {
            match known {
                Some(it) => it.times = it.times.saturating_add(1),
                None => self.wait(Asked {
                    id,
                    question: key,
                    times: 1,
                    answers: 0,
                    answer: None,
                }),
            }
            return None;
        }
        let answer = Box::new(Answer {
            says: says(message, bytes)?,
            mark,
            at,
        });
        let Some(asked) = known else {
            self.wait(Asked {
                id,
                question: key,
                times: 0,
                answers: 1,
                answer: Some(answer),
            });
            return None;
        };
        asked.answers = asked.answers.saturating_add(1);
        let Some(first) = &asked.answer else {
            asked.answer = Some(answer);
            return None;
        };
        let apart = first.mark.zip(answer.mark).is_some_and(|(first, second)| first.ttl != second.ttl);
        // Whoever asks again may be answered again, and by another host behind the same address.
        let one_too_many = asked.answers > asked.times;
        let alone = asked.times == 1 && !first.says.is_failure() && !answer.says.is_failure();
        if first.says == answer.says || !one_too_many || !apart && !alone {
            return None;
        }
        let shown = |it: Option<Mark>| it.map_or_else(String::new, |it| format!(" ({it})"));
        let (one, two) = (first.at.frame, answer.at.frame);
        let doubt = if apart {
            "their IP headers tell of two senders"
        } else {
            "their IP headers do not tell them apart, so this rests on the order alone"
        };
        let because = format!(
            "one query has two answers that differ, in frames {one}{} and {two}{}: frame {one} is taken for the forged one, since an answer \
             made on the path has to come before the genuine; {doubt}",
            shown(first.mark),
            shown(answer.mark),
        );
        Some(Contradiction {
            places: [first.at, answer.at],
            because,
        })
    }

    /// Whether some question was not answered as often as it was asked.
    pub fn are_owed(&self) -> bool {
        self.waiting.iter().any(|it| it.answers < it.times)
    }

    fn wait(&mut self, it: Asked) {
        if self.waiting.len() >= WAITING {
            self.waiting.remove(0);
        }
        // Most flows ask once.
        if self.waiting.is_empty() {
            self.waiting.reserve_exact(1);
        }
        self.waiting.push(it);
    }
}

/// What an answer says; `None` if it says nothing that could be held against another.
fn says(message: &Message, bytes: &[u8]) -> Option<Says> {
    match message.header.code() {
        0 => {
            let answers = message
                .records
                .iter()
                .filter(|it| it.section == Section::Answer && matches!(it.kind, 1 | 28));
            let mut addresses: Vec<&[u8]> = answers.filter_map(|it| bytes.get(it.data.clone())).collect();
            addresses.sort_unstable();
            (!addresses.is_empty()).then(|| Says::Addresses(addresses.len(), digest(&addresses)))
        }
        NO_NAME => Some(Says::NoName),
        code @ (SERVER_FAILURE | REFUSED) => Some(Says::Failure(code)),
        _ => None,
    }
}

/// Of fixed keys: the same in every run.
fn digest(it: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    it.hash(&mut hasher);
    hasher.finish()
}
