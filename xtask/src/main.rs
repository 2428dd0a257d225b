//! Chores of this repository.

mod captures;
mod gate;
mod generate;
mod licences;
mod tidy;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((verb, rest)) if verb == "captures" => captures::run(rest),
        Some((verb, rest)) if verb == "gate" => gate::run(rest),
        Some((verb, rest)) if verb == "generate" => generate::run(rest),
        Some((verb, [])) if verb == "licences" => licences::run(),
        Some((verb, [])) if verb == "tidy" => tidy::run(),
        _ => anyhow::bail!(
            "usage: cargo xtask tidy | cargo xtask licences | cargo xtask captures [--ready | [--draw] [PROGRAM]] | cargo xtask gate [--ready | --raise [CASE]...] | cargo xtask generate parties [--check] [--from DIR]"
        ),
    }
}
