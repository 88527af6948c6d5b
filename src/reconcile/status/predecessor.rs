//! The row of the headline about children of a deleted project of the same name.

use super::View;
use super::headline::Headline;
use crate::crd::conditions::Reason;
use crate::reconcile::observed::Predecessor;
use crate::text::bounded;

/// Longest list of finalizers in a message, in bytes.
const MAX_FINALIZERS: usize = 300;

/// The operator waits for them, and says what keeps one that should be gone.
pub(super) fn predecessor(view: &View<'_>) -> Option<Headline> {
    let there = &view.observed.predecessors;
    let overdue: Vec<&Predecessor> =
        there.iter().filter(|child| child.due_at().is_some_and(|due| due <= view.observed.now)).collect();
    if let Some(first) = overdue.first() {
        return Some(Headline::stalled(Reason::Predecessor, kept(view, first, overdue.len() - 1)));
    }
    (!there.is_empty()).then(|| {
        let list = there.iter().take(5).map(|child| format!("{}/{}", child.kind, child.name));
        let list = list.collect::<Vec<_>>().join(", ");
        Headline::working(
            Reason::Predecessor,
            format!("Waiting until the children of a deleted project of the same name are gone: {list}"),
        )
    })
}

fn kept(view: &View<'_>, child: &Predecessor, others: usize) -> String {
    let Predecessor { kind, resource, name, deleted_at, finalizers, .. } = child;
    let namespace = &view.project.namespace;
    let also = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    let of = "of a deleted project of the same name";
    let go_on = "The operator continues once it is gone";
    let foreign: Vec<&str> = child.foreign_finalizers().collect();
    let Some(since) = deleted_at else {
        return format!(
            "{kind} {name}{also} {of} still exists: the garbage collector of Kubernetes has not deleted it. Check \
             kube-controller-manager, or delete it: kubectl delete {resource} {name} -n {namespace}. {go_on}"
        );
    };
    if !foreign.is_empty() {
        let list = bounded(&foreign.join(", "), MAX_FINALIZERS);
        return format!(
            "{kind} {name}{also} {of} is being deleted since {since}, but has the finalizer {list}. The controller that set it must \
             remove it. If that controller no longer exists: kubectl patch {resource} {name} -n {namespace} --type merge -p \
             '{{\"metadata\":{{\"finalizers\":null}}}}'. {go_on}"
        );
    }
    let waits = if finalizers.is_empty() {
        "Kubernetes has not removed it"
    } else {
        "Kubernetes waits for what belongs to it"
    };
    format!(
        "{kind} {name}{also} {of} is being deleted since {since}. {waits}: look for pods that do not end: kubectl get pods -n \
         {namespace} -l doce.dev/project={}. {go_on}",
        view.project.name
    )
}
