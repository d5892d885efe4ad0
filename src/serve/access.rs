//! Who may ask.
//!
//! Decided here: that a page on this machine's own address answers only to this machine's own names (a page of the web that a browser on this machine
//! shows could otherwise ask under a name of its own, and read along), and that any other address, or whoever sets a token, wants the token. Liveness
//! alone is told to everybody: it says nothing but that the loop turns.

use super::Failure;
use crate::domain::policy::is_loopback;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Characters of a token.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 16..=1_024;
/// What is told without a token.
const FREE: &str = "/healthz";

/// What whoever reads has to know, where it is asked for.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

/// Why a text is no token; never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token of `listen_token` must be 16 to 1024 visible ASCII characters; make one with `openssl rand -hex 32`")]
pub struct TokenError;

impl Token {
    /// A token of this text, without the newline that editors add.
    ///
    /// # Errors
    /// [`TokenError`] when it is too short to be a secret, or cannot stand in a header.
    pub fn new(text: &SecretString) -> Result<Self, TokenError> {
        let text = text.expose_secret().trim_end_matches(['\r', '\n']);
        let fits = TOKEN_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(TokenError) }
    }

    /// Whether this is what was offered. Codes of both are compared, in a time that does not depend on where they differ.
    fn is(&self, offered: &[u8]) -> bool {
        let code = |text: &[u8]| Hmac::<Sha256>::new_from_slice(b"listen_token").map(|mac| mac.chain_update(text)).ok();
        let (Some(ours), Some(theirs)) = (code(self.0.expose_secret().as_bytes()), code(offered)) else { return false };
        ours.verify(&theirs.finalize().into_bytes()).is_ok()
    }
}

/// The rule of one address.
#[derive(Clone, Debug)]
pub struct Guard {
    is_loopback: bool,
    token: Option<Arc<Token>>,
}

impl Guard {
    /// The rule of this address. Where the address is not loopback and there is no token, nobody is let in.
    pub fn of(address: SocketAddr, token: Option<Token>) -> Self {
        Self { is_loopback: is_loopback(address.ip()), token: token.map(Arc::new) }
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
        if self.is_loopback && !names_this_machine(uri, headers) {
            return Err(Failure::Misdirected);
        }
        let knows = || self.token.as_ref().is_some_and(|token| offered(headers).is_some_and(|offered| token.is(&offered)));
        if uri.path() == FREE || (self.is_loopback && self.token.is_none()) || knows() { Ok(()) } else { Err(Failure::Unknown) }
    }
}

/// Lets in whom the rule lets in.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Failure::Unknown) => {
            let ways = ["Basic realm=\"cdb-backupd\", charset=\"UTF-8\"", "Bearer realm=\"cdb-backupd\""];
            let mut response = Failure::Unknown.into_response();
            for way in ways {
                response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(way));
            }
            response
        }
        Err(failure) => failure.into_response(),
    }
}

/// Whether all that the request says of its host is a name of this machine.
fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let written = uri.authority().map(|authority| authority.as_str());
    host.to_str().is_ok_and(is_own_name) && written.is_none_or(is_own_name)
}

/// `localhost` or a loopback address, with any port: it may have been forwarded.
fn is_own_name(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, "0"),
    };
    let address = name.strip_prefix('[').map_or(name, |v6| v6.strip_suffix(']').unwrap_or_default());
    let is_v6 = name.starts_with('[');
    let is_own = name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_ipv6() == is_v6 && is_loopback(ip));
    is_own && port.parse::<u16>().is_ok()
}

/// The token that the request offers: a bearer's, or the password of whatever user.
fn offered(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (way, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if way.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    let pair = way.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest).ok())??;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_can_mean_nothing_else_are_this_machine_s() {
        for host in ["localhost", "LocalHost:7306", "127.0.0.1", "127.0.0.1:80", "127.1.2.3:7306", "[::1]", "[::1]:7306", "[::ffff:127.0.0.1]"] {
            assert!(is_own_name(host), "{host}");
        }
        for host in [
            "",
            ":7306",
            "localhost.",
            "localhost.evil.example",
            "evil.example",
            "10.0.0.1",
            "0.0.0.0:7306",
            "::1",
            "[127.0.0.1]",
            "[::2]",
            "[::1",
            "127.0.0.1:x",
            "127.0.0.1:",
            "localhost:7306:80",
            "user@localhost",
            "[::1]x",
            "[::1]:",
        ] {
            assert!(!is_own_name(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_long_visible_and_never_shown() {
        let of = |text: &str| Token::new(&text.into());
        assert!(of("0123456789abcdef\n").is_ok_and(|token| token.is(b"0123456789abcdef")));
        for text in ["", "0123456789abcde", "0123456789abcde f", "0123456789abcdeé", &"x".repeat(1_025)] {
            assert_eq!(of(text).err(), Some(TokenError), "{text}");
        }
        let token = of("0123456789abcdef").unwrap();
        assert!(!format!("{token:?}").contains("0123"), "{token:?}");
        for offered in [&b""[..], b"0123456789abcdeg", b"0123456789abcdef0", b"0123456789abcdef\0", b"0123456789abcde"] {
            assert!(!token.is(offered), "{offered:?}");
        }
    }
}
