//! The Jobs and what runs in them: the queue releases builds in order, and nature decides how they end.

use doce_operator::protocol::build_target::BuildTarget;
use doce_operator::protocol::report::{Built, Failed, Stage};
use doce_operator::reconcile::observed::init::{InitFailure, InitState};
use doce_operator::reconcile::observed::{JobState, Trouble};
use doce_operator::version::{build_key, text_digest};

use super::cluster::{Cluster, Init, Job, TICK, timestamp};
use super::nature::{self, Building};
use super::observe::REPOSITORY;

impl Cluster {
    /// Every Job advances one state.
    pub(crate) fn tick_jobs(&mut self) {
        let names: Vec<String> = self.jobs.keys().cloned().collect();
        for name in names {
            let Some(mut job) = self.jobs.remove(&name) else { continue };
            let waited = self.clock - job.since;
            let next = match job.state {
                JobState::Queued if waited >= TICK => Some(JobState::Running),
                JobState::Running if waited >= 2 * TICK => Some(self.outcome(&job)),
                JobState::Ending => {
                    self.touch();
                    continue; // Its pod is gone.
                }
                _ => None,
            };
            if let Some(next) = next {
                job.started = job.started.or(Some(self.clock));
                job.state = next;
                job.since = self.clock;
                self.touch();
            }
            self.jobs.insert(name, job);
        }
    }

    /// Every init command advances one state.
    pub(crate) fn tick_inits(&mut self) {
        let running = |job: &Init| job.state == InitState::Running;
        let names: Vec<String> =
            self.inits.iter().filter(|(_, job)| running(job)).map(|(name, _)| name.clone()).collect();
        for name in names {
            let Some(mut job) = self.inits.remove(&name) else { continue };
            if self.clock - job.since >= 2 * TICK {
                job.state = self.init_outcome(&job.version);
                job.since = self.clock;
                self.touch();
            }
            self.inits.insert(name, job);
        }
    }

    /// The digest of the image of this key, which the registry has from now on.
    fn pushed(&mut self, key: &str) -> String {
        let digest = format!("sha256:{}", text_digest(key));
        self.nature.gone.remove(&format!("{REPOSITORY}@{digest}"));
        digest
    }

    fn init_outcome(&mut self, version: &str) -> InitState {
        let failed = |outside, clock| {
            let trouble =
                Trouble { reason: "InitCommandFailed".to_owned(), message: "the model says so".to_owned() };
            InitState::Failed(InitFailure { trouble, log: String::new(), outside, at: timestamp(clock) })
        };
        match self.nature.init_of(version) {
            Some(nature::Init::Bad) => failed(false, self.clock),
            Some(nature::Init::Away(times)) if self.nature.faulty(format!("init {version}"), times) => {
                failed(true, self.clock)
            }
            _ => {
                self.nature.initialized.insert(version.to_owned());
                InitState::Done
            }
        }
    }

    fn outcome(&mut self, job: &Job) -> JobState {
        let source = job.digest.as_deref().map_or(self.nature.tip, nature::source);
        let looks_up = matches!(job.of, BuildTarget::Lookup(_));
        let building = nature::building(source, job.order.settings.epoch);
        if let Building::Unresolved(times) = building
            && looks_up
            && self.nature.faulty(format!("resolve {source}"), times)
        {
            return JobState::Failed(failed(Stage::Resolve, "SourceUnreachable", None, None));
        }
        if job.order.prebuilt() {
            let digest = nature::image(source);
            return JobState::Built(Built {
                source: digest.clone(),
                digest,
                platform: "linux/amd64".to_owned(),
                ..Built::default()
            });
        }
        let commit = job.digest.clone().unwrap_or_else(|| nature::commit(source));
        let key = build_key(&commit, &job.order.settings);
        let (told_key, told_source) = (Some(key.clone()), Some(commit.clone()));
        match building {
            Building::Bad => JobState::Failed(failed(Stage::Build, "BuildFailed", told_key, told_source)),
            Building::Faults(times) if self.nature.faulty(format!("build {key}"), times) => {
                let stage = if source == 12 { Stage::Fetch } else { Stage::Push };
                JobState::Failed(failed(stage, "RegistryUnavailable", told_key, told_source))
            }
            Building::Lost(times) if self.nature.faulty(format!("build {key}"), times) => {
                JobState::Lost(Trouble {
                    reason: "BuildTimeout".to_owned(),
                    message: "the model says so".to_owned(),
                })
            }
            _ => JobState::Built(Built {
                digest: self.pushed(&key),
                key,
                source: commit,
                message: Some(format!("commit {source}")),
                platform: "linux/amd64".to_owned(),
                ..Built::default()
            }),
        }
    }
}

fn failed(stage: Stage, reason: &str, key: Option<String>, source: Option<String>) -> Failed {
    let message = "the model says so".to_owned();
    Failed {
        stage,
        reason: reason.to_owned(),
        message,
        log: String::new(),
        key,
        source,
        subject: None,
        author: None,
        committed_at: None,
        log_reference: None,
    }
}
