//! The real program as a process of its own, which can be killed, and a browser for it.
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    time::Duration,
};

use reqwest::{Method, Response};

use super::{Home, PASSWORD, eventually, plain_client};

pub(crate) struct Program {
    child: Mutex<Child>,
    pub(crate) origin: String,
    client: reqwest::Client,
}

impl Program {
    /// Makes the owner `owner@example.com` and the subscription `acme`.
    pub(crate) fn set_up(home: &Home) {
        let password = home.folder().join("password");
        fs::write(&password, PASSWORD).unwrap();
        let mut command = command(home);
        command.args(["admin", "create-owner", "--email", "owner@example.com", "--name", "Olga"]);
        command.args(["--subscription", "Acme", "--slug", "acme", "--password-file"]);
        let output = command.arg(&password).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(password).unwrap();
    }

    /// A subcommand that ends by itself: whether it did what it should, and all it said.
    pub(crate) fn run(home: &Home, arguments: &[&str]) -> (bool, String) {
        Self::run_with(home, arguments, &[])
    }

    /// The same with this environment.
    pub(crate) fn run_with(
        home: &Home,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> (bool, String) {
        let mut command = command(home);
        let output = command.args(arguments).envs(environment.iter().copied()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    pub(crate) async fn start(home: &Home) -> Self {
        Self::start_logging(home, "info").await
    }

    /// Serving, with what it logs at the end of `program.log`.
    pub(crate) async fn start_logging(home: &Home, what: &str) -> Self {
        Self::start_with(home, &[("KEYWARD_LOG", what)]).await
    }

    /// With this environment.
    pub(crate) async fn start_with(home: &Home, environment: &[(&str, &str)]) -> Self {
        Self::start_command(home, &["serve"], environment).await
    }

    /// A demonstration in a folder of its own, with so many instances made in bulk.
    pub(crate) async fn demonstrate(home: &Home, folder: &Path, instances: usize) -> Self {
        let (folder, instances) = (folder.to_str().unwrap(), instances.to_string());
        let arguments = ["demo", "--folder", folder, "--instances", &instances];
        Self::start_command(home, &arguments, &[]).await
    }

    async fn start_command(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(log_file(home)).unwrap();
        let mut command = command(home);
        command.args(arguments).env("KEYWARD_BIND", free.to_string());
        command.envs(environment.iter().copied());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let client = plain_client();
        let it = Self { child: Mutex::new(child), origin: format!("http://{free}"), client };
        let is_ready = async || {
            let answer = it.send(Method::GET, "/readyz", "", &[]).await;
            answer.is_ok_and(|it| it.status() == 200)
        };
        let log = || fs::read_to_string(log_file(home)).unwrap_or_default();
        let limit = Duration::from_secs(20);
        assert!(eventually(limit, is_ready).await, "it does not start:\n{}", log());
        it
    }

    /// The cookie of a new session of the owner.
    pub(crate) async fn sign_in(&self) -> String {
        self.sign_in_as("owner@example.com").await
    }

    pub(crate) async fn sign_in_as(&self, email: &str) -> String {
        self.sign_in_with(email, PASSWORD).await
    }

    pub(crate) async fn sign_in_with(&self, email: &str, password: &str) -> String {
        let fields = [("email", email), ("password", password)];
        let answer = self.send(Method::POST, "/sign-in", "", &fields).await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter();
        let mut cookies = cookies.map(|it| it.to_str().unwrap().split(';').next().unwrap());
        cookies.find(|it| it.starts_with("__Host-sid=")).expect("signed in").to_owned()
    }

    /// As a browser sends it, with this cookie.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        cookie: &str,
        fields: &[(&str, &str)],
    ) -> reqwest::Result<Response> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.origin));
        let request = request.header("cookie", cookie).header("origin", &self.origin);
        let is_form = method == Method::POST;
        if is_form { request.form(fields) } else { request }.send().await
    }

    /// As a service does.
    pub(crate) async fn verify(&self, key: &str) -> reqwest::Result<Response> {
        self.client.get(format!("{}/verify", self.origin)).bearer_auth(key).send().await
    }

    /// The same with a permission or a workspace: `permission=orders:read`.
    pub(crate) async fn asks(&self, key: &str, query: &str) -> reqwest::Result<Response> {
        let url = format!("{}/verify?{query}", self.origin);
        self.client.get(url).bearer_auth(key).send().await
    }

    /// As a client with its secret does.
    pub(crate) async fn basic(&self, id: &str, secret: &str) -> reqwest::Result<Response> {
        let request = self.client.get(format!("{}/verify", self.origin));
        request.basic_auth(id, Some(secret)).send().await
    }

    /// A page asked for by a browser that calls itself so.
    pub(crate) async fn agent(&self, name: &str) -> Response {
        let request = self.client.get(format!("{}/sign-in", self.origin));
        request.header("user-agent", name).send().await.unwrap()
    }

    /// A new group and its key: the page of the key, and its secret.
    pub(crate) async fn key(&self, cookie: &str, fields: &[(&str, &str)]) -> (String, String) {
        let mut all = vec![("submission", "a-token-of-some-length-1"), ("preset", "90")];
        all.extend(fields);
        let made = self.send(Method::POST, "/s/acme/groups/new", cookie, &all).await.unwrap();
        assert_eq!(made.status(), 303, "{}", made.text().await.unwrap());
        let once = made.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
        let both = format!("{cookie}; {once}");
        let path = made.headers()["location"].to_str().unwrap();
        let page = self.send(Method::GET, path, &both, &[]).await.unwrap().text().await.unwrap();
        let (_, field) = page.split_once("data-key").unwrap();
        let secret = field.split_once('>').unwrap().1.split('<').next().unwrap();
        (path.trim_end_matches("/secret").to_owned(), secret.to_owned())
    }

    /// SIGKILL.
    pub(crate) fn kill_now(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// One of `kill`'s.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) async fn ended(&self) -> ExitStatus {
        let status = || self.child.lock().unwrap().try_wait().unwrap();
        let is_gone = async || status().is_some();
        assert!(eventually(Duration::from_secs(40), is_gone).await, "it does not end");
        status().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The program on this installation, without the environment of the tests.
pub(crate) fn command(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.env_clear().stdin(Stdio::null()).current_dir(home.folder());
    command.env("KEYWARD_DATABASE_URL", &home.database_url);
    command.env("KEYWARD_PEPPER_FILE", home.pepper_file());
    command
}

pub(crate) fn log_file(home: &Home) -> std::path::PathBuf {
    home.folder().join("program.log")
}
