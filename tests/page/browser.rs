//! The page in a real Chromium: opened, filtered and followed, by mouse and by keyboard, in both sizes and both schemes, and the console stays silent.
//!
//! Pictures go where `$CDB_BACKUPD_TEST_PICTURES` says, for people to look at.

use crate::{
    chromium::Chromium,
    desk::{Desk, in_real_time},
};

/// Contrast of texts with their ground as WCAG reckons it, the worst first; and what is wider than the window.
const CONTRAST: &str = "
  const part = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const ground = element => { for (let at = element; at; at = at.parentElement) {
    const c = rgb(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] > 0.5) return c; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, ''];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen, .skip')) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 120)];
  }
  return worst;";

const OVERFLOW: &str = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[test]
fn every_page_is_silent_fits_and_can_be_read_in_both_sizes_and_both_schemes() {
    in_real_time(async {
        let Some(browser) = Chromium::start().await else { return };
        let desk = Desk::open().await;
        let run = format!("/runs/{}", desk.run_in("failed"));
        let pages = [
            ("overview", "/"),
            ("instances", "/instances?not-ok=true"),
            ("runs", "/runs?state=failed&state=expired"),
            ("uncovered", "/uncovered"),
            ("nightly", "/jobs/nightly-full"),
            ("hourly", "/jobs/hourly"),
            ("instance", "/instances/cdb-c1nl9rpv"),
            ("run", &run),
            ("refused", "/runs?state=odd"),
        ];
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
            browser.look(width, scheme, true).await;
            for (name, path) in pages {
                browser.open(&format!("http://{}{path}", desk.address)).await;
                let overflow = browser.find(OVERFLOW).await;
                assert_eq!(overflow, 0, "{path} is wider than {width} pixels");
                let worst = browser.find(CONTRAST).await;
                assert!(worst[0].as_f64().unwrap() >= 4.5, "{path}, {scheme}: {worst}");
                if let Some(folder) = std::env::var_os("CDB_BACKUPD_TEST_PICTURES") {
                    std::fs::write(std::path::Path::new(&folder).join(format!("{name}-{width}-{scheme}.png")), browser.picture().await).unwrap();
                }
                // A page that was refused is a failed resource to the console, and nothing else is.
                let said = browser.console().await;
                let said: Vec<_> = said.iter().filter(|line| !line["message"].as_str().unwrap().contains("status of 400")).collect();
                assert!(said.is_empty(), "{path}: {said:?}");
            }
        }
        browser.quit().await;
    });
}

#[test]
fn it_is_opened_filtered_and_followed_without_scripts() {
    in_real_time(async {
        let Some(browser) = Chromium::start().await else { return };
        let desk = Desk::open().await;
        browser.look(1280, "light", false).await;
        let home = format!("http://{}", desk.address);
        browser.open(&home).await;
        browser.click("nav a[href='/runs']").await;
        browser.click(".filters summary").await;
        browser.click(".choices a[href='/runs?state=failed']").await;
        assert_eq!(browser.url().await, format!("{home}/runs?state=failed"));
        browser.click(".filters summary").await;
        browser.write("#instance", "pay").await;
        browser.click(".field button").await;
        assert_eq!(browser.url().await, format!("{home}/runs?state=failed&instance=pay"));
        browser.click("tbody th a").await;
        let run = browser.url().await;
        assert!(run.starts_with(&format!("{home}/runs/")), "{run}");
        browser.click(".lead a").await;
        assert_eq!(browser.url().await, format!("{home}/jobs/nightly-full"));
        browser.click(".calendar a.bad").await;
        assert!(browser.url().await.starts_with(&format!("{home}/runs?job=nightly-full&since=")), "{}", browser.url().await);
        browser.quit().await;
    });
}

#[test]
fn the_first_key_leads_past_the_ways_to_the_contents_and_focus_is_seen() {
    const TAB: char = '\u{e004}';
    const ENTER: char = '\u{e007}';
    in_real_time(async {
        let Some(browser) = Chromium::start().await else { return };
        let desk = Desk::open().await;
        browser.look(1280, "light", true).await;
        browser.open(&format!("http://{}/", desk.address)).await;
        browser.press(TAB).await;
        let focus =
            browser.find("const at = document.activeElement; return [at.className, getComputedStyle(at).outlineStyle, at.offsetLeft >= 0]").await;
        assert_eq!(focus, serde_json::json!(["skip", "solid", true]));
        browser.press(ENTER).await;
        browser.press(TAB).await;
        let inside = browser.find("return document.querySelector('main').contains(document.activeElement)").await;
        assert_eq!(inside, true, "the next key is in the contents");
        browser.quit().await;
    });
}

#[test]
fn nothing_that_a_hostile_text_asks_for_happens() {
    in_real_time(async {
        let Some(browser) = Chromium::start().await else { return };
        let desk = Desk::open().await;
        browser.look(1280, "light", true).await;
        for path in ["/", "/instances", "/runs?state=failed", "/jobs/hourly", "/instances/cdb-aaaa0003", &format!("/runs/{}", desk.run_in("failed"))]
        {
            // A dialogue would make the next question fail.
            browser.open(&format!("http://{}{path}", desk.address)).await;
            let found = browser.find("return document.querySelectorAll('script, img, svg, iframe, object, [onload], [onerror]').length").await;
            assert_eq!(found, 0, "{path}");
            assert_eq!(browser.console().await.len(), 0, "{path}");
        }
        browser.quit().await;
    });
}
