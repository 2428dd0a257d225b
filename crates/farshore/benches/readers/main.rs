//! Who can read what, over more scenes of the lab than a test has time for: `cargo bench -p farshore --bench readers -- [SEEDS]`.
//!
//! It refuses to time anything: it prints the table of `docs/readers.md`, and fails on any answer that is false.

#[path = "../../tests/it/readers.rs"]
mod readers;

fn main() {
    let seeds = std::env::args().find_map(|it| it.parse().ok()).unwrap_or(40);
    let table = readers::Table::of(0..seeds, |seed| seed % 4 == 0);
    println!("| cells | decidable | decided | share | cannot tell | wrong |");
    println!("|---|---|---|---|---|---|");
    let share = |part: u64, whole: u64| format!("{}.{} %", part * 100 / whole.max(1), part * 1000 / whole.max(1) % 10);
    println!(
        "| {} | {} | {} | {} | {} ({}) | {} |",
        table.cells,
        table.decidable,
        table.decided,
        share(table.decided, table.decidable),
        table.cannot_tell,
        share(table.cannot_tell, table.cells),
        table.wrong.len()
    );
    table.open.iter().for_each(|it| println!("open: {it}"));
    table.holds();
    assert!(table.cells >= 2_000 || seeds < 20, "{}", table.cells);
}
