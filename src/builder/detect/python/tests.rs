use super::super::tests::{found, generated, in_order, message, plan};
use crate::builder::detect::Recipe;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

const FLASK: (&str, &str) = ("app.py", "from flask import Flask\n\napp = Flask(__name__)\n");
const PYTHON: (&str, &str) = (".python-version", "3.12.4\n");

#[test]
fn packages_are_installed_before_the_source_is_copied() {
    let (framework, text) = generated(&[("requirements.txt", "Flask==3\ngunicorn\n"), FLASK, PYTHON]);
    assert_eq!(framework, "Flask");
    let order = [
        "python:3.12.4-slim-bookworm",
        "COPY requirements.txt",
        "pip install",
        // The program may write beside its own files.
        "COPY --link --chown=1000:1000 . .",
        "COPY --link --chown=1000:1000 --from=build /app/.venv",
        "USER 1000",
        "\"app:app\"]",
    ];
    in_order(&text, &order);
}

#[test]
fn the_application_is_found_where_it_is_created() {
    let flask = ("requirements.txt", "flask\ngunicorn");
    let command = |file: &str, line: &str| generated(&[flask, PYTHON, (file, line)]).1;
    assert!(command("wsgi.py", "application = Flask('x')").contains("wsgi:application"));
    assert!(command("app/__init__.py", "def create_app():\n    pass").contains("app:create_app()"));
    assert!(command("wsgi.py", "from shop import app").contains("wsgi:app"));
    assert!(
        command("src/shop/__init__.py", "app = Flask(1)").contains(r#""--pythonpath", "src", "shop:app""#)
    );
    let failure = message(&[flask, PYTHON, ("shop/views.py", "app = 1")]);
    assert!(failure.contains("app = Flask(…)") && failure.contains("wsgi.py"), "{failure}");
    let text = generated(&[
        ("requirements.txt", "fastapi\nuvicorn[standard]"),
        PYTHON,
        ("main.py", "api = FastAPI()"),
    ])
    .1;
    assert!(text.contains(r#"uvicorn --host 0.0.0.0 --port \"$PORT\" main:api"#), "{text}");
    let factory = [
        ("requirements.txt", "fastapi\nuvicorn"),
        PYTHON,
        ("main.py", "def create_app():\n  return FastAPI()"),
    ];
    assert!(generated(&factory).1.contains("--factory main:create_app"));
    // The shell reads that line, so it may contain only a Python name.
    for hostile in ["$(id)", "`id`", "api\"", "api id", "\u{e4}pi"] {
        let shop = format!("{hostile} = FastAPI()");
        let failure =
            message(&[("requirements.txt", "fastapi\nuvicorn[standard]"), PYTHON, ("shop/app.py", &shop)]);
        assert!(failure.contains("app = FastAPI(…)"), "{hostile}: {failure}");
    }
}

#[test]
fn a_production_server_is_added_if_the_packages_have_none() {
    let made = plan(&[("requirements.txt", "flask"), FLASK, PYTHON]);
    assert!(made.text.contains("pip install \"gunicorn==23.0.*\""), "{}", made.text);
    assert!(made.findings.assumed[0].contains("gunicorn is not among the packages"), "{:?}", made.findings);
    let main = ("main.py", "app = FastAPI()");
    assert!(plan(&[("requirements.txt", "fastapi"), main, PYTHON]).text.contains("\"uvicorn=="));
    for brings in ["fastapi[standard]", "fastapi[all]==1", "fastapi\nuvicorn[standard]", "fastapi\nuvicorn"] {
        let text = plan(&[("requirements.txt", brings), main, PYTHON]).text;
        assert!(!text.contains("uvicorn=="), "{brings}: {text}");
    }
    // A lock file lists transitive packages too.
    let project = ("pyproject.toml", "[project]\nname='x'\ndependencies=['flask', 'server-of-ours']\n");
    let lock = ("uv.lock", "[[package]]\nname = \"gunicorn\"\n");
    assert!(!plan(&[project, lock, FLASK]).text.contains("gunicorn=="));
    // Packages may be named in another file.
    let files = [("requirements.txt", "-r base.txt"), ("base.txt", "flask\ngunicorn"), FLASK, PYTHON];
    let (framework, text) = generated(&files);
    assert_eq!(framework, "Flask");
    assert!(text.find("COPY . .").unwrap() < text.find("pip install").unwrap(), "{text}");
}

// Rule of case 19: a slow response does not block the others.
#[test]
fn gunicorn_runs_configurable_processes_and_threads() {
    let text = generated(&[("requirements.txt", "flask\ngunicorn"), FLASK, PYTHON]).1;
    assert!(text.contains("ENV WEB_CONCURRENCY=2") && text.contains(r#""--threads", "4""#), "{text}");
    assert!(!text.contains("--workers"), "{text}");
    let socket = generated(&[("requirements.txt", "flask\nflask-socketio"), FLASK, PYTHON]).1;
    assert!(socket.contains("ENV WEB_CONCURRENCY=1"), "{socket}");
}

// Rule of case x3: the project may be in a subdirectory of the build directory.
#[test]
fn django_is_found_below_the_build_directory() {
    for base in ["src", "backend", "shop_site", "apps/web"] {
        let file = |name: &str| format!("{base}/{name}");
        let (manage, wsgi, settings) = (file("manage.py"), file("shop/wsgi.py"), file("shop/settings.py"));
        let text = plan(&[
            ("requirements.txt", "django==5\ngunicorn\nwhitenoise"),
            (&manage, "import os\nos.environ.setdefault(\n    'DJANGO_SETTINGS_MODULE', 'shop.settings')\n"),
            (&wsgi, "application = 1"),
            (&settings, "SECRET_KEY = os.environ['SHOP_KEY']\nSTATIC_ROOT = '/x'\n"),
            PYTHON,
        ]);
        assert!(
            text.text.contains(&format!(r#""--chdir", "{base}", "shop.wsgi:application""#)),
            "{}",
            text.text
        );
        let collect = format!("python {base}/manage.py collectstatic --no-input");
        assert!(
            text.text.contains(&collect)
                && text.text.contains(r#"SHOP_KEY="${SHOP_KEY:-only-while-building}""#),
            "{}",
            text.text
        );
        assert!(
            text.findings
                .warnings
                .iter()
                .any(|text| text.contains("shop/settings.py, line 1") && text.contains("SHOP_KEY"))
        );
    }
}

#[test]
fn django_with_channels_is_served_by_its_asgi_module() {
    let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.local')");
    let files = |packages: &'static str| {
        [
            ("requirements.txt", packages),
            manage,
            ("config/wsgi.py", ""),
            ("config/asgi.py", ""),
            ("config/settings/base.py", "ALLOWED_HOSTS = ['*']"),
            PYTHON,
        ]
    };
    assert!(
        plan(&files("django\nchannels"))
            .text
            .contains("uvicorn --host 0.0.0.0 --port \\\"$PORT\\\" config.asgi:application")
    );
    let wsgi = plan(&files("django"));
    assert!(wsgi.text.contains(r#""config.wsgi:application""#), "{}", wsgi.text);
    assert!(!wsgi.findings.assumed.iter().any(|text| text.contains("ALLOWED_HOSTS")), "{:?}", wsgi.findings);
}

#[test]
fn a_procfile_decides_the_start_command_and_unused_lines_are_reported() {
    let procfile = (
        "Procfile",
        "release: python manage.py migrate\nworker: rq worker\nweb: gunicorn shop:app --timeout 60\n",
    );
    let made = plan(&[("requirements.txt", "flask"), ("shop.py", ""), procfile, PYTHON]);
    assert!(made.text.contains(r#"CMD ["gunicorn", "shop:app", "--timeout", "60"]"#), "{}", made.text);
    assert!(made.text.contains("gunicorn==") && made.text.contains("WEB_CONCURRENCY=2"), "{}", made.text);
    assert!(
        made.findings.warnings[0].contains("Procfile, line 1")
            && made.findings.warnings[0]
                .contains(r#"spec.run.initCommand.command: ["python","manage.py","migrate"]"#)
    );
    assert!(made.findings.assumed.iter().any(|text| text.contains("Procfile, line 2")));
    let hostile = ("Procfile", "web: x \"\nRUN evil\n");
    let text = plan(&[("requirements.txt", ""), hostile, PYTHON]).text;
    assert!(!text.lines().any(|line| line.starts_with("RUN evil")), "{text}");
}

#[test]
fn system_libraries_are_installed_in_both_stages() {
    let text = plan(&[("requirements.txt", "django\npsycopg2"), ("main.py", ""), PYTHON]).text;
    let stages: Vec<&str> = text.split("\nFROM ").collect();
    assert!(stages[1].contains("gcc libc6-dev libpq-dev") && !stages[1].contains("libpq5"), "{text}");
    assert!(stages[2].contains("--no-install-recommends libpq5 &&") && !stages[2].contains("gcc"), "{text}");
    assert!(!plan(&[("requirements.txt", "flask"), FLASK, PYTHON]).text.contains("apt-get"));
}

#[test]
fn every_tool_installs_into_the_same_environment() {
    let poetry = "[tool.poetry]\nname='x'\n[tool.poetry.dependencies]\npython='^3.11'\nflask='*'\n";
    let text = plan(&[("pyproject.toml", poetry), ("poetry.lock", ""), FLASK]).text;
    assert!(
        text.contains("/poetry/bin/poetry export --only main > /tmp/requirements.txt && pip install")
            && text.contains("VIRTUAL_ENV=/app/.venv"),
        "{text}"
    );
    let project = ("pyproject.toml", "[project]\nname='x'\ndependencies=['flask']\n");
    let text = plan(&[project, ("poetry.lock", ""), FLASK]).text;
    assert!(text.contains("poetry export"), "a Poetry 2 lock file without a Poetry table: {text}");
    let modules = "[project]\nname='x'\ndependencies=['flask']\n[tool.poetry]\npackage-mode=false\n[build-system]\nrequires=['poetry-core']\n";
    let text = plan(&[("pyproject.toml", modules), FLASK]).text;
    assert!(text.contains("uv sync") && !text.contains("--no-editable"), "it is not a package: {text}");
    assert!(
        plan(&[project, ("pdm.lock", ""), FLASK])
            .text
            .contains("/pdm/bin/pdm sync --prod --no-editable --no-self")
    );
    assert!(
        plan(&[("Pipfile", "[packages]\nflask='*'"), ("Pipfile.lock", "{}"), FLASK])
            .text
            .contains("/pipenv/bin/pipenv requirements --hash > ")
    );
    assert!(plan(&[("setup.py", "setup(install_requires=['flask'])"), FLASK]).text.contains("pip install ."));
    let failure = message(&[("environment.yml", "dependencies: []"), ("main.py", "")]);
    assert!(failure.contains("conda") && failure.contains("requirements.txt"), "{failure}");
}

#[test]
fn a_member_of_a_workspace_is_built_from_the_root_of_its_source() {
    let dir = super::super::tests::context(&[
        ("uv.lock", ""),
        ("pyproject.toml", "[project]\nname='root'\n[tool.uv.workspace]\nmembers=['apps/*']\n"),
        ("apps/api/pyproject.toml", "[project]\nname='api'\ndependencies=['flask','gunicorn']\n"),
        ("apps/api/app.py", "app = Flask(1)"),
    ]);
    let root = dir.path().canonicalize().unwrap();
    let found = crate::builder::detect::detect(&root, &root.join("apps/api"), &Settings::default());
    let Ok(Recipe::Generated(made)) = found else { panic!("{found:?}") };
    assert_eq!(made.context, crate::builder::detect::Context::Source);
    assert!(
        made.text.contains("uv sync --locked --no-dev --inexact --no-editable --package api"),
        "{}",
        made.text
    );
    assert!(
        made.text.contains("WORKDIR /app/apps/api\nCOPY --link --chown=1000:1000 . /app/\n"),
        "{}",
        made.text
    );
}

#[test]
fn a_program_without_a_port_is_built_and_names_the_health_setting() {
    let made = plan(&[("bot.py", "print('x')")]);
    assert!(made.text.contains(r#"CMD ["python", "bot.py"]"#), "{}", made.text);
    assert!(
        made.findings.assumed.iter().any(|text| text.contains("spec.run.health.type: None")),
        "{:?}",
        made.findings
    );
    assert!(
        !plan(&[("requirements.txt", "aiohttp"), ("main.py", "")])
            .findings
            .assumed
            .iter()
            .any(|text| text.contains("health"))
    );
}

#[test]
fn tools_with_their_own_command_listen_on_the_port() {
    for (package, command) in [
        ("streamlit", "streamlit run main.py --server.address 0.0.0.0 --server.port"),
        ("gradio", "GRADIO_SERVER_NAME=0.0.0.0"),
    ] {
        let main = format!("import {package} as x\n");
        let text = plan(&[("requirements.txt", package), ("main.py", &main), PYTHON]).text;
        assert!(text.contains(command), "{text}");
    }
}

#[test]
fn django_is_served_by_the_wsgi_module_of_its_settings() {
    let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')");
    let wsgi = ("shop/wsgi.py", "");
    let (framework, text) = generated(&[("requirements.txt", "Django\ngunicorn"), manage, wsgi, PYTHON]);
    assert_eq!(framework, "Django");
    assert!(text.contains("shop.wsgi:application") && !text.contains("collectstatic"), "{text}");
    let settings = ("shop/settings.py", "STATIC_ROOT = BASE_DIR / 'static'");
    let files = [("requirements.txt", "django\ngunicorn\nwhitenoise"), manage, wsgi, settings, PYTHON];
    let text = generated(&files).1;
    assert!(
        text.contains("collectstatic --no-input")
            && text.contains("COPY --link --chown=1000:1000 --from=build --exclude=.venv /app/ /app/"),
        "{text}"
    );
    let hostile = ("manage.py", "setdefault('DJANGO_SETTINGS_MODULE', 'x;evil.settings')");
    assert!(message(&[("requirements.txt", "django\ngunicorn"), hostile, PYTHON]).contains("wsgi.py"));
    assert!(
        !generated(&[("requirements.txt", "django\ngunicorn"), hostile, wsgi, PYTHON]).1.contains("evil")
    );
}

#[test]
fn pyproject_is_installed_by_uv() {
    let project = |more: &str| {
        format!("[project]\nname='x'\nrequires-python='>=3.11'\ndependencies=['flask','gunicorn']\n{more}")
    };
    let text = generated(&[("pyproject.toml", &project("")), ("uv.lock", ""), FLASK]).1;
    assert!(text.contains("uv sync --locked --no-dev --inexact --no-install-project"), "{text}");
    assert!(text.contains("python:3.13-slim") && !text.contains("--no-editable"), "{text}");
    let text = generated(&[("pyproject.toml", &project("[build-system]\nrequires=[]")), FLASK]).1;
    assert!(
        text.contains("uv sync --no-dev --inexact --no-editable") && !text.contains("--locked"),
        "{text}"
    );
    for file in ["poetry.lock", "pdm.lock", "Pipfile.lock"] {
        assert!(message(&[(file, "{}"), FLASK]).contains("which it belongs to"), "{file}");
    }
    assert!(
        message(&[("pyproject.toml", "[project]\nx = {"), FLASK]).contains("pyproject.toml cannot be read")
    );
}

#[test]
fn a_plain_program_is_a_file_with_a_conventional_name() {
    assert!(
        generated(&[("requirements.txt", ""), ("server.py", ""), PYTHON])
            .1
            .contains(r#"CMD ["python", "server.py"]"#)
    );
    assert!(message(&[("requirements.txt", ""), PYTHON]).contains("main.py"));
    let settings = Settings { framework: Some(Framework::Python), ..Settings::default() };
    let Ok(Recipe::Generated(made)) = found(&[("shop.py", ""), ("stock.py", "")], &settings) else {
        panic!()
    };
    assert!(
        made.text.contains("set spec.run.command") && !made.text.contains("pip install"),
        "{}",
        made.text
    );
}
