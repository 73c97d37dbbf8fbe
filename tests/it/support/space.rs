//! A program that speaks the Octane dialect (document 001): JSON, and the cookie that signing in gives.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, PASSWORD, TestApp};

#[derive(Clone)]
pub(crate) struct Space<'a> {
    app: &'a TestApp,
    /// `LWSSO_COOKIE_KEY=...`
    pub(crate) cookie: String,
}

impl<'a> Space<'a> {
    /// With user and password.
    pub(crate) async fn sign_in(app: &'a TestApp, email: &str) -> Self {
        // Each try of a password counts for its address.
        app.clock.advance(chrono::TimeDelta::seconds(3));
        Self::with(app, &json!({ "user": email, "password": PASSWORD })).await
    }

    /// With a key.
    pub(crate) async fn sign_in_client(app: &'a TestApp, id: &str, secret: &str) -> Self {
        Self::with(app, &json!({ "client_id": id, "client_secret": secret })).await
    }

    async fn with(app: &'a TestApp, body: &Value) -> Self {
        let nobody = Self::nobody(app);
        let answer = nobody.send(Method::POST, "/authentication/sign_in", Some(body)).await;
        let cookie = answer.expect(200).set_cookie("LWSSO_COOKIE_KEY").unwrap();
        Self { app, cookie: format!("{}={}", cookie.name(), cookie.value()) }
    }

    pub(crate) fn nobody(app: &'a TestApp) -> Self {
        Self { app, cookie: String::new() }
    }

    /// The same program with this token.
    pub(crate) fn having(&self, token: &str) -> Self {
        Self { app: self.app, cookie: format!("LWSSO_COOKIE_KEY={token}") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(&body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.app.client.request(method, self.app.url(path));
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await.unwrap()).await
    }
}

/// As document 001 has them.
pub(crate) const SECRET: &str = "9011@83sd!f1042ds+f19fg86M";
pub(crate) const OTHER: &str = "kj@s$dfS124GDd35";

/// `acme` with two workspaces and three roles, and a program of its admin.
pub(crate) struct World<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) admin: Space<'a>,
    /// `/api/shared_spaces/1002`
    pub(crate) space: String,
    /// Of the workspace and of the roles, as the dialect numbers them.
    pub(crate) workspace: String,
    pub(crate) devops: String,
    pub(crate) ci_cd: String,
    pub(crate) devops_role: String,
}

pub(crate) async fn world(app: &TestApp) -> World<'_> {
    let desk = app.desk("acme").await;
    desk.declare("pipeline", &["run", "read"]).await;
    let devops = desk.policy("DevOps Admin", &["pipeline:run"]).await.id;
    let ci_cd = desk.policy("CI/CD Integration", &["pipeline:run", "pipeline:read"]).await.id;
    let workspace = desk.workspace("Europe").await.id;
    desk.workspace("Asia").await;
    desk.role(devops, Some(workspace)).await;
    desk.role(ci_cd, Some(workspace)).await;
    desk.role(devops, None).await;
    let admin = Space::sign_in(app, "admin@acme.example").await;
    let number = keyward::subscriptions::by_slug(&app.db, "acme").await.unwrap().number;
    let space = format!("/api/shared_spaces/{number}");
    let roles = admin.get(&format!("{space}/workspace_roles?fields=role,workspace")).await;
    let roles = roles.expect(200).json();
    let find = |role: &str, place: Option<&str>| {
        let all = roles["data"].as_array().unwrap().iter();
        let mut fitting = all
            .filter(|it| it["role"]["name"] == role && it["workspace"]["name"].as_str() == place);
        fitting.next().unwrap().clone()
    };
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let (devops, ci_cd) =
        (find("DevOps Admin", Some("Europe")), find("CI/CD Integration", Some("Europe")));
    World {
        workspace: text(&devops["workspace"]["id"]),
        devops_role: text(&devops["role"]["id"]),
        devops: text(&devops["id"]),
        ci_cd: text(&ci_cd["id"]),
        app,
        admin,
        space,
    }
}

impl World<'_> {
    /// A new access, with all its fields.
    pub(crate) async fn access(&self, name: &str, more: Value) -> Value {
        let mut one = json!({ "name": name, "client_secret": SECRET });
        for (field, value) in more.as_object().unwrap() {
            one[field] = value.clone();
        }
        let path = format!("{}/api_accesses?fields={ALL}", self.space);
        let made = self.admin.post(&path, json!({ "data": [one] })).await.expect(201).json();
        made["data"][0].clone()
    }

    pub(crate) fn path(&self, access: &Value) -> String {
        format!("{}/api_accesses/{}", self.space, access["id"].as_str().unwrap())
    }

    pub(crate) async fn verify(&self, access: &Value, secret: &str) -> Answer {
        self.app.service().basic(access["client_id"].as_str().unwrap(), secret).await
    }
}

/// Every field that can be asked for.
pub(crate) const ALL: &str =
    "client_id,name,expiration,integration_type,workspace_roles,creation_time";
