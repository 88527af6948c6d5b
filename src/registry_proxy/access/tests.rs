use super::*;

const DIGEST: &str = "sha256:0123456789012345678901234567890123456789012345678901234567890123";

fn tenant() -> Caller {
    Caller::Namespace("a".to_owned())
}

fn status(caller: &Caller, method: &Method, path: &str) -> u16 {
    match decide(caller, false, method, path, None) {
        Answer::Passed(asked) => {
            assert_eq!(asked, path);
            200
        }
        Answer::Refused(status, ..) => status.as_u16(),
    }
}

fn query(caller: &Caller, path: &str, query: &str) -> String {
    match decide(caller, false, &Method::POST, path, Some(query)) {
        Answer::Passed(asked) => asked.strip_prefix(path).unwrap().trim_start_matches('?').to_owned(),
        refused @ Answer::Refused(..) => panic!("{refused:?}"),
    }
}

/// Every request of a client that pushes an image and reads it again, below a repository.
fn of_a_push(repository: &str) -> Vec<(Method, String)> {
    let below = |part: &str| format!("/v2/{repository}/{part}");
    vec![
        (Method::HEAD, below(&format!("blobs/{DIGEST}"))),
        (Method::POST, below("blobs/uploads/")),
        (Method::PATCH, below("blobs/uploads/6b3c9a93-af5d-473f-a4ff-9710022185cd")),
        (Method::GET, below("blobs/uploads/6b3c9a93-af5d-473f-a4ff-9710022185cd")),
        (Method::PUT, below("blobs/uploads/6b3c9a93-af5d-473f-a4ff-9710022185cd")),
        (Method::PUT, below("manifests/latest")),
        (Method::GET, below("manifests/latest")),
        (Method::HEAD, below(&format!("manifests/{DIGEST}"))),
        (Method::GET, below(&format!("blobs/{DIGEST}"))),
        (Method::GET, below("tags/list")),
        (Method::GET, below(&format!("referrers/{DIGEST}"))),
        (Method::DELETE, below(&format!("manifests/{DIGEST}"))),
    ]
}

#[test]
fn a_namespace_pushes_reads_and_deletes_below_its_own_name() {
    assert_eq!(status(&tenant(), &Method::GET, "/v2/"), 200);
    for (method, path) in of_a_push("a/shop").into_iter().chain(of_a_push("a/team/shop")) {
        assert_eq!(status(&tenant(), &method, &path), 200, "{method} {path}");
    }
}

#[test]
fn a_namespace_does_nothing_in_the_repositories_of_others() {
    for repository in ["b/shop", "ab/shop", "a", "a-b/a/shop", "b/a/shop"] {
        for (method, path) in of_a_push(repository) {
            assert_eq!(status(&tenant(), &method, &path), 403, "{method} {path}");
        }
    }
    assert_eq!(status(&tenant(), &Method::GET, "/v2/_catalog"), 403);
    let Answer::Refused(_, code, message) =
        decide(&tenant(), false, &Method::GET, "/v2/b/shop/manifests/latest", None)
    else {
        panic!("it passed")
    };
    assert_eq!(code, "DENIED");
    assert_eq!(message, "a token of namespace a opens only the repositories below a/, not b/shop");
}

#[test]
fn a_blob_of_another_namespace_is_not_mounted() {
    let uploads = "/v2/a/shop/blobs/uploads/";
    let mount = format!("mount={}", DIGEST.replace(':', "%3A"));
    let own = query(&tenant(), uploads, &format!("{mount}&from=a%2Fother"));
    assert_eq!(own, format!("{mount}&from=a%2Fother"));
    for from in
        ["&from=b%2Fshop", "&from=b/shop", "&from=a", "", "&from=a%2Fx&from=b%2Fshop", "&from=a/../b/shop"]
    {
        assert_eq!(query(&tenant(), uploads, &format!("{mount}{from}")), "", "{from}");
    }
}

#[test]
fn only_known_parameters_reach_the_registry() {
    assert_eq!(
        query(&tenant(), "/v2/a/shop/blobs/uploads/", "digest=sha256:ab&x=1&_state=z"),
        "digest=sha256%3Aab"
    );
    let upload = "/v2/a/shop/blobs/uploads/6b3c9a93";
    let Answer::Passed(asked) =
        decide(&tenant(), false, &Method::PUT, upload, Some("_state=Zm9v-_%3D%3D&digest=sha256%3Aab"))
    else {
        panic!("it was refused")
    };
    assert_eq!(asked, format!("{upload}?_state=Zm9v-_%3D%3D&digest=sha256%3Aab"));
    let long = "x".repeat(LONGEST_QUERY + 1);
    assert!(matches!(
        decide(&tenant(), false, &Method::POST, "/v2/a/shop/blobs/uploads/", Some(&long)),
        Answer::Refused(StatusCode::BAD_REQUEST, ..)
    ));
}

#[test]
fn a_node_reads_manifests_and_blobs_of_every_namespace_and_nothing_else() {
    for (method, path) in of_a_push("b/shop") {
        let read = matches!(method, Method::GET | Method::HEAD);
        let image = path.contains("/manifests/") || path.contains("/blobs/sha256");
        let expected = if read && image { 200 } else { 403 };
        assert_eq!(status(&Caller::Node, &method, &path), expected, "{method} {path}");
    }
    assert_eq!(status(&Caller::Node, &Method::GET, "/v2/"), 200);
    assert_eq!(status(&Caller::Node, &Method::GET, "/v2/_catalog"), 403);
}

#[test]
fn the_sweep_lists_and_changes_manifests_but_uploads_nothing() {
    assert_eq!(status(&Caller::Sweep, &Method::GET, "/v2/_catalog"), 200);
    for (method, path) in of_a_push("b/shop") {
        let expected = if path.contains("/manifests/") || path.contains("/tags/") { 200 } else { 403 };
        assert_eq!(status(&Caller::Sweep, &method, &path), expected, "{method} {path}");
    }
}

#[test]
fn an_address_for_reads_rejects_every_write() {
    for caller in [tenant(), Caller::Node, Caller::Sweep] {
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE, Method::CONNECT] {
            let answer = decide(&caller, true, &method, "/v2/a/shop/manifests/latest", None);
            assert!(matches!(answer, Answer::Refused(StatusCode::METHOD_NOT_ALLOWED, ..)), "{method}");
        }
    }
}

#[test]
fn paths_that_another_program_could_interpret_differently_are_rejected() {
    let long = format!("/v2/a/{}/manifests/x", "a".repeat(LONGEST));
    for path in [
        "/",
        "/v2x",
        "/metrics",
        "/debug/pprof/manifests/x",
        "/v2/a/../_catalog/manifests/x",
        "/v2/a/../b/shop/manifests/x",
        "/v2/a//manifests/x",
        "/v2/a/shop/manifests/",
        "/v2/a/%2e%2e/manifests/x",
        "/v2/a%2fshop/manifests/x",
        "/v2/a/shop/manifests/x?y",
        "/v2/a/shop/manifests/.hidden",
        "/v2/a/shop/blobs/0123",
        "/v2/a/shop/blobs/uploads/a/b",
        "/v2/A/shop/manifests/x",
        &long,
    ] {
        assert_eq!(status(&tenant(), &Method::GET, path), 404, "{path}");
    }
}
