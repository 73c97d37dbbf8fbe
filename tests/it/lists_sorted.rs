//! Lists that are sorted by a column, page by page.
use std::cmp::Reverse;

use chrono::TimeDelta;
use keyward::{
    domain::ActivePeriod,
    key_instances::{self, Filter, KeyInstance},
};

use crate::support::{Person, TestApp, ids, on_both};

on_both! {
    keys_are_sorted_by_their_ends_whether_they_are_off_or_not,
    keys_are_sorted_by_when_they_were_made,
    groups_are_sorted_by_name_and_by_coverage,
    a_page_says_where_it_stands_and_which_column_sorts,
}

/// The links of the rows of every page, from this one on, and what each page says of itself.
async fn all_pages(person: &Person<'_>, path: &str) -> (Vec<String>, Vec<String>) {
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = person.get(&path).await.expect(200);
        let links = page.text().split("<a class=\"name\" href=\"").skip(1);
        rows.extend(links.map(|it| it.split('"').next().unwrap().to_owned()));
        let pager = page.text().split("<footer class=\"pager\"><span>").nth(1).unwrap();
        told.push(pager.split('<').next().unwrap().to_owned());
        next = page.next_page();
    }
    (rows, told)
}

async fn keys_are_sorted_by_their_ends_whether_they_are_off_or_not(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(9)).await.instance.key_group_id;
    for n in 0..59 {
        // Many with the same end, and some without one.
        let until = (n % 7 > 0).then(|| app.clock.now() + TimeDelta::days(20 + n % 3));
        let period = ActivePeriod::new(app.clock.now(), until).unwrap();
        let key = desk.key(group, period).await;
        if n % 5 == 0 {
            key_instances::deactivate(&desk.act(), ids(&key)).await.unwrap();
        }
        if n % 11 == 0 {
            key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
        }
    }
    let admin = app.signed_in("admin@acme.example").await;
    let all = key_instances::list(&desk.act(), &Filter::default(), 100).await.unwrap().instances;
    assert_eq!(all.len(), 60);
    let path = |it: &KeyInstance| format!("/s/acme/groups/{group}/keys/{}", it.id);
    let now = app.clock.now().timestamp_millis();
    for list in ["/s/acme/keys".to_owned(), format!("/s/acme/groups/{group}")] {
        for status in ["", "active", "deactivated"] {
            let is_shown = |it: &&KeyInstance| match status {
                "active" => !it.is_off && it.ends_at > now,
                "deactivated" => it.is_off,
                _ => true,
            };
            let mut expected: Vec<&KeyInstance> = all.iter().filter(is_shown).collect();
            assert!(expected.len() > 5, "{status}: {}", expected.len());
            expected.sort_by_key(|it| (it.ends_at, it.id));
            let of = |sort| format!("{list}?status={status}&sort={sort}");
            let (rows, _) = all_pages(&admin, &of("until")).await;
            assert_eq!(rows, expected.iter().map(|it| path(it)).collect::<Vec<_>>(), "{status}");
            expected.sort_by_key(|it| Reverse((it.ends_at, it.id)));
            let expected: Vec<_> = expected.iter().map(|it| path(it)).collect();
            let (rows, _) = all_pages(&admin, &of("-until")).await;
            assert_eq!(rows, expected, "{status}");
            // And the same as a file.
            let csv = match list.ends_with("/keys") {
                true => of("-until").replacen("/keys", "/keys.csv", 1),
                false => of("-until").replacen('?', "/keys.csv?", 1),
            };
            let csv = admin.get(&csv).await.expect(200).csv();
            let labels = csv[1..].iter().map(|it| it[1].clone());
            let label = |path: &String| all.iter().find(|it| path.ends_with(&it.id.to_string()));
            let listed = expected.iter().map(|it| label(it).unwrap().name());
            assert_eq!(labels.collect::<Vec<_>>(), listed.collect::<Vec<_>>(), "{status}");
        }
    }
}

async fn keys_are_sorted_by_when_they_were_made(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(9)).await.instance.key_group_id;
    for _ in 0..29 {
        app.clock.advance(TimeDelta::milliseconds(1)); // ids are in the order of their making
        desk.key(group, desk.days(9)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let usual = "/s/acme/keys".to_owned();
    for list in [usual, format!("/s/acme/groups/{group}")] {
        let (newest, _) = all_pages(&admin, &list).await;
        assert_eq!(all_pages(&admin, &format!("{list}?sort=-name")).await.0, newest, "{list}");
        let (mut oldest, told) = all_pages(&admin, &format!("{list}?sort=name")).await;
        assert_eq!(told, ["1 to 25 of 30", "26 to 30 of 30"]);
        oldest.reverse();
        assert_eq!(oldest, newest, "{list}");
        // Where no index has that order, it is the usual one of the tab.
        for tab in ["status=active", "used=never"] {
            let (usual, _) = all_pages(&admin, &format!("{list}?{tab}")).await;
            assert_eq!(all_pages(&admin, &format!("{list}?{tab}&sort=name")).await.0, usual);
        }
    }
}

async fn groups_are_sorted_by_name_and_by_coverage(app: &TestApp) {
    let desk = app.desk("acme").await;
    for n in 0..53 {
        // Not in the order of their making, and in both cases.
        let name = format!("{} & co {:02}", if n % 2 == 0 { "Alpha" } else { "alpha" }, n * 7 % 53);
        desk.group(&name, desk.days(20 + n % 4)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let names = async |query: &str| {
        let (mut names, mut next) = (Vec::new(), Some(format!("/s/acme/groups?{query}")));
        while let Some(path) = next {
            let page = admin.get(&path).await.expect(200);
            names.extend(page.names().into_iter().map(|it| it.to_lowercase()));
            next = page.next_page();
        }
        names
    };
    let mut expected: Vec<_> = (0..53).map(|n| format!("alpha & co {n:02}")).collect();
    assert_eq!(names("sort=name").await, expected);
    expected.reverse();
    assert_eq!(names("sort=-name").await, expected);
    let usual = names("").await;
    assert_eq!(names("sort=coverage").await, usual);
    let mut last = names("sort=-coverage").await;
    last.reverse();
    assert_eq!(last, usual);
    assert_eq!(names("sort=-name&q=co+0").await.len(), 10);
}

async fn a_page_says_where_it_stands_and_which_column_sorts(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(9)).await.instance.key_group_id;
    for n in 0..54 {
        desk.key(group, desk.days(10 + n)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let list = format!("/s/acme/groups/{group}");
    let told = async |query: &str| all_pages(&admin, &format!("{list}?{query}")).await.1;
    let whole = ["1 to 25 of 55", "26 to 50 of 55", "51 to 55 of 55"];
    assert_eq!(told("").await, whole);
    assert_eq!(told("status=active&sort=-until").await, whole);
    // How many match is not counted.
    assert_eq!(told("used=never").await, ["1 to 25", "26 to 50", "51 to 55 of 55"]);
    let header = async |query: &str| {
        let page = admin.get(&format!("{list}?{query}")).await.expect(200);
        let sorted = page.text().matches("aria-sort=").count();
        assert_eq!(sorted, 1, "{query}");
        let head = page.text().split("aria-sort=\"").nth(1).unwrap().to_owned();
        let (order, rest) = head.split_once("\">").unwrap();
        let link = rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        (order.to_owned(), link.replace("&#38;", "&").replacen(&list, "", 1))
    };
    let is = |order: &str, link: &str| (order.to_owned(), link.to_owned());
    assert_eq!(header("").await, is("descending", "?sort=name"));
    assert_eq!(header("sort=name").await, is("ascending", "?sort=-name"));
    assert_eq!(header("sort=until").await, is("ascending", "?sort=-until"));
    assert_eq!(header("status=active").await, is("ascending", "?status=active&sort=-until"));
    let (order, link) = header("status=active&sort=-until").await;
    assert_eq!((&*order, &*link), ("descending", "?status=active&sort=until"));
    // Another tab has its own order.
    let page = admin.get(&format!("{list}?status=active&sort=-until")).await;
    let tab = format!("href=\"{list}?status=soon\"");
    assert!(page.text().contains(&tab), "{}", page.text());
}
