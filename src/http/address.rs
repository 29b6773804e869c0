//! Which network addresses a public source may lead to, and the resolver that hands out no others.
//!
//! The connection is made to the very addresses that were checked: reqwest asks this resolver and nobody else, so a
//! name that answers differently the second time (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Says whether an address belongs to the public internet.
pub(super) type Judge = fn(IpAddr) -> bool;

/// A name that leads only to addresses that we do not call.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private address")]
pub(super) struct Refused;

/// Asks the machine's resolver and keeps the addresses that `public` lets through.
pub(super) struct Resolver {
    pub(super) public: Judge,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let public = self.public;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let kept: Vec<SocketAddr> = found.iter().copied().filter(|address| public(address.ip())).collect();
            if kept.is_empty() && !found.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// True for an address that anyone on the internet could call: not private, loopback, link-local, shared (CGNAT),
/// reserved, for documentation, or multicast, also when a v4 address hides in a v6 one.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)          // this network, private, loopback, multicast, reserved
            | (100, 64..=127, _)                  // shared address space (CGNAT), RFC 6598
            | (169, 254, _)                       // link-local, where clouds keep their metadata
            | (172, 16..=31, _)                   // private
            | (192, 168, _)                       // private
            | (192, 0, 0 | 2)                     // protocol assignments, documentation
            | (192, 88, 99)                       // 6to4 relays, withdrawn
            | (198, 18..=19, _)                   // benchmarks
            | (198, 51, 100) | (203, 0, 113) // documentation
    )
}

#[expect(clippy::match_same_arms, reason = "each range has its own reason")]
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let segments = address.segments();
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = segments {
        // NAT64: the last 32 bits are the v4 address that the gateway will call.
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    match segments {
        [0x2001, 0..=0x1ff, ..] => false, // protocol assignments, Teredo, ORCHID
        [0x2001, 0xdb8, ..] => false,     // documentation
        [0x2002, ..] => false,            // 6to4, withdrawn: a v4 address in disguise
        [0x3fff, 0..=0xfff, ..] => false, // documentation
        [0x2000..=0x3fff, ..] => true,    // the only range handed out to the public
        _ => false,                       // loopback, unique local, link-local, multicast, all else
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn ordinary_addresses_are_public() {
        for address in
            ["93.184.216.34", "192.0.1.1", "172.32.0.1", "100.128.0.1", "2a00:801:7::1", "64:ff9b::5db8:d822"]
        {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn inner_addresses_are_not_public_however_they_are_dressed() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }
}
