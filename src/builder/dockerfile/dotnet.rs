//! Programs for .NET: published by the SDK, run by the runtime.

use std::fmt::Write as _;

use super::{NODE, Step, Trust, arguments, copies, exec, header, run, shell, start};

/// A program for .NET.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// The major version of the SDK, and of the runtime.
    pub(in crate::builder) sdk: u32,
    pub(in crate::builder) runtime: u32,
    /// It is for ASP.NET Core.
    pub(in crate::builder) web: bool,
    /// The target that is taken of several.
    pub(in crate::builder) framework: Option<String>,
    /// The files that `dotnet restore` reads, below the context; empty: copy the whole source.
    pub(in crate::builder) manifests: Vec<String>,
    /// The file of the project, below the context.
    pub(in crate::builder) project: String,
    /// The name of the program without `.dll`.
    pub(in crate::builder) program: String,
    /// The project requests native code, which needs a compiler that the SDK does not have.
    pub(in crate::builder) native: bool,
    /// It needs npm.
    pub(in crate::builder) node: bool,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header("a program for .NET");
    let _ = write!(
        text,
        "FROM mcr.microsoft.com/dotnet/sdk:{}.0 AS build\n\
         ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1\n\
         # Outside of the source, because the SDK in its global.json counts only in directories below it.\n\
         WORKDIR /build\n",
        plan.sdk
    );
    if plan.node {
        text.push_str(NODE);
    }
    let native = if plan.native {
        " -p:PublishAot=false -p:PublishSingleFile=false -p:PublishTrimmed=false -p:PublishReadyToRun=false -p:SelfContained=false"
    } else {
        ""
    };
    let whole = plan.manifests.is_empty();
    text.push_str(&if whole { "COPY . /src/\n".to_owned() } else { copies(&plan.manifests, "/src/") });
    text.push_str(&run(Trust::System, None, &format!("dotnet restore /src/{}{native}", plan.project)));
    if !whole {
        text.push_str("COPY . /src/\n");
    }
    text.push_str(&arguments(&plan.arguments));
    let framework = plan.framework.as_ref().map(|name| format!(" --framework {name}")).unwrap_or_default();
    text.push_str(&match &plan.build {
        Step::Command(line) => "WORKDIR /src\n".to_owned() + &run(Trust::Beside, None, &shell(line)),
        Step::Usual => run(
            Trust::System,
            None,
            &format!(
                "dotnet publish /src/{} --no-restore --configuration Release --output /out{framework} -p:UseAppHost=false{native}",
                plan.project
            ),
        ),
    });
    text.push_str(&last(plan));
    text
}

fn last(plan: &Plan) -> String {
    let image = if plan.web { "aspnet" } else { "runtime" };
    let program = format!("dotnet {}.dll", plan.program);
    let line = match (plan.web, plan.runtime) {
        (false, _) => program,
        (true, 8..) => format!("ASPNETCORE_HTTP_PORTS=$PORT {program}"),
        (true, _) => format!("ASPNETCORE_URLS=${{ASPNETCORE_URLS:-http://0.0.0.0:$PORT}} {program}"),
    };
    format!(
        "\nFROM mcr.microsoft.com/dotnet/{image}:{}.0\n\
         WORKDIR /app\n\
         COPY --link --from=build /out/ ./\n\
         ENV HOME=/tmp PORT=8080\n\
         USER 1654\n\
         EXPOSE 8080\n\
         CMD {}\n",
        plan.runtime,
        exec(&start::command(&line))
    )
}
