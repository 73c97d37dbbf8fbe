//! Requests to addresses that admins name. They must not become a way into the network that this
//! process stands in (SSRF): names are resolved here, and only the addresses that are allowed are
//! connected to. Redirects are not followed, proxies are not asked, and of an answer nothing but its
//! status is ever shown.
use std::{
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::{
    Client, ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::{Host, Url};

/// To connect, to send, and to wait for the answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Special-purpose networks (IANA registries of RFC 6890), none of which is the public internet.
const PRIVATE: [&str; 19] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// Where webhooks may go.
#[derive(Clone, Debug)]
pub struct Fence {
    private: Vec<IpNet>,
    /// Networks that the operator has opened.
    opened: Vec<IpNet>,
}

impl Fence {
    pub fn new(opened: &[IpNet]) -> Self {
        let private = PRIVATE.iter().map(|it| it.parse().expect("the list is right")).collect();
        Self { private, opened: opened.to_vec() }
    }

    fn is_opened(&self, address: IpAddr) -> bool {
        self.opened.iter().any(|it| it.contains(&address.to_canonical()))
    }

    /// Over https anywhere but private networks; opened ones always.
    fn lets(&self, address: IpAddr, plain: bool) -> bool {
        let address = address.to_canonical();
        // Of IPv6 only 2000::/3 is given out for unicast.
        let is_private = matches!(address, IpAddr::V6(it) if it.segments()[0] & 0xe000 != 0x2000)
            || self.private.iter().any(|it| it.contains(&address));
        self.is_opened(address) || (!plain && !is_private)
    }

    /// Whether an address can be asked at all, and if not, what to do about it. Names are resolved
    /// only when something is sent.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let plain = match url.scheme() {
            "https" => false,
            "http" if self.opened.is_empty() => return Err("Use an https:// address.".into()),
            "http" => true,
            _ => return Err("Use an https:// address.".into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "Leave out the user name and password: our signature proves who sent it.".into()
            );
        }
        if url.fragment().is_some() {
            return Err("Leave out what follows the #.".into());
        }
        let literal = match url.host() {
            Some(Host::Ipv4(it)) => Some(IpAddr::V4(it)),
            Some(Host::Ipv6(it)) => Some(IpAddr::V6(it)),
            Some(Host::Domain(_)) => None,
            None => return Err("The address needs a host.".into()),
        };
        match literal {
            Some(it) if !self.lets(it, plain) => Err(refused(it)),
            _ => Ok(()),
        }
    }
}

fn refused(address: IpAddr) -> String {
    format!(
        "{address} is in a private network. Whoever runs Keyward can open it with \
         KEYWARD_WEBHOOK_NETWORKS."
    )
}

/// Gives only addresses that the fence lets through.
struct Resolver {
    fence: Fence,
    plain: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (fence, plain) = (self.fence.clone(), self.plain);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let all: Vec<SocketAddr> =
                found.map_err(|_| "The name of the host is not known.")?.collect();
            let first = all.first().map(SocketAddr::ip);
            let open: Vec<SocketAddr> =
                all.into_iter().filter(|it| fence.lets(it.ip(), plain)).collect();
            match (open.is_empty(), first) {
                (true, Some(address)) => Err(refused(address).into()),
                (true, None) => Err("The host has no address.".into()),
                (false, _) => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}

/// Posts to where the fence lets. A client is made with its first request: to read the certificates
/// of the system takes longer than the rest of the start, and most installations send none.
pub struct Outbound {
    pub fence: Fence,
    secure: OnceLock<Client>,
    plain: OnceLock<Client>,
}

impl Outbound {
    pub fn new(opened: &[IpNet]) -> Self {
        // Both of reqwest and lettre: ring is the only provider in the tree.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { fence: Fence::new(opened), secure: OnceLock::new(), plain: OnceLock::new() }
    }

    fn client(&self, plain: bool) -> reqwest::Result<&Client> {
        let made = if plain { &self.plain } else { &self.secure };
        if let Some(it) = made.get() {
            return Ok(it);
        }
        let mut client = ClientBuilder::new()
            .dns_resolver(Resolver { fence: self.fence.clone(), plain })
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            // A connection belongs to the runtime that opened it; there are several.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("Keyward/", env!("CARGO_PKG_VERSION")));
        if plain {
            client = client.tls_certs_only([]);
        }
        let client = client.build()?;
        Ok(made.get_or_init(|| client))
    }

    /// The status of the answer, or why there was none.
    pub async fn post(
        &self,
        url: &Url,
        headers: reqwest::header::HeaderMap,
        body: String,
    ) -> Result<u16, String> {
        self.fence.check(url)?;
        let client = self.client(url.scheme() == "http").map_err(|it| said(&it))?;
        let sent = client.post(url.clone()).headers(headers).body(body).send().await;
        sent.map(|it| it.status().as_u16()).map_err(|it| said(&it))
    }
}

/// The innermost cause, which is the one that helps, without the address.
fn said(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("No answer within {} seconds.", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(opened: &[&str], url: &str) -> Result<(), String> {
        let opened: Vec<IpNet> = opened.iter().map(|it| it.parse().unwrap()).collect();
        Fence::new(&opened).check(&url.parse().unwrap())
    }

    #[test]
    fn private_networks_are_closed() {
        for host in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[fe80::1]",
            "[fd00::1]",
            "[ff02::1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "[2001:db8::1]",
            "2130706433",
            "0x7f.1",
            "017700000001",
        ] {
            let refused = check(&[], &format!("https://{host}/hook"));
            assert!(refused.as_ref().is_err_and(|it| it.contains("private")), "{host} {refused:?}");
        }
        for host in ["8.8.8.8", "[2606:4700::1111]", "hooks.example.com"] {
            assert_eq!(check(&[], &format!("https://{host}/hook")), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_operator_can_open_networks_and_only_there_is_http_allowed() {
        assert_eq!(check(&["10.0.0.0/8"], "https://10.1.2.3/"), Ok(()));
        assert_eq!(check(&["10.0.0.0/8"], "http://10.1.2.3/"), Ok(()));
        assert!(check(&["10.0.0.0/8"], "http://8.8.8.8/").is_err());
        assert!(check(&["10.0.0.0/8"], "https://127.0.0.1/").is_err());
        assert!(check(&[], "http://hooks.example.com/").is_err());
        assert_eq!(check(&["fd00::/8"], "http://[fd00::7]:9000/"), Ok(()));
    }

    #[test]
    fn an_address_carries_no_credential() {
        for url in [
            "https://a:b@example.com/",
            "https://a@example.com/",
            "ftp://example.com/",
            "https://example.com/#x",
        ] {
            assert!(check(&[], url).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_refused_when_it_is_asked() {
        let closed = Outbound::new(&[]);
        let url = "https://localhost:1/".parse().unwrap();
        let error = closed.post(&url, Default::default(), String::new()).await.unwrap_err();
        assert!(error.contains("private network"), "{error}");
        // Opened, it is asked: nobody listens there.
        let open = Outbound::new(&["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let error = open.post(&url, Default::default(), String::new()).await.unwrap_err();
        assert!(!error.contains("private network"), "{error}");
    }
}
