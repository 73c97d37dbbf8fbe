//! A connection to Postgres that can be cut.
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use keyward::config::Config;
use url::Url;

use super::{Database, TestApp};

impl TestApp {
    /// On Postgres, behind a connection that can be cut.
    pub(crate) async fn on_a_cable() -> (Self, Cable) {
        let mut cable = None;
        let plug = |config: &mut Config| cable = Some(Cable::plugged(config));
        let app = Self::start_with(Database::Postgres, plug).await;
        (app, cable.unwrap())
    }

    /// Another process on the same database, behind a connection that can be cut.
    pub(crate) async fn second_node_on_a_cable(&self) -> (Self, Cable) {
        let mut cable = None;
        let plug = |config: &mut Config| cable = Some(Cable::plugged(config));
        let app = Self::serve(self.home.clone(), self.clock.clone(), plug).await;
        (app, cable.unwrap())
    }
}

/// Whether what is sent is kept back.
#[derive(Default)]
struct Silence(Mutex<bool>, Condvar);

/// Forwards connections, until it is cut: then it closes them, and each new one at once.
pub(crate) struct Cable {
    address: SocketAddr,
    /// `None`: cut.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
    silence: Arc<Silence>,
}

impl Cable {
    fn plugged(config: &mut Config) -> Self {
        let mut url: Url = config.database_url.parse().unwrap();
        let it = Self::to(url.socket_addrs(|| Some(5432)).unwrap()[0]);
        url.set_ip_host([127, 0, 0, 1].into()).unwrap();
        url.set_port(Some(it.address.port())).unwrap();
        config.database_url = url.into();
        it
    }

    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let silence = Arc::<Silence>::default();
        let it = Self { address, open: open.clone(), silence: silence.clone() };
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let mut open = open.lock().unwrap();
                let Some(open) = open.as_mut() else { continue };
                let far = TcpStream::connect(server).unwrap();
                let copy = |it: &TcpStream| it.try_clone().unwrap();
                open.extend([copy(&near), copy(&far)]);
                forward(copy(&far), copy(&near), silence.clone());
                forward(near, far, silence.clone());
            }
        });
        it
    }

    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().take().into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Connections stay open, and nothing comes through.
    pub(crate) fn silence(&self, is_silent: bool) {
        *self.silence.0.lock().unwrap() = is_silent;
        self.silence.1.notify_all();
    }

    pub(crate) fn mend(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, silence: Arc<Silence>) {
    thread::spawn(move || {
        let mut buffer = [0; 8_192];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let Silence(is_silent, changed) = &*silence;
            drop(changed.wait_while(is_silent.lock().unwrap(), |it| *it).unwrap());
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
