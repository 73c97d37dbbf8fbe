//! The floor that verifications are measured against: actix-web that does nothing, whatever it is asked.
//! `hello PORT`
use std::net::Ipv4Addr;

use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|it| it.parse().ok());
    let port: u16 = port.ok_or_else(|| std::io::Error::other("usage: hello PORT"))?;
    let hello = || async { HttpResponse::Ok().body("hello") };
    HttpServer::new(move || App::new().default_service(web::to(hello)))
        .bind((Ipv4Addr::LOCALHOST, port))?
        .run()
        .await
}
