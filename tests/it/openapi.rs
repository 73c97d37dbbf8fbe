//! The document that programs read tells of every route, and of nothing else. That answers are as it
//! says is what `fuzz.rs` tries.
use std::collections::{BTreeMap, BTreeSet};

use keyward::{
    api::openapi,
    server::{API_ROUTES, Access, FACES, Face},
};
use reqwest::Method;
use serde_json::Value;

use crate::support::{TestApp, on_both};

on_both!(anyone_is_given_the_document_and_it_is_the_one_of_the_code);

/// Which document describes the faces that this one leaves out.
const ELSEWHERE: [(&str, &str); 6] = [
    ("/authentication", "001, Octane"),
    ("/api/shared_spaces", "001, Octane"),
    ("/api/v1/api_keys", "002, Catena"),
    ("/rpc", "002, Catena"),
    ("/auth/api-keys", "003, WebTSM"),
    ("/.well-known/jwks.json", "003, WebTSM; RFC 7517"),
];

/// Method and path of each operation, and what is told of it.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let mut all = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, it) in methods.as_object().unwrap() {
            all.insert((method.to_uppercase(), path.clone()), it);
        }
    }
    all
}

/// Every value of an object's member of this name, wherever it stands.
fn members<'a>(of: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match of {
        Value::Object(it) => {
            found.extend(it.get(name));
            it.values().for_each(|it| members(it, name, found));
        }
        Value::Array(it) => it.iter().for_each(|it| members(it, name, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_told_of_and_nothing_else() {
    let document = openapi::document();
    let told: BTreeSet<_> = operations(&document).into_keys().collect();
    let routes: BTreeSet<_> =
        openapi::routes().map(|it| (it.method.to_string(), it.path.to_owned())).collect();
    assert_eq!(told, routes);
    let ours = API_ROUTES.iter().filter(|it| Face::of(it.path).unwrap().below == "/api/v1");
    assert_eq!(told.len(), ours.count() + 2, "the native ones, and GET and POST /verify");
    // What is left out is described by somebody else.
    for face in FACES.iter().filter(|it| it.below != "/api/v1") {
        assert!(ELSEWHERE.iter().any(|it| it.0 == face.below), "who describes {}?", face.below);
    }
}

/// An operation that has no route is dropped on the way into the document.
#[test]
fn no_operation_is_without_a_route() {
    assert_eq!(openapi::told(), openapi::routes().count());
}

#[test]
fn each_operation_takes_the_scope_of_its_route() {
    let document = openapi::document();
    let told = operations(&document);
    let mut seen = 0;
    for route in openapi::routes() {
        let security = &told[&(route.method.to_string(), route.path.to_owned())]["security"];
        let scopes: Vec<_> = security.as_array().unwrap().iter().collect();
        let mut scopes: Vec<_> = scopes.iter().map(|it| &it["automationToken"][0]).collect();
        scopes.retain(|it| !it.is_null());
        match route.access {
            Access::Token(scope) | Access::TokenOrKey(scope) => {
                assert_eq!(scopes, [scope.as_str()], "{} {}", route.method, route.path);
                seen += 1;
            }
            Access::Anyone => assert!(scopes.is_empty(), "{}", route.path),
            other => panic!("{}: the document cannot tell of {other:?}", route.path),
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn it_is_whole() {
    let document = openapi::document();
    let (mut refs, mut ids) = (Vec::new(), BTreeSet::new());
    members(&document, "$ref", &mut refs);
    assert!(refs.len() > 300, "{}", refs.len());
    for it in refs {
        let pointer = it.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{it} leads nowhere");
    }
    for ((method, path), it) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(ids.insert(it["operationId"].as_str().unwrap()), "{what}: the id is taken");
        for text in ["summary", "description"] {
            let text = it[text].as_str().unwrap();
            assert!(!text.is_empty() && !text.contains("  "), "{what}: {text:?}");
        }
        let tag = &it["tags"][0];
        let tags = document["tags"].as_array().unwrap();
        assert!(tags.iter().any(|it| it["name"] == *tag), "{what}: no chapter is {tag}");
        for (status, answer) in it["responses"].as_object().unwrap() {
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{what}: {status}");
            let has_body = !["204", "304"].contains(&status.as_str());
            assert_eq!(answer["content"].is_object(), has_body, "{what}: {status}");
        }
        let refused =
            if path == "/verify" { "application/json" } else { "application/problem+json" };
        if let Some(answer) = it["responses"].get("401") {
            assert!(answer["content"][refused].is_object(), "{what}");
        }
    }
    let mut comments = Vec::new();
    members(&document, "description", &mut comments);
    for text in comments.into_iter().filter_map(Value::as_str) {
        assert!(!text.contains("document 00"), "this is for us, not for programs: {text}");
    }
}

async fn anyone_is_given_the_document_and_it_is_the_one_of_the_code(app: &TestApp) {
    let path = "/api/v1/openapi.json";
    let asked = async |tag: Option<&str>| {
        let headers: Vec<_> = tag.into_iter().map(|it| ("if-none-match", it)).collect();
        app.service().ask(Method::GET, path, &headers).await
    };
    let answer = asked(None).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), openapi::document().to_string());
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let tag = answer.header("etag").unwrap();
    assert_eq!(asked(Some(tag)).await.expect(304).text(), "");
    asked(Some("\"another\"")).await.expect(200);
}
