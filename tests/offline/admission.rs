//! The policies that hold the operator's `ServiceAccount` to what the operator does, as `manifests/install.yaml` has them.
//! `tests/control_plane/admission.rs` shows what they reject.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize as _;
use serde_yaml::Value;

/// Rights that need no policy. The status of a `ProjectDeployment` is all that the API server changes in a write of that
/// subresource. The finalizers are no request: an admission plugin asks for this right.
const WITHOUT_POLICY: [&str; 2] =
    ["doce.dev/projectdeployments/finalizers", "doce.dev/projectdeployments/status"];

fn manifest() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/install.yaml");
    let text = fs::read_to_string(path).unwrap();
    serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn of_kind<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|object| object["kind"] == kind).collect()
}

fn words(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// `group/resource` with each of `verbs` of the rules of a role or a policy.
fn pairs(rules: &Value, verbs: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for rule in rules.as_sequence().unwrap() {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                found.extend(
                    words(&rule[verbs]).into_iter().map(|verb| (format!("{group}/{resource}"), verb)),
                );
            }
        }
    }
    found
}

/// What a verb of RBAC may become at admission. A server-side apply is a patch that may create.
fn operations(verb: &str) -> &'static [&'static str] {
    match verb {
        "create" => &["CREATE"],
        "update" => &["UPDATE"],
        "patch" => &["CREATE", "UPDATE"],
        "delete" | "deletecollection" => &["DELETE"],
        _ => &[],
    }
}

#[test]
fn every_kind_that_the_operator_may_write_is_held_by_an_admission_policy() {
    let all = manifest();
    let named = |object: &&Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        name == "doce-operator" || name == "doce-operator-election"
    };
    let roles = [of_kind(&all, "ClusterRole"), of_kind(&all, "Role")].concat();
    let roles: Vec<&Value> = roles.into_iter().filter(named).collect();
    assert_eq!(roles.len(), 2);
    let held: BTreeSet<(String, String)> = of_kind(&all, "ValidatingAdmissionPolicy")
        .into_iter()
        .flat_map(|policy| pairs(&policy["spec"]["matchConstraints"]["resourceRules"], "operations"))
        .collect();
    let mut written = 0;
    for (resource, verb) in roles.iter().flat_map(|role| pairs(&role["rules"], "verbs")) {
        for operation in operations(&verb) {
            if !WITHOUT_POLICY.contains(&resource.as_str()) {
                written += 1;
                let there = (resource.clone(), (*operation).to_owned());
                assert!(held.contains(&there), "no policy holds {operation} of {resource}");
            }
        }
    }
    assert!(written > 10, "{written}");
}

#[test]
fn the_policies_are_for_the_operator_only_and_deny_what_breaks_a_rule() {
    let all = manifest();
    let account = of_kind(&all, "Deployment")[0]["spec"]["template"]["spec"]["serviceAccountName"].clone();
    let user = format!("system:serviceaccount:doce-system:{}", account.as_str().unwrap());
    let policies = of_kind(&all, "ValidatingAdmissionPolicy");
    assert_eq!(policies.len(), 5);
    let mut rules = vec![];
    for policy in &policies {
        let (name, spec) = (&policy["metadata"]["name"], &policy["spec"]);
        assert_eq!(spec["failurePolicy"], "Fail", "{name:?}");
        let [condition] = &spec["matchConditions"].as_sequence().unwrap()[..] else { panic!("{name:?}") };
        assert_eq!(
            condition["expression"].as_str().unwrap(),
            format!("request.userInfo.username == '{user}'")
        );
        let bindings = of_kind(&all, "ValidatingAdmissionPolicyBinding");
        let binding = bindings.iter().find(|binding| binding["spec"]["policyName"] == *name).unwrap();
        assert_eq!(words(&binding["spec"]["validationActions"]), ["Deny"]);
        assert!(binding["spec"]["matchResources"].is_null(), "it is for every namespace");
        for validation in spec["validations"].as_sequence().unwrap() {
            let message = validation["message"].as_str().unwrap();
            let (rule, says) = message.strip_prefix("rule ").unwrap().split_once(": ").unwrap();
            assert!(says.len() > 20, "{message}");
            rules.push(rule.to_owned());
        }
    }
    let expected = [
        "namespaces",
        "own",
        "labels",
        "owner",
        "builders",
        "account",
        "tokens",
        "volumes",
        "host",
        "privileged",
        "secrets",
        "services",
        "events",
        "leases",
    ];
    assert_eq!(rules, expected);
}

#[test]
fn the_operator_writes_nothing_in_the_namespaces_of_the_system_and_of_the_release() {
    let all = manifest();
    let policies = of_kind(&all, "ValidatingAdmissionPolicy");
    let validations = policies.iter().flat_map(|policy| policy["spec"]["validations"].as_sequence().unwrap());
    let rule = |validation: &&Value| validation["message"].as_str().unwrap().starts_with("rule namespaces");
    let expression = validations.into_iter().find(rule).unwrap()["expression"].as_str().unwrap();
    assert_eq!(
        expression,
        "!(request.namespace in ['kube-system','kube-public','kube-node-lease','doce-system'])"
    );
}
