//! The peppers: keys that are not in the database. From them come the digests under which secrets
//! are stored, and the keys of cookies, throttle buckets and the audit chain.
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

pub type Digest32 = [u8; 32];

/// Every live version of the pepper. New digests use the highest.
pub struct Keyring {
    versions: BTreeMap<i16, Hmac<Sha256>>,
}

impl Keyring {
    /// Reads a file of lines `<version> <base64 of at least 32 bytes>`; `#` starts a comment.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mode = fs::metadata(path)
            .with_context(|| format!("cannot read the pepper file {shown}"))?
            .permissions()
            .mode();
        ensure!(
            mode & 0o007 == 0,
            "the pepper file {shown} is readable by everybody (mode {:o}); run: chmod 600 {shown}",
            mode & 0o777
        );
        let text = Zeroizing::new(
            fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?,
        );
        Self::parse(&text).with_context(|| format!("the pepper file {shown} is damaged"))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut versions = BTreeMap::new();
        let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
        for line in lines {
            let (version, key) =
                line.split_once(' ').context("a line needs: version, space, key")?;
            let key = Zeroizing::new(STANDARD.decode(key.trim()).context("a key is base64")?);
            ensure!(key.len() >= 32, "a key needs 32 bytes or more");
            versions.insert(version.parse()?, Hmac::new_from_slice(&key)?);
        }
        if versions.is_empty() {
            bail!("it holds no key");
        }
        Ok(Self { versions })
    }

    /// Makes the file with one fresh pepper, mode 0600. An existing file is never replaced: if one
    /// appears meanwhile, it is read.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *key)?;
        let text = Zeroizing::new(format!(
            "# Keyward's pepper. Without it no stored key can be recognised: back it up, apart from \
             the database.\n1 {}\n",
            STANDARD.encode(*key)
        ));
        // Written whole beside its place first, so that nobody ever reads a part of it; the link
        // fails if somebody else was faster, whose file then holds.
        let draft = path.with_extension(format!("draft-{}", random_token()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .with_context(|| format!("cannot create the pepper file {}", path.display()))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::read(path),
            linked => {
                linked.with_context(|| format!("cannot create {}", path.display()))?;
                Self::parse(&text)
            }
        }
    }

    /// The digest of a generated secret, and the pepper version it was made with.
    pub fn digest(&self, text: &str) -> (Digest32, i16) {
        let (version, pepper) = self.newest();
        (mac(pepper, &[b"g", text.as_bytes()]), version)
    }

    /// The digest of a custom key. The subscription is part of it, so that another tenant's key
    /// of the same text is neither visible nor a clash.
    pub fn custom_digest(&self, subscription: Uuid, text: &str) -> (Digest32, i16) {
        let (version, pepper) = self.newest();
        (mac(pepper, &[b"c", subscription.as_bytes(), text.as_bytes()]), version)
    }

    /// A digest of the hash of a chosen client secret: unique, and proof that whoever wrote the hash
    /// into the database had the pepper.
    pub fn hash_digest(&self, hash: &str) -> (Digest32, i16) {
        let (version, pepper) = self.newest();
        (mac(pepper, &[b"h", hash.as_bytes()]), version)
    }

    /// Whether `digest` is one of [`Self::hash_digest`], under any live version.
    pub fn is_hash_digest(&self, hash: &str, digest: &[u8]) -> bool {
        let own = |it| mac(it, &[b"h", hash.as_bytes()]);
        self.versions.values().any(|it| own(it).as_slice().ct_eq(digest).into())
    }

    /// The digests under which a generated secret may be stored, one per live version.
    pub fn candidates(&self, text: &str) -> Vec<Digest32> {
        self.versions.values().map(|it| mac(it, &[b"g", text.as_bytes()])).collect()
    }

    /// The same for a custom key.
    pub fn custom_candidates(&self, subscription: Uuid, text: &str) -> Vec<Digest32> {
        let parts: [&[u8]; 3] = [b"c", subscription.as_bytes(), text.as_bytes()];
        self.versions.values().map(|it| mac(it, &parts)).collect()
    }

    /// A key for another purpose, from the oldest version, so that adding one ends no session.
    pub fn derive(&self, purpose: &str) -> Digest32 {
        let oldest = self.versions.values().next().expect("a keyring is never empty");
        mac(oldest, &[b"derive", purpose.as_bytes()])
    }

    /// 64 bytes for cookie encryption.
    pub fn cookie_key(&self, purpose: &str) -> actix_web::cookie::Key {
        let wide = Sha512::digest(self.derive(purpose));
        actix_web::cookie::Key::from(&wide)
    }

    /// What the database keeps to recognise each version: a digest of a fixed text.
    pub fn canaries(&self) -> BTreeMap<i16, String> {
        let canary = |it| STANDARD.encode(mac(it, &[b"canary"]));
        self.versions.iter().map(|(version, it)| (*version, canary(it))).collect()
    }

    fn newest(&self) -> (i16, &Hmac<Sha256>) {
        let (version, pepper) = self.versions.last_key_value().expect("a keyring is never empty");
        (*version, pepper)
    }
}

/// HMAC over the parts, each followed by a zero byte unless it is the last.
pub fn mac(key: &Hmac<Sha256>, parts: &[&[u8]]) -> Digest32 {
    let mut mac = key.clone();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            mac.update(&[0]);
        }
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// An HMAC key from 32 bytes.
pub fn mac_key(bytes: &Digest32) -> Hmac<Sha256> {
    Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length")
}

/// SHA-256 in hex: how random tokens of links, sessions and forms are stored.
pub fn token_digest(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// 256 random bits in URL-safe text.
pub fn random_token() -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system's generator works");
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, it| {
        let _ = write!(text, "{it:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(text: &str) -> Keyring {
        Keyring::parse(text).unwrap()
    }

    const ONE: &str = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "2 ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_new_version_signs_and_the_old_one_is_still_recognised() {
        let (old, version) = keyring(ONE).digest("kw_x");
        assert_eq!(version, 1);
        let both = keyring(&format!("# two\n{ONE}\n\n{TWO}\n"));
        assert_eq!(both.digest("kw_x").1, 2);
        assert!(both.candidates("kw_x").contains(&old));
        assert_eq!(both.derive("cookies"), keyring(ONE).derive("cookies"));
    }

    #[test]
    fn a_custom_key_has_another_digest_in_another_subscription() {
        let ring = keyring(ONE);
        let digests =
            [Uuid::from_u128(1), Uuid::from_u128(2)].map(|it| ring.custom_digest(it, "k"));
        assert_ne!(digests[0], digests[1]);
        assert_ne!(digests[0].0, ring.digest("k").0);
    }

    #[test]
    fn damaged_files_are_refused() {
        for wrong in ["", "1", "1 !!", "x AAEC", "1 AAECAwQF"] {
            assert!(Keyring::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_file_is_private_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pepper");
        let made = Keyring::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Keyring::read(&path).unwrap().canaries(), made.canaries());
        assert_eq!(Keyring::create(&path).unwrap().canaries(), made.canaries());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Keyring::read(&path).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
