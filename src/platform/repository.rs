//! The repository of a project's images: its own one in the platform's registry, another one there that its namespace
//! shares, or one in a registry of the user.

use super::{Platform, PushLogin};
use crate::project::Project;

impl Platform {
    /// Repository to which build pods push, without a tag.
    #[must_use]
    pub fn pushed_to(&self, project: &Project) -> String {
        self.repository(project, &self.push_registry)
    }

    /// Address at which nodes pull from the same repository.
    #[must_use]
    pub fn pulled_from(&self, project: &Project) -> String {
        self.repository(project, &self.pull_registry)
    }

    /// The repository in the spec, if it is not in the platform's registry.
    #[must_use]
    pub fn outside<'a>(&self, project: &'a Project) -> Option<&'a str> {
        project.settings.repository.as_deref().filter(|named| self.path(named).is_none())
    }

    /// Whether the registry of a repository uses plain HTTP.
    #[must_use]
    pub fn is_insecure(&self, repository: &str) -> bool {
        let host = |place: &str| place.split('/').next().map(str::to_owned);
        self.push_insecure && host(repository) == host(&self.push_registry)
    }

    /// The platform's registries that use plain HTTP, `host[:port]`.
    #[must_use]
    pub fn plain_registries(&self) -> Vec<String> {
        self.push_host().filter(|_| self.push_insecure).into_iter().collect()
    }

    /// The registry that requires the token of a build pod, `host[:port]`.
    #[must_use]
    pub fn token_registry(&self) -> Option<String> {
        self.push_host().filter(|_| self.push_login == PushLogin::Token)
    }

    /// `host[:port]` of the registry to which build pods push.
    fn push_host(&self) -> Option<String> {
        self.push_registry.split('/').next().map(str::to_owned)
    }

    /// Message to the user if the platform rejects the project's build settings: the field and what to do.
    #[must_use]
    pub fn refusal(&self, project: &Project) -> Option<String> {
        self.build_pods
            .refusal(project.build_resources.as_ref())
            .or_else(|| self.build_pods.timeout_refusal(project.build_timeout))
            .or_else(|| self.of_another_namespace(project))
    }

    fn repository(&self, project: &Project, registry: &str) -> String {
        let registry = registry.trim_end_matches('/');
        match project.settings.repository.as_deref() {
            Some(named) => {
                self.path(named).map_or_else(|| named.to_owned(), |path| format!("{registry}/{path}"))
            }
            None => format!("{registry}/{}/{}", project.namespace, project.name),
        }
    }

    /// Rejects repositories of other namespaces in the platform's registry, before a build fails there. Whoever may push
    /// to a repository decides what runs from it.
    fn of_another_namespace(&self, project: &Project) -> Option<String> {
        let named = project.settings.repository.as_deref()?;
        let path = self.path(named)?;
        let (namespace, pull) = (&project.namespace, self.pull_registry.trim_end_matches('/'));
        let own = path.strip_prefix(namespace.as_str()).is_some_and(|rest| rest.starts_with('/'));
        (!own).then(|| {
            format!(
                "spec.build.output.repository: {named} belongs to another namespace of the platform's registry: use \
                 one that begins with {pull}/{namespace}/, or leave the field out"
            )
        })
    }

    /// The path of a repository in the platform's registry, under its push or pull address.
    fn path<'a>(&self, named: &'a str) -> Option<&'a str> {
        [&self.push_registry, &self.pull_registry]
            .into_iter()
            .filter(|registry| !registry.is_empty())
            .find_map(|registry| named.strip_prefix(registry.trim_end_matches('/'))?.strip_prefix('/'))
    }
}
