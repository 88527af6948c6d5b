//! The languages: the files that identify each, which one wins when several match, and which module generates its
//! Dockerfile.

use super::tree::Tree;
use super::{
    Context, Generated, cpp, deno, dotnet, elixir, gleam, go, java, no_builder, node, php, python, ruby,
    rust, shell, static_site,
};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// A language that sources are in.
pub(super) struct Language {
    /// Its usual name.
    name: &'static str,
    /// Its frameworks, the most general one first.
    frameworks: &'static [Framework],
    signs: Signs,
    rank: Rank,
    reach: Reach,
    /// Generates its Dockerfile; None: not supported yet.
    recipe: Option<Recipe>,
}

type Recipe = fn(Tree<'_>, &Settings) -> Result<Generated, Failure>;

/// The files that identify a language.
enum Signs {
    /// Any of these; `*.ext` matches any file of the directory with that extension.
    Files(&'static [&'static str]),
    /// The one that is found.
    Found(fn(Tree<'_>, &Settings) -> Result<Option<&'static str>, Failure>),
}

/// Which files outside of a directory its build may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// `detect::workspace` reads its workspaces.
    Followed,
    /// The recipe uses the root of the source if the build needs files outside. If the recipe fails, assume that it
    /// does.
    Outside,
    /// Only the recipe knows. If the recipe fails, assume that it needs nothing outside.
    Inside,
}

/// Which language wins when the files match several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// It wins over a package.json, which then builds its styles and scripts.
    Owner,
    /// An equal: if there is another one, the user decides.
    Program,
    /// It counts only if nothing else matches.
    Last,
}

/// Every language. Supporting one changes only its own entry.
static LANGUAGES: &[Language] = &[
    Language {
        name: "PHP",
        frameworks: &[Framework::Php, Framework::Laravel, Framework::Symfony],
        signs: Signs::Files(&["composer.json", "artisan", "index.php", "public/index.php"]),
        rank: Rank::Owner,
        reach: Reach::Inside,
        recipe: Some(php::recipe),
    },
    Language {
        name: "Ruby",
        frameworks: &[Framework::Ruby, Framework::Rails],
        signs: Signs::Files(&["Gemfile", "config.ru"]),
        rank: Rank::Owner,
        reach: Reach::Inside,
        recipe: Some(ruby::recipe),
    },
    Language {
        name: "Java",
        frameworks: &[Framework::Java, Framework::SpringBoot],
        signs: Signs::Files(&java::FILES),
        rank: Rank::Owner,
        reach: Reach::Outside,
        recipe: Some(java::recipe),
    },
    Language {
        name: ".NET",
        frameworks: &[Framework::DotNet],
        signs: Signs::Files(&dotnet::FILES),
        rank: Rank::Owner,
        reach: Reach::Outside,
        recipe: Some(dotnet::recipe),
    },
    Language {
        name: "Elixir",
        frameworks: &[Framework::Elixir, Framework::Phoenix],
        signs: Signs::Files(&["mix.exs"]),
        rank: Rank::Owner,
        reach: Reach::Inside,
        recipe: Some(elixir::recipe),
    },
    Language {
        name: "Gleam",
        frameworks: &[Framework::Gleam],
        signs: Signs::Files(&["gleam.toml"]),
        rank: Rank::Owner,
        reach: Reach::Inside,
        recipe: Some(gleam::recipe),
    },
    Language {
        name: "Node",
        frameworks: &[
            Framework::Node,
            Framework::NextJs,
            Framework::Vite,
            Framework::Astro,
            Framework::SvelteKit,
            Framework::Nuxt,
            Framework::ReactRouter,
            Framework::Angular,
            Framework::Gatsby,
            Framework::VitePress,
            Framework::TanStackStart,
            Framework::SolidStart,
            Framework::Qwik,
            Framework::NestJs,
            Framework::Bun,
        ],
        signs: Signs::Found(node::sign),
        rank: Rank::Program,
        reach: Reach::Followed,
        recipe: Some(node::recipe),
    },
    Language {
        name: "Python",
        frameworks: &[Framework::Python, Framework::Django, Framework::Flask, Framework::FastApi],
        signs: Signs::Found(|tree, _| python::sign(tree)),
        rank: Rank::Program,
        reach: Reach::Followed,
        recipe: Some(python::recipe),
    },
    Language {
        name: "Go",
        frameworks: &[Framework::Go],
        signs: Signs::Files(&["go.mod", "go.work"]),
        rank: Rank::Program,
        reach: Reach::Followed,
        recipe: Some(go::recipe),
    },
    // Without a module it is a script as often as a program.
    Language {
        name: "Go",
        frameworks: &[],
        signs: Signs::Files(&["main.go"]),
        rank: Rank::Last,
        reach: Reach::Followed,
        recipe: Some(go::recipe),
    },
    Language {
        name: "Rust",
        frameworks: &[Framework::Rust],
        signs: Signs::Files(&["Cargo.toml"]),
        rank: Rank::Program,
        reach: Reach::Followed,
        recipe: Some(rust::recipe),
    },
    Language {
        name: "Deno",
        frameworks: &[Framework::Deno],
        signs: Signs::Found(|tree, _| Ok(deno::sign(tree))),
        rank: Rank::Last,
        reach: Reach::Inside,
        recipe: Some(deno::recipe),
    },
    Language {
        name: "C++",
        frameworks: &[Framework::Cpp],
        signs: Signs::Files(&["CMakeLists.txt", "meson.build"]),
        rank: Rank::Last,
        reach: Reach::Inside,
        recipe: Some(cpp::recipe),
    },
    // A program without a list of packages.
    Language {
        name: "Python",
        frameworks: &[],
        signs: Signs::Files(&python::PROGRAMS),
        rank: Rank::Last,
        reach: Reach::Followed,
        recipe: Some(python::recipe),
    },
    Language {
        name: "Ruby",
        frameworks: &[],
        signs: Signs::Files(&ruby::PROGRAMS),
        rank: Rank::Last,
        reach: Reach::Inside,
        recipe: Some(ruby::recipe),
    },
    Language {
        name: "a shell script",
        frameworks: &[Framework::Shell],
        signs: Signs::Files(&shell::PROGRAMS),
        rank: Rank::Last,
        reach: Reach::Inside,
        recipe: Some(shell::recipe),
    },
    // A page beside a program belongs to it.
    Language {
        name: "a static site",
        frameworks: &[Framework::Static],
        signs: Signs::Found(|tree, settings| Ok(static_site::sign(tree, settings))),
        rank: Rank::Last,
        reach: Reach::Inside,
        recipe: Some(static_site::recipe),
    },
];

/// Generates the Dockerfile for a source, in the language that the settings name, else the one that its files show.
pub(super) fn generate(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let (language, sign) = match settings.framework {
        Some(framework) => (of(framework), None),
        None => found(tree, settings).map(|(language, sign)| (language, Some(sign)))?,
    };
    let recipe = language.recipe.ok_or_else(|| language.unknown(sign.as_deref()))?;
    if settings.output_directory.is_some() && !["Node", "a static site"].contains(&language.name) {
        return Err(no_builder(format!(
            "spec.build.outputDirectory works only for static sites, but this source is not one ({}); remove the field, or \
             set spec.build.framework: Static",
            language.name
        )));
    }
    recipe(tree, settings)
}

/// The language of a framework. A test checks that every framework has one.
fn of(framework: Framework) -> &'static Language {
    LANGUAGES.iter().find(|language| language.frameworks.contains(&framework)).unwrap_or(&LANGUAGES[0])
}

/// The language of the source, and the file that identifies it. If there are two, the user must choose.
fn found(tree: Tree<'_>, settings: &Settings) -> Result<(&'static Language, String), Failure> {
    let mut there = Vec::new();
    for language in LANGUAGES {
        there.extend(language.signs.of(tree, settings)?.map(|sign| (language, sign)));
    }
    if there.iter().any(|(language, _)| language.rank == Rank::Owner) {
        there.retain(|(language, _)| language.frameworks.first() != Some(&Framework::Node));
    }
    if there.iter().any(|(language, _)| language.rank != Rank::Last) {
        there.retain(|(language, _)| language.rank != Rank::Last);
    } else {
        there.truncate(1);
    }
    if there.len() < 2 {
        // Without anything else, a lone JavaScript file is a program even without a package.json.
        let lone = || node::lone_file(tree).map(|file| (of(Framework::Node), file.to_owned()));
        return there.pop().or_else(lone).ok_or_else(nothing);
    }
    let files: Vec<&str> = there.iter().map(|(_, file)| file.as_str()).collect();
    let names: Vec<&str> = there.iter().map(|(language, _)| language.called()).collect();
    Err(no_builder(format!(
        "the source has {}; set spec.build.framework to the program to run ({}), or add a Dockerfile",
        files.join(" and "),
        names.join(" or ")
    )))
}

fn nothing() -> Failure {
    no_builder(
        "the build context has no Dockerfile.prod, no Dockerfile, no package.json, no requirements.txt, no \
         pyproject.toml, no go.mod, no Cargo.toml, no file of another supported language, no index.html and no \
         public/index.html; add one of them, or set the path of the source",
    )
}

/// The language of a directory whose build needs, or may need, files outside of it, if no supported workspace format
/// lists them.
pub(super) fn reaching_out(tree: Tree<'_>) -> Result<Option<&'static str>, Failure> {
    for language in LANGUAGES.iter().filter(|language| language.reach != Reach::Followed) {
        if language.signs.of(tree, &Settings::default())?.is_none() {
            continue;
        }
        let Some(recipe) = language.recipe else { continue };
        let reaches = match recipe(tree, &Settings::default()) {
            Ok(generated) => generated.context == Context::Source,
            Err(_) => language.reach == Reach::Outside,
        };
        if reaches {
            return Ok(Some(language.name));
        }
    }
    Ok(None)
}

impl Signs {
    fn of(&self, tree: Tree<'_>, settings: &Settings) -> Result<Option<String>, Failure> {
        match self {
            Self::Found(find) => Ok(find(tree, settings)?.map(str::to_owned)),
            Self::Files(names) => {
                let present = tree.names("")?;
                let file = names.iter().find_map(|name| match name.strip_prefix('*') {
                    Some(end) => present.iter().find(|file| file.ends_with(end) && tree.has(file)).cloned(),
                    None => tree.has(name).then(|| (*name).to_owned()),
                });
                Ok(file)
            }
        }
    }
}

impl Language {
    /// Its most general framework; its usual name if another entry has its frameworks.
    fn called(&self) -> &'static str {
        self.frameworks.first().map_or(self.name, |framework| framework.name())
    }

    /// The error for a language without a recipe; `sign` is the file that identifies it.
    fn unknown(&self, sign: Option<&str>) -> Failure {
        let name = self.name;
        no_builder(match sign {
            Some(file) => {
                let file: String = file.chars().filter(|char| !char.is_control()).take(80).collect();
                let other = if self.rank == Rank::Owner {
                    ", or set spec.build.framework if another file is the program"
                } else {
                    ""
                };
                format!("the source has {file}, but {name} is not supported yet; add a Dockerfile{other}")
            }
            None => {
                format!("spec.build.framework: {} is not supported yet; add a Dockerfile", self.called())
            }
        })
    }
}

#[cfg(test)]
mod tests;
