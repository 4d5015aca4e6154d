//! A browser, driven over its own protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::client::NEVER;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// One tab of a browser of its own, with an empty profile.
pub(crate) struct Tab {
    browser: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last_id: u64,
    /// What the console would show in red or yellow: where from, and what.
    pub(crate) complaints: Vec<(String, String)>,
    _profile: tempfile::TempDir,
}

impl Tab {
    /// `None` if there is no Chromium here; says so.
    pub(crate) fn open(address: &str) -> Option<Self> {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let Some(mut browser) = NAMES.iter().find_map(|name| launch(name, profile.path())) else {
            println!("skipped: there is no Chromium on this machine (`apt-get install chromium`)");
            return None;
        };
        let socket = connect(&mut browser);
        let mut tab = Self { browser, socket, session: None, last_id: 0, complaints: Vec::new(), _profile: profile };
        let target = tab.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = tab.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        tab.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab.call("Page.navigate", &json!({ "url": address }));
        Some(tab)
    }

    /// The value of an expression, or of the promise that it is.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true; has the page ask the server meanwhile.
    #[track_caller]
    pub(crate) fn wait(&mut self, expression: &str) {
        let waited = self.value(&format!(
            "new Promise((done) => {{
                const start = Date.now();
                const look = () => {{
                    let holds = false;
                    try {{ holds = {expression}; }} catch {{ /* not there yet */ }}
                    if (holds) return done('');
                    if (Date.now() - start > {}) return done(document.body.innerText);
                    document.dispatchEvent(new Event('visibilitychange'));
                    setTimeout(look, 100);
                }};
                look();
            }})",
            NEVER.as_millis() / 2
        ));
        assert_eq!(waited, "", "this never came true: {expression}");
    }

    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" { "\r" } else { "" };
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// The width of the window in CSS pixels, and `light` or `dark`.
    pub(crate) fn look(&mut self, width: u32, scheme: &str) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Leaves a picture of the whole page in the target folder, for people.
    pub(crate) fn photograph(&mut self, name: &str) {
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        let picture = decoded(picture["data"].as_str().expect("a picture"));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(&path, picture).expect("is written");
    }

    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string())).expect("the browser listens");
        loop {
            let message = self.socket.read().expect("the browser answers");
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.last_id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let of = &message["params"];
        match message["method"].as_str() {
            Some("Log.entryAdded") if of["entry"]["level"] != "verbose" && of["entry"]["level"] != "info" => {
                let source = of["entry"]["source"].as_str().unwrap_or_default();
                self.complaints.push((source.to_owned(), of["entry"].to_string()));
            }
            Some("Runtime.exceptionThrown") => self.complaints.push(("exception".into(), of.to_string())),
            Some("Runtime.consoleAPICalled") => self.complaints.push(("console".into(), of.to_string())),
            _ => {}
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // Either has no consequence: the profile is a folder of our own, and goes too.
        drop((self.browser.kill(), self.browser.wait()));
    }
}

fn launch(name: &str, profile: &Path) -> Option<Child> {
    Command::new(name)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"])
        .args(["--remote-debugging-port=0", "about:blank"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()
}

fn connect(browser: &mut Child) -> WebSocket<TcpStream> {
    let mut said = BufReader::new(browser.stderr.take().expect("is piped"));
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(said.read_line(&mut line).expect("is read") > 0, "the browser ended without a word");
        if let Some(address) = line.trim().strip_prefix("DevTools listening on ") {
            break address.to_owned();
        }
    };
    // A browser whose pipe is full stands still.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let host = address.trim_start_matches("ws://").split('/').next().expect("a host").to_owned();
    let stream = TcpStream::connect(host).expect("connects");
    stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
    tungstenite::client(address, stream).expect("speaks").0
}

/// Base64, of what the browser itself has encoded.
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let six = LETTERS.iter().position(|known| *known == letter).expect("base64");
        bits = bits << 6 | u32::try_from(six).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("a byte"));
        }
    }
    bytes
}
