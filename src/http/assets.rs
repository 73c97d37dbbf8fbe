//! Static files under a path that contains a hash of all of them, so that browsers may keep them for ever.
//! The style sheets of `static/css` and the scripts of `static/js` are served joined, in order of
//! their names.
use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::header, web::Path};
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use crate::pepper::hex;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

static VERSION: LazyLock<String> = LazyLock::new(hash);

/// The path of a file, such as `/static/0123456789abcdef/app.css`.
pub fn url(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// The path of one symbol of the icon sprite.
pub fn icon(name: &str) -> String {
    url("icons.svg") + "#" + name
}

fn hash() -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut all = Sha256::new();
    for file in names.iter().filter_map(|it| Files::get(it)) {
        all.update(file.metadata.sha256_hash());
    }
    hex(&all.finalize()[..8])
}

fn content(name: &str) -> Option<(Vec<u8>, String)> {
    let joined = match name {
        "app.css" => Some(("css/", "text/css; charset=utf-8")),
        "app.js" => Some(("js/", "text/javascript; charset=utf-8")),
        _ => None,
    };
    let Some((folder, kind)) = joined else {
        // What others have written has a folder of its own, with its licence.
        let path = match name {
            "swagger-ui.css" => "vendor/swagger-ui/swagger-ui.css",
            "swagger-ui.js" => "vendor/swagger-ui/swagger-ui-bundle.js",
            own => own,
        };
        let file = Files::get(path)?;
        return Some((file.data.into_owned(), file.metadata.mimetype().to_owned()));
    };
    let mut names: Vec<_> = Files::iter().filter(|it| it.starts_with(folder)).collect();
    names.sort();
    let parts = names.iter().filter_map(|it| Files::get(it));
    let bytes = parts.fold(Vec::new(), |mut all, it| {
        all.extend_from_slice(&it.data);
        all.push(b'\n');
        all
    });
    Some((bytes, kind.to_owned()))
}

/// `GET /static/{hash}/{name}`. With an old hash the file is given too, but not to be kept; nor in
/// a debug build, where files come from disk and an edit shall show at once.
pub async fn serve(req: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (asked, name) = path.into_inner();
    give(&req, &name, asked == *VERSION && !cfg!(debug_assertions))
}

/// `GET /favicon.ico` and `/robots.txt`: fixed paths that browsers and crawlers ask for.
pub async fn well_known(req: HttpRequest) -> HttpResponse {
    let name = if req.path() == "/robots.txt" { "robots.txt" } else { "favicon.svg" };
    give(&req, name, false)
}

/// Whether the caller has what has this tag (RFC 9110, 13.1.2: compared weakly).
pub fn knows(req: &HttpRequest, tag: &str) -> bool {
    let lines = req.headers().get_all(header::IF_NONE_MATCH).filter_map(|it| it.to_str().ok());
    let mut tags = lines.flat_map(|it| it.split(',')).map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

fn give(req: &HttpRequest, name: &str, keep: bool) -> HttpResponse {
    let Some((bytes, kind)) = content(name) else {
        return HttpResponse::NotFound().content_type("text/plain").body("no such file\n");
    };
    let etag = format!("\"{}\"", hex(&Sha256::digest(&bytes)[..8]));
    let keep = if keep { "public, max-age=31536000, immutable" } else { "no-cache" };
    let unchanged = knows(req, &etag);
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, keep));
    if unchanged { answer.finish() } else { answer.content_type(kind).body(bytes) }
}
