//! Decides when to reconcile which project. It waits for the caches, bounds concurrency and applies backoff per project.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as Concurrency, applier};
use kube::runtime::reflector::{self, ObjectRef, store};
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::build_queue::admit::limits;
use crate::build_queue::run::{self, Queue};
use crate::builder_pods::{self, run::BuilderPods};
use crate::crd::ProjectDeployment;
use crate::election::Leadership;
use crate::metrics::Passed;
use crate::project::Key;
use crate::reconcile::{Error, Requeue, Shared, reconcile};
use crate::text::with_causes;
use start::in_order;

mod start;

/// Longest pause after a rejection, so that a child appears soon after the policy that rejected it is gone.
const LONGEST_REFUSED: Duration = Duration::from_mins(1);

/// Interval of reconciliations without an event, in case an event was lost. They write nothing if nothing changed.
const RESYNC: Duration = Duration::from_mins(10);

/// Capacity of the channel for changed projects. A watch that is faster than the loop waits.
const NEWS: usize = 1024;

/// Runs until `shutdown` completes and finishes passes that have begun. It reconciles only while this process leads.
/// Before that it keeps its caches warm. If it loses the lead, it drops its passes and becomes a standby again.
pub async fn run(
    context: Shared,
    mut leadership: impl Leadership,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (changed, mut news) = mpsc::channel(NEWS);
    let caches = context.cluster.shared_caches();
    let namespace = context.config.namespace.clone();
    let mut beside = JoinSet::new(); // Ends with this function, even if the caller drops it halfway.
    let builds = context.platform.isolated.as_ref().map(|isolated| isolated.namespace.clone());
    beside.spawn(context.cluster.watch(namespace, builds, context.config.lost_images.clone(), changed));
    let mut shutdown = Box::pin(shutdown);
    let synced = async {
        loop {
            let listed = caches.listed.notified(); // Counts notifications from here on, even before it is polled.
            if caches.synced() {
                return;
            }
            listed.await;
        }
    };
    tokio::select! {
        () = synced => {}
        () = &mut shutdown => return leadership.release().await,
    }
    loop {
        tokio::select! {
            () = leadership.mine() => {}
            () = unheard(&mut news) => {}
            () = &mut shutdown => break,
        }
        let mut builds = JoinSet::new(); // Ends with the lead.
        builds.spawn(run_build_queue(context.clone()));
        builds.spawn(run_builder_pods(context.clone()));
        tokio::select! {
            () = leadership.lost() => {}
            () = loop_until(&context, &mut news, &mut shutdown) => break,
        }
    }
    leadership.release().await;
}

/// Discards changes while this process is a standby, so that no watch waits. A new leader reconciles every project
/// anyway.
async fn unheard(news: &mut mpsc::Receiver<Key>) {
    while news.recv().await.is_some() {}
    std::future::pending::<()>().await;
}

/// The queue needs the name of a project; the cache has the rest.
type Name = PartialObjectMeta<ProjectDeployment>;

async fn loop_until(
    context: &Shared,
    news: &mut mpsc::Receiver<Key>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let exists = |key: &Key| context.cluster.caches().resources.has(key);
    context.backoff.keep_only(exists); // Projects may have been deleted while this process was a standby.
    context.status_debounce.keep_only(exists);
    let (reader, mut names) = reflector::store();
    let first = context.cluster.caches().resources.keys();
    fill(&mut names, &first);
    let changed = stream::poll_fn(|polled| news.poll_recv(polled));
    let (first_passes, in_order) = in_order(context.cluster.caches(), first);
    let waited_for = first_passes.clone();
    let queue = stream::select(in_order, changed).filter_map(|key| {
        let there = note(context, &mut names, &key);
        if !there {
            waited_for.ended(&key);
        }
        std::future::ready(there.then(|| Ok::<_, std::convert::Infallible>(by_key(&key))))
    });
    context.metrics.workers(context.config.concurrency);
    let concurrency = Concurrency::default().concurrency(context.config.concurrency);
    let passes = applier(
        |object: Arc<Name>, context: ApplierContext| {
            let first_passes = first_passes.clone();
            Box::pin(async move {
                let passed = timed_pass(&object, &context).await;
                let key = key_of(&object);
                first_passes.ended(&key);
                forget_if_gone(&context, &key);
                passed
            })
        },
        |object, error, context: ApplierContext| after_error(&object, error, &context),
        Arc::new(context.clone()),
        reader,
        queue.take_until(shutdown),
        concurrency,
    );
    passes.for_each(|_| std::future::ready(())).await;
}

/// The first content of the applier's store, which it waits for.
fn fill(names: &mut store::Writer<Name>, projects: &[Key]) {
    names.apply_watcher_event(&watcher::Event::Init);
    for key in projects {
        names.apply_watcher_event(&watcher::Event::InitApply(named(key)));
    }
    names.apply_watcher_event(&watcher::Event::InitDone);
}

/// Notes in the applier's store whether the project exists.
fn note(context: &Shared, names: &mut store::Writer<Name>, key: &Key) -> bool {
    let there = context.cluster.caches().resources.has(key);
    let event = if there { watcher::Event::Apply } else { watcher::Event::Delete };
    names.apply_watcher_event(&event(named(key)));
    forget_if_gone(context, key);
    there
}

/// Drops what is remembered of a project that no longer exists. Returns whether it is gone.
fn forget_if_gone(context: &Shared, key: &Key) -> bool {
    let gone = !context.cluster.caches().resources.has(key);
    if gone {
        context.backoff.succeeded(key);
        context.status_debounce.written(key);
        context.cluster.caches().forget_if_gone(key);
    }
    gone
}

/// Starts queued builds until it is dropped.
async fn run_build_queue(context: Shared) {
    let queue = Queue {
        cluster: &context.cluster,
        starts: &context.starts,
        limits: limits(&context.config),
        cleans: context.platform.sees_all,
    };
    run::run(&queue).await;
}

/// Starts and ends builder pods until it is dropped.
async fn run_builder_pods(context: Shared) {
    let pods = BuilderPods {
        cluster: &context.cluster,
        platform: &context.platform,
        limits: limits(&context.config),
    };
    builder_pods::run::run(&pods).await;
}

/// The applier shares its context in another `Arc`.
type ApplierContext = Arc<Shared>;

fn by_key((namespace, name): &Key) -> ObjectRef<Name> {
    ObjectRef::new(name).within(namespace)
}

fn key_of(object: &Name) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn named((namespace, name): &Key) -> Name {
    let (name, namespace) = (Some(name.clone()), Some(namespace.clone()));
    Name { metadata: ObjectMeta { name, namespace, ..ObjectMeta::default() }, ..Name::default() }
}

/// A pass that counts. It counts as running until it ends or is dropped.
async fn timed_pass(object: &Name, context: &Shared) -> Result<Action, Error> {
    let (began, running) = (Instant::now(), context.metrics.pass_begins());
    let passed = Box::pin(pass(object, context)).await;
    drop(running);
    let result = match &passed {
        Ok((next, _)) => *next,
        Err(_) => Passed::Error,
    };
    context.metrics.pass_ended(result, began.elapsed());
    passed.map(|(_, action)| action)
}

async fn pass(object: &Name, context: &Shared) -> Result<(Passed, Action), Error> {
    let key = key_of(object);
    let object = match context.cluster.project(&key) {
        Some(known) => context.cluster.confirmed(known).await.map_err(Error::Observe)?,
        None => None,
    };
    let Some(object) = object else {
        // An event is about to arrive: the object is gone, or a list in progress will contain it.
        return Ok((Passed::RequeueAfter, Action::requeue(Duration::from_secs(1))));
    };
    let next = Box::pin(reconcile(&object, context)).await?;
    context.cluster.caches().close_if_unchanged(&key);
    let (passed, pause) = match next {
        Requeue::After(pause) => {
            context.backoff.succeeded(&key);
            (Passed::RequeueAfter, pause.max(Duration::from_millis(200)).min(RESYNC))
        }
        Requeue::WithBackoff => (Passed::Requeue, context.backoff.failed(&key).min(LONGEST_REFUSED)),
        Requeue::AwaitChange => {
            context.backoff.succeeded(&key);
            (Passed::Success, RESYNC)
        }
    };
    Ok((passed, Action::requeue(pause)))
}

/// Requeues a failed pass. A conflict only means that the caches are stale; anything else is logged and retried with
/// backoff.
fn after_error(object: &Name, error: &Error, context: &Shared) -> Action {
    let key = key_of(object);
    if forget_if_gone(context, &key) {
        return Action::await_change();
    }
    let (namespace, name) = &key;
    if let Error::Act(conflict @ crate::cluster::Error::Conflict { .. })
    | Error::Report(conflict @ crate::cluster::Error::Conflict { .. }) = error
    {
        tracing::debug!(namespace, name, error = %conflict, "conflict, retrying");
        return Action::requeue(context.backoff.conflicted(&key));
    }
    let pause = context.backoff.failed(&key);
    let (error, pause_ms) = (with_causes(error), pause.as_millis());
    tracing::warn!(namespace, name, error, pause_ms, "reconciliation failed, retrying");
    Action::requeue(pause)
}
