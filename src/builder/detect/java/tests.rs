use super::super::tests::{auto, found, generated, in_order, message, plan_at as plan};
use super::super::{Context, Recipe};
use super::*;
use crate::builder::dockerfile::images;

const MAIN: (&str, &str) = (
    "src/main/java/shop/App.java",
    "package shop;\npublic class App { public static void main(String[] args) {} }\n",
);
const PLAIN: &str = "<project><artifactId>shop</artifactId><properties><maven.compiler.release>17</maven.compiler.release></properties></project>";
const BOOT: &str = "<project><artifactId>shop</artifactId><parent><artifactId>spring-boot-starter-parent</artifactId><version>3.5.0</version>\
    <relativePath/></parent><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>";

#[test]
fn a_plain_maven_project_starts_its_main_class_with_its_dependencies() {
    let made = plan(&[("pom.xml", PLAIN), MAIN], "");
    assert_eq!(made.framework, Framework::Java);
    in_order(
        &made.text,
        &[
            "FROM docker.io/library/maven:3.9-eclipse-temurin-17 AS build",
            "COPY pom.xml ./\n",
            "dependency:go-offline",
            "COPY . .\n",
            "package dependency:copy-dependencies",
            "FROM docker.io/library/eclipse-temurin:17-jre\n",
            "COPY --link --from=build /out/lib/ ./lib/",
            "USER 65532",
            "exec java -XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError $JAVA_OPTS -cp /app/app.jar:'/app/lib/*' shop.App",
        ],
    );
    let named = PLAIN.replace("<properties>", "<properties><exec.mainClass>shop.Other</exec.mainClass>");
    assert!(plan(&[("pom.xml", &named)], "").text.contains("shop.Other\"]"));
    let hostile = PLAIN.replace("<properties>", "<properties><exec.mainClass>a; evil</exec.mainClass>");
    assert!(message(&[("pom.xml", &hostile)]).contains("does not say what to start"));
}

#[test]
fn spring_boot_starts_its_jar_on_the_given_port() {
    let made = plan(&[("pom.xml", BOOT), MAIN], "");
    assert_eq!(made.framework, Framework::SpringBoot);
    assert!(made.text.contains("exec java -XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError $JAVA_OPTS -Dserver.port=$PORT -jar /app/app.jar"), "{}", made.text);
    assert!(made.findings.versions[0].because.contains("Spring Boot 3"), "{:?}", made.findings);
    assert!(!made.text.contains("spring-boot:repackage"), "its parent repackages the jar");
    let without = BOOT.replace("spring-boot-starter-parent", "our-parent");
    assert!(plan(&[("pom.xml", &without), MAIN], "").text.contains("package spring-boot:repackage"));
}

#[test]
fn a_war_that_needs_an_application_server_is_rejected() {
    let war = PLAIN.replace("<properties>", "<packaging>war</packaging><properties>");
    assert!(message(&[("pom.xml", &war), MAIN]).contains("application server"));
    let boot = BOOT.replace("<build>", "<packaging>war</packaging><build>");
    assert!(plan(&[("pom.xml", &boot), MAIN], "").text.contains("target/*.war"));
}

const PARENT: &str = "<project><artifactId>all</artifactId><packaging>pom</packaging><modules><module>lib</module><module>web</module></modules>\
    <properties><java.version>21</java.version></properties></project>";
const CHILD: &str = "<project><parent><artifactId>all</artifactId><version>1</version></parent><artifactId>NAME</artifactId></project>";

#[test]
fn a_module_is_built_with_its_sibling_dependencies() {
    let (lib, web) = (CHILD.replace("NAME", "lib"), CHILD.replace("NAME", "web"));
    let main = MAIN.1;
    let files = [
        ("pom.xml", PARENT),
        ("lib/pom.xml", lib.as_str()),
        ("web/pom.xml", web.as_str()),
        ("web/src/main/java/shop/App.java", main),
        (".mvn/jvm.config", ""),
    ];
    let whole = plan(&files, "");
    in_order(
        &whole.text,
        &[
            "COPY pom.xml ./\nCOPY lib/pom.xml ./lib/\nCOPY web/pom.xml ./web/\nCOPY .mvn/ ./.mvn/\n",
            "--projects web --also-make package",
            "ls -S web/target/*.jar",
        ],
    );
    assert!(whole.findings.versions[0].version == "21", "of the parent: {:?}", whole.findings);
    let member = plan(&files, "web");
    assert_eq!((member.context, &member.text), (Context::Source, &whole.text));
    let two = [files.as_slice(), &[("lib/src/main/java/shop/App.java", main)]].concat();
    assert!(plan(&two, "").text.contains("--projects web"), "picked by its name");
}

#[test]
fn quarkus_and_shaded_jars_are_used_as_built() {
    let with = |plugin: &str| {
        PLAIN.replace("</project>", &format!("<build><plugins><plugin><artifactId>{plugin}</artifactId></plugin></plugins></build></project>"))
    };
    let quarkus = plan(&[("pom.xml", &with("quarkus-maven-plugin"))], "").text;
    assert!(
        quarkus.contains("target/quarkus-app") && quarkus.contains("-Dquarkus.http.port=$PORT"),
        "{quarkus}"
    );
    let shaded = plan(&[("pom.xml", &with("maven-shade-plugin")), MAIN], "").text;
    assert!(shaded.contains("-jar /app/app.jar") && !shaded.contains("copy-dependencies"), "{shaded}");
}

#[test]
fn a_gradle_wrapper_installs_the_distribution_of_the_application_plugin() {
    let files = [
        ("settings.gradle.kts", "rootProject.name = \"x\"\ninclude(\"app\")\n"),
        (
            "app/build.gradle.kts",
            "plugins {\n    application\n}\njava { toolchain { languageVersion = JavaLanguageVersion.of(21) } }\n",
        ),
        ("gradlew", "#!/bin/sh\n"),
        ("gradle/wrapper/gradle-wrapper.jar", "x"),
        (
            "gradle/wrapper/gradle-wrapper.properties",
            "distributionUrl=https\\://services.gradle.org/distributions/gradle-8.13-bin.zip\n",
        ),
    ];
    let made = plan(&files, "");
    in_order(
        &made.text,
        &[
            "FROM docker.io/library/eclipse-temurin:21-jdk AS build",
            "COPY settings.gradle.kts gradlew ./\nCOPY app/build.gradle.kts ./app/\nCOPY gradle/ ./gradle/\n",
            "sh ./gradlew --no-daemon --console=plain :app:installDist",
            "COPY . .\n",
            "cp -R app/build/install/*/. /out/",
            "FROM docker.io/library/eclipse-temurin:21-jre",
            "exec /app/bin/start",
        ],
    );
    assert_eq!(plan(&files, "app").context, Context::Source);
    let old = files.map(|(name, text)| (name, text.replace("gradle-8.13", "gradle-7.0")));
    let old: Vec<(&str, &str)> = old.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert!(message(&old).contains("runs on Java 15 at most"), "{}", message(&old));
}

#[test]
fn gradle_comes_from_an_image_if_there_is_no_wrapper() {
    let boot = "plugins {\n id 'org.springframework.boot' version '3.5.0'\n id 'java'\n}\nsourceCompatibility = '17'\n";
    let made = plan(&[("build.gradle", boot), ("settings.gradle", "")], "");
    assert_eq!(made.framework, Framework::SpringBoot);
    for part in [
        "FROM docker.io/library/gradle:8-jdk17",
        "gradle --no-daemon --console=plain bootJar",
        "ls -S build/libs/*.jar",
    ] {
        assert!(made.text.contains(part), "{part}: {}", made.text);
    }
    assert!(message(&[("build.gradle", "plugins { id 'java' }")]).contains("does not say what to start"));
}

#[test]
fn every_version_yields_existing_images_or_a_rejection() {
    for version in 1..60 {
        let pom = PLAIN.replace(">17<", &format!(">{version}<"));
        let gradle = format!("plugins {{\n application\n}}\nsourceCompatibility = '{version}'\n");
        for files in [vec![("pom.xml", pom.as_str()), MAIN], vec![("build.gradle", gradle.as_str())]] {
            match auto(&files) {
                Ok(Recipe::Generated(made)) => {
                    assert!(images::named(&made.text).into_iter().all(images::is_known), "{}", made.text);
                }
                other => assert!(version > 25, "{other:?}"),
            }
        }
    }
}

#[test]
fn version_manager_files_name_the_version() {
    for (name, text, version) in [
        (".tool-versions", "java zulu-8.86", "8"),
        (".sdkmanrc", "java=21.0.2-tem", "21"),
        ("system.properties", "java.runtime.version=11", "11"),
        (".java-version", "25\n", "25"),
        ("mise.toml", "[tools]\njava = \"temurin-21\"", "21"),
    ] {
        assert_eq!(
            plan(&[("pom.xml", PLAIN), MAIN, (name, text)], "").findings.versions[0].version,
            version,
            "{name}"
        );
    }
    let release = PLAIN.replace(">17<", ">8<");
    let made = plan(&[("pom.xml", &release), MAIN], "");
    assert_eq!(made.findings.versions[0].version, "11", "the compiler of Java 8 has no --release");
}

#[test]
fn a_custom_build_command_leaves_its_jar_in_the_usual_place() {
    let settings = Settings { command: Some("mvn -Pprod package".into()), ..Settings::default() };
    let Recipe::Generated(made) = found(&[("pom.xml", BOOT), MAIN], &settings).unwrap() else { panic!() };
    in_order(&made.text, &["mvn -Pprod package", "ls -S target/*.jar", "-jar /app/app.jar"]);
}

#[test]
fn a_procfile_line_starts_the_jar_at_its_final_path() {
    let line = ("Procfile", "web: java $JAVA_OPTS -Dserver.port=$PORT -jar target/shop-1.0.jar --debug\n");
    let text = generated(&[("pom.xml", BOOT), MAIN, line]).1;
    assert!(text.contains("exec java $JAVA_OPTS -Dserver.port=$PORT -jar /app/app.jar --debug"), "{text}");
    let made = plan(&[("pom.xml", BOOT), MAIN, ("Procfile", "web: sh run.sh")], "");
    assert!(made.findings.warnings[0].contains("Procfile, line 1"), "{:?}", made.findings);
}
