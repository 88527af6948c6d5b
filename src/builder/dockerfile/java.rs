//! Programs for the JVM, built by Maven or Gradle; the last stage has a runtime and no compiler.

use std::fmt::Write as _;

use super::{Step, Trust, arguments, copies, exec, header, run, shell, start};
use crate::builder::detect::Assets;

/// The runtime; also the compiler if the wrapper fetches Gradle.
const IMAGE: &str = "docker.io/library/eclipse-temurin";

/// Where a jar is in the last stage.
pub(in crate::builder) const JAR: &str = "/app/app.jar";

/// Java treats the container's memory limit as the machine's memory, so use 75 % of it. A program that is out of memory
/// exits and is restarted.
const OPTIONS: &str = "-XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError $JAVA_OPTS";

/// The certificates of the image and the platform, as Java reads them.
const TRUST: &str =
    "trust extract --overwrite --format=java-cacerts --filter=ca-anchors --purpose=server-auth /tmp/cacerts";

/// Jars beside the one that starts.
const OTHERS: &str = "(-sources|-javadoc|-tests|-plain)\\.jar$|/original-";

/// A program for the JVM.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// The version of Java.
    pub(in crate::builder) java: u32,
    pub(in crate::builder) tool: Tool,
    /// Where the tool is run, below the context; empty: there.
    pub(in crate::builder) directory: String,
    /// The files that determine the downloads, below the context; directories end with a slash.
    pub(in crate::builder) manifests: Vec<String>,
    /// The module that is the program, below where the tool is run; empty: there.
    pub(in crate::builder) module: String,
    pub(in crate::builder) made: Made,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) listens: Listens,
    /// The line that starts it, where the source says so.
    pub(in crate::builder) start: Option<String>,
    pub(in crate::builder) assets: Assets,
}

/// The build tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Tool {
    /// Maven; Spring Boot's plugin must be called by name.
    Maven {
        /// Whether it must.
        repackage: bool,
    },
    /// The Gradle that the source's wrapper fetches.
    Wrapper,
    /// The Gradle of an image.
    Gradle {
        /// Its version.
        major: u32,
    },
}

/// The output of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Made {
    /// A self-contained jar.
    Jar,
    /// A self-contained, executable war.
    War,
    /// A self-contained jar from a Gradle task.
    Task(&'static str),
    /// A jar of its own classes, the jars it needs, and the class that starts.
    Classes(String),
    /// A directory of Quarkus.
    Quarkus,
    /// A directory of Gradle's plugin `application`, with a script that Java replaces.
    Distribution,
}

/// How the program learns its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Listens {
    Spring,
    Quarkus,
    Micronaut,
    /// Ktor's engine, which takes it as an argument.
    Ktor,
    /// It reads `PORT` itself, or does not serve.
    Itself,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header(if plan.listens == Listens::Spring {
        "a program with Spring Boot"
    } else {
        "a program in Java"
    });
    let java = plan.java;
    let image = match plan.tool {
        Tool::Maven { .. } => format!("docker.io/library/maven:3.9-eclipse-temurin-{java}"),
        Tool::Wrapper => format!("{IMAGE}:{java}-jdk"),
        Tool::Gradle { major } => format!("docker.io/library/gradle:{major}-jdk{java}"),
    };
    let _ = write!(
        text,
        "FROM {image} AS build\n\
         WORKDIR /src\n\
         # The platform's certificates come as a secret; every step builds Java's trust store from them.\n\
         ENV JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/tmp/cacerts\n"
    );
    if plan.build == Step::Usual {
        text.push_str(&copies(&plan.manifests, "./"));
        let download = format!("{} || echo 'the compile step downloads the rest'", download(plan));
        text.push_str(&step(&format!("{}{{ {download}; }}", enter(plan))));
    }
    text.push_str("COPY . .\n");
    if !plan.directory.is_empty() {
        let _ = writeln!(text, "WORKDIR /src/{}", plan.directory);
    }
    text.push_str("RUN mkdir --parents /out/lib\n");
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&match &plan.build {
        Step::Command(line) => {
            let command = shell(&format!("{TRUST} && {line}"));
            run(Trust::System, None, &command) + &format!("RUN {}\n", collect(plan))
        }
        Step::Usual => step(&format!("{} && {}", compile(plan), collect(plan))),
    });
    text.push_str(&last(plan));
    text
}

/// A step of the tool, with the certificates in Java's format. No layer contains them.
fn step(command: &str) -> String {
    run(Trust::System, None, &format!("{TRUST} && {command} && rm -f /tmp/cacerts"))
}

fn enter(plan: &Plan) -> String {
    if plan.directory.is_empty() { String::new() } else { format!("cd {} && ", plan.directory) }
}

const MAVEN: &str = "mvn --batch-mode --no-transfer-progress";

fn gradle(tool: Tool) -> &'static str {
    // The wrapper may lack the executable bit, or have CRLF line ends.
    if tool == Tool::Wrapper {
        "sed -i 's/\\r$//' gradlew && sh ./gradlew --no-daemon --console=plain"
    } else {
        "gradle --no-daemon --console=plain"
    }
}

/// The task of Gradle that makes the program.
fn task(plan: &Plan) -> String {
    let task = match plan.made {
        Made::Task(task) => task,
        Made::Quarkus => "quarkusBuild",
        Made::Distribution => "installDist",
        Made::Jar | Made::War | Made::Classes(_) => "assemble",
    };
    if plan.module.is_empty() {
        task.to_owned()
    } else {
        format!(":{}:{task}", plan.module.replace('/', ":"))
    }
}

/// Downloads most of what compilation needs, before the source is copied.
fn download(plan: &Plan) -> String {
    match plan.tool {
        Tool::Maven { .. } => format!("{MAVEN} dependency:go-offline"),
        // Without a source the task compiles nothing but still fetches its dependencies.
        tool => format!("{} {}", gradle(tool), task(plan)),
    }
}

fn compile(plan: &Plan) -> String {
    let Tool::Maven { repackage } = plan.tool else {
        return format!("{} {}", gradle(plan.tool), task(plan));
    };
    let module = if plan.module.is_empty() {
        String::new()
    } else {
        format!(" --projects {} --also-make", plan.module)
    };
    let more = match plan.made {
        Made::Classes(_) => " dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=/out/lib",
        _ if repackage => " spring-boot:repackage",
        _ => "",
    };
    // The build has no Git history.
    format!("{MAVEN} -DskipTests -Dmaven.gitcommitid.skip=true{module} package{more}")
}

/// Takes what was made to /out.
fn collect(plan: &Plan) -> String {
    let module = if plan.module.is_empty() { String::new() } else { format!("{}/", plan.module) };
    let output = if matches!(plan.tool, Tool::Maven { .. }) { "target" } else { "build" };
    let jars = if output == "target" { "target" } else { "build/libs" };
    match plan.made {
        // The self-contained one is the largest.
        Made::Jar | Made::Task(_) | Made::Classes(_) => format!(
            "cp \"$(ls -S {module}{jars}/*.jar | grep --extended-regexp --invert-match '{OTHERS}' | head -n 1)\" /out/app.jar"
        ),
        Made::War => format!(
            "cp \"$(ls -S {module}{jars}/*.war | grep --invert-match '\\.original$' | head -n 1)\" /out/app.jar"
        ),
        Made::Quarkus => format!(
            "if [ -d {module}{output}/quarkus-app ]; then cp -R {module}{output}/quarkus-app/. /out/ && mv /out/quarkus-run.jar \
             /out/app.jar; else cp {module}{output}/*-runner.jar /out/app.jar; fi"
        ),
        Made::Distribution => format!(
            "cp -R {module}{output}/install/*/. /out/ && rm -f /out/bin/*.bat && mv /out/bin/* /out/start && mkdir -p /out/bin \
             && mv /out/start /out/bin/start"
        ),
    }
}

/// The start line; Java replaces the shell.
fn line(plan: &Plan) -> String {
    if let Some(line) = &plan.start {
        return line.clone();
    }
    let (property, argument) = match plan.listens {
        Listens::Spring => (" -Dserver.port=$PORT", ""),
        Listens::Quarkus => (" -Dquarkus.http.host=0.0.0.0 -Dquarkus.http.port=$PORT", ""),
        Listens::Micronaut => (" -Dmicronaut.server.port=$PORT", ""),
        Listens::Ktor => ("", " -port=$PORT"),
        Listens::Itself => ("", ""),
    };
    match &plan.made {
        Made::Classes(class) => format!("java {OPTIONS}{property} -cp {JAR}:/app/lib/* {class}{argument}"),
        Made::Distribution => format!("JAVA_OPTS=\"{OPTIONS}{property}\" /app/bin/start{argument}"),
        _ => format!("java {OPTIONS}{property} -jar {JAR}{argument}"),
    }
}

fn last(plan: &Plan) -> String {
    // The wildcard is Java's; the assignment needs its quotes.
    let words = match plan.made {
        Made::Classes(_) | Made::Distribution if plan.start.is_none() => {
            let line = line(plan).replace("/app/lib/*", "'/app/lib/*'");
            let line = match line.strip_prefix("JAVA_OPTS=") {
                Some(_) => line.replace("\" /app/bin", "\" exec /app/bin"),
                None => format!("exec {line}"),
            };
            vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
        }
        _ => start::command(&line(plan)),
    };
    let libraries = if matches!(plan.made, Made::Classes(_)) {
        "COPY --link --from=build /out/lib/ ./lib/\n"
    } else {
        ""
    };
    let made = if libraries.is_empty() { "/out/ ./" } else { "/out/app.jar ./" };
    format!(
        "\nFROM {IMAGE}:{}-jre\n\
         WORKDIR /app\n\
         {libraries}\
         COPY --link --from=build {made}\n{}\
         ENV HOME=/tmp PORT=8080\n\
         USER 65532\n\
         EXPOSE 8080\n\
         ENTRYPOINT []\n\
         CMD {}\n",
        plan.java,
        plan.assets.copy(),
        exec(&words)
    )
}
