//! The Octane dialect (document 001): its exchanges as they stand there, and the points of parity.
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{OTHER, SECRET, Space, TestApp, basic, on_both, world};

on_both! {
    the_exchanges_of_the_document_as_they_stand_there,
    a_post_answers_with_a_list_and_an_id_of_25_characters,
    fields_say_what_comes_besides_type_id_and_validity,
    an_invalid_access_is_refused_and_made_valid_with_a_new_secret_under_the_same_id,
    an_expiration_is_optional_and_can_be_set_later,
    signing_in_gives_a_cookie_for_here_only_and_signing_out_ends_it,
    the_integration_type_comes_from_the_roles_and_cannot_be_written,
    rest_only_with_keys_refuses_people_here_and_not_on_the_pages,
    a_new_default_lifetime_leaves_the_keys_that_exist_alone,
    a_person_has_ten_programs_at_most_and_ends_them_with_all_other_sessions,
}

async fn a_person_has_ten_programs_at_most_and_ends_them_with_all_other_sessions(app: &TestApp) {
    let it = world(app).await;
    let path = format!("{}/roles", it.space);
    let program = Space::sign_in(app, "admin@acme.example").await;
    let person = app.admin("acme").await;
    let profile = person.get("/profile").await.expect(200);
    assert!(profile.plain().contains("2 programs"), "{}", profile.plain());
    for _ in 0..9 {
        it.admin.get(&path).await.expect(200);
        Space::sign_in(app, "admin@acme.example").await;
    }
    // The eleventh takes the place of the first.
    it.admin.get(&path).await.expect(401);
    program.get(&path).await.expect(200);
    person.post("/profile/sessions/others/ending", &[]).await.expect(303);
    program.get(&path).await.expect(401);
    assert!(person.is_signed_in().await);
}

async fn the_exchanges_of_the_document_as_they_stand_there(app: &TestApp) {
    let it = world(app).await;
    let (admin, space) = (&it.admin, &it.space);
    // Create API Access key
    let body = json!({ "data": [ {
        "client_secret": "9011@83sd!f1042ds+f19fg86M", "name": "myKey03",
        "expiration": "2027-08-24T00:00:00Z",
        "workspace_roles": { "data": [
            { "type": "workspace_role", "id": it.devops }, { "type": "workspace_role", "id": it.ci_cd },
        ] },
    } ] });
    let made = admin.post(&format!("{space}/api_accesses?fields=client_id"), body).await;
    let made = made.expect(201).json();
    let client_id = made["data"][0]["client_id"].as_str().unwrap().to_owned();
    let id = made["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made,
        json!({
            "total_count": 1,
            "data": [
                { "type": "api_access", "id": id, "client_id": client_id, "is_valid": true },
            ],
            "exceeds_total_count": false,
        })
    );
    // Workspace role queries, method 1
    let by_workspace = "query=\"(workspace={id=@})\"".replace('@', &it.workspace);
    let found = admin.get(&format!("{space}/workspace_roles?fields=role&{by_workspace}")).await;
    let found = found.expect(200).json();
    assert_eq!(found["total_count"], 2);
    let devops = json!({ "type": "workspace_role", "id": it.devops, "role": {
        "type": "role", "id": it.devops_role, "logical_name": "role.workspace.devops.admin",
        "name": "DevOps Admin",
    } });
    assert!(found["data"].as_array().unwrap().contains(&devops), "{found}");
    // Method 2
    let roles = admin.get(&format!("{space}/roles")).await.expect(200).json();
    assert_eq!((&roles["total_count"], &roles["exceeds_total_count"]), (&json!(2), &json!(false)));
    let role = roles["data"].as_array().unwrap().iter().find(|role| role["id"] == it.devops_role);
    let role = role.unwrap();
    assert!(role["workspace_id"].is_i64() && role["based_on_system"].is_null());
    assert_eq!(role["creation_time"], "2026-11-20T10:30:00Z");
    assert_eq!((&role["is_system"], &role["version_stamp"]), (&json!(false), &json!(1)));
    let both =
        format!("query=\"(role={{id={}}};workspace={{id={}}})\"", it.devops_role, it.workspace);
    let found = admin.get(&format!("{space}/workspace_roles?fields=role&{both}")).await;
    assert_eq!(
        found.expect(200).json(),
        json!({
            "total_count": 1, "data": [devops], "exceeds_total_count": false,
        })
    );
    // Shared space admin role query: by role only
    let by_role = format!("query=\"(role={{id={}}})\"", it.devops_role);
    let found = admin.get(&format!("{space}/workspace_roles?fields=role&{by_role}")).await;
    assert_eq!(found.expect(200).json()["total_count"], 2);
    // It works, in the workspace of its role.
    let asks = |query: &'static str| {
        let (app, header) = (it.app, basic(&client_id, SECRET));
        async move {
            let path = format!("/verify?{query}");
            app.service().ask(Method::GET, &path, &[("authorization", &header)]).await.status
        }
    };
    assert_eq!(asks("permission=pipeline:run&workspace=europe").await, 204);
    assert_eq!(asks("permission=pipeline:run&workspace=asia").await, 403);
    // Revoke an API Access key
    let path = format!("{space}/api_accesses/{id}");
    admin.put(&path, json!({ "is_valid": false })).await.expect(200);
    assert_eq!(asks("").await, 401);
    // Regenerate an API Access key
    let body = json!({ "is_valid": true, "client_secret": "kj@s$dfS124GDd35" });
    let again = admin.put(&format!("{path}?fields=client_id"), body).await.expect(200).json();
    assert_eq!(
        again,
        json!({
            "type": "api_access", "id": id, "client_id": client_id, "is_valid": true,
        })
    );
    app.service().basic(&client_id, "kj@s$dfS124GDd35").await.expect(204);
    assert_eq!(asks("").await, 401, "the secret before");
}

async fn a_post_answers_with_a_list_and_an_id_of_25_characters(app: &TestApp) {
    let it = world(app).await;
    let body = json!({ "data": [{ "name": "my key: 3", "client_secret": SECRET }] });
    let path = format!("{}/api_accesses?fields=client_id", it.space);
    let made = it.admin.post(&path, body).await.expect(201).json();
    assert_eq!((&made["total_count"], &made["exceeds_total_count"]), (&json!(1), &json!(false)));
    let one = &made["data"][0];
    assert!(one["id"].is_string() && one["is_valid"] == true && one["type"] == "api_access");
    let suffix = one["client_id"].as_str().unwrap().strip_prefix("my-key--3_").unwrap();
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    assert!(suffix.len() == 25 && suffix.chars().all(allowed), "{suffix}");
}

async fn fields_say_what_comes_besides_type_id_and_validity(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({ "expiration": "2027-08-24T00:00:00Z" })).await;
    let names = async |query: &str| {
        let one = it.admin.get(&format!("{}{query}", it.path(&made))).await.expect(200).json();
        let mut names: Vec<String> = one.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("?fields=client_id").await, "client_id id is_valid type");
    assert_eq!(names("?fields=name,expiration").await, "expiration id is_valid name type");
    assert_eq!(names("?fields=id").await, "id is_valid type");
    assert_eq!(names("").await, "client_id id is_valid name type");
    let told = it.admin.get(&format!("{}?fields=client_secret", it.path(&made))).await;
    assert_eq!(told.expect(400).json()["error_code"], "platform.invalid_query");
    let list = it.admin.get(&format!("{}/api_accesses?fields=name", it.space)).await.expect(200);
    assert_eq!(list.json()["data"][0]["name"], "myKey03");
    assert!(!list.text().contains("client_id") && !list.text().contains(SECRET));
}

async fn an_invalid_access_is_refused_and_made_valid_with_a_new_secret_under_the_same_id(
    app: &TestApp,
) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let path = it.path(&made);
    it.verify(&made, SECRET).await.expect(204);
    let off = it.admin.put(&path, json!({ "is_valid": false })).await.expect(200).json();
    assert_eq!(off["is_valid"], false);
    let refused = it.verify(&made, SECRET).await.expect(401);
    assert_eq!(refused.header("keyward-reason"), Some("revoked"));
    // A revoked secret stays dead.
    let told = it.admin.put(&path, json!({ "is_valid": true })).await.expect(409).json();
    assert!(told["description"].as_str().unwrap().contains("new client_secret"), "{told}");
    let body = json!({ "is_valid": true, "client_secret": OTHER });
    let on = it.admin.put(&format!("{path}?fields=client_id"), body).await.expect(200).json();
    assert_eq!((&on["client_id"], &on["is_valid"]), (&made["client_id"], &json!(true)));
    it.verify(&made, SECRET).await.expect(401);
    it.verify(&made, OTHER).await.expect(204);
    // Without an overlap: the one secret is replaced at once.
    let third = "Third-secret-2026!";
    it.admin.put(&path, json!({ "client_secret": SECRET })).await.expect(409);
    it.verify(&made, OTHER).await.expect(204);
    it.admin.put(&path, json!({ "client_secret": third })).await.expect(200);
    it.verify(&made, OTHER).await.expect(401);
    it.verify(&made, third).await.expect(204);
    it.admin.put(&path, json!({ "is_valid": true })).await.expect(200);
    let both = json!({ "is_valid": false, "client_secret": "Fourth-secret-2026!" });
    it.admin.put(&path, both).await.expect(422);
    it.verify(&made, third).await.expect(204);
}

async fn an_expiration_is_optional_and_can_be_set_later(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    assert!(made["expiration"].is_null());
    let path = format!("{}?fields=expiration", it.path(&made));
    let set = async |at: Value| it.admin.put(&path, json!({ "expiration": at })).await;
    let told = set(json!("2026-12-24T00:00:00Z")).await.expect(200).json();
    assert_eq!(told["expiration"], "2026-12-24T00:00:00Z");
    set(json!("2020-01-01T00:00:00Z")).await.expect(409);
    assert!(set(Value::Null).await.expect(200).json()["expiration"].is_null());
    set(json!("2026-12-24T00:00:00Z")).await.expect(200);
    // Another secret alone keeps it.
    let told = it.admin.put(&path, json!({ "client_secret": OTHER })).await.expect(200).json();
    assert_eq!(told["expiration"], "2026-12-24T00:00:00Z");
    it.verify(&made, OTHER).await.expect(204);
    app.clock.advance(chrono::TimeDelta::days(40));
    it.verify(&made, OTHER).await.expect(401);
    let again = Space::sign_in(app, "admin@acme.example").await;
    let one = again.get(&path).await.expect(200).json();
    assert_eq!((&one["is_valid"], &one["expiration"]), (&json!(false), &Value::Null));
    // The expiry has passed and is final.
    again.put(&path, json!({ "expiration": "2027-12-24T00:00:00Z" })).await.expect(409);
    for wrong in [json!("tomorrow"), json!(5)] {
        again.put(&path, json!({ "expiration": wrong })).await.expect(422);
    }
}

async fn signing_in_gives_a_cookie_for_here_only_and_signing_out_ends_it(app: &TestApp) {
    let it = world(app).await;
    let nobody = Space::nobody(app);
    let list = format!("{}/api_accesses", it.space);
    let body = json!({ "user": "admin@acme.example", "password": "wrong" });
    nobody.post("/authentication/sign_in", body).await.expect(401);
    app.clock.advance(chrono::TimeDelta::seconds(3));
    let body = json!({ "user": "admin@acme.example", "password": crate::support::PASSWORD });
    let signed = nobody.post("/authentication/sign_in", body).await.expect(200);
    assert_eq!(signed.text(), "");
    let cookie = signed.set_cookie("LWSSO_COOKIE_KEY").unwrap();
    assert!(cookie.http_only() == Some(true) && cookie.secure() == Some(true));
    assert_eq!(cookie.same_site(), Some(actix_web::cookie::SameSite::Strict));
    let own = nobody.having(cookie.value());
    own.get(&list).await.expect(200);
    // No page takes it, under neither name.
    for name in ["LWSSO_COOKIE_KEY", "__Host-sid"] {
        let person = app.anonymous();
        person.plant(name, cookie.value());
        assert!(person.get("/s/acme").await.is_sign_in_redirect(), "{name}");
    }
    // Nor is the cookie of a page one here.
    let page = app.admin("acme").await.session();
    let with_page = nobody.having(&page);
    with_page.get(&list).await.expect(401);
    own.post("/authentication/sign_out", json!({})).await.expect(200);
    own.get(&list).await.expect(401);
    // A key signs in too, and a wrong one does not.
    let made = it.access("myKey03", json!({})).await;
    let id = made["client_id"].as_str().unwrap();
    Space::sign_in_client(app, id, SECRET).await;
    let body = json!({ "client_id": id, "client_secret": OTHER });
    nobody.post("/authentication/sign_in", body).await.expect(401);
    // Sessions end by themselves.
    app.clock.advance(chrono::TimeDelta::minutes(31));
    it.admin.get(&list).await.expect(401);
}

async fn the_integration_type_comes_from_the_roles_and_cannot_be_written(app: &TestApp) {
    let it = world(app).await;
    let roles = |id: &str| json!({ "workspace_roles": { "data": [{ "type": "workspace_role", "id": id }] } });
    let plain = it.access("plain", json!({})).await;
    let devops = it.access("devops", roles(&it.devops)).await;
    let ci_cd = it.access("ci-cd", roles(&it.ci_cd)).await;
    let kinds = [&plain, &devops, &ci_cd].map(|it| it["integration_type"].as_str().unwrap());
    assert_eq!(kinds, ["3rd-party Integration", "3rd-party Integration", "CI/CD Integration"]);
    let body = json!({ "integration_type": "CI/CD Integration" });
    let told = it.admin.put(&it.path(&plain), body).await.expect(422).json();
    assert!(told["description"].as_str().unwrap().contains("integration_type"), "{told}");
    let page = app.admin("acme").await.get("/s/acme/groups").await.expect(200);
    let path = page.text().split("href=\"").find(|it| it.contains(">ci-cd<")).unwrap();
    let page = app.admin("acme").await.get(path.split('"').next().unwrap()).await.expect(200);
    assert!(page.plain().contains("CI/CD Integration · from its roles"), "{}", page.plain());
}

async fn rest_only_with_keys_refuses_people_here_and_not_on_the_pages(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    app.desk("acme").await.change_settings(|it| it.rest_keys_only = true).await;
    for path in ["api_accesses", "roles", "workspace_roles"] {
        let told = it.admin.get(&format!("{}/{path}", it.space)).await.expect(403).json();
        assert!(told["description"].as_str().unwrap().contains("for API keys only"), "{told}");
    }
    it.admin.put(&it.path(&made), json!({ "is_valid": false })).await.expect(403);
    app.admin("acme").await.get("/s/acme/groups").await.expect(200);
    it.verify(&made, SECRET).await.expect(204);
    Space::sign_in_client(app, made["client_id"].as_str().unwrap(), SECRET).await;
}

async fn a_new_default_lifetime_leaves_the_keys_that_exist_alone(app: &TestApp) {
    let it = world(app).await;
    let desk = app.desk("acme").await;
    let key = desk.group("shop", desk.days(90)).await.instance;
    let made = it.access("myKey03", json!({ "expiration": "2027-08-24T00:00:00Z" })).await;
    let admin = app.admin("acme").await;
    let settings = [("default_lifetime_days", "7"), ("max_lifetime_days", "30")];
    admin.post("/s/acme/settings", &settings).await.expect(303);
    let now = keyward::key_instances::find(&desk.act(), (key.key_group_id, key.id)).await.unwrap();
    assert_eq!(now.facts(), key.facts());
    let path = format!("{}?fields=expiration", it.path(&made));
    let one = it.admin.get(&path).await.expect(200).json();
    assert_eq!(one["expiration"], "2027-08-24T00:00:00Z");
    // New ones obey.
    let body = json!({ "data": [{ "name": "x", "client_secret": SECRET }] });
    it.admin.post(&format!("{}/api_accesses", it.space), body).await.expect(409);
}
