//! The five documents on one store: a key made in the way of each is seen, verified and ended through
//! all the others.
//!
//! Where an interface does not show a key, its document has no word for it:
//! * Octane (001) knows API accesses: clients with an id and a secret. One key alone is none.
//! * Catena (002) knows API keys: one key with a policy of its own. A client is none, nor is a key whose
//!   permissions come from user groups.
//! * WebTSM (003) knows the keys of the person who asks. A key group belongs to a subscription, a
//!   personal key to a person: so no other interface of the subscription shows it, and here stands
//!   no key group. People see theirs on their profile.
//! * Backstage (000) and Spark (004) have no interface of their own for managing: the native one is theirs.
use keyward::{
    domain::{Role, permission},
    key_groups,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Person, Program, SECRET, Space, TestApp, basic, on_both, own_text};

on_both! {
    a_key_of_each_interface_is_seen_by_those_that_have_a_word_for_it,
    a_key_of_each_interface_is_good_wherever_it_is_shown,
    a_key_that_one_interface_ends_is_refused_by_all_at_once,
}

use Face::{Catena, Native, Octane, Pages, WebTsm};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Octane,
    Catena,
    WebTsm,
    Native,
    Pages,
}

/// Each key, by its name: who shows it, who ends it, and what its holder is told then.
const KEYS: [(&str, &[Face], Face, &str); 7] = [
    ("octane", &[Octane, Native, Pages], Native, "revoked"),
    ("catena", &[Catena, Native, Pages], Pages, "revoked"),
    ("webtsm", &[WebTsm, Pages], Pages, "unknown"),
    ("backstage", &[Octane, Native, Pages], Octane, "revoked"),
    ("spark", &[Native, Pages], Pages, "deactivated"),
    ("dashboard", &[Catena, Native, Pages], Catena, "unknown"),
    ("profile", &[WebTsm, Pages], WebTsm, "unknown"),
];

const IDA: &str = "member@acme.example";
const PERSONAL: &str = "/auth/api-keys/keys";

/// What its maker was given.
struct Key {
    name: &'static str,
    secret: String,
    client_id: Option<String>,
    /// Of its key group; of a personal key, of itself.
    id: String,
    /// Of a key group's first instance.
    instance: String,
}

impl Key {
    fn is_personal(&self) -> bool {
        self.instance.is_empty()
    }

    /// Every way to show it: Basic (000), Bearer (003), `x-synthetic-key` (004).
    fn ways(&self) -> Vec<Vec<(&'static str, String)>> {
        let tenant = ("x-tenant-name", "acme".to_owned());
        let bearer = ("authorization", format!("Bearer {}", self.secret));
        let synthetic = ("x-synthetic-key", self.secret.clone());
        match &self.client_id {
            Some(id) => vec![vec![("authorization", basic(id, &self.secret))]],
            None if self.is_personal() => vec![vec![bearer]],
            // A key that its maker has chosen is known within its tenant only.
            None if !self.secret.starts_with("kw_") => {
                vec![vec![bearer, tenant.clone()], vec![synthetic, tenant]]
            }
            None => {
                vec![vec![bearer.clone()], vec![bearer, tenant.clone()], vec![synthetic, tenant]]
            }
        }
    }
}

/// All of them in `acme`, with somebody at each interface.
struct World<'a> {
    app: &'a TestApp,
    program: Program<'a>,
    space: Space<'a>,
    /// `/api/shared_spaces/1002`
    root: String,
    admin: Person<'a>,
    ida: Person<'a>,
    keys: Vec<Key>,
}

fn text(it: &Value) -> String {
    it.as_str().unwrap_or_else(|| panic!("{it} is no text")).to_owned()
}

async fn world(app: &TestApp) -> World<'_> {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Inventory", &["orders:read", permission::READ_INSTANCES]).await.id;
    let readers = desk.user_group("Readers", &[policy]).await.id;
    desk.role(policy, None).await;
    let ida = app.user("acme", Role::Member).await;
    desk.edit_user_group(readers, |it| it.members = [ida.id].into()).await;
    let scopes = ["keys:write", "access:write", "keys:verify"];
    let number = keyward::subscriptions::by_slug(&app.db, "acme").await.unwrap().number;
    let mut it = World {
        app,
        program: app.program(&scopes).await,
        admin: app.signed_in("admin@acme.example").await,
        ida: app.signed_in(IDA).await,
        space: Space::sign_in(app, "admin@acme.example").await,
        root: format!("/api/shared_spaces/{number}"),
        keys: Vec::new(),
    };
    it.make(policy, readers).await;
    it
}

impl World<'_> {
    async fn make(&mut self, policy: Uuid, readers: Uuid) {
        // 001: an API access with a secret of its own and a workspace role.
        let role = self.space.get(&format!("{}/workspace_roles", self.root)).await.json();
        let roles = json!({ "data": [{ "type": "workspace_role", "id": role["data"][0]["id"] }] });
        let new = json!({ "name": "octane", "client_secret": SECRET, "workspace_roles": roles });
        let path = format!("{}/api_accesses?fields=client_id", self.root);
        let made = self.space.post(&path, json!({ "data": [new] })).await.expect(201).json();
        let client_id = text(&made["data"][0]["client_id"]);
        self.keep("octane", SECRET.to_owned(), Some(client_id)).await;
        // 002: a name and a single policy.
        let new = json!({ "name": "catena", "policy_id": policy });
        let made = self.program.post("/api_keys", new).await.expect(201).json();
        self.keep("catena", text(&made["key"]), None).await;
        // 003: a key of a person, from an empty POST.
        let made = self.app.service().person(IDA, "POST", PERSONAL).await.expect(201);
        self.keep_personal("webtsm", text(&made.json())).await;
        // 000: a client, and then its secret.
        let new = json!({
            "name": "backstage", "kind": "client_credentials", "access": { "policy": policy },
        });
        let made = self.program.post("/key-groups", new).await.expect(201).json();
        let path = format!("/key-groups/{}/instances", text(&made["key_group"]["id"]));
        let secret = self.program.post(&path, json!({})).await.expect(201).json();
        let client_id = Some(text(&made["key_group"]["client_id"]));
        self.keep("backstage", text(&secret["secret"]), client_id).await;
        // 004: a custom key, whose permissions are those of its user groups.
        let new = json!({
            "name": "spark", "access": { "user_groups": [readers] }, "instance": { "key": own_text(1) },
        });
        self.program.post("/key-groups", new).await.expect(201);
        self.keep("spark", own_text(1), None).await;
        // The forms of the dashboard.
        let policy = policy.to_string();
        let fields = [("name", "dashboard"), ("policy", policy.as_str())];
        let made = self.admin.submit("/s/acme/groups/new", &fields).await.expect(303);
        let secret = self.admin.follow(&made).await.expect(200).secret();
        self.keep("dashboard", secret, None).await;
        let made = self.ida.submit("/profile/keys/new", &[("lifetime", "90")]).await.expect(303);
        let secret = self.ida.follow(&made).await.expect(200).secret();
        self.keep_personal("profile", secret).await;
    }

    /// Whoever made it, the native interface lists it.
    async fn keep(&mut self, name: &'static str, secret: String, client_id: Option<String>) {
        let all = self.program.get("/instances").await.expect(200).json();
        let row = all["data"].as_array().unwrap().iter().find(|it| it["name"] == name);
        let row = row.unwrap_or_else(|| panic!("{name} is not among {all}"));
        let (id, instance) = (text(&row["key_group"]["id"]), text(&row["id"]));
        self.keys.push(Key { name, secret, client_id, id, instance });
    }

    /// Its id is in its list, behind those that are known.
    async fn keep_personal(&mut self, name: &'static str, secret: String) {
        let all = self.app.service().person(IDA, "GET", PERSONAL).await.expect(200).json();
        let mut ids = all.as_array().unwrap().iter().map(|it| text(&it["KeyId"]));
        let id = ids.find(|id| self.keys.iter().all(|it| it.id != *id)).unwrap();
        self.keys.push(Key { name, secret, client_id: None, id, instance: String::new() });
    }

    /// The answer that shows this key alone.
    async fn shown(&self, face: Face, key: &Key) -> Answer {
        match face {
            Octane => {
                // The dialect numbers key groups; a personal key has no number.
                let act = self.app.desk("acme").await;
                let group = key_groups::find(&act.act(), key.id.parse().unwrap()).await;
                let number = group.map_or(4711, |it| it.number);
                self.space.get(&format!("{}/api_accesses/{number}?fields=name", self.root)).await
            }
            Catena => self.program.get(&format!("/api_keys/{}", key.id)).await,
            WebTsm => {
                self.app.service().person(IDA, "GET", &format!("{PERSONAL}/{}", key.id)).await
            }
            Native => {
                let group = self.program.get(&format!("/key-groups/{}", key.id)).await;
                let instance = match key.instance.as_str() {
                    "" => &key.id,
                    it => it,
                };
                let instance = self.program.get(&format!("/instances/{instance}")).await;
                assert_eq!(group.status, instance.status, "{}", key.name);
                instance
            }
            Pages if key.is_personal() => {
                self.admin.get(&format!("/s/acme/groups/{}", key.id)).await.expect(404);
                self.ida.get(&format!("/profile/keys/{}/deletion", key.id)).await
            }
            Pages => self.admin.get(&page(key)).await,
        }
    }

    /// What this interface lists, as one text.
    async fn list(&self, face: Face) -> String {
        let answer = match face {
            Octane => {
                self.space.get(&format!("{}/api_accesses?fields=name,client_id", self.root)).await
            }
            Catena => self.program.get("/api_keys").await,
            WebTsm => self.app.service().person(IDA, "GET", PERSONAL).await,
            Native => self.program.get("/instances").await,
            Pages => {
                let own = self.ida.get("/profile/keys").await.expect(200);
                let groups = self.admin.get("/s/acme/groups").await.expect(200);
                return [groups.text(), own.text()].concat();
            }
        };
        answer.expect(200).text().to_owned()
    }

    /// Its first way to be shown is the one that counts; all of them must agree.
    async fn verdict(&self, key: &Key) -> (u16, String) {
        let mut told = Vec::new();
        for way in key.ways() {
            let headers: Vec<_> = way.iter().map(|it| (it.0, it.1.as_str())).collect();
            let path = "/verify?permission=orders:read";
            let answer = self.app.service().ask(Method::GET, path, &headers).await;
            let reason = answer.header("keyward-reason").unwrap_or("accepted").to_owned();
            told.push((answer.status, reason));
            let list = self.app.service().ask(Method::GET, "/api/v1/instances", &headers).await;
            // A personal key is of no subscription; it lists nothing (document 003).
            let expected = match answer.status {
                204 if !key.is_personal() => 200,
                _ if key.is_personal() => 403,
                other => other,
            };
            assert_eq!(list.status, expected, "{} lists: {}", key.name, list.text());
        }
        let mut question = json!({ "secret": key.secret, "permission": "orders:read" });
        if let Some(id) = &key.client_id {
            question["client_id"] = json!(id);
            // Document 001: a client signs in, too.
            let body = json!({ "client_id": id, "client_secret": key.secret });
            let signed = Space::nobody(self.app).post("/authentication/sign_in", body).await;
            let expected = if told[0].0 == 204 { 200 } else { 401 };
            assert_eq!(signed.status, expected, "{}: {}", key.name, signed.text());
        }
        let asked = self.program.post("/verify", question).await.expect(200).json();
        assert_eq!(asked["valid"], told[0].0 == 204, "{}: {asked}", key.name);
        told.push((told[0].0, text(&asked["code"])));
        let first = told.remove(0);
        assert!(told.iter().all(|it| *it == first), "{}: {first:?} and {told:?}", key.name);
        first
    }

    async fn end(&self, face: Face, key: &Key) {
        let path = page(key);
        match face {
            Native => {
                let path = format!("/instances/{}/revocation", key.instance);
                self.program.post(&path, Value::Null).await.expect(200);
            }
            Octane => {
                let query = format!("query=\"(client_id={})\"", key.client_id.as_ref().unwrap());
                let path = format!("{}/api_accesses", self.root);
                let found = self.space.get(&format!("{path}?{query}")).await.expect(200).json();
                let path = format!("{path}/{}", text(&found["data"][0]["id"]));
                self.space.put(&path, json!({ "is_valid": false })).await.expect(200);
            }
            Catena => drop(self.program.delete(&format!("/api_keys/{}", key.id)).await.expect(204)),
            WebTsm => {
                let path = format!("{PERSONAL}/{}", key.id);
                self.app.service().person(IDA, "DELETE", &path).await.expect(204);
            }
            Pages if key.is_personal() => {
                let path = format!("/profile/keys/{}/deletion", key.id);
                self.ida.post(&path, &[]).await.expect(303);
            }
            Pages => {
                let act = if key.name == "spark" { "deactivation" } else { "revocation" };
                let fields = [("confirm", "k-1")];
                self.admin.post(&format!("{path}/{act}"), &fields).await.expect(303);
            }
        }
    }
}

/// The page of a key group's instance.
fn page(key: &Key) -> String {
    format!("/s/acme/groups/{}/keys/{}", key.id, key.instance)
}

async fn a_key_of_each_interface_is_seen_by_those_that_have_a_word_for_it(app: &TestApp) {
    let it = world(app).await;
    for face in [Octane, Catena, WebTsm, Native, Pages] {
        let list = it.list(face).await;
        for (key, (name, faces, ..)) in it.keys.iter().zip(KEYS) {
            assert_eq!(key.name, name);
            let sign = if key.is_personal() { key.id.as_str() } else { name };
            let is_seen = faces.contains(&face);
            assert_eq!(list.contains(sign), is_seen, "{face:?} lists {name}");
            let one = it.shown(face, key).await.expect(if is_seen { 200 } else { 404 });
            // However it is looked at, the secret is in the answer that made it, and nowhere else.
            for text in [one.text(), &list] {
                assert!(!text.contains(&key.secret), "{face:?} tells the secret of {name}");
            }
        }
    }
}

async fn a_key_of_each_interface_is_good_wherever_it_is_shown(app: &TestApp) {
    let it = world(app).await;
    for key in &it.keys {
        assert_eq!(it.verdict(key).await, (204, "accepted".to_owned()), "{}", key.name);
    }
}

async fn a_key_that_one_interface_ends_is_refused_by_all_at_once(app: &TestApp) {
    let it = world(app).await;
    for (n, (name, faces, ends, reason)) in KEYS.into_iter().enumerate() {
        it.end(ends, &it.keys[n]).await;
        for (other, key) in it.keys.iter().enumerate() {
            let expected = match other <= n {
                true => (401, KEYS[other].3.to_owned()),
                false => (204, "accepted".to_owned()),
            };
            assert_eq!(it.verdict(key).await, expected, "{} after {name}", key.name);
        }
        // What is gone is gone everywhere; what has ended is told by each in its own words.
        for face in faces {
            let one = it.shown(*face, &it.keys[n]).await;
            let one = one.expect(if reason == "unknown" { 404 } else { 200 });
            match face {
                _ if reason == "unknown" => {}
                Octane => assert_eq!(one.json()["is_valid"], false, "{name}"),
                Catena => assert_eq!(one.json()["api_key"]["active"], false, "{name}"),
                Native => assert_ne!(one.json()["status"], "active", "{name}"),
                Pages | WebTsm => assert!(one.plain().to_lowercase().contains(reason), "{name}"),
            }
        }
    }
}
