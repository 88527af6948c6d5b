use super::*;

#[test]
fn http_repository_urls_are_parsed() {
    for (url, name, port) in [
        ("https://github.com/a/b.git", "github.com", 443),
        ("http://10.117.0.1:8080/shop.git", "10.117.0.1", 8080),
        ("http://git.svc", "git.svc", 80),
        ("https://[2001:db8::1]:3000/x", "2001:db8::1", 3000),
    ] {
        assert_eq!(parse(url), Ok(Host { name: name.to_owned(), port }), "{url}");
    }
}

#[test]
fn other_urls_are_rejected() {
    for url in [
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch /tmp/x",
        "file:///etc",
        "/etc",
        "ssh://git@host/x",
        "git://host/x",
        "HTTP://host/x",
        "",
        "-h",
    ] {
        assert_eq!(parse(url), Err(Refusal::Scheme), "{url}");
    }
    for url in ["https://user:token@host/x", "https://token@host", "http://a@b@c/", "http://@h/"] {
        let refusal = parse(url).unwrap_err();
        assert_eq!(refusal, Refusal::UserInformation, "{url}");
        assert!(!refusal.to_string().contains("token"));
    }
    for url in [
        "https://good.com\\@127.0.0.1/x",
        "https://host/a b",
        "https://host/a\nb",
        "https://host/?x",
        "https://host/x@y",
        "https://höst/x",
        "https://host/\u{202e}x",
    ] {
        assert_eq!(parse(url), Err(Refusal::Characters), "{url}");
    }
    assert_eq!(parse(&format!("https://h/{}", "x".repeat(3000))), Err(Refusal::Characters));
    for url in [
        "http:///x",
        "http://:80/",
        "http://h:/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:8o/",
        "http://h:+80/",
        "http://[::1/",
        "http://[nope]/",
        "http://[fe80::1%25eth0]/",
        "http://-h/",
        "http://a:1:2/",
        "http://h%00/",
    ] {
        assert!(matches!(parse(url), Err(Refusal::Host(_))), "{url}");
    }
}

#[test]
fn local_and_multicast_addresses_are_forbidden() {
    for text in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b:1::127.0.0.1",
        "64:ff9b:1:ffff:1:2:a9fe:a9fe",
        "64:ff9b:1::6464:64c8",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "168.63.129.16",
        "64:ff9b::a83f:8110",
    ] {
        assert!(forbidden(text.parse().unwrap()).is_some(), "{text}");
    }
    for text in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "8.8.8.8",
        "fd12::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "64:ff9b:1::808:808",
        "64:ff9b:2::a9fe:a9fe",
        "fd20:ce::1",
        "100.100.100.201",
        "168.63.129.17",
    ] {
        assert_eq!(forbidden(text.parse().unwrap()), None, "{text}");
    }
}

#[test]
fn redirects_never_lead_into_private_networks() {
    for text in [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "fd12::1",
        "fc00::1",
        "fec0::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "fd20:ce::254",
        "127.0.0.1",
    ] {
        assert!(forbidden_by_redirect(text.parse().unwrap()).is_some(), "{text}");
    }
    for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "64:ff9b:1::808:808"] {
        assert_eq!(forbidden_by_redirect(text.parse().unwrap()), None, "{text}");
    }
}

#[test]
fn a_source_in_a_private_network_is_rejected_if_the_platform_disallows_it() {
    for address in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"] {
        let address = address.parse().unwrap();
        assert_eq!(forbidden(address), None, "{address}");
        assert!(forbidden_unless_public(address).unwrap().contains("build.privateSources"), "{address}");
    }
    for address in ["140.82.121.3", "2606:50c0::153"] {
        assert_eq!(forbidden_unless_public(address.parse().unwrap()), None, "{address}");
    }
    let loopback = forbidden_unless_public("127.0.0.1".parse().unwrap());
    assert_eq!(loopback, Some("a loopback address"), "always rejected");
}

#[test]
fn ssh_repository_urls_are_parsed() {
    for (url, name, port) in [
        ("ssh://git@github.com/a/b.git", "github.com", 22),
        ("ssh://git.svc:2222/shop.git", "git.svc", 2222),
        ("ssh://me@[2001:db8::1]:22/~/x", "2001:db8::1", 22),
        ("git@github.com:a/b.git", "github.com", 22),
        ("git@10.0.0.1:/srv/x", "10.0.0.1", 22),
    ] {
        let host = Host { name: name.to_owned(), port };
        assert_eq!(repository(url), Ok((host, Transport::Ssh)), "{url}");
    }
    assert!(matches!(repository("https://github.com/a"), Ok((_, Transport::Https))));
    for url in [
        "ssh://git:password@host/x",
        "ssh://-oProxyCommand=x@host/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://host",
        "ssh://host/",
        "-oProxyCommand=x@host:y",
        "git@-host:x",
        "git@host:",
        "git@host:-x",
        "git@host:a b",
        "host:x",
        "git@host:x?y",
        "ext::sh -c id",
        "file:///etc",
        "/etc",
        "git@h ost:x",
    ] {
        assert!(repository(url).is_err(), "{url}");
    }
}

// Bad input 69: name with one good address and that of the metadata service
#[tokio::test]
async fn one_forbidden_address_rejects_the_host_name() {
    let host = Host { name: "rebind.example".into(), port: 443 };
    let answers = |list: &'static [&'static str]| {
        async move |_: &Host| Ok(list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>())
    };
    let good = resolve(&host, Stage::Resolve, answers(&["10.1.2.3", "fd12::1"]), forbidden).await;
    assert_eq!(good.unwrap().len(), 2);
    let bad = resolve(&host, Stage::Resolve, answers(&["93.184.216.34", "169.254.169.254"]), forbidden)
        .await
        .unwrap_err();
    assert_eq!(bad.reason, FailureReason::SourceForbidden);
    assert!(
        bad.message.contains("rebind.example resolves to 169.254.169.254, a link-local address"),
        "{}",
        bad.message
    );
    let none = resolve(&host, Stage::Resolve, answers(&[]), forbidden).await.unwrap_err();
    assert_eq!(none.reason, FailureReason::SourceUnreachable);
}

#[tokio::test]
async fn other_notations_of_loopback_are_detected() {
    for name in ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "::1"] {
        let host = Host { name: name.to_owned(), port: 80 };
        let failure = resolve(&host, Stage::Resolve, system_lookup, forbidden).await.unwrap_err();
        assert_eq!(failure.reason, FailureReason::SourceForbidden, "{name}: {}", failure.message);
    }
}
