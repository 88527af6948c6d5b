use super::super::tests::{auto, found, generated};
use crate::build::detect::Recipe;
use crate::build::order::{Framework, Settings};

const FLASK: (&str, &str) = ("app.py", "from flask import Flask\n\napp = Flask(__name__)\n");
const PYTHON: (&str, &str) = (".python-version", "3.12.4\n");

fn message(files: &[(&str, &str)]) -> String {
    auto(files).unwrap_err().message
}

#[test]
fn packages_are_installed_before_the_source_is_copied() {
    let (framework, text) = generated(&[("requirements.txt", "Flask==3\ngunicorn\n"), FLASK, PYTHON]);
    assert_eq!(framework, "Flask");
    let order = [
        "python:3.12-slim-bookworm",
        "COPY requirements.txt",
        "pip install",
        "COPY --link . .",
        "USER 1000",
        "\"app:app\"]",
    ];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn the_application_is_found_where_it_is_made() {
    let flask = ("requirements.txt", "flask\ngunicorn");
    let command = |file: &str, line: &str| generated(&[flask, PYTHON, (file, line)]).1;
    assert!(command("wsgi.py", "application = Flask('x')").contains("wsgi:application"));
    assert!(command("app/__init__.py", "def create_app():\n    pass").contains("app:create_app()"));
    assert!(command("wsgi.py", "from shop import app").contains("wsgi:app"));
    let failure = message(&[flask, PYTHON, ("shop.py", "app = Flask(1)")]);
    assert!(failure.contains("app = Flask(…)") && failure.contains("wsgi.py"), "{failure}");
    let text = generated(&[
        ("requirements.txt", "fastapi\nuvicorn[standard]"),
        PYTHON,
        ("main.py", "api = FastAPI()"),
    ])
    .1;
    assert!(text.contains(r#"uvicorn --host 0.0.0.0 --port \"$PORT\" main:api"#), "{text}");
    // That line is for the shell: nothing but a name of Python gets into it.
    for hostile in ["api;id", "$(id)", "`id`", "api\"", "api id"] {
        let main = format!("{hostile} = FastAPI()");
        let failure =
            message(&[("requirements.txt", "fastapi\nuvicorn[standard]"), PYTHON, ("main.py", &main)]);
        assert!(failure.contains("app = FastAPI(…)"), "{hostile}: {failure}");
    }
}

#[test]
fn a_server_for_production_must_be_asked_for() {
    assert!(message(&[("requirements.txt", "flask"), FLASK, PYTHON]).contains("gunicorn serves Flask"));
    let main = ("main.py", "app = FastAPI()");
    assert!(message(&[("requirements.txt", "fastapi"), main, PYTHON]).contains("uvicorn serves FastAPI"));
    assert_eq!(generated(&[("requirements.txt", "fastapi[standard]"), main, PYTHON]).0, "FastAPI");
    // Packages may be named in another file.
    let files = [("requirements.txt", "-r base.txt"), ("base.txt", "flask\ngunicorn"), FLASK, PYTHON];
    let (framework, text) = generated(&files);
    assert_eq!(framework, "Flask");
    assert!(text.find("COPY . .").unwrap() < text.find("pip install").unwrap(), "{text}");
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
        text.contains("collectstatic --no-input") && text.contains("COPY --link --from=build /app ./"),
        "{text}"
    );
    assert!(
        message(&[("requirements.txt", "django"), manage, wsgi, PYTHON]).contains("gunicorn serves Django")
    );
    let hostile = ("manage.py", "setdefault('DJANGO_SETTINGS_MODULE', 'x;evil.settings')");
    assert!(message(&[("requirements.txt", "django\ngunicorn"), hostile, PYTHON]).contains("wsgi.py"));
}

#[test]
fn pyproject_is_installed_by_uv() {
    let project = |more: &str| {
        format!("[project]\nname='x'\nrequires-python='>=3.11'\ndependencies=['flask','gunicorn']\n{more}")
    };
    let text = generated(&[("pyproject.toml", &project("")), ("uv.lock", ""), FLASK]).1;
    assert!(text.contains("uv sync --locked --no-dev --no-install-project"), "{text}");
    assert!(text.contains("python:3.13-slim") && !text.contains("--no-editable"), "{text}");
    let text = generated(&[("pyproject.toml", &project("[build-system]\nrequires=[]")), FLASK]).1;
    assert!(text.contains("uv sync --no-dev --no-editable") && !text.contains("--locked"), "{text}");
    for (file, way) in [("poetry.lock", "poetry export"), ("Pipfile", "pipenv requirements")] {
        assert!(message(&[(file, ""), FLASK]).contains(way));
    }
    assert!(
        message(&[("pyproject.toml", "[project]\nx = {"), FLASK]).contains("pyproject.toml cannot be read")
    );
}

#[test]
fn the_version_of_python_is_that_of_the_project() {
    let with = |requires: &str| {
        let project = format!("[project]\nrequires-python='{requires}'\n");
        auto(&[("pyproject.toml", &project), ("main.py", "")]).map(|recipe| match recipe {
            Recipe::Generated(made) => made.text,
            Recipe::Dockerfile(_) => String::new(),
        })
    };
    assert!(with(">=3.9,<3.12").unwrap().contains("python:3.11-slim"));
    assert!(with("~=3.12").unwrap().contains("python:3.13-slim"));
    assert!(with("==3.10.*").unwrap().contains("python:3.10-slim"));
    for wrong in ["<3", "evil"] {
        assert!(with(wrong).unwrap_err().message.contains("requires-python"), "{wrong}");
    }
    let hostile = (".python-version", "3.12\"; RUN evil");
    assert!(generated(&[("requirements.txt", ""), ("main.py", ""), hostile]).1.contains("python:3.12-slim"));
}

#[test]
fn a_program_of_its_own_is_a_file_with_a_usual_name() {
    assert!(
        generated(&[("requirements.txt", ""), ("server.py", ""), PYTHON])
            .1
            .contains(r#"CMD ["python", "server.py"]"#)
    );
    assert!(message(&[("requirements.txt", ""), PYTHON]).contains("main.py"));
    let settings = Settings { framework: Some(Framework::Python), ..Settings::default() };
    let Ok(Recipe::Generated(made)) = found(&[("shop.py", "")], &settings) else { panic!() };
    assert!(
        made.text.contains("set spec.run.command") && !made.text.contains("pip install"),
        "{}",
        made.text
    );
}
