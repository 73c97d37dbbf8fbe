//! Permissions come from services: declared on a page, or by the program from a file.
use std::fs;

use crate::support::{Database, Home, TestApp, on_both, program::Program};

on_both! {
    a_service_declares_its_permissions_on_a_page,
    what_is_no_permission_is_said_beside_the_field,
    a_withdrawn_permission_is_marked_while_a_policy_holds_it,
    the_program_declares_what_a_file_says_and_a_running_server_knows_it_at_once,
    a_file_that_cannot_be_declared_changes_nothing_and_says_why,
}

const NEW: &str = "/s/acme/permissions/new";
const LIST: &str = "/s/acme/permissions";

/// Point 27.
async fn a_service_declares_its_permissions_on_a_page(app: &TestApp) {
    let admin = app.admin("acme").await;
    assert!(admin.get(LIST).await.expect(200).plain().contains("No service has declared"));
    // With the service before the action or without, with a description or without.
    let actions = "read Read price lists\r\n\r\n  pricing:lists:write \r\nquote\tCompute a quote";
    let fields = [("service", " pricing "), ("actions", actions)];
    let saved = admin.post(NEW, &fields).await.expect(303);
    let list = admin.follow(&saved).await.expect(200);
    assert_eq!(list.flash(), "The permissions of pricing: 3 added.");
    let plain = list.plain();
    for part in ["pricing:read Read price lists no policy", "pricing:lists:write", "pricing:quote"]
    {
        assert!(plain.contains(part), "{part} is missing: {plain}");
    }
    let edit = "/s/acme/permissions/pricing/edit";
    let form = admin.get(edit).await.expect(200);
    let shown = "lists:write\nquote Compute a quote\nread Read price lists";
    assert_eq!(form.field("actions").trim(), shown);
    let seen = form.field("seen");
    let actions = "read Read all price lists\nquote Compute a quote\nbind Bind it";
    let fields = [("actions", actions), ("seen", seen.as_str())];
    let saved = admin.post(edit, &fields).await.expect(303);
    let told = "The permissions of pricing: 1 added, 1 described anew and 1 withdrawn.";
    assert_eq!(admin.follow(&saved).await.flash(), told);
    assert!(!admin.get(LIST).await.text().contains("pricing:lists:write"), "nobody holds it");
    // Who has not seen that is told, and what is there now is what the next try is compared with.
    let late = admin.post(edit, &[("actions", "read"), ("seen", seen.as_str())]).await.expect(409);
    assert!(late.refusal().starts_with("Somebody changed this meanwhile."), "{}", late.refusal());
    let seen = late.field("seen");
    let fields = [("actions", actions), ("seen", seen.as_str())];
    let again = admin.post(edit, &fields).await.expect(303);
    assert_eq!(admin.follow(&again).await.flash(), "pricing declared nothing new.");
    // What is called like its service stays that.
    app.desk("acme").await.declare("pricing", &["pricing:read", "read"]).await;
    let form = admin.get(edit).await.expect(200);
    let fields = [("actions", form.field("actions")), ("seen", form.field("seen"))];
    let fields = [("actions", fields[0].1.as_str()), ("seen", fields[1].1.as_str())];
    let same = admin.post(edit, &fields).await.expect(303);
    assert_eq!(admin.follow(&same).await.flash(), "pricing declared nothing new.");
    let pasted = format!("{}\npricing:bind", fields[0].1);
    let pasted = [("actions", pasted.as_str()), ("seen", fields[1].1)];
    let pasted = admin.post(edit, &pasted).await.expect(303);
    assert_eq!(admin.follow(&pasted).await.flash(), "The permissions of pricing: 1 added.");
    assert!(admin.get(LIST).await.plain().contains("pricing:bind"));
    admin.get("/s/acme/permissions/claims/edit").await.expect(404);
    admin.post("/s/acme/permissions/claims/edit", &fields).await.expect(404);
}

async fn what_is_no_permission_is_said_beside_the_field(app: &TestApp) {
    app.desk("acme").await.declare("orders", &["read"]).await;
    let admin = app.admin("acme").await;
    let before = app.snapshot().await;
    let (long, many) = ("x".repeat(301), (0..501).map(|n| format!("a{n}\n")).collect::<String>());
    for (service, actions, field, told) in [
        ("", "read", "service", "Name the service with 1 to 64 letters"),
        ("two words", "read", "service", "Name the service with 1 to 64 letters"),
        ("a:b", "read", "service", "Name the service with 1 to 64 letters"),
        ("orders", "read", "service", "This service has declared permissions already."),
        ("pricing", "", "actions", "Enter at least one action."),
        ("pricing", "read\nread again", "actions", "read is there twice."),
        ("pricing", "ré", "actions", "ré is no action"),
        ("pricing", &format!("read {long}"), "actions", "Use at most 300 characters"),
        ("pricing", "read \u{202e}", "actions", "Remove the control character U+202E."),
    ] {
        let page = admin.post(NEW, &[("service", service), ("actions", actions)]).await.expect(422);
        let shown = page.error_at(field);
        assert!(shown.contains(told), "{service:?} {actions:?}: {shown}");
    }
    let page = admin.post(NEW, &[("service", "pricing"), ("actions", &many)]).await.expect(409);
    assert!(page.refusal().contains("500 declared permissions"), "{}", page.refusal());
    assert_eq!(app.snapshot().await, before);
}

async fn a_withdrawn_permission_is_marked_while_a_policy_holds_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Write orders", &["orders:write"]).await.id;
    desk.declare("orders", &["read"]).await;
    let admin = app.admin("acme").await;
    let detail = format!("/s/acme/policies/{policy}");
    let form = format!("{detail}/edit");
    for path in [LIST, &detail, &form] {
        let plain = admin.get(path).await.expect(200).plain();
        assert!(plain.contains("orders:write no longer declared"), "{path}: {plain}");
    }
    let new = admin.get("/s/acme/policies/new").await.expect(200);
    assert!(!new.text().contains("orders:write"), "it cannot be put into another one");
    let fields = [("name", "other"), ("permissions", "orders:write")];
    let refused = admin.submit("/s/acme/policies/new", &fields).await.expect(422);
    let told = "No service declares the permission orders:write.";
    assert_eq!(refused.error_at("permissions"), told);
    // Taken out, it is gone when that cannot be undone any more.
    app.clock.advance(chrono::TimeDelta::hours(1));
    let edit = desk.edit_policy(policy, &["orders:read"]).await.unwrap();
    desk.declare("orders", &["read", "list"]).await;
    keyward::access::undo::undo(&desk.act(), edit).await.unwrap();
    let admin = app.admin("acme").await;
    let plain = admin.get(&form).await.expect(200).plain();
    assert!(plain.contains("orders:write no longer declared"), "{plain}");
    desk.edit_policy(policy, &["orders:read"]).await;
    for path in [LIST, &detail, &form] {
        assert!(!admin.get(path).await.expect(200).text().contains("orders:write"), "{path}");
    }
}

const FILE: &str =
    "service = \"pricing\"\n[permissions]\nread = \"Read price lists\"\nquote = \"\"\n";

async fn the_program_declares_what_a_file_says_and_a_running_server_knows_it_at_once(
    database: &Database,
) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let program = Program::start(&home).await;
    let cookie = program.sign_in().await;
    let file = home.folder().join("pricing.toml");
    let declare = |text: &str| {
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        Program::run(&home, &["permissions", "declare", "--subscription", "acme", file])
    };
    let (ok, told) = declare(FILE);
    assert!(ok && told.contains("The permissions of pricing: 2 added."), "{told}");
    let page = program.send(reqwest::Method::GET, LIST, &cookie, &[]).await.unwrap();
    assert!(page.text().await.unwrap().contains("pricing:quote"));
    let (ok, told) = declare(FILE);
    assert!(ok && told.contains("pricing declared nothing new."), "{told}");
    let (ok, told) = declare(&FILE.replace("quote = \"\"\n", ""));
    assert!(ok && told.contains("1 withdrawn"), "{told}");
    let page = program.send(reqwest::Method::GET, "/s/acme/audit", &cookie, &[]).await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("Permissions declared") && page.contains("command line"), "{page}");
    drop(program);
    home.clean_up().await;
}

async fn a_file_that_cannot_be_declared_changes_nothing_and_says_why(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let wrong = FILE.replace("read =", "\"re ad\" =");
    for (name, text, subscription, told) in [
        ("pricing.toml", FILE, "nobody", "there is no subscription nobody"),
        ("pricing.yaml", FILE, "acme", "a file ends in .toml or .json"),
        ("pricing.json", "{", "acme", "is no declaration of permissions"),
        ("pricing.toml", wrong.as_str(), "acme", "re ad is no action"),
    ] {
        let file = home.folder().join(name);
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let arguments = ["permissions", "declare", "--subscription", subscription, file];
        let (ok, said) = Program::run(&home, &arguments);
        assert!(!ok && said.contains(told), "{name}: {said}");
    }
    let missing = ["permissions", "declare", "--subscription", "acme", "nowhere.toml"];
    let (ok, said) = Program::run(&home, &missing);
    assert!(!ok && said.contains("cannot read nowhere.toml"), "{said}");
    home.clean_up().await;
}
