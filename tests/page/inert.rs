//! Whatever the names, tables and messages in a ledger are: on the page they are text.

use crate::desk::{Desk, HOSTILE, in_real_time};

#[test]
fn names_tables_and_messages_that_are_markup_are_text() {
    in_real_time(async {
        let desk = Desk::open().await;
        let failed: Vec<i64> = ["failed", "running", "due"].map(|state| desk.run_in(state)).into();
        let runs = failed.iter().map(|id| format!("/runs/{id}"));
        let pages = ["/", "/instances", "/runs", "/uncovered", "/jobs/hourly", "/jobs/nightly-full", "/instances/cdb-aaaa0003"];
        let mut escaped = 0;
        for path in pages.map(ToOwned::to_owned).into_iter().chain(runs) {
            let page = desk.get(&path).await.body;
            for harm in ["<script", "<img", "<svg", "<!--", "'><", "\u{202e}", "\u{1b}"] {
                assert!(!page.contains(harm), "{path} has {harm:?}");
            }
            escaped += page.matches("&lt;script&gt;alert(").count();
        }
        assert!(escaped > 20, "the texts are shown: {escaped}");
        let page = desk.get(&format!("/runs/{}", desk.run_in("failed"))).await.body;
        assert!(page.contains("\\u{202e}\\u{1b}[2J$"), "what turns text about is seen: {page}");
        assert!(desk.get("/jobs/hourly").await.body.contains("shop.orders&lt;svg/onload=alert(4)&gt;"));
    });
}

#[test]
fn what_an_address_says_is_text_too() {
    in_real_time(async {
        let desk = Desk::open().await;
        let name: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
        for path in ["/runs", "/instances", "/uncovered", "/"] {
            let page = desk.get(&format!("{path}?instance={name}&job={name}")).await;
            assert!(page.status == 200 && !page.body.contains("<script") && !page.body.contains("\"'>"), "{path}: {}", page.body);
        }
        // By its name it is found as well.
        let page = desk.get(&format!("/runs?instance={name}&state=failed")).await.body;
        assert!(page.contains("data-label=\"Slot\"") && page.contains("remove this filter"), "{page}");
        let page = desk.get(&format!("/jobs/{}", name.replace('+', "%20"))).await;
        assert!(page.status == 404 && !page.body.contains("<script"), "{}", page.body);
    });
}
