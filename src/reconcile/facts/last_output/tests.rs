use super::*;

/// What runtimes print. The output of Node 20, Python 3.11, Go 1.26, Java 17, Rust 1.9x and the shells is recorded. The
/// output of Ruby, PHP, .NET and Elixir is from their manuals.
const TOLD: &[(&str, &str, &str)] = &[
    (
        "node, thrown",
        "/app/server.js:2\nfunction start(){ throw new TypeError(\"no\"); }\n                  ^\n\nTypeError: Cannot read properties of \
         undefined (reading 'url')\n    at start (/app/server.js:2:25)\n    at node:internal/main/run_main_module:28:49\n\nNode.js v20.20.2\n",
        "TypeError: Cannot read properties of undefined (reading 'url')",
    ),
    (
        "node, a missing module",
        "node:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module './missing'\nRequire stack:\n- \
         /app/b.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15) {\n  code: 'MODULE_NOT_FOUND',\n  \
         requireStack: [ '/app/b.js' ]\n}\n\nNode.js v20.20.2",
        "Error: Cannot find module './missing'",
    ),
    (
        "node, an error with its code",
        "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'fastify' imported from /app/f.mjs\n    at packageResolve \
         (node:internal/modules/esm/resolve:873:9) {\n  code: 'ERR_MODULE_NOT_FOUND'\n}\n\nNode.js v20.20.2",
        "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'fastify' imported from /app/f.mjs",
    ),
    (
        "node, an event without a listener",
        "node:events:502\n      throw er; // Unhandled 'error' event\n      ^\n\nError: connect ECONNREFUSED 127.0.0.1:1\n    at \
         TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)\nEmitted 'error' event on Socket instance at:\n    at \
         emitErrorNT (node:internal/streams/destroy:169:8) {\n  errno: -111,\n  code: 'ECONNREFUSED',\n  port: 1\n}\n\nNode.js v20.20.2",
        "Error: connect ECONNREFUSED 127.0.0.1:1",
    ),
    (
        "node, an error with a cause",
        "Error: connect failed\n    at Object.<anonymous> (/app/g.js:2:11)\n    ... 4 lines matching cause stack trace ...\n    at \
         node:internal/main/run_main_module:28:49 {\n  [cause]: Error: connect ECONNREFUSED 10.0.0.5:5432\n      at \
         Object.<anonymous> (/app/g.js:2:47)\n}\n\nNode.js v20.20.2",
        "Error: connect failed (caused by Error: connect ECONNREFUSED 10.0.0.5:5432)",
    ),
    (
        "node, syntax",
        "/app/e.js:2\n\n\n\nSyntaxError: Unexpected end of input\n    at wrapSafe (node:internal/modules/cjs/loader:1464:18)\n\nNode.js v20.20.2",
        "SyntaxError: Unexpected end of input",
    ),
    (
        "node, out of memory",
        "<--- JS stacktrace --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack \
         trace -----\n\n 1: 0xb78db3 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]\n",
        "Reached heap limit Allocation failed - JavaScript heap out of memory",
    ),
    (
        "node below npm",
        "Error: DATABASE_URL is not set\n    at Object.<anonymous> (/app/d.js:1:16)\n\nNode.js v20.20.2\nnpm error Lifecycle script \
         `start` failed with error:\nnpm error code 1\nnpm error path /app\n",
        "Error: DATABASE_URL is not set",
    ),
    (
        "an error whose first line is empty",
        "PrismaClientInitializationError: \nInvalid `prisma.user.findMany()` invocation:\n\n\nCan't reach database server at `db:5432`\n    \
         at $n.handleRequestError (/app/x.js:1:2)\n",
        "PrismaClientInitializationError: Invalid `prisma.user.findMany()` invocation: Can't reach database server at `db:5432`",
    ),
    (
        "a structured log",
        "{\"level\":30,\"msg\":\"starting\"}\n{\"level\":60,\"err\":{\"message\":\"getaddrinfo ENOTFOUND db\"},\"msg\":\"cannot start\"}\n\
         {\"level\":30,\"msg\":\"bye\"}",
        "error: getaddrinfo ENOTFOUND db",
    ),
    (
        "python",
        "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in connect\n    {}[\"DATABASE_URL\"]\n    \
         ~~^^^^^^^^^^^^^^^^\nKeyError: 'DATABASE_URL'\n\nThe above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n  File \"/app/a.py\", line 6, in <module>\n    connect()\nRuntimeError: no database configured\n",
        "RuntimeError: no database configured",
    ),
    (
        "python, a class without Error in its name",
        "Traceback (most recent call last):\n  File \"/app/manage.py\", line 2, in <module>\ndjango.core.exceptions.ImproperlyConfigured: The \
         SECRET_KEY setting must not be empty.\n",
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
    ),
    (
        "python, syntax",
        "  File \"/app/c.py\", line 1\n    def x(:\n          ^\nSyntaxError: invalid syntax\n",
        "SyntaxError: invalid syntax",
    ),
    (
        "python, a group",
        "  + Exception Group Traceback (most recent call last):\n  |   File \"/app/g.py\", line 1, in <module>\n  | ExceptionGroup: eg (1 \
         sub-exception)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +---",
        "ValueError: 1",
    ),
    (
        "gunicorn",
        "[2026-11-28 18:00:00 +0000] [1] [INFO] Starting gunicorn 23.0.0\n[2026-11-28 18:00:00 +0000] [7] [ERROR] Exception in worker \
         process\nTraceback (most recent call last):\n  File \"/app/arbiter.py\", line 608, in spawn_worker\n    \
         worker.init_process()\nModuleNotFoundError: No module named 'app'\n[2026-11-28 18:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)\n\
         [2026-11-28 18:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.\n",
        "ModuleNotFoundError: No module named 'app'",
    ),
    (
        "uvicorn",
        "ERROR:    Error loading ASGI app. Could not import module \"main\".\n",
        "ERROR:    Error loading ASGI app. Could not import module \"main\".",
    ),
    (
        "go, panic",
        "panic: no config: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x193\nexit status 2\n",
        "panic: no config: x",
    ),
    (
        "go, nil",
        "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 \
         pc=0x4a9630]\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0xf0\n",
        "panic: runtime error: invalid memory address or nil pointer dereference",
    ),
    (
        "go, deadlock",
        "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/src/main.go:3 +0x9f\n",
        "fatal error: all goroutines are asleep - deadlock!",
    ),
    (
        "go, log.Fatal",
        "2026/11/28 18:19:43 listening\n2026/11/28 18:19:43 dial tcp 10.0.0.5:5432: connect: connection refused\n",
        "2026/11/28 18:19:43 dial tcp 10.0.0.5:5432: connect: connection refused",
    ),
    (
        "java",
        "Exception in thread \"main\" java.lang.IllegalStateException: cannot start\n\tat A.main(A.java:1)\nCaused by: \
         java.net.ConnectException: Connection refused: db/10.0.0.5:5432\n\tat A.conn(A.java:2)\n\t... 9 more\n",
        "java.lang.IllegalStateException: cannot start (caused by java.net.ConnectException: Connection refused: db/10.0.0.5:5432)",
    ),
    (
        "java, no main class",
        "Error: Could not find or load main class Nope\nCaused by: java.lang.ClassNotFoundException: Nope\n",
        "Error: Could not find or load main class Nope (caused by java.lang.ClassNotFoundException: Nope)",
    ),
    (
        "java, no jar",
        "Error: Unable to access jarfile nope.jar\n",
        "Error: Unable to access jarfile nope.jar",
    ),
    (
        "java, the beginning is cut off",
        "\tat org.hibernate.A.b(A.java:1)\nCaused by: org.postgresql.util.PSQLException: Connection to db:5432 refused.\n\tat \
         org.postgresql.X.y(X.java:2)\n\t... 40 more\n",
        "org.postgresql.util.PSQLException: Connection to db:5432 refused.",
    ),
    (
        "spring boot",
        "***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nWeb server failed to start. \
         Port 8080 was already in use.\n\nAction:\n\nIdentify and stop the process\n",
        "Web server failed to start. Port 8080 was already in use.",
    ),
    (
        "rust",
        "\nthread 'main' (30233) panicked at src/main.rs:1:75:\nno DATABASE_URL\nstack backtrace:\n   0: \
         std::panicking::begin_panic::<&str>\n             at /rustc/5980/library/std/src/panicking.rs:761:5\nnote: Some details are omitted, run \
         with `RUST_BACKTRACE=full` for a verbose backtrace.\n",
        "no DATABASE_URL (src/main.rs:1:75)",
    ),
    (
        "rust, main returns the error",
        "Error: \"cannot connect to the database\"\n",
        "Error: \"cannot connect to the database\"",
    ),
    (
        "ruby",
        "app.rb:3:in 'Object#connect': no database (RuntimeError)\n\tfrom app.rb:6:in '<main>'\n",
        "no database (RuntimeError)",
    ),
    (
        "ruby before 3.4",
        "/app/config.rb:3:in `fetch': key not found: \"SECRET\" (KeyError)\n\tfrom /app/config.rb:6:in `<main>'\n",
        "key not found: \"SECRET\" (KeyError)",
    ),
    (
        "php",
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/index.php:3\nStack trace:\n#0 \
         /app/index.php(3): PDO->__construct('mysql:host=db')\n#1 {main}\n  thrown in /app/index.php on line 3\n",
        "Fatal error: Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/index.php:3",
    ),
    (
        ".NET",
        "Unhandled exception. System.InvalidOperationException: cannot start\n ---> System.Net.Sockets.SocketException (111): Connection \
         refused\n   at App.Connect() in /src/Program.cs:line 5\n   --- End of inner exception stack trace ---\n   at Program.<Main>$(String[] \
         args) in /src/Program.cs:line 1\n",
        "System.InvalidOperationException: cannot start (caused by System.Net.Sockets.SocketException (111): Connection refused)",
    ),
    (
        "elixir",
        "** (RuntimeError) environment variable DATABASE_URL is missing.\nFor example: ecto://USER:PASS@HOST/DATABASE\n\n    \
         /app/releases/0.1.0/runtime.exs:31: (file)\n",
        "RuntimeError: environment variable DATABASE_URL is missing.",
    ),
    ("a shell", "sh: 1: foo: not found\n", "sh: 1: foo: not found"),
    (
        "a program that prints an error and says good-bye",
        "listening\n[error] relation \"users\" does not exist\nshutting down\n",
        "[error] relation \"users\" does not exist",
    ),
    ("colours", "\u{1b}[31mError: no\u{1b}[39m\n    at x (y:1:2)\n", "Error: no"),
    ("only a banner", "Node.js v22.23.3\n", "Node.js v22.23.3"),
];

#[test]
fn the_cause_is_found_in_the_output_of_each_runtime() {
    for (what, said, why) in TOLD {
        assert_eq!(cause(said).as_deref(), Some(*why), "{what}");
    }
}

#[test]
fn a_silent_program_has_no_cause_and_a_long_line_is_truncated() {
    assert_eq!(cause(""), None);
    assert_eq!(cause(" \n\n"), None);
    assert!(cause(&"x".repeat(5000)).unwrap().len() <= LONGEST);
    for hostile in [
        "\u{1b}[",
        "\u{1b}[1",
        "{\"msg\":",
        "Traceback (most recent call last):",
        "thread 'a' panicked at ",
        "** (",
    ] {
        let _ = cause(hostile);
    }
}
