"""A registry that does what a test tells it to, on 127.0.0.1, with a record of every request."""

import base64
import http.server
import json
import ssl
import threading
import urllib.parse

import small_images as images


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.answer()

    def do_GET(self):
        self.form = ""
        self.answer()

    def answer(self):
        registry = self.server.registry
        registry.requests.append((self.command, self.path, dict(self.headers), self.form))
        with registry.lock:
            for part, steps in registry.steps:
                if part in self.path and steps:
                    step = steps[0] if steps[0] in registry.forever else steps.pop(0)
                    break
            else:
                step = None
        try:
            if step is None or step(self) is NotImplemented:
                registry.serve(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        """Ends the connection without saying so."""
        self.wfile.flush()
        self.connection.shutdown(2)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


class Registry:
    def __init__(self, host="127.0.0.1", tls=None):
        self.blobs, self.tags, self.steps, self.requests = {}, {}, [], []
        self.forever, self.lock = set(), threading.Lock()
        self.scopes = []  # that tokens were asked for
        self.basic = self.bearer = None  # (user, password); an anonymous bearer is ("", "")
        self.server = Server((host, 0), Handler)
        self.server.registry = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self.host = f"{host}:{self.server.server_address[1]}"
        self.url = f"{self.scheme}://{self.host}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, image, tag="1"):
        self.blobs.update(image.blobs)
        self.add_manifest(image.manifest, images.MANIFEST, tag)
        return f"{self.host}/a/b:{tag}"

    def add_manifest(self, text, media_type, *tags):
        for tag in (*tags, images.digest_of(text)):
            self.tags[tag] = (text, media_type)

    def on(self, part, *steps, forever=False):
        """The next requests whose path has `part` are answered by `steps`, one each."""
        if forever:
            self.forever.update(steps)
        self.steps.append((part, list(steps)))

    def asked(self, part):
        return [request for request in self.requests if part in request[1]]

    def may_enter(self, handler):
        given = handler.headers.get("Authorization")
        if self.basic:
            wanted = "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()
            challenge = 'Basic realm="here, there"'
        elif self.bearer:
            wanted = "Bearer token-for-you"
            challenge = f'Bearer realm="{self.url}/token",service="a, b"'
            if handler.path != "/v2/":
                challenge += ',scope="repository:a/b:pull"'
        else:
            return True
        if given == wanted:
            return True
        handler.send(401, WWW_Authenticate=challenge)
        return False

    def serve_token(self, handler):
        query = urllib.parse.parse_qs(handler.path.partition("?")[2] or handler.form)
        given = handler.headers.get("Authorization", "")
        wanted = "Basic " + base64.b64encode(":".join(self.bearer).encode()).decode()
        named = given == wanted or query.get("refresh_token") == [self.bearer[1]]
        if self.bearer != ("", "") and not named:
            handler.send(401)
            return
        self.scopes.append(query.get("scope", []))
        assert query["service"] == ["a, b"], query
        handler.send(200, json.dumps({"token": "token-for-you", "expires_in": 60}).encode())

    def serve(self, handler):
        path = handler.path.partition("?")[0]
        if path == "/token":
            self.serve_token(handler)
        elif not self.may_enter(handler):
            pass
        elif path == "/v2/":
            handler.send(200, b"{}")
        elif "/manifests/" in path and path.rpartition("/")[2] in self.tags:
            text, media_type = self.tags[path.rpartition("/")[2]]
            handler.send(200, text, Content_Type=media_type,
                         Docker_Content_Digest=images.digest_of(text))
        elif "/blobs/" in path and path.rpartition("/")[2] in self.blobs:
            self.serve_blob(handler, self.blobs[path.rpartition("/")[2]])
        else:
            handler.send(404, json.dumps({"errors": [
                {"code": "MANIFEST_UNKNOWN", "message": "no such \x1b[31mthing"}]}).encode())

    def serve_blob(self, handler, data):
        wanted = handler.headers.get("Range")
        if not wanted:
            handler.send(200, data)
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-"))
        handler.send(206, data[first:],
                     Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}")


# --- steps ---

def status(code, **headers):
    return lambda handler: handler.send(code, **headers)


def body(data, **headers):
    return lambda handler: handler.send(200, data, **headers)


def redirect(to):
    return lambda handler: handler.send(307, Location=to)


def half(data):
    """Promises everything, sends half, hangs up."""
    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.cut()
    return step


def unframed(data):
    """A body that ends when the connection does, as long as it lasts."""
    def step(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(data)
        handler.cut()
    return step


def endless(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


def stall(event, first=b""):
    """Sends `first` of a longer body, then nothing until the event is set."""
    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(first) + 1000))
        handler.end_headers()
        handler.wfile.write(first)
        handler.wfile.flush()
        event.wait(60)
        handler.close_connection = True
    return step
