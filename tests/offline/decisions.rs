//! The decision table of docs/design.md (section 3), row by row: an observed state in, one step out. The cases contain
//! only what a row looks at; the model test has a model of the cluster.

mod builds;
mod case;
mod cleanups;
mod exposure;
mod hold;
mod init;
mod lost_images;
mod polls;
mod requests;
mod seen;
mod sets;
mod steady;
mod together;
mod users;
mod verdicts;
mod wanted;

#[test]
fn the_table_of_the_design_names_the_rows_in_the_order_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/design.md");
    let design = std::fs::read_to_string(path).unwrap();
    let table = design.lines().skip_while(|line| *line != "| # | situation | write |").skip(2);
    let written: Vec<String> = table
        .map_while(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let rows: Vec<String> = doce_operator::reconcile::decide::rows()
        .zip(1..)
        .map(|(name, row)| format!("{row} {name}"))
        .collect();
    assert_eq!(written, rows);
}
