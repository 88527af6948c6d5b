use super::super::tests::{auto, found, plan};
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

const LOCK: &str = "GEM\n  remote: https://rubygems.org/\n  specs:\n    pg (1.5.4)\n    puma (6.4.0)\n      nio4r (~> 2.0)\n    rails (7.1.0)\n      railties (= 7.1.0)\n    \
                    sprockets-rails (3.4)\n\nPLATFORMS\n  x86_64-linux\n\nDEPENDENCIES\n  pg\n\nRUBY VERSION\n   ruby 3.3.0p0\n\nBUNDLED WITH\n   2.5.4\n";

#[test]
fn rails_is_built_with_its_assets_and_warns_about_its_master_key() {
    let made = plan(&[
        ("Gemfile", "source 'https://rubygems.org'\nruby \"3.3.0\"\ngem \"rails\"\ngem 'pg'\ngem 'puma'\n"),
        ("Gemfile.lock", LOCK),
        ("config/application.rb", ""),
        ("config/puma.rb", "port ENV.fetch('PORT') { 3000 }\n"),
        ("config.ru", ""),
    ]);
    assert_eq!(made.framework, Framework::Rails);
    for part in [
        "ruby:3.3.0-slim-bookworm",
        "build-essential",
        "libpq-dev",
        "libpq5",
        "libjemalloc2",
        "SECRET_KEY_BASE_DUMMY=1",
        "rails assets:precompile",
        "RAILS_ENV=production",
        r#"CMD ["bundle", "exec", "puma", "--config", "config/puma.rb"]"#,
        "--chown=1000:1000 /app/tmp/",
    ] {
        assert!(made.text.contains(part), "{part}: {}", made.text);
    }
    assert!(made.findings.warnings[0].contains("RAILS_MASTER_KEY"), "{:?}", made.findings);
}

#[test]
fn the_gemfile_version_wins_over_version_files() {
    let tag = |files: &[(&str, &str)]| {
        let all = [&[("app.rb", "")], files].concat();
        let text = plan(&all).text;
        text.lines()
            .find_map(|line| line.strip_prefix("FROM docker.io/library/ruby:"))
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let empty = ("Gemfile", "source 'x'\n");
    assert_eq!(tag(&[("Gemfile", "ruby '3.1.2'\n"), (".ruby-version", "3.4.1")]), "3.1.2-slim-bullseye");
    assert_eq!(tag(&[empty, (".ruby-version", "ruby-3.2.1\n")]), "3.2.1-slim-bullseye");
    assert_eq!(tag(&[empty, (".ruby-version", "2.6.6")]), "2.6.6-slim-buster");
    assert_eq!(tag(&[empty, ("mise.toml", "[tools]\nruby = 'latest'")]), "4.0-slim-bookworm");
    assert_eq!(tag(&[empty, ("Gemfile.lock", "RUBY VERSION\n   ruby 3.1.2p20\n")]), "3.1.2-slim-bullseye");
    assert_eq!(tag(&[empty, (".ruby-version", "3.3.77")]), "3.3-slim-bookworm");
    assert_eq!(tag(&[empty]), "3.4-slim-bookworm");
    for (range, version) in [
        ("\"~> 3.3.0\"", "3.3-slim-bookworm"),
        ("'>= 3.1', '< 3.3'", "3.2-slim-bookworm"),
        ("'>= 3.1'", "3.4-slim-bookworm"),
        ("'~> 3.1'", "3.4-slim-bookworm"),
        ("'~> 4.0'", "4.0-slim-bookworm"),
        ("'~> 2.7.4'", "2.7.8-slim-bullseye"),
    ] {
        assert_eq!(tag(&[("Gemfile", &format!("ruby {range}\n"))]), version, "{range}");
    }
    let future = auto(&[("Gemfile", "ruby '>= 5'\n"), ("app.rb", "")]).unwrap_err();
    assert!(future.message.contains("ruby in Gemfile allows no version"), "{}", future.message);
    for wrong in ["jruby-9.4", "2.1.0", "x"] {
        let failure = auto(&[empty, ("app.rb", ""), (".ruby-version", wrong)]).unwrap_err();
        assert!(failure.message.contains(".ruby-version"), "{wrong}: {}", failure.message);
    }
}

#[test]
fn a_rack_program_listens_on_all_addresses_with_the_server_from_its_gems() {
    let rack = |gem: &str| plan(&[("Gemfile", gem), ("config.ru", "run App")]);
    assert!(rack("gem 'sinatra'\ngem 'puma'").text.contains("exec bundle exec puma --bind"));
    assert!(rack("gem 'falcon'").text.contains("falcon serve"));
    let none = rack("gem 'sinatra'");
    assert!(
        none.text.contains("rackup --host 0.0.0.0") && none.findings.warnings[0].contains("add puma"),
        "{:?}",
        none.findings
    );
}

#[test]
fn local_gems_and_an_outdated_lock_file_are_detected() {
    let made = plan(&[
        ("Gemfile", "gem \"local\", path: \"libs/local\"\ngem 'execjs'\n"),
        ("Gemfile.lock", "GEM\n  specs:\n"),
        ("Procfile", "web: bundle exec ruby app.rb\n"),
    ]);
    assert!(made.text.find("COPY . .").unwrap() < made.text.find("bundle install").unwrap(), "{}", made.text);
    assert!(made.text.contains(r#"CMD ["bundle", "exec", "ruby", "app.rb"]"#), "{}", made.text);
    assert!(
        made.text.contains("node:22-bookworm-slim")
            && made.findings.warnings[0].contains("Gemfile.lock does not list")
    );
}

#[test]
fn a_program_without_gems_starts_with_plain_ruby() {
    let made = plan(&[("bot.rb", "puts 1")]);
    assert!(
        made.text.contains(r#"CMD ["ruby", "bot.rb"]"#) && !made.text.contains("bundle install"),
        "{}",
        made.text
    );
    assert!(made.findings.assumed.iter().any(|text| text.contains("spec.run.health.type: None")));
    let failure = auto(&[("Gemfile", "")]).unwrap_err();
    assert!(failure.message.contains("config.ru"), "{}", failure.message);
    let settings = Settings { framework: Some(Framework::Rails), ..Settings::default() };
    assert!(found(&[("Gemfile", "")], &settings).unwrap_err().message.contains("config/application.rb"));
}
