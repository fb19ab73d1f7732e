//! `livemart verify` beside a live owner, on PostgreSQL.

use super::await_all;
use super::bystander::Bystander;
use super::drain;
use super::history::History;
use super::parts::{Client, postgres_url};
use super::shop::Shop;

#[test]
fn pipeline_verify_agrees_beside_a_live_owner_and_names_what_another_wrote() {
    let shop = Shop::new("verify", &postgres_url(), "20ms");
    let mut history = History::new(&shop, 83);
    (0..200).for_each(|_| history.step());
    shop.flush();
    let live = shop.folder.serve(&[]);
    await_all(&mut Bystander::new(&shop), &shop);
    // Cuts go on while it looks: it compares one of them.
    for _ in 0..3 {
        (0..40).for_each(|_| history.step());
        let answer = shop.folder.livemart(&["verify"]);
        assert_eq!(answer.code, 0, "{answer:#?}");
        assert!(answer.err.contains(": 0 differ"), "{answer:#?}");
    }
    shop.flush();
    await_all(&mut Bystander::new(&shop), &shop);
    drain(live, &shop);
    let marts = &shop.schemas.marts;
    Client::new()
        .run(&format!("insert into {marts}.product_reach (product, customers, quantity) values ('ghost', 1, 2)"));
    let answer = shop.folder.livemart(&["verify"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.out.contains("product_reach: 0 rows are missing, 1 too many"), "{answer:#?}");
    assert!(answer.out.contains("ghost"), "{answer:#?}");
}
