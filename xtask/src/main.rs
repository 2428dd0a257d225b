//! Chores of this repository.

mod generate;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((verb, rest)) if verb == "generate" => generate::run(rest),
        _ => anyhow::bail!("usage: cargo xtask generate parties [--check] [--from DIR]"),
    }
}
