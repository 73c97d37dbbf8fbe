//! The demonstration, which newcomers look at and load tests run on.
use std::fs;

use reqwest::Method;

use crate::support::{
    Database, Home, on_both,
    program::{Program, command},
};

on_both! {
    a_demonstration_is_filled_and_its_many_keys_are_good,
}

async fn a_demonstration_is_filled_and_its_many_keys_are_good(database: &Database) {
    let home = Home::new(*database).await;
    let folder = home.folder().join("demo");
    let program = Program::demonstrate(&home, &folder, 40).await;
    let cookie = program.sign_in_with("ida@northwind.example", "a password for the demo").await;
    for (path, shown) in [
        ("/s/northwind", "quote-engine"),
        ("/s/northwind/groups", "quote-engine"),
        ("/s/lab/groups", "service-000003"),
    ] {
        let page = program.send(Method::GET, path, &cookie, &[]).await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let text = page.text().await.unwrap();
        assert!(text.contains(shown), "{path}: {text}");
    }
    let keys = fs::read_to_string(folder.join("keys.txt")).unwrap();
    assert_eq!(keys.lines().count(), 4);
    for key in keys.lines() {
        assert_eq!(program.verify(key).await.unwrap().status(), 204);
    }
    // Every second group may do something.
    let key = keys.lines().next().unwrap();
    let allowed = program.asks(key, "permission=load:act-00").await.unwrap();
    assert_eq!(allowed.status(), 204);
    // A second one does not empty the folder under it.
    let mut second = command(&home);
    second.args(["demo", "--bind", "127.0.0.1:0", "--folder"]).arg(&folder);
    let refused = second.output().unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("a demonstration runs in"), "{told}");
    assert_eq!(program.verify(key).await.unwrap().status(), 204);
    program.terminate();
    assert_eq!(program.ended().await.code(), Some(0));
    let file = folder.join("keyward.db");
    if *database == Database::Sqlite {
        // Its readers and its writer do not wait for each other: 2 is a log ahead, 1 a journal
        // (sqlite.org/fileformat2.html, 1.3.3).
        assert_eq!(fs::read(&file).unwrap()[18..20], [2, 2]);
    }
    let mut verify = command(&home);
    verify.args(["audit", "verify"]).env("KEYWARD_PEPPER_FILE", folder.join("keyward.pepper"));
    if *database == Database::Sqlite {
        verify.env("KEYWARD_DATABASE_URL", format!("sqlite://{}", file.display()));
    }
    let verified = verify.output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    home.clean_up().await;
}
