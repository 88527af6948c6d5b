//! The frameworks that a Dockerfile can be generated for: the values of `spec.build.framework`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Framework to generate a Dockerfile for. Default: detected from the files of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[clap(rename_all = "verbatim")]
pub enum Framework {
    /// Files that are served as they are, or that a builder of static sites makes.
    Static,
    /// A program for Node.
    Node,
    /// Next.js.
    NextJs,
    /// Vite.
    Vite,
    /// Astro.
    Astro,
    /// SvelteKit.
    SvelteKit,
    /// Nuxt.
    Nuxt,
    /// React Router as a framework, or Remix.
    ReactRouter,
    /// Angular.
    Angular,
    /// Gatsby.
    Gatsby,
    /// VitePress.
    VitePress,
    /// TanStack Start.
    TanStackStart,
    /// SolidStart.
    SolidStart,
    /// Qwik City.
    Qwik,
    /// NestJS.
    NestJs,
    /// A program for Bun.
    Bun,
    /// A program for Deno.
    Deno,
    /// Flask.
    Flask,
    /// Django.
    Django,
    /// FastAPI.
    #[serde(rename = "FastAPI")]
    #[clap(name = "FastAPI")]
    FastApi,
    /// A program for Python.
    Python,
    /// A program in Go.
    Go,
    /// A program in Rust.
    Rust,
    /// A program in PHP.
    #[serde(rename = "PHP")]
    #[clap(name = "PHP")]
    Php,
    /// Laravel.
    Laravel,
    /// Symfony.
    Symfony,
    /// A program in Ruby, Rack applications included.
    Ruby,
    /// Ruby on Rails.
    Rails,
    /// A program for the JVM, built by Maven or Gradle.
    Java,
    /// Spring Boot.
    SpringBoot,
    /// A program for .NET.
    DotNet,
    /// A program in Elixir.
    Elixir,
    /// Phoenix.
    Phoenix,
    /// A program in Gleam.
    Gleam,
    /// A program in C or C++, built by `CMake` or Meson.
    Cpp,
    /// A shell script.
    Shell,
}

impl Framework {
    /// The name in `spec.build.framework` and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "Static",
            Self::Node => "Node",
            Self::NextJs => "NextJs",
            Self::Vite => "Vite",
            Self::Astro => "Astro",
            Self::SvelteKit => "SvelteKit",
            Self::Flask => "Flask",
            Self::Django => "Django",
            Self::FastApi => "FastAPI",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::Nuxt => "Nuxt",
            Self::ReactRouter => "ReactRouter",
            Self::Angular => "Angular",
            Self::Gatsby => "Gatsby",
            Self::VitePress => "VitePress",
            Self::TanStackStart => "TanStackStart",
            Self::SolidStart => "SolidStart",
            Self::Qwik => "Qwik",
            Self::NestJs => "NestJs",
            Self::Bun => "Bun",
            Self::Deno => "Deno",
            Self::Php => "PHP",
            Self::Laravel => "Laravel",
            Self::Symfony => "Symfony",
            Self::Ruby => "Ruby",
            Self::Rails => "Rails",
            Self::Java => "Java",
            Self::SpringBoot => "SpringBoot",
            Self::DotNet => "DotNet",
            Self::Elixir => "Elixir",
            Self::Phoenix => "Phoenix",
            Self::Gleam => "Gleam",
            Self::Cpp => "Cpp",
            Self::Shell => "Shell",
        }
    }
}
