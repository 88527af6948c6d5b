//! Chooses free ports before the components that listen on them start.
//! It reserves none: if another program takes one first, the component fails to start and the launcher reports that.

use std::{
    net::{IpAddr, TcpListener},
    process,
};

use crate::Error;

/// Below the kernel's ephemeral ports and below the node ports, so that only another server can take a port that was
/// found free.
const FIRST: u16 = 20_000;
const LAST: u16 = 29_999;

/// `N` different ports that are free on `address`.
pub fn free<const N: usize>(address: IpAddr) -> Result<[u16; N], Error> {
    free_except(address, &[])
}

/// Like [`free`], without the ports in `chosen`.
pub fn free_except<const N: usize>(address: IpAddr, chosen: &[u16]) -> Result<[u16; N], Error> {
    // Launchers that run at the same time start searching at different ports.
    let places = LAST - FIRST + 1;
    let begin = u16::try_from(process::id().wrapping_mul(97) % u32::from(places)).unwrap_or_default();
    let mut found = [0; N];
    let mut taken = 0;
    for step in 0..places {
        if taken == N {
            break;
        }
        let port = FIRST + (begin + step) % places;
        if !chosen.contains(&port) && TcpListener::bind((address, port)).is_ok() {
            found[taken] = port;
            taken += 1;
        }
    }
    if taken == N {
        return Ok(found);
    }
    Err(Error::failed(
        format!("find {N} free ports on {address}"),
        format!("all ports {FIRST}-{LAST} are in use"),
    ))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ports_are_different_and_free() {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let [one, two, three] = free(address).unwrap();
        let [four] = free_except(address, &[one]).unwrap();
        assert!(one != two && two != three && one != three && one != four);
        assert!(TcpListener::bind((address, one)).is_ok());
    }
}
