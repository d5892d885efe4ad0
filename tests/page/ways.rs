//! Ways: what every address answers, filters that are links, and that no link of the page leads nowhere.

use crate::desk::{Desk, in_real_time};
use std::collections::{BTreeSet, VecDeque};

/// The addresses on this page that a page's links lead to.
pub(crate) fn links(page: &str) -> BTreeSet<String> {
    let targets = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    targets.filter(|to| to.starts_with('/')).map(|to| to.replace("&amp;", "&")).collect()
}

#[test]
fn what_is_not_there_is_404_and_what_is_not_understood_400_for_people_and_for_programs() {
    in_real_time(async {
        let desk = Desk::open().await;
        for (path, status, says) in [
            ("/runs/999999", 404, "there is nothing here"),
            ("/runs/0x10", 404, "there is nothing here"),
            ("/runs/-1", 404, "there is nothing here"),
            ("/runs/99999999999999999999", 404, "there is nothing here"),
            ("/jobs/nobody", 404, "there is nothing here"),
            ("/instances/cdb-zzzzzzzz", 404, "there is nothing here"),
            ("/runs?state=odd", 400, "`state` takes one of due, calling"),
            ("/runs?limit=0", 400, "`limit` takes a number from 1 to 1000"),
            ("/?colour=red", 400, "a filter in this address that is not known"),
        ] {
            let page = desk.get(path).await;
            assert_eq!(page.status, status, "{path}");
            assert!(page.head.contains("text/html") && page.body.contains(says), "{path}: {}", page.body);
            let told = desk.get(&format!("{path}{}format=json", if path.contains('?') { "&" } else { "?" })).await;
            assert_eq!(told.status, status, "{path} as JSON");
        }
        let told = desk.json("/runs/999999?format=json").await;
        assert_eq!(told["error"], "there is nothing here; begin at /");
    });
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    in_real_time(async {
        let desk = Desk::open().await;
        let (mut seen, mut open) = (BTreeSet::from(["/".to_owned()]), VecDeque::from(["/".to_owned()]));
        while let Some(path) = open.pop_front() {
            let answer = desk.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            let found = if answer.head.contains("text/html") { links(&answer.body) } else { BTreeSet::new() };
            open.extend(found.into_iter().filter(|link| seen.len() < 300 && seen.insert(link.clone())));
        }
        assert!(seen.len() > 100 && seen.contains("/style.css") && seen.contains("/icon.svg"), "{} pages", seen.len());
    });
}

#[test]
fn a_filter_is_a_link_that_narrows_and_another_that_takes_it_away() {
    in_real_time(async {
        let desk = Desk::open().await;
        let all = links(&desk.get("/runs").await.body);
        assert!(all.contains("/runs?state=failed") && all.contains("/runs?region=ap-shanghai") && all.contains("/runs?not-ok=true"), "{all:?}");
        let page = desk.get("/runs?region=ap-shanghai&state=expired").await.body;
        assert_eq!(page.matches("data-label=\"Slot\"").count(), 1, "one run of pay expired: {page}");
        let narrowed = links(&page);
        assert!(
            narrowed.contains("/runs?state=expired") && narrowed.contains("/runs?region=ap-shanghai") && narrowed.contains("/runs"),
            "{narrowed:?}"
        );
        assert!(narrowed.contains("/runs?region=ap-shanghai&state=expired&format=json"), "{narrowed:?}");
    });
}

#[test]
fn every_page_can_be_walked_without_eyes_and_without_a_mouse() {
    in_real_time(async {
        let desk = Desk::open().await;
        let run = desk.run_in("failed");
        for path in
            ["/", "/instances", "/runs", "/uncovered", "/jobs/nightly-full", "/instances/cdb-aaaa0001", &format!("/runs/{run}"), "/jobs/nobody"]
        {
            let page = desk.get(path).await.body;
            for part in ["<html lang=\"en\">", "<main id=\"contents\"", "<header>", "<footer>", "href=\"#contents\"", "<nav aria-label=\"Pages\">"] {
                assert!(page.contains(part), "{path} lacks {part}");
            }
            assert_eq!(page.matches("<h1").count(), 1, "{path} has one first heading");
            assert_eq!(page.matches("<table").count(), page.matches("<caption>").count(), "{path}: each table has a caption");
            let heads = page.matches("<th ").count();
            assert_eq!(heads, page.matches(" scope=\"").count(), "{path}: each head of a table has a scope");
            assert!(!page.contains(" style=") && !page.contains("<script"), "{path} has styles or scripts of its own");
            let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{path}: ids are unique: {ids:?}");
            for label in page.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(ids.contains(&label), "{path}: nothing is called {label}");
            }
        }
    });
}
