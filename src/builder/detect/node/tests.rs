use super::super::tests::{auto, found, generated, message};
use crate::builder::detect::Recipe;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

const LOCK: (&str, &str) = ("package-lock.json", "{}");

#[test]
fn the_lock_file_decides_which_package_manager_installs() {
    let package = r#"{"scripts":{"build":"tsc","start":"node a"},"dependencies":{"ms":"2"}}"#;
    let with = |file: (&str, &str)| generated(&[("package.json", package), file]).1;
    for (file, parts) in [
        (LOCK, ["npm ci --no-audit", "npm ci --no-audit", "npm prune --omit=dev --ignore-scripts"]),
        (
            ("pnpm-lock.yaml", "lockfileVersion: '6.0'"),
            ["pnpm@8", "pnpm install --frozen-lockfile", "pnpm prune --prod"],
        ),
        (
            ("yarn.lock", "# yarn lockfile v1"),
            ["yarn@1", "yarn install --frozen-lockfile", "yarn install --frozen-lockfile --production"],
        ),
        (
            ("yarn.lock", "__metadata:"),
            ["@yarnpkg/cli-dist@4", "yarn install --immutable", "yarn workspaces focus --production"],
        ),
    ] {
        let text = with(file);
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (install, source) = (text.find(parts[1]).unwrap(), text.find("COPY . .").unwrap());
        assert!(install < source, "{text}");
    }
}

#[test]
fn the_project_decides_the_package_manager_version() {
    let package = |manager: &str| {
        format!(
            r#"{{"scripts":{{"start":"node x"}},"packageManager":"{manager}","dependencies":{{"ms":"2"}}}}"#
        )
    };
    let with = |manager: &str, lock| generated(&[("package.json", &package(manager)), (lock, "")]).1;
    assert!(with("pnpm@9.12.0+sha512.ab", "pnpm-lock.yaml").contains("pnpm@9.12.0\n"), "without its hash");
    let yarn = with("yarn@3.6.4", "yarn.lock");
    // The exact release, or the newest of its major if npm lacks it. Both trust the platform's certificates.
    let trusted = "NODE_EXTRA_CA_CERTS=/run/secrets/doce-ca npm install --global --force @yarnpkg/cli-dist@";
    assert!(yarn.contains(&format!("{trusted}3.6.4 || {trusted}3\n")), "{yarn}");
    let text = with("pnpm@9; rm -rf /", "pnpm-lock.yaml");
    assert!(text.contains("pnpm@9.15.9\n") && !text.contains("rm -rf /"), "{text}");
}

#[test]
fn two_lock_files_require_an_explicit_package_manager() {
    let plain = ("package.json", r#"{"scripts":{"start":"x"}}"#);
    let text = message(&[plain, LOCK, ("yarn.lock", "")]);
    assert!(text.contains("package-lock.json and yarn.lock") && text.contains("packageManager"), "{text}");
    let named = ("package.json", r#"{"scripts":{"start":"x"},"packageManager":"yarn@1.22.22"}"#);
    assert!(generated(&[named, LOCK, ("yarn.lock", "")]).1.contains("yarn@1.22.22"));
}

#[test]
fn the_project_decides_the_node_version() {
    let engines = ("package.json", r#"{"scripts":{"start":"x"},"engines":{"node":"^24.1"}}"#);
    assert!(generated(&[engines, LOCK]).1.contains("node:24-bookworm-slim"));
    assert!(generated(&[engines, LOCK, (".nvmrc", "v20.11.1")]).1.contains("node:20.11.1-bookworm-slim"));
    assert!(message(&[engines, LOCK, (".nvmrc", "$(evil)")]).contains(".nvmrc names Node"));
    let wrong = ("package.json", r#"{"scripts":{"start":"x"},"engines":{"node":"twenty"}}"#);
    assert!(message(&[wrong, LOCK]).contains("\"engines\""));
}

#[test]
fn next_is_served_according_to_its_output_setting() {
    let package = (
        "package.json",
        r#"{"scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15"}}"#,
    );
    let with =
        |configuration| generated(&[package, LOCK, ("next.config.mjs", configuration), ("public/a", "")]);
    let (framework, text) = with("export default { output: 'standalone' }");
    assert_eq!(framework, "NextJs");
    assert!(text.contains("/app/.next/standalone ./") && text.contains("HOSTNAME=0.0.0.0"), "{text}");
    assert!(text.contains("/app/public ./public") && !text.contains("npm prune"), "{text}");
    assert!(with("export default { output: \"export\" }").1.contains("/app/out/ /srv/www/"));
    let text = with("// output: 'standalone'\nexport default {}").1;
    assert!(text.contains(r#""start", "-H", "0.0.0.0"]"#) && text.contains("npm prune"), "{text}");
    let text = generated(&[("package.json", r#"{"dependencies":{"next":"15"}}"#), LOCK]).1;
    assert!(text.contains("npx --no -- next build"), "{text}");
    let own = r#"{"scripts":{"build":"next build","start":"node server.js"},"dependencies":{"next":"15"}}"#;
    assert_eq!(generated(&[("package.json", own), LOCK]).0, "Node");
}

#[test]
fn astro_and_sveltekit_are_served_according_to_their_adapter() {
    let package = |dependency: &str| {
        format!(
            r#"{{"scripts":{{"build":"x"}},"dependencies":{{"astro":"5"}},"devDependencies":{{"{dependency}":"1"}}}}"#
        )
    };
    let astro = |dependency: &str, configuration| {
        auto(&[("package.json", &package(dependency)), LOCK, ("astro.config.mjs", configuration)])
    };
    let text = |recipe| match recipe {
        Ok(Recipe::Generated(made)) => made.text,
        other => panic!("{other:?}"),
    };
    assert!(text(astro("x", "")).contains("/app/dist/ /srv/www/"));
    assert!(
        text(astro("@astrojs/node", "export default { adapter: node({ mode: 'standalone' }) }"))
            .contains(r#"["node", "dist/server/entry.mjs"]"#)
    );
    assert!(
        astro("x", "export default { output: 'server' }").unwrap_err().message.contains("npx astro add node")
    );
    assert!(
        astro("@astrojs/node", "export default { adapter: node({ mode: 'middleware' }) }")
            .unwrap_err()
            .message
            .contains("standalone")
    );

    let kit = |adapter: &str, configuration| {
        let package = format!(
            r#"{{"scripts":{{"build":"vite build"}},"devDependencies":{{"@sveltejs/kit":"2","vite":"7","{adapter}":"1"}}}}"#
        );
        auto(&[("package.json", &package), LOCK, ("svelte.config.js", configuration)])
    };
    assert!(text(kit("@sveltejs/adapter-node", "")).contains(r#"["node", "build"]"#));
    let files = text(kit(
        "@sveltejs/adapter-static",
        "export default { kit: { adapter: adapter({ fallback: '200.html' }) } }",
    ));
    assert!(files.contains("/app/build/ /srv/www/") && files.contains("$uri/ /200.html;"), "{files}");
    let text = text(kit("@sveltejs/adapter-auto", ""));
    assert!(text.contains("ENV GCP_BUILDPACKS=1") && text.contains(r#"["node", "build"]"#), "{text}");
    assert!(kit("x", "").unwrap_err().message.contains("@sveltejs/adapter-node"));
}

#[test]
fn the_vite_output_directory_must_be_a_plain_path() {
    let package = ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}"#);
    let with = |configuration: &str| auto(&[package, LOCK, ("vite.config.ts", configuration)]);
    let Ok(Recipe::Generated(made)) = with("export default { build: { outDir: './build/' } }") else {
        panic!()
    };
    assert!(made.text.contains("COPY --link --from=build /app/build/ /srv/www/"), "{}", made.text);
    for hostile in ["outDir: '../../etc'", "outDir: `a\nRUN evil`", "outDir: '/etc'", "outDir: 'a b'"] {
        assert!(
            with(&format!("export default {{ build: {{ {hostile} }} }}"))
                .unwrap_err()
                .message
                .contains("outDir"),
            "{hostile}"
        );
    }
}

#[test]
fn a_program_without_a_start_command_says_what_to_set() {
    let settings = Settings { framework: Some(Framework::Node), ..Settings::default() };
    let Ok(Recipe::Generated(made)) = found(&[("package.json", "{}"), LOCK], &settings) else { panic!() };
    assert!(made.text.contains("set spec.run.command"), "{}", made.text);
    assert!(
        made.findings.assumed.iter().any(|note| note.contains("spec.run.command")),
        "{:?}",
        made.findings
    );
}

#[test]
fn hostile_names_never_reach_the_dockerfile() {
    for package in [
        r#"{"main":"x\"]\nRUN evil.js"}"#,
        r#"{"scripts":{"start":"x\nRUN evil"},"packageManager":"npm\nRUN evil@1"}"#,
        r#"{"scripts":{"start":"x"},"engines":{"node":"22\nRUN evil"}}"#,
        r#"{"name":"x\nRUN evil","scripts":{"build":"evil\nRUN evil","start":"evil"}}"#,
    ] {
        if let Ok(Recipe::Generated(made)) = auto(&[("package.json", package), ("x\"]\nRUN evil.js", "")]) {
            assert!(!made.text.lines().any(|line| line.starts_with("RUN evil")), "{}", made.text);
            assert!(!made.text.contains("npm_package_name=x"), "{}", made.text);
        }
    }
}

fn made(files: &[(&str, &str)]) -> crate::builder::detect::Generated {
    match auto(files) {
        Ok(Recipe::Generated(made)) => made,
        other => panic!("{other:?}"),
    }
}

/// The same for a directory of the source.
fn made_at(path: &str, files: &[(&str, &str)]) -> Result<crate::builder::detect::Generated, String> {
    let dir = super::super::tests::context(files);
    let root = dir.path().canonicalize().unwrap();
    match crate::builder::detect::detect(&root, &root.join(path), &Settings::default()) {
        Ok(Recipe::Generated(made)) => Ok(made),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => Err(failure.message),
    }
}

#[test]
fn the_pnpm_version_matches_the_lock_file_and_its_install_script_settings() {
    let package = r#"{"main":"server.js","dependencies":{"words":"file:./words"}}"#;
    let with = |package: &str, lock: &str, settings: &str| {
        made(&[
            ("package.json", package),
            ("pnpm-lock.yaml", lock),
            ("pnpm-workspace.yaml", settings),
            ("server.js", ""),
        ])
        .text
    };
    assert!(with(package, "lockfileVersion: '9.0'", "").contains("pnpm@9.15.9\n"));
    assert!(with(package, "lockfileVersion: '6.0'", "").contains("pnpm@8.15.9\n"));
    assert!(with(package, "lockfileVersion: 5.4", "").contains("pnpm@7.33.7\n"));
    // Settings of pnpm 10 name the packages whose scripts run.
    assert!(
        with(package, "lockfileVersion: '9.0'", "onlyBuiltDependencies:\n  - esbuild\n")
            .contains("pnpm@10.34.9\n")
    );
    let allowed =
        r#"{"main":"server.js","dependencies":{"a":"1"},"pnpm":{"onlyBuiltDependencies":["esbuild"]}}"#;
    assert!(with(allowed, "lockfileVersion: '9.0'", "").contains("pnpm@10.34.9\n"));
}

#[test]
fn install_scripts_run_once_with_all_packages_installed() {
    let prepare = r#"{"main":"server.js","scripts":{"prepare":"husky"},"dependencies":{"ms":"2"},"devDependencies":{"husky":"9"}}"#;
    let text = made(&[("package.json", prepare), LOCK, ("server.js", "")]).text;
    assert!(!text.contains("npm ci --omit=dev") && !text.contains("npm install --omit=dev"), "{text}");
    assert!(text.contains("npm prune --omit=dev --ignore-scripts"), "{text}");
    let hook = prepare.replace("prepare", "postinstall");
    let text =
        made(&[("package.json", &hook), ("yarn.lock", "__metadata:\n  version: 8\n"), ("server.js", "")])
            .text;
    let (without, focus) =
        (text.find("npm pkg delete").unwrap(), text.find("yarn workspaces focus").unwrap());
    assert!(without < focus, "{text}");
}

#[test]
fn development_packages_stay_if_the_start_command_needs_one() {
    let with = |start: &str, dev: &str, server: &str| {
        let package = format!(
            r#"{{"scripts":{{"start":"{start}"}},"dependencies":{{"ms":"2"}},"devDependencies":{{"{dev}":"1"}}}}"#
        );
        made(&[
            ("package.json", &package),
            ("yarn.lock", "# yarn lockfile v1"),
            ("server.js", server),
            ("server.ts", ""),
        ])
    };
    for (start, dev) in [
        ("tsx server.ts", "tsx"),
        ("node -r ts-node/register server.ts", "ts-node"),
        ("node --import=tsx server.ts", "tsx"),
        ("NODE_ENV=production nest start", "@nestjs/cli"),
        ("nodemon server.js", "nodemon"),
        ("node_modules/.bin/ts-node server.ts", "ts-node"),
        ("serve-it", "other"),
    ] {
        let made = with(start, dev, "");
        assert!(!made.text.contains("--production"), "{start}: {}", made.text);
        assert!(made.findings.assumed.iter().any(|note| note.starts_with("devDependencies stay")), "{start}");
    }
    assert!(!with("node server.js", "dotenv", "require('dotenv')").text.contains("--production"));
    assert!(with("node server.js", "eslint", "require('ms')").text.contains("--production"));
}

#[test]
fn process_1_is_the_program_and_not_a_package_manager() {
    let starts = |scripts: &str| {
        let package = format!(r#"{{"scripts":{{{scripts}}}}}"#);
        made(&[("package.json", &package), LOCK, ("server.js", "listen()")]).starts().unwrap()
    };
    assert_eq!(starts(r#""start":"node server.js""#), "node server.js");
    assert_eq!(
        starts(r#""start":"npm run serve","serve":"NODE_ENV=production node server.js""#),
        "env NODE_ENV=production node server.js"
    );
    assert_eq!(
        starts(r#""prestart":"node a.js","start":"node server.js""#),
        "/bin/sh -c node a.js && exec node server.js"
    );
    assert!(starts(r#""start":"node a.js & node server.js""#).contains("trap 'kill -TERM -1'"));
    let text =
        made(&[("package.json", r#"{"scripts":{"start":"next-thing"},"dependencies":{"x":"1"}}"#), LOCK])
            .text;
    assert!(text.contains("PATH=/app/node_modules/.bin:$PATH"), "{text}");
}

#[test]
fn an_incomplete_lock_file_is_installed_with_a_warning() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"dayjs": "1"}}}}"#;
    let package = r#"{"scripts":{"start":"node a"},"dependencies":{"dayjs":"1","is-number":"7.0.0"}}"#;
    let made = made(&[("package.json", package), ("package-lock.json", lock)]);
    assert!(made.text.contains("npm install --omit=dev"), "{}", made.text);
    assert!(made.findings.warnings.iter().any(|text| text.contains("(is-number)")), "{:?}", made.findings);
}

#[test]
fn a_missing_token_is_named_with_its_line() {
    let package = r#"{"scripts":{"start":"node a"},"dependencies":{"@x/y":"1"}}"#;
    let files = [("package.json", package), LOCK, (".npmrc", "a=b\n//r.example/:_authToken=${NPM_TOKEN}\n")];
    let said = |settings: &Settings| match found(&files, settings) {
        Ok(Recipe::Generated(made)) => {
            made.findings.warnings.iter().any(|text| text.contains(".npmrc, line 2, uses NPM_TOKEN"))
        }
        other => panic!("{other:?}"),
    };
    assert!(said(&Settings::default()));
    assert!(!said(&Settings { secrets: ["NPM_TOKEN".to_owned()].into(), ..Settings::default() }));
}

#[test]
fn bun_runs_programs_that_start_with_bun() {
    let lock = ("bun.lock", "{}");
    let made = |package: &str, file| made(&[("package.json", package), file, ("index.ts", "Bun.serve({})")]);
    let module = made(r#"{"module":"index.ts","dependencies":{"hono":"4"}}"#, lock);
    assert_eq!((module.framework, module.starts().as_deref()), (Framework::Bun, Some("bun index.ts")));
    assert!(module.text.contains("bun install --frozen-lockfile --production"), "{}", module.text);
    // Without packages nothing needs Node.
    let alone = made(r#"{"scripts":{"start":"bun index.ts"},"engines":{"bun":">=1.2"}}"#, ("README", ""));
    assert!(alone.text.contains("FROM docker.io/library/debian:bookworm-slim\n"), "{}", alone.text);
    let both = made(
        r#"{"scripts":{"start":"bun index.ts"},"dependencies":{"chalk":"5"}}"#,
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'"),
    );
    assert!(both.text.contains("pnpm@9.15.9 bun@1\n"), "{}", both.text);
    let node = made(r#"{"scripts":{"start":"node index.ts"},"dependencies":{"hono":"4"}}"#, lock);
    assert_eq!((node.framework, node.starts().as_deref()), (Framework::Node, Some("node index.ts")));
}

const WORKSPACE: [(&str, &str); 6] = [
    ("package.json", r#"{"private":true,"workspaces":["apps/*","packages/*"]}"#),
    ("package-lock.json", r#"{"lockfileVersion": 3}"#),
    (
        "apps/web/package.json",
        r#"{"name":"@x/web","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15","@x/ui":"*"}}"#,
    ),
    ("packages/ui/package.json", r#"{"name":"@x/ui","scripts":{"build":"tsc"}}"#),
    ("packages/types/package.json", r#"{"name":"@x/types"}"#),
    ("packages/ui/index.js", ""),
];

#[test]
fn a_workspace_member_is_built_from_the_root_after_its_dependencies() {
    let made = made_at("apps/web", &WORKSPACE).unwrap();
    assert_eq!((made.framework, made.context), (Framework::NextJs, crate::builder::detect::Context::Source));
    for part in [
        "COPY packages/types/package.json ./packages/types/package.json\n",
        "cd /app/packages/ui && npm run build && cd /app/apps/web && npm run build\n",
        "target=/app/apps/web/.next/cache",
        "WORKDIR /app/apps/web\nUSER 1000",
        "PATH=/app/apps/web/node_modules/.bin:/app/node_modules/.bin:$PATH",
        r#"CMD ["next", "start", "-H", "0.0.0.0"]"#,
    ] {
        assert!(made.text.contains(part), "{part}: {}", made.text);
    }
    let turbo = WORKSPACE.map(|(name, text)| match name {
        "package.json" => (name, r#"{"workspaces":["apps/*","packages/*"],"devDependencies":{"turbo":"2"}}"#),
        "packages/ui/index.js" => ("turbo.json", "{}"),
        _ => (name, text),
    });
    assert!(made_at("apps/web", &turbo).unwrap().text.contains("turbo run build --filter=@x/web\n"));
}

#[test]
fn a_member_without_a_build_script_still_builds_its_dependencies() {
    let plain = WORKSPACE.map(|(name, text)| match name {
        "apps/web/package.json" => {
            (name, r#"{"name":"@x/web","scripts":{"start":"node server.js"},"dependencies":{"@x/ui":"*"}}"#)
        }
        _ => (name, text),
    });
    let text = made_at("apps/web", &plain).unwrap().text;
    assert!(text.contains("cd /app/packages/ui && npm run build\n"), "{text}");
    let apart = plain.map(|(name, text)| (name, text.replace(r#""@x/ui":"*""#, r#""polka":"1""#)));
    let apart: Vec<(&str, &str)> = apart.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let text = made_at("apps/web", &apart).unwrap().text;
    assert!(!text.contains("run build"), "{text}");
}

#[test]
fn a_workspace_root_starts_its_only_program_or_lists_the_candidates() {
    let made = made_at("", &WORKSPACE).unwrap();
    assert!(
        made.text.contains("WORKDIR /app/apps/web")
            && made.findings.assumed.iter().any(|note| note.contains("only program, apps/web"))
    );
    let mut two = WORKSPACE.to_vec();
    two.push(("apps/api/package.json", r#"{"name":"api","scripts":{"start":"node ."}}"#));
    let why = made_at("", &two).unwrap_err();
    assert!(why.contains("one of apps/api, apps/web"), "{why}");
    // The start script of the root decides.
    two[0].1 = r#"{"workspaces":["apps/*","packages/*"],"scripts":{"build":"npm run build -ws","start":"npm start -w @x/web"}}"#;
    let made = made_at("", &two).unwrap();
    assert_eq!(made.starts().as_deref(), Some("/bin/sh -c cd /app/apps/web && exec next start"));
    assert!(
        made.text.contains("/app/apps/web/node_modules/.bin") && made.text.contains("npm run build\n"),
        "{}",
        made.text
    );
}

#[test]
fn native_packages_get_a_compiler_only_in_the_build_stage() {
    let package = r#"{"scripts":{"start":"node a"},"dependencies":{"better-sqlite3":"12"}}"#;
    let text = made(&[("package.json", package), LOCK]).text;
    let (build, image) = text.split_once("\n\n").unwrap();
    assert!(build.contains("install --yes --no-install-recommends g++ make python3"), "{text}");
    // The image contains the headers.
    assert!(build.contains(" npm_config_nodedir=/usr/local\n"), "{text}");
    assert!(!image.contains("apt-get"), "{text}");
    let prisma = r#"{"scripts":{"start":"node a","build":"tsc"},"dependencies":{"@prisma/client":"6"},"devDependencies":{"prisma":"6"}}"#;
    let text = made(&[("package.json", prisma), LOCK, ("prisma/schema.prisma", "")]).text;
    let (generate, build) = (text.find("prisma generate").unwrap(), text.find("npm run build").unwrap());
    assert!(generate < build && text.matches("openssl").count() == 2, "{text}");
}
