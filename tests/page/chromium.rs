//! A real Chromium, driven over the `WebDriver` protocol by as much HTTP as that takes.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Starting it, or an answer of it, takes no longer.
const LONGEST: Duration = Duration::from_secs(60);

/// A browser with one window. It ends with this.
pub(crate) struct Chromium {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser ends with its driver's session, which [`Chromium::quit`] has ended unless a test failed.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

impl Chromium {
    /// Starts it; none, told loudly, where there is none and nobody promised that there is.
    #[expect(clippy::print_stdout, reason = "a test that proved nothing says so")]
    pub(crate) async fn start() -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                assert!(std::env::var_os("CDB_BACKUPD_TEST_BROWSER").is_none(), "a browser was promised, and chromedriver does not start: {error}");
                println!("skipped because chromedriver does not start ({error}); `tests/page/full` installs Chromium and runs this");
                return None;
            }
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let started = lines.filter_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()).next();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, port: started.unwrap(), session: String::new(), _profile: profile };
        let data = format!("--user-data-dir={}", browser._profile.path().display());
        let switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
        let switches: Vec<&str> = switches.into_iter().chain(["--disable-component-update", "--disable-sync", "--hide-scrollbars", &data]).collect();
        let wanted = json!({ "goog:chromeOptions": { "args": switches }, "goog:loggingPrefs": { "browser": "ALL" } });
        let session = browser.call("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Ends it.
    pub(crate) async fn quit(self) {
        self.call("DELETE", &self.session, &Value::Null).await;
    }

    async fn ask(&self, what: &str, body: &Value) -> Value {
        self.call(if body.is_null() { "GET" } else { "POST" }, &format!("{}/{what}", self.session), body).await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let asking = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            stream.write_all((head + &body).as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            // It leaves the connection open, and says how long its answer is.
            while whole(&bytes).is_none() {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{path}: {}", String::from_utf8_lossy(&bytes));
            }
            whole(&bytes).unwrap()
        };
        let answer = tokio::time::timeout(LONGEST, asking).await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    pub(crate) async fn open(&self, url: &str) {
        self.ask("url", &json!({ "url": url })).await;
    }

    pub(crate) async fn url(&self) -> String {
        self.ask("url", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// What a script of the test finds in the page.
    pub(crate) async fn find(&self, script: &str) -> Value {
        self.ask("execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Clicks the first element that a selector finds, as a person would.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.ask(&format!("element/{element}/click"), &json!({})).await;
    }

    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.ask(&format!("element/{element}/value"), &json!({ "text": text })).await;
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.ask("element", &json!({ "using": "css selector", "value": selector })).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Presses one key: the private characters of the protocol.
    pub(crate) async fn press(&self, key: char) {
        let strokes = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.ask("actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] })).await;
    }

    async fn tell(&self, command: &str, params: Value) -> Value {
        self.ask("goog/cdp/execute", &json!({ "cmd": command, "params": params })).await
    }

    /// A window of this width that prefers this scheme, and runs scripts or not.
    pub(crate) async fn look(&self, width: u32, scheme: &str, scripts: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        self.tell("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": !scripts })).await;
    }

    /// The whole page as a PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let told = self.tell("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        STANDARD.decode(told["data"].as_str().unwrap()).unwrap()
    }

    /// What the console has said since it was last asked.
    pub(crate) async fn console(&self) -> Vec<Value> {
        self.ask("se/log", &json!({ "type": "browser" })).await.as_array().unwrap().clone()
    }
}

/// The body of an answer, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
    (body.len() >= length).then(|| serde_json::from_str(body).unwrap())
}
