use super::super::Recipe;
use super::super::tests::{auto, in_order, message, plan_at as plan};
use super::*;

const API: &str = "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>";
const CLI: &str = "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net6.0</TargetFramework></PropertyGroup></Project>";
const TEST: &str = "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup>\
    <ItemGroup><PackageReference Include=\"Microsoft.NET.Test.Sdk\"/></ItemGroup></Project>";

#[test]
fn a_web_project_is_restored_published_and_run_by_its_runtime() {
    let made = plan(&[("shop-api.csproj", API), ("Program.cs", "")], "");
    let order = [
        "FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build",
        "COPY shop-api.csproj /src/\n",
        "dotnet restore /src/shop-api.csproj",
        "COPY . /src/\n",
        "dotnet publish /src/shop-api.csproj --no-restore",
        "FROM mcr.microsoft.com/dotnet/aspnet:8.0",
        "USER 1654",
        "ASPNETCORE_HTTP_PORTS=$PORT exec dotnet shop-api.dll",
    ];
    in_order(&made.text, &order);
}

#[test]
fn a_console_program_gets_the_plain_runtime() {
    let text = plan(&[("cli.csproj", CLI)], "").text;
    assert!(text.contains("dotnet/runtime:6.0") && text.contains("CMD [\"dotnet\", \"cli.dll\"]"), "{text}");
}

#[test]
fn the_web_project_is_the_program_of_a_solution() {
    let files = [
        ("Shop.sln", ""),
        ("src/Api/Api.csproj", API),
        ("src/Tool/Tool.csproj", CLI),
        ("test/Api.Tests/Api.Tests.csproj", TEST),
        ("Directory.Packages.props", "<Project/>"),
    ];
    let text = plan(&files, "").text;
    for part in [
        "dotnet publish /src/src/Api/Api.csproj",
        "COPY Directory.Packages.props /src/",
        "COPY src/Tool/Tool.csproj /src/src/Tool/",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let member = plan(&files, "src/Tool");
    assert_eq!(member.context, Context::Source);
    assert!(member.text.contains("dotnet publish /src/src/Tool/Tool.csproj"), "{}", member.text);
    let two = [("A/A.csproj", API), ("B/B.csproj", API), ("x.sln", "")];
    assert!(message(&two).contains("A/A.csproj, B/B.csproj") && message(&two).contains("such as A"));
}

#[test]
fn a_reference_outside_the_directory_widens_the_context() {
    let api = API.replace(
        "</Project>",
        "<ItemGroup><ProjectReference Include=\"..\\Lib\\Lib.csproj\"/></ItemGroup></Project>",
    );
    let made =
        plan(&[("Api/Api.csproj", &api), ("Lib/Lib.csproj", "<Project Sdk=\"Microsoft.NET.Sdk\"/>")], "Api");
    assert_eq!(made.context, Context::Source);
    assert!(made.text.contains("COPY Lib/Lib.csproj /src/Lib/"), "{}", made.text);
}

#[test]
fn versions_come_from_the_project_its_props_and_global_json() {
    let bare = "<Project Sdk=\"Microsoft.NET.Sdk.Web\"/>";
    let props = (
        "Directory.Build.props",
        "<Project><PropertyGroup><TargetFramework>net9.0</TargetFramework></PropertyGroup></Project>",
    );
    assert!(plan(&[("a.csproj", bare), props], "").text.contains("aspnet:9.0"));
    let global = ("global.json", "{\"sdk\":{\"version\":\"9.0.100\"}}");
    let text = plan(&[("a.csproj", API), global], "").text;
    assert!(text.contains("sdk:9.0") && text.contains("aspnet:8.0"), "{text}");
    let several = API.replace(
        "<TargetFramework>net8.0</TargetFramework>",
        "<TargetFrameworks>net8.0;net9.0</TargetFrameworks>",
    );
    assert!(plan(&[("a.csproj", &several)], "").text.contains("--framework net9.0"));
    assert!(message(&[("a.csproj", bare)]).contains("TargetFramework"));
    let future = ("global.json", "{\"sdk\":{\"version\":\"99.0.100\"}}");
    assert!(message(&[("a.csproj", API), future]).contains("global.json requires SDK 99"));
}

#[test]
fn every_target_framework_yields_existing_images_or_a_rejection() {
    let targets = (1..40).map(|major| format!("net{major}.0"));
    for target in targets
        .chain(["net48", "netcoreapp3.1", "netstandard2.0", "net8.0-windows", "$(evil)"].map(str::to_owned))
    {
        match auto(&[("a.csproj", &API.replace("net8.0", &target))]) {
            Ok(Recipe::Generated(made)) => {
                assert!(images::named(&made.text).into_iter().all(images::is_known), "{}", made.text);
            }
            other => assert!(
                !["net6.0", "net7.0", "net8.0", "net9.0", "net10.0"].contains(&target.as_str()),
                "{other:?}"
            ),
        }
    }
}

#[test]
fn hostile_names_are_rejected() {
    assert!(message(&[("a;evil.csproj", API)]).contains("characters other than"));
    let beside = plan(&[("a.csproj", API), ("b c/d;evil.csproj", CLI)], "").text;
    assert!(
        !beside.contains("evil") && beside.find("COPY . /src/") < beside.find("dotnet restore"),
        "{beside}"
    );
    let named = API.replace("<TargetFramework>", "<AssemblyName>a; evil</AssemblyName><TargetFramework>");
    assert!(message(&[("a.csproj", &named)]).contains("AssemblyName"));
}
