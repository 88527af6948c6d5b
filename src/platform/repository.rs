//! Where images of a project are pushed and pulled: a repository of its own in the platform's registry, another one there
//! that the namespace shares, or one in a registry of somebody else.

use super::Platform;
use crate::project::Project;

impl Platform {
    /// Repository that build pods push to, without a tag.
    #[must_use]
    pub fn pushed_to(&self, project: &Project) -> String {
        self.repository(project, &self.push_registry)
    }

    /// The same repository as nodes pull from it.
    #[must_use]
    pub fn pulled_from(&self, project: &Project) -> String {
        self.repository(project, &self.pull_registry)
    }

    /// The repository that a person named, where it is in another registry than the platform's.
    #[must_use]
    pub fn outside<'a>(&self, project: &'a Project) -> Option<&'a str> {
        project.settings.repository.as_deref().filter(|named| self.path(named).is_none())
    }

    /// Whether pods reach the registry of a repository over plain HTTP.
    #[must_use]
    pub fn is_insecure(&self, repository: &str) -> bool {
        let host = |place: &str| place.split('/').next().map(str::to_owned);
        self.push_insecure && host(repository) == host(&self.push_registry)
    }

    /// Why nothing is built for this project on this platform, with the field and the way out.
    #[must_use]
    pub fn refusal(&self, project: &Project) -> Option<String> {
        self.build_pods
            .refusal(project.build_resources.as_ref())
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

    /// Whoever may push to a repository decides what runs from it: in the platform's registry, which asks for no login, a
    /// namespace has its own.
    fn of_another_namespace(&self, project: &Project) -> Option<String> {
        let named = project.settings.repository.as_deref()?;
        let path = self.path(named)?;
        let (namespace, pull) = (&project.namespace, self.pull_registry.trim_end_matches('/'));
        let own = path.strip_prefix(namespace.as_str()).is_some_and(|rest| rest.starts_with('/'));
        (!own).then(|| {
            format!(
                "spec.build.output.repository: {named} belongs to another namespace. In the platform's registry, name one \
                 that begins with {pull}/{namespace}/, or leave it out"
            )
        })
    }

    /// The path of a repository in the platform's registry, by either of its addresses.
    fn path<'a>(&self, named: &'a str) -> Option<&'a str> {
        [&self.push_registry, &self.pull_registry]
            .into_iter()
            .filter(|registry| !registry.is_empty())
            .find_map(|registry| named.strip_prefix(registry.trim_end_matches('/'))?.strip_prefix('/'))
    }
}
