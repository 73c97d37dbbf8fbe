//! The text of a personal key: a compact JWS (RFC 7515) that is a JWT (RFC 7519), signed with
//! Ed25519 (RFC 8037). There is one header and no other: nothing in it is chosen by its sender but
//! the id of the key, and that only says which row to read.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
pub use ed25519_dalek::VerifyingKey as PublicKey;
use ed25519_dalek::{Signature, Signer, SigningKey};
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::domain::SecretText;

/// Bytes of a whole token. Proxies take little more in one header.
pub const LONGEST: usize = 8 * 1024;

/// What is said once, at issue, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// `api-key://<host>`
    pub iss: String,
    pub sub: Uuid,
    pub email: String,
    pub name: String,
    /// Seconds since 1970.
    pub iat: i64,
    pub jti: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    pub subscriptions: Vec<Place>,
    /// Who had let the person in that made the key.
    pub original_issuer: String,
}

/// A subscription of the person, at issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub slug: String,
    pub role: String,
    /// Names.
    pub user_groups: Vec<String>,
}

/// The two halves of a new token. The private half of its key pair exists nowhere any more.
pub struct Signed {
    pub public_key: [u8; 32],
    /// The last part of the token, which is all of it that is secret.
    pub signature: Zeroizing<String>,
}

/// Signs with a fresh key pair, whose private half is wiped before this returns.
pub fn sign(id: Uuid, claims: &str) -> anyhow::Result<Signed> {
    let mut seed = Zeroizing::new([0; 32]);
    SysRng.try_fill_bytes(&mut *seed)?;
    let pair = SigningKey::from_bytes(&seed); // wipes itself when it is dropped
    let signature = pair.sign(signed_part(id, claims).as_bytes());
    let signature = Zeroizing::new(BASE64.encode(signature.to_bytes()));
    Ok(Signed { public_key: pair.verifying_key().to_bytes(), signature })
}

/// The whole token again, from what its row keeps and the part that only its holder has.
pub fn assemble(id: Uuid, claims: &str, signature: &str) -> SecretText {
    SecretText::from_text(format!("{}.{signature}", signed_part(id, claims)))
}

fn signed_part(id: Uuid, claims: &str) -> String {
    format!("{}.{}", header(id), BASE64.encode(claims))
}

/// Encoded. The only one there is.
fn header(id: Uuid) -> String {
    BASE64.encode(format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"JWT"}}"#))
}

/// What can be told of a presented text before the public key is known. Nothing in it is true yet.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    pub id: Uuid,
    signed_part: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// Whether a text has the form of a JWT, ours or not: three parts of base64url.
pub fn is_jwt(text: &str) -> bool {
    let alphabet = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    text.bytes().filter(|it| *it == b'.').count() == 2 && text.bytes().all(alphabet)
}

impl<'a> Presented<'a> {
    /// `None`: no token of ours, whatever the database says.
    pub fn read(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed_part, signature) = text.rsplit_once('.')?;
        let (head, payload) = signed_part.split_once('.')?;
        let decoded = BASE64.decode(head).ok()?;
        let rest = decoded.strip_prefix(br#"{"alg":"EdDSA","kid":""#)?;
        let id = Uuid::try_parse_ascii(rest.strip_suffix(br#"","typ":"JWT"}"#)?).ok()?;
        // An id can be spelled in several ways, and base64 too: only ours.
        (header(id) == head).then_some(Self { id, signed_part, payload, signature })
    }

    /// What it claims, for a look-up only.
    pub fn unproven(&self) -> Option<Claims> {
        serde_json::from_slice(&BASE64.decode(self.payload).ok()?).ok()
    }

    /// Whether the holder of the private half signed exactly this.
    pub fn is_signed_by(&self, public_key: &PublicKey) -> bool {
        let proof = || {
            let signature = Signature::from_slice(&BASE64.decode(self.signature).ok()?).ok()?;
            public_key.verify_strict(self.signed_part.as_bytes(), &signature).ok()
        };
        proof().is_some()
    }
}

/// The public half, of what is stored.
pub fn public_key(bytes: &[u8]) -> Option<PublicKey> {
    PublicKey::from_bytes(bytes.try_into().ok()?).ok()
}

/// The public half as RFC 8037 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    pub kty: &'static str,
    pub crv: &'static str,
    pub x: String,
    pub kid: Uuid,
    pub alg: &'static str,
    #[serde(rename = "use")]
    pub purpose: &'static str,
}

impl Jwk {
    pub fn of(id: Uuid, public_key: &[u8]) -> Self {
        let x = BASE64.encode(public_key);
        Self { kty: "OKP", crv: "Ed25519", x, kid: id, alg: "EdDSA", purpose: "sig" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(0x8bb11574_0385_43dd_92a4_ad285d9f3d30);

    fn claims() -> Claims {
        let groups = vec!["Readers".to_owned()];
        Claims {
            iss: "api-key://keys.example.com".to_owned(),
            sub: Uuid::from_u128(7),
            email: "ida@example.com".to_owned(),
            name: "Ida Ätherwelle".to_owned(),
            iat: 1_744_111_645,
            jti: ID,
            exp: None,
            subscriptions: vec![Place {
                slug: "acme".to_owned(),
                role: "member".to_owned(),
                user_groups: groups,
            }],
            original_issuer: "https://keys.example.com".to_owned(),
        }
    }

    fn token() -> (String, [u8; 32]) {
        let text = serde_json::to_string(&claims()).unwrap();
        let signed = sign(ID, &text).unwrap();
        (assemble(ID, &text, &signed.signature).expose().to_owned(), signed.public_key)
    }

    fn is_good(text: &str, bytes: &[u8]) -> bool {
        let public_key = public_key(bytes);
        public_key.is_some_and(|key| Presented::read(text).is_some_and(|it| it.is_signed_by(&key)))
    }

    /// With any header, signed by a pair that is given.
    fn forged(head: &str, pair: &SigningKey) -> String {
        let payload = serde_json::to_string(&claims()).unwrap();
        let part = format!("{}.{}", BASE64.encode(head), BASE64.encode(payload));
        let signature = BASE64.encode(pair.sign(part.as_bytes()).to_bytes());
        format!("{part}.{signature}")
    }

    /// RFC 8037, appendix A.1, A.2 and A.4: its key, its JWK, its signature.
    #[test]
    fn the_vectors_of_rfc_8037_hold() {
        let seed = BASE64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let pair = SigningKey::from_bytes(&seed.try_into().unwrap());
        let public_key = pair.verifying_key().to_bytes();
        let jwk = Jwk::of(ID, &public_key);
        assert_eq!(jwk.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!((jwk.kty, jwk.crv), ("OKP", "Ed25519"));
        let signed_part = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(BASE64.encode(pair.sign(signed_part.as_bytes()).to_bytes()), signature);
        let payload = "";
        let it = Presented { id: ID, signed_part, payload, signature };
        assert!(it.is_signed_by(&pair.verifying_key()));
        // And yet it is no personal key: its header is not the one that ours have.
        assert!(Presented::read(&format!("{signed_part}.{signature}")).is_none());
    }

    #[test]
    fn a_token_says_what_was_claimed_and_who_signed() {
        let (text, public_key) = token();
        assert!(is_jwt(&text) && is_good(&text, &public_key));
        let it = Presented::read(&text).unwrap();
        assert_eq!((it.id, it.unproven()), (ID, Some(claims())));
        assert!(!is_good(&text, &token().1), "another pair signed it");
        let json = serde_json::to_value(claims()).unwrap();
        assert!(json.get("exp").is_none(), "no end, no claim about it");
    }

    #[test]
    fn every_single_character_that_is_changed_is_noticed() {
        let (text, public_key) = token();
        for at in 0..text.len() {
            for other in b"AQgwBx90-_.=+/ \n" {
                let mut changed = text.clone().into_bytes();
                if changed[at] == *other {
                    continue;
                }
                changed[at] = *other;
                let changed = String::from_utf8(changed).unwrap();
                assert!(!is_good(&changed, &public_key), "{at}: {changed}");
            }
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(!is_good(&shorter, &public_key), "without {at}");
        }
        for longer in
            [format!("{text}A"), format!("{text}."), format!("{text}="), format!(" {text}")]
        {
            assert!(!is_good(&longer, &public_key), "{longer}");
        }
    }

    #[test]
    fn no_header_but_ours_is_read_whoever_signed_it() {
        let pair = SigningKey::from_bytes(&[7; 32]);
        let public_key = pair.verifying_key().to_bytes();
        let kid = ID.to_string();
        let ours = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT"}}"#);
        assert!(is_good(&forged(&ours, &pair), &public_key));
        let upper = kid.to_uppercase();
        let plain = ID.simple().to_string();
        for head in [
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","alg":"none","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","crit":["exp"],"kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT","jwk":{{}}}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT","x":1}}"#),
            format!(r#"{{"kid":"{kid}","alg":"EdDSA","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA", "kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{upper}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{plain}","typ":"JWT"}}"#),
            r#"{"alg":"EdDSA","typ":"JWT"}"#.to_owned(),
            String::new(),
        ] {
            assert!(!is_good(&forged(&head, &pair), &public_key), "{head}");
        }
    }

    /// The classic: the public half, which everybody knows, as the secret of an HMAC.
    #[test]
    fn an_hmac_with_the_public_key_is_no_signature() {
        use hmac::{Hmac, KeyInit, Mac};
        let (text, public_key) = token();
        let (ours, _) = text.rsplit_once('.').unwrap();
        let payload = ours.split_once('.').unwrap().1;
        let theirs = BASE64.encode(format!(r#"{{"alg":"HS256","kid":"{ID}","typ":"JWT"}}"#));
        for part in [ours.to_owned(), format!("{theirs}.{payload}")] {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&public_key).unwrap();
            mac.update(part.as_bytes());
            let mac = mac.finalize().into_bytes();
            let twice = [mac.as_slice(), mac.as_slice()].concat();
            for signature in [mac.to_vec(), twice, Vec::new(), vec![0; 64]] {
                let forged = format!("{part}.{}", BASE64.encode(signature));
                assert!(!is_good(&forged, &public_key), "{forged}");
            }
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_none() {
        let mut it = claims();
        it.name = "x".repeat(LONGEST);
        let text = serde_json::to_string(&it).unwrap();
        let signed = sign(ID, &text).unwrap();
        assert!(Presented::read(assemble(ID, &text, &signed.signature).expose()).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,200}", dots in "[A-Za-z0-9_.=-]{0,200}") {
            for text in [&text, &dots] {
                prop_assert!(Presented::read(text).is_none());
                is_jwt(text);
            }
        }

        #[test]
        fn no_payload_makes_reading_panic(payload in prop::collection::vec(any::<u8>(), 0..200), key in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = format!("{}.{}.{}", header(ID), BASE64.encode(&payload), BASE64.encode(&key));
            let it = Presented::read(&text).unwrap();
            prop_assert!(it.unproven().is_none());
            prop_assert!(!public_key(&key).is_some_and(|key| it.is_signed_by(&key)));
        }
    }
}
