//! Which places Jobs take: those of builds, or those of polls. Pure.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;

use super::schedule::Limits;
use crate::desired::names;

/// The Jobs by the places that they take or wait for, each kind with its limits.
pub(super) struct Places {
    builds: (Vec<Arc<Job>>, Limits),
    polls: Option<(Vec<Arc<Job>>, Limits)>,
}

impl Places {
    /// Polls have places of their own while they only look, so builds that run for long and sources that answer slowly do not
    /// wait for each other. A poll that asked for a builder pod builds, and takes the place of a build. Without builder pods, every
    /// poll may build in its own pod, so all Jobs share the places of builds.
    pub(super) fn new(jobs: Vec<Arc<Job>>, limits: Limits, builds: impl Fn(&Job) -> bool) -> Self {
        let Some(places) = limits.polls else { return Self { builds: (jobs, limits), polls: None } };
        let looks = |job: &Arc<Job>| names::is_poll(job) && !builds(job);
        let (polls, others) = jobs.into_iter().partition(looks);
        let of_polls = Limits { cluster: places, ..limits };
        Self { builds: (others, limits), polls: Some((polls, of_polls)) }
    }

    /// Each kind of places, with the Jobs that take them or wait for them.
    pub(super) fn each(&self) -> impl Iterator<Item = &(Vec<Arc<Job>>, Limits)> {
        std::iter::once(&self.builds).chain(&self.polls)
    }

    /// The places that a new Job needs.
    pub(super) fn of(&self, job: &Job) -> &(Vec<Arc<Job>>, Limits) {
        self.polls.as_ref().filter(|_| names::is_poll(job)).unwrap_or(&self.builds)
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;
    use crate::build_queue::schedule::{has_slot, jobs_to_start};

    fn job(name: &str, waits: bool, reason: &str) -> Arc<Job> {
        let annotations = json!({ "doce.dev/build-reason": reason });
        let job = json!({
            "metadata": { "name": name, "namespace": "n", "annotations": annotations },
            "spec": { "suspend": waits, "template": {} },
        });
        Arc::new(serde_json::from_value(job).unwrap())
    }

    fn limits(polls: Option<usize>) -> Limits {
        Limits { cluster: 1, namespace: 9, polls }
    }

    fn started(places: &Places) -> Vec<String> {
        let start = |(jobs, limits): &(Vec<_>, Limits)| jobs_to_start(jobs, *limits, |_| true);
        places.each().flat_map(start).map(|job| job.name_any()).collect()
    }

    #[test]
    fn polls_start_while_builds_take_all_their_places_and_the_other_way_round() {
        let build = [job("long", false, ""), job("poll", true, "Polled")];
        assert_eq!(started(&Places::new(build.to_vec(), limits(Some(1)), |_| false)), ["poll"]);
        let slow = [job("slow", false, "Polled"), job("poll", true, "Polled"), job("build", true, "")];
        assert_eq!(started(&Places::new(slow.to_vec(), limits(Some(1)), |_| false)), ["build"]);
        assert_eq!(started(&Places::new(slow.to_vec(), limits(Some(2)), |_| false)), ["build", "poll"]);
    }

    #[test]
    fn a_poll_that_builds_takes_the_place_of_a_build() {
        let jobs = [job("found", false, "Polled"), job("build", true, ""), job("poll", true, "Polled")];
        let places = Places::new(jobs.to_vec(), limits(Some(1)), |job| job.name_any() == "found");
        assert_eq!(started(&places), ["poll"]);
        let (jobs, of_builds) = places.of(&job("new", true, ""));
        assert!(!has_slot(jobs, *of_builds, "n", |_| true));
    }

    #[test]
    fn without_builder_pods_polls_share_the_places_of_builds() {
        let jobs = [job("slow", false, "Polled"), job("build", true, "")];
        assert_eq!(started(&Places::new(jobs.to_vec(), limits(None), |_| false)), [""; 0]);
    }
}
