//! A gateway may repeat what it was sent, in an error that is then logged and kept. Neither keys nor signature come back in.

/// Shorter ones are no secrets of anybody's, and would strike out half the reply.
const SHORTEST: usize = 16;

/// Strikes the secrets out of a reply; what stays is as long, and as well-formed, as before.
pub(super) fn strike_out(body: &mut [u8], secrets: &[&str]) {
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        strike(body, secret.as_bytes());
        // JSON may write a slash in two ways.
        if secret.contains('/') {
            strike(body, secret.replace('/', "\\/").as_bytes());
        }
    }
}

fn strike(body: &mut [u8], secret: &[u8]) {
    let mut from = 0;
    while let Some(at) = body.get(from..).and_then(|rest| rest.windows(secret.len()).position(|window| window == secret)) {
        let end = from + at + secret.len();
        if let Some(struck) = body.get_mut(from + at..end) {
            struck.fill(b'*');
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_struck_out_wherever_it_stands_and_the_rest_stays() {
        let (key, token) = ("0123456789abcdef", "abc/def/ghi/jkl/mno");
        let mut body = format!("{key}{key} {{\"{}\": \"{token}\", \"0123456789abcde\": 1}}", token.replace('/', "\\/")).into_bytes();
        let length = body.len();
        strike_out(&mut body, &[key, token, "1", ""]);
        let left = format!("{} {{\"{}\": \"{}\", \"0123456789abcde\": 1}}", "*".repeat(32), "*".repeat(23), "*".repeat(19));
        assert_eq!((String::from_utf8(body).unwrap(), left.len()), (left.clone(), length));
    }
}
