"""The edge: what is closed stays closed, and every answer wears the same headers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from bot.api import ServeError, bind, create_app
from bot.edge import network_of
from bot.settings import Settings, SettingsError
from tests.bot.stand_in import StandIn
from tests.bot.test_api import ready, settings_of, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The whole app, Gradio page included."""
    with TestClient(create_app(StandIn(), settings_of(page_rate="100000/minute"))) as client:
        yield ready(client)


# Routes


CLOSED = [
    ("POST", "/upload"),
    ("POST", "/gradio_api/upload"),
    ("GET", "/gradio_api/upload_progress?upload_id=1"),
    ("GET", "/file=http://127.0.0.1:1/"),
    ("GET", "/gradio_api/file=/etc/passwd"),
    ("GET", "/gradio_api/file/etc/passwd"),
    ("HEAD", "/gradio_api/file=/etc/passwd"),
    ("GET", "/gradio_api/proxy=http://127.0.0.1:1/"),
    ("GET", "/gradio_api/dev/reload"),
    ("POST", "/gradio_api/run/predict"),
    ("POST", "/gradio_api/run/answer"),
    ("POST", "/gradio_api/api/answer"),
    ("POST", "/gradio_api/call/answer"),
    ("POST", "/gradio_api/call/v2/answer"),
    ("GET", "/gradio_api/call/answer/1"),
    ("GET", "/monitoring"),
    ("GET", "/monitoring/summary"),
    ("GET", "/gradio_api/runs"),
    ("POST", "/gradio_api/run-history/connect"),
    ("GET", "/gradio_api/openapi.json"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/process_recording"),
    ("POST", "/gradio_api/reset"),
    ("POST", "/gradio_api/stream/1"),
    ("GET", "/gradio_api/vibe-code"),
    ("POST", "/gradio_api/vibe-edit"),
    ("GET", "/gradio_api/deep_link"),
    ("GET", "/gradio_api/token"),
    ("GET", "/gradio_api/user"),
    ("GET", "/gradio_api/login_check"),
    ("POST", "/login"),
    ("GET", "/logout"),
    ("GET", "/pwa_icon"),
    ("GET", "/docs"),
    ("GET", "/redoc"),
    ("GET", "/robots.txt"),
    ("GET", "/assets/%2e%2e/%2e%2e/etc/passwd"),
    ("GET", "/static//etc/passwd"),
    ("GET", "/gradio_api/heartbeat/../upload"),
    ("GET", "/wp-login.php"),
    ("PUT", "/nothing"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_closed_route_is_404_and_writes_nothing(
    client: TestClient, method: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    files = {"files": ("a.txt", b"x" * 100)} if "upload" in path and method == "POST" else None
    response = client.request(method, path, files=files)
    assert response.status_code == 404
    assert method == "HEAD" or response.json()["error"] == "not_found"
    assert list(tmp_path.rglob("*")) == []


def test_every_route_of_gradio_that_is_not_listed_is_closed(client: TestClient) -> None:
    """A later Gradio with new routes does not open them."""
    from bot.edge import PAGE_FOLDERS, PAGE_ROUTES

    page = client.app.routes[-1].app.page  # type: ignore[attr-defined]
    nested = [getattr(route, "original_router", page).routes for route in page.routes[-1].app.routes]
    routes = [route for held in (page.routes[-1].app.routes, *nested) for route in held]
    paths = {re.sub(r"\{.*?\}", "x", route.path) for route in routes if getattr(route, "path", "")}
    closed = {path for path in paths if path not in PAGE_ROUTES and not path.startswith(PAGE_FOLDERS)}
    own = {"/", "/manifest.json", "/favicon.ico", "/openapi.json"}
    assert len(closed - own) > 40
    assert {path: client.get(path).status_code for path in closed - own} == dict.fromkeys(closed - own, 404)


@pytest.mark.parametrize("path", ["/api/ask", "/embed", "/healthz", "/widget/v1/widget.js", "/", "/config"])
def test_other_methods_are_405_and_say_which_are_allowed(client: TestClient, path: str) -> None:
    response = client.delete(path)
    assert response.status_code == 405
    assert response.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/", "/config", "/theme.css", "/embed", "/widget", "/api", "/manifest.json", "/openapi.json"]
)
def test_open_route_answers(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_websockets_are_refused(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/gradio_api/queue/join"):
        pass
    assert refused.value.code == 1008


# Origins and hosts


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
@pytest.mark.parametrize("path", ["/", "/config", "/api/article", "/gradio_api/info", "/healthz"])
def test_unlisted_origin_gets_no_permission(client: TestClient, origin: str, path: str) -> None:
    simple = client.get(path, headers={"Origin": origin})
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = client.options(path, headers=asked)
    for response in (simple, preflight):
        assert "access-control-allow-origin" not in response.headers
        assert "access-control-allow-credentials" not in response.headers


def test_listed_origin_may_call_the_api_without_credentials() -> None:
    app = create_app(StandIn(), settings_of(api_origins=("https://site.example",)), page=False)
    with TestClient(app) as client:
        response = ready(client).post(
            "/api/ask", json={"question": "氟西汀"}, headers={"Origin": "https://site.example"}
        )
        assert response.headers["access-control-allow-origin"] == "https://site.example"
        assert "access-control-allow-credentials" not in response.headers
        other = client.get("/healthz", headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "", "127.0.0.1:1@evil.example", "[::1"])
def test_bad_host_is_400(client: TestClient, host: str) -> None:
    for path in ("/", "/api/article", "/nothing"):
        assert client.get(path, headers={"Host": host}).status_code == 400


# Headers


def responses(client: TestClient) -> dict[str, httpx.Response]:
    json_type = {"Content-Type": "application/json"}
    return {
        "page": client.get("/"),
        "asset": client.get("/theme.css"),
        "embed": client.get("/embed"),
        "loader": client.get("/widget/v1/widget.js"),
        "answer": client.post("/api/ask", json={"question": "氟西汀"}),
        "empty": client.post("/api/ask", json={"question": ""}),
        "too large": client.post("/api/ask", content=b"x" * 20_000, headers=json_type),
        "closed": client.post("/upload"),
        "wrong method": client.delete("/embed"),
        "bad host": client.get("/", headers={"Host": "evil.example"}),
        "error": client.post("/api/ask", json={"question": "break down"}),
        "preflight": client.options("/", headers={"Origin": "null", "Access-Control-Request-Method": "GET"}),
    }


def test_every_response_wears_one_policy_and_no_frame_options(client: TestClient) -> None:
    expected = {
        "answer": 200,
        "empty": 400,
        "too large": 413,
        "closed": 404,
        "wrong method": 405,
        "bad host": 400,
        "error": 500,
    }
    for name, response in responses(client).items():
        assert response.status_code == expected.get(name, response.status_code), name
        policies = response.headers.get_list("content-security-policy")
        assert len(policies) == 1, name
        assert "frame-ancestors 'self'" in policies[0], name
        assert response.headers.get_list("x-content-type-options") == ["nosniff"], name
        assert response.headers.get_list("referrer-policy") == ["no-referrer"], name
        assert "x-frame-options" not in response.headers, name
        assert "set-cookie" not in response.headers, name
        assert "server" not in response.headers, name


@pytest.mark.parametrize("path", ["/embed", "/widget", "/api", "/api/article", "/nothing"])
def test_everything_but_the_page_has_a_strict_policy(client: TestClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


def test_page_policy_reaches_no_other_host(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert not re.search(r"https?:|\*", policy)
    assert "object-src 'none'" in policy
    assert "script-src 'self' 'unsafe-eval';" in policy


def test_sites_that_may_embed_come_from_one_setting() -> None:
    app = create_app(StandIn(), settings_of(embed_origins=("https://a.example", "https://*.b.example")), page=False)
    with TestClient(app) as client:
        for path in ("/embed", "/", "/nothing"):
            policy = client.get(path).headers["content-security-policy"]
            assert "frame-ancestors 'self' https://a.example https://*.b.example" in policy


def test_https_is_remembered_where_the_site_has_it() -> None:
    with TestClient(create_app(StandIn(), settings_of(url="https://ask.example.org"), page=False)) as client:
        assert "max-age" in client.get("/healthz").headers["strict-transport-security"]
        assert "https://ask.example.org/widget/v1/widget.js" not in client.get("/embed").text
        assert "frame-src https://ask.example.org" in client.get("/widget").text


# Rates


def asks(client: TestClient, forwarded: str | None = None) -> int:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return client.post("/api/ask", json={"question": "氟西汀"}, headers=headers).status_code


def test_rate_is_429_with_retry_after_in_the_reader_s_language() -> None:
    with TestClient(create_app(StandIn(), settings_of(rate="3/minute"), page=False)) as client:
        ready(client)
        assert [asks(client) for _ in range(4)] == [200, 200, 200, 429]
        refused = client.post("/api/ask", json={"question": "氟西汀"}, headers={"Accept-Language": "en"})
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"] == "too_often"
        assert refused.headers["retry-after"] in refused.json()["message"]
        assert client.get("/api/article").status_code == 200


def test_rate_is_not_fooled_by_forwarded_addresses_of_a_stranger() -> None:
    with TestClient(
        create_app(StandIn(), settings_of(rate="3/minute"), page=False), client=("203.0.113.9", 1)
    ) as client:
        ready(client)
        assert [asks(client, f"198.51.100.{n}") for n in range(4)] == [200, 200, 200, 429]


def test_rate_counts_readers_behind_a_trusted_proxy_apart() -> None:
    settings = settings_of(rate="2/minute", trusted_proxies=("10.0.0.0/8",))
    with TestClient(create_app(StandIn(), settings, page=False), client=("10.1.2.3", 1)) as client:
        ready(client)
        assert [asks(client, "198.51.100.1") for _ in range(3)] == [200, 200, 429]
        assert asks(client, "198.51.100.2") == 200
        # What the reader himself wrote stands before what the proxy added.
        assert [asks(client, f"192.0.2.{n}, 198.51.100.3") for n in range(3)] == [200, 200, 429]


def test_page_has_its_own_rate() -> None:
    with TestClient(create_app(StandIn(), settings_of(page_rate="2/minute"), page=False)) as client:
        statuses = [client.post("/gradio_api/queue/join", json={}).status_code for _ in range(3)]
        assert statuses[2] == 429
        assert 429 not in statuses[:2]


def test_a_crisis_is_answered_beyond_the_rate() -> None:
    with TestClient(create_app(StandIn(), settings_of(rate="2/minute"), page=False)) as client:
        ready(client)
        assert [asks(client) for _ in range(3)] == [200, 200, 429]
        met = client.post("/api/ask", json={"question": "我不想活了"})
        assert met.status_code == 200
        assert met.json()["crisis"]
        assert asks(client) == 429
        assert client.post("/api/ask", content=b"{").status_code == 429
        assert client.post("/api/ask", json=["我不想活了"]).status_code == 429
        assert client.post("/api/ask", content=b"{" * 20_000).status_code == 413


def test_a_crisis_on_the_page_is_let_through_beyond_its_rate() -> None:
    with TestClient(create_app(StandIn(), settings_of(page_rate="2/minute"), page=False)) as client:
        asked = [
            client.post("/gradio_api/queue/join", json={"data": [text, None], "session_hash": "s"}).status_code
            for text in ("氟西汀", "氟西汀", "氟西汀", "I want to kill myself")
        ]
        assert asked[2] == 429
        assert asked[3] == asked[0] != 429


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_rate_is_counted_by_subscriber(client: str, counted: str) -> None:
    assert network_of(client) == counted


# Settings


def test_settings_come_from_the_environment() -> None:
    found = Settings.from_environment(
        {
            "YUANWEN_PORT": "8000",
            "YUANWEN_URL": "https://ask.example.org/",
            "YUANWEN_EMBED_ORIGINS": "https://a.example, https://b.example:8443",
            "YUANWEN_TRUSTED_PROXIES": "127.0.0.1 10.0.0.0/8",
            "YUANWEN_FEEDBACK": "/var/lib/yuanwen/feedback.sqlite",
            "YUANWEN_RATE": "",
        },
        port=None,
        host="127.0.0.2",
    )
    assert (found.port, found.url, found.host) == (8000, "https://ask.example.org", "127.0.0.2")
    assert found.embed_origins == ("https://a.example", "https://b.example:8443")
    assert found.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert found.feedback == Path("/var/lib/yuanwen/feedback.sqlite")
    assert found.rate == Settings().rate
    assert {"ask.example.org", "localhost", "127.0.0.2"} <= set(found.allowed_hosts)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("YUANWEN_PORT", "http"),
        ("YUANWEN_PORT", "99999"),
        ("YUANWEN_URL", "ask.example.org"),
        ("YUANWEN_URL", "https://ask.example.org/chat?x"),
        ("YUANWEN_HOSTS", "https://ask.example.org"),
        ("YUANWEN_EMBED_ORIGINS", "https://a.example/path"),
        ("YUANWEN_EMBED_ORIGINS", "https://a.example;script-src"),
        ("YUANWEN_EMBED_ORIGINS", "a.example"),
        ("YUANWEN_API_ORIGINS", "https://*.example.org"),
        ("YUANWEN_TRUSTED_PROXIES", "everyone"),
        ("YUANWEN_RATE", "often"),
        ("YUANWEN_WORKERS", "0"),
        ("YUANWEN_FEEDBACK_DAYS", "0"),
    ],
)
def test_bad_setting_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: value})


def test_listening_everywhere_needs_the_names_of_the_site() -> None:
    with pytest.raises(SettingsError, match="YUANWEN_HOSTS"):
        Settings(host="0.0.0.0")
    assert Settings(host="0.0.0.0", hosts=("ask.example.org",)).allowed_hosts == ("ask.example.org",)


def test_every_setting_is_explained() -> None:
    import bot.settings

    for name in Settings.__slots__:
        assert f"| YUANWEN_{name.upper()} |" in str(bot.settings.__doc__)


# Running


SERVER = """
import sys, threading, uuid
from pathlib import Path
from bot.api import serve
from bot.settings import Settings
from tests.bot.stand_in import StandIn

folder = Path(sys.argv[2])

class Slow(StandIn):
    def ask(self, question, *rest, **more):
        if question != self.articles[0].title:
            (folder / f"{uuid.uuid4()}.waiting").touch()
            while not (folder / "go").exists():
                threading.Event().wait(0.05)
        return super().ask(question, *rest, **more)

serve(Slow(), Settings(port=int(sys.argv[1]), workers=8, drain_seconds=5, grace_seconds=10))
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(tmp_path)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"

    def up() -> bool:
        assert server.poll() is None, server.stdout.read() if server.stdout else ""
        try:
            return httpx.get(f"{address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(up, 240)
    yield server, address
    server.kill()
    server.wait()


def test_sigterm_turns_readiness_off_shuts_the_door_and_finishes_answers(
    process: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    server, address = process
    secret = "氟西汀 秘密 8842"

    def ask(_: int) -> int:
        return httpx.post(f"{address}/api/ask", json={"question": secret}, timeout=120).status_code

    def shut() -> bool:
        try:
            return httpx.get(f"{address}/healthz", timeout=30).status_code != 200
        except httpx.TransportError:
            return True

    # An open chat page holds a connection for ever: it must not hold the server.
    with httpx.Client(timeout=120) as page, page.stream("GET", f"{address}/gradio_api/heartbeat/abc") as heartbeat:
        assert heartbeat.status_code == 200
        with ThreadPoolExecutor(5) as pool:
            asked = [pool.submit(ask, n) for n in range(5)]
            wait_until(lambda: len(list(tmp_path.glob("*.waiting"))) == 5)
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 503)
            wait_until(shut)
            (tmp_path / "go").touch()
            assert [future.result() for future in asked] == [200] * 5
        assert server.wait(60) in (0, -signal.SIGTERM)
    output = server.stdout.read() if server.stdout else ""
    assert "8842" not in output
    assert "/api/ask" not in output


def test_port_in_use_is_said_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port}.*in use.*--port {port + 1}"):
            bind("127.0.0.1", port)


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ServeError, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0)


# What is shipped beside it


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt-get install nginx-light")
def test_real_nginx_accepts_the_sample_configuration(tmp_path: Path) -> None:
    sample = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-days",
        "1",
    ]
    subprocess.run([*map(str, make), "-subj", "/CN=ask.example.org"], check=True, capture_output=True)
    sample = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {key};", sample)
    sample = re.sub(r"ssl_certificate .*;", f"ssl_certificate {certificate};", sample)
    (tmp_path / "site.conf").write_text(sample, encoding="utf-8")
    whole = f"pid {tmp_path}/nginx.pid; error_log stderr; events {{}} http {{ include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole, encoding="utf-8")
    checked = subprocess.run(
        ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr, checked.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed: apt-get install systemd")
def test_real_systemd_accepts_the_sample_unit(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "yuanwen.service").read_text(encoding="utf-8")
    path = tmp_path / "yuanwen.service"
    path.write_text(unit.replace("/opt/yuanwen/bin/yuanwen", sys.executable), encoding="utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_service_and_container_start_the_server_without_privileges() -> None:
    unit = (ROOT / "deploy" / "yuanwen.service").read_text(encoding="utf-8")
    container = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    assert "yuanwen serve" in unit
    assert "NoNewPrivileges=yes" in unit
    assert re.search(r"^USER (?!root)", container, re.MULTILINE)
    assert '"serve"' in container


def test_every_variable_of_the_samples_is_a_setting() -> None:
    known = {f"YUANWEN_{name.upper()}" for name in Settings.__slots__}
    known |= set(re.findall(r"YUANWEN_[A-Z_]+", (ROOT / "bot" / "cli.py").read_text(encoding="utf-8")))
    for file in [*(ROOT / "deploy").iterdir(), *(ROOT / "examples").iterdir()]:
        assert set(re.findall(r"YUANWEN_[A-Z_]+", file.read_text(encoding="utf-8"))) <= known, file.name
