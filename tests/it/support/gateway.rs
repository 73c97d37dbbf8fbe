//! Gateways from `deploy/`, run as they stand there, in front of a service that says what it got.
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use super::{Answer, eventually};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    Caddy,
}

/// Dies with the thread of its test, and at the latest when it is dropped.
pub(crate) struct Gateway {
    child: Mutex<Child>,
    port: u16,
    /// Of Keyward's own pages; nginx only.
    pub(crate) dashboard: SocketAddr,
    client: reqwest::Client,
    folder: TempDir,
}

impl Gateway {
    /// In front of this service, asking this Keyward.
    pub(crate) async fn start(program: Program, keyward: SocketAddr, service: SocketAddr) -> Self {
        // A port that was free may be taken by now: then the program ends at once.
        for _ in 0..5 {
            let it = Self::spawn(program, keyward, service);
            let at = ("127.0.0.1", it.port);
            let has_ended = || it.child.lock().unwrap().try_wait().unwrap().is_some();
            let answers = async || tokio::net::TcpStream::connect(at).await.is_ok();
            let is_decided = async || has_ended() || answers().await;
            if eventually(Duration::from_secs(10), is_decided).await && !has_ended() {
                return it;
            }
            eprintln!("{}", it.log());
        }
        panic!("{program:?} does not start");
    }

    fn spawn(program: Program, keyward: SocketAddr, service: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [port, dashboard] = [free(), free()];
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        match program {
            Program::Nginx => {
                nginx(folder.path(), (port, dashboard), keyward, service);
                command.args(["/usr/sbin/nginx", "-e", "stderr", "-c", "nginx.conf", "-p"]);
                command.arg(folder.path());
            }
            Program::Caddy => {
                let site = deploy("caddy/Caddyfile");
                let text = format!("{{\n\tadmin off\n}}\nimport {}\n", site.display());
                fs::write(folder.path().join("Caddyfile"), text).unwrap();
                command.args(["caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"]);
                command.env("GATEWAY_ADDRESS", format!("http://127.0.0.1:{port}"));
                command.env("KEYWARD_ADDRESS", keyward.to_string());
                command.env("SERVICE_ADDRESS", service.to_string());
                command.env("KEYWARD_SUBSCRIPTION", "acme");
                command.env("XDG_DATA_HOME", folder.path());
                command.env("XDG_CONFIG_HOME", folder.path());
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().expect("setpriv starts it: tests/run installs the program");
        // Before any client is made, also where no `App` is opened.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let no_redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder()
            .redirect(no_redirects)
            .tls_danger_accept_invalid_certs(true)
            .resolve("keys.example.com", ([127, 0, 0, 1], dashboard).into());
        let client = client.build().unwrap();
        let dashboard = ([127, 0, 0, 1], dashboard).into();
        Self { child: Mutex::new(child), port, dashboard, client, folder }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await
    }

    pub(crate) async fn bearer(&self, path: &str, key: &str) -> Answer {
        self.get(path, &[("authorization", &format!("Bearer {key}"))]).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Answer {
        let request = self.client.request(method, format!("http://127.0.0.1:{}{path}", self.port));
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        Answer::read(request.body(body).send().await.unwrap()).await
    }

    /// A page of Keyward, behind TLS.
    pub(crate) async fn page(&self, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("https://keys.example.com:{}{path}", self.dashboard.port());
        let request =
            headers.iter().fold(self.client.get(url), |it, (name, value)| it.header(*name, *value));
        Answer::read(request.header("host", host).send().await.unwrap()).await
    }

    /// What it said, for a test that fails.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The folder as `/etc/nginx` would be, with the three files that are to be edited.
fn nginx(folder: &Path, ports: (u16, u16), keyward: SocketAddr, service: SocketAddr) {
    let keyward_folder = folder.join("keyward");
    fs::create_dir(&keyward_folder).unwrap();
    for entry in fs::read_dir(deploy("nginx")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), keyward_folder.join(entry.file_name())).unwrap();
    }
    let edit = |name: &str, text: String| fs::write(keyward_folder.join(name), text).unwrap();
    let upstream = |name, at| format!("upstream {name} {{ server {at}; keepalive 4; }}\n");
    let upstreams = [upstream("keyward", keyward), upstream("service", service)];
    edit("upstreams.conf", upstreams.concat());
    let whose = "set $keyward_whose \"subscription=acme\";";
    edit("listen.conf", format!("listen 127.0.0.1:{}; {whose}", ports.0));
    let certificate = "ssl_certificate keyward/cert.pem; ssl_certificate_key keyward/key.pem;";
    edit("dashboard-listen.conf", format!("listen 127.0.0.1:{} ssl; {certificate}", ports.1));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=keys.example.com", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(&keyward_folder)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // One process, so that nothing is left when it is killed; nothing outside of the folder.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|it| format!("{it}_temp_path {}/{it};\n", folder.display()))
        .concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {}/pid;\nerror_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{\naccess_log off;\n{temporary}include keyward/upstreams.conf;\n\
         include keyward/gateway.conf;\ninclude keyward/dashboard.conf;\n}}\n",
        folder.display()
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
}

/// A service that answers with what it got. `/teapot/503` is its own 503.
pub(crate) async fn service() -> MockServer {
    let server = MockServer::start().await;
    let told = |request: &Request| {
        let headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            .collect();
        let (_, status) = request.url.path().rsplit_once("/teapot/").unwrap_or(("", "200"));
        let url = &request.url[url::Position::BeforePath..];
        ResponseTemplate::new(status.parse::<u16>().unwrap()).set_body_json(json!({
            "method": request.method.as_str(),
            "url": url,
            "headers": headers,
            "body": String::from_utf8_lossy(&request.body),
        }))
    };
    Mock::given(any()).respond_with(told).mount(&server).await;
    server
}

/// What the service got.
pub(crate) struct Got(Value);

impl Got {
    #[track_caller]
    pub(crate) fn of(answer: Answer) -> Self {
        Self(answer.expect(200).json())
    }

    pub(crate) fn part(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let all = self.0["headers"].as_array().unwrap().iter();
        all.filter(|it| it[0] == name).map(|it| it[1].as_str().unwrap()).collect()
    }

    /// The names of all headers that begin so.
    pub(crate) fn names(&self, beginning: &str) -> Vec<&str> {
        let all = self.0["headers"].as_array().unwrap().iter().map(|it| it[0].as_str().unwrap());
        let mut names: Vec<_> = all.filter(|it| it.starts_with(beginning)).collect();
        names.sort_unstable();
        names
    }
}
