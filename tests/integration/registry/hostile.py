"""A registry that does what a test tells it to, on 127.0.0.1, with a record of every request."""

import base64
import http.server
import itertools
import json
import ssl
import threading
import time
import urllib.parse

import small_images as images


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    more = {}  # header fields of the next answer

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.answer()

    def do_GET(self):
        self.form = ""
        self.answer()

    do_HEAD = do_DELETE = do_PUT = do_PATCH = do_GET

    def body(self, size=None):
        """Of a PUT or PATCH, once; `size`: only so much of it."""
        length = int(self.headers.get("Content-Length", 0))
        data = self.rfile.read(length if size is None else min(size, length))
        self.unread = length - len(data)
        return data

    def answer(self):
        registry = self.server.registry
        self.unread = 0 if self.command == "POST" else int(self.headers.get("Content-Length", 0))
        registry.requests.append((self.command, self.path, dict(self.headers), self.form))
        if registry.scheme == "https":
            registry.protocols.add(self.connection.selected_alpn_protocol())
        with registry.lock:
            for part, steps in registry.steps:
                if part in self.path and steps and getattr(steps[0], "method", self.command) == self.command:
                    step = steps[0] if steps[0] in registry.forever else steps.pop(0)
                    break
            else:
                step = None
        try:
            if step is None or step(self) is NotImplemented:
                registry.serve(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if self.unread:
            self.close_connection = True

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {**headers, **self.more}.items():
            self.send_header(name.replace("_", "-"), value)
        self.more = {}
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        """Ends the connection without saying so."""
        self.wfile.flush()
        self.connection.shutdown(2)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_activate(self):
        super().server_activate()
        self.socket.settimeout(1)  # a client that is gone before it is accepted holds nothing up

    def handle_error(self, *args):
        pass


class Registry:
    def __init__(self, host="127.0.0.1", tls=None, clients=None):
        self.blobs, self.tags, self.steps, self.requests = {}, {}, [], []
        self.forever, self.lock = set(), threading.Lock()
        self.scopes = []  # that tokens were asked for
        self.protocols = set()  # that clients chose, by TLS
        self.uploads = {}  # by ID: what came so far
        self.upload_number = itertools.count()  # several are under way at once: no ID comes twice
        self.elsewhere = {}  # blobs of other repositories, by repository and digest
        self.may_delete, self.page, self.referrers = True, 1000, {}
        self.lists_subjects = False  # whether it has the API of referrers: who clients keep no list for
        self.basic = self.bearer = None  # (user, password); an anonymous bearer is ("", "")
        self.server = Server((host, 0), Handler)
        self.server.registry = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            context.set_alpn_protocols(["h2", "http/1.1"])  # what it does not speak: chosen by who offers it
            if clients:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients)
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
        elif "/blobs/uploads/" in path:
            self.serve_upload(handler, path)
        elif "/manifests/" in path and handler.command == "PUT":
            self.take_manifest(handler, path.rpartition("/")[2])
        elif "/manifests/" in path and handler.command == "DELETE":
            self.delete(handler, path.rpartition("/")[2])
        elif path.endswith("/tags/list"):
            self.serve_tags(handler)
        elif "/referrers/" in path and path.rpartition("/")[2] in self.referrers:
            handler.send(200, self.referrers[path.rpartition("/")[2]], Content_Type=images.INDEX)
        elif "/manifests/" in path and path.rpartition("/")[2] in self.tags:
            text, media_type = self.tags[path.rpartition("/")[2]]
            handler.send(200, text, Content_Type=media_type,
                         Docker_Content_Digest=images.digest_of(text))
        elif "/blobs/" in path and path.rpartition("/")[2] in self.blobs:
            self.serve_blob(handler, self.blobs[path.rpartition("/")[2]])
        else:
            handler.send(404, json.dumps({"errors": [
                {"code": "MANIFEST_UNKNOWN", "message": "no such \x1b[31mthing"}]}).encode())

    def serve_upload(self, handler, path):
        name = path.partition("/v2/")[2].partition("/blobs/")[0]
        query = urllib.parse.parse_qs(handler.path.partition("?")[2])
        key = path.rpartition("/")[2]
        digest = query.get("digest", query.get("mount", [""]))[0]
        if handler.command == "POST":
            taken = self.elsewhere.get((query.get("from", [""])[0], digest))
            if taken is not None:
                self.blobs[digest] = taken
                handler.send(201, Docker_Content_Digest=digest)
                return
            key = f"upload{next(self.upload_number)}"
            self.uploads[key] = bytearray()
        elif key not in self.uploads:
            handler.send(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
            return
        if handler.command == "DELETE":
            del self.uploads[key]
            handler.send(204)
            return
        data = self.uploads[key]
        if handler.command in ("PATCH", "PUT"):
            first = handler.headers.get("Content-Range", f"{len(data)}-").partition("-")[0]
            if int(first) != len(data):
                handler.send(416)
                return
            data += handler.body()
        if handler.command == "PUT":
            del self.uploads[key]
            if images.digest_of(bytes(data)) != digest:
                handler.send(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
                return
            self.blobs[digest] = bytes(data)
            handler.send(201, Docker_Content_Digest=digest)
            return
        handler.send(204 if handler.command == "GET" else 202,
                     Location=f"/v2/{name}/blobs/uploads/{key}?state=x",
                     Range=f"0-{max(len(data) - 1, 0)}")

    def take_manifest(self, handler, target):
        text = handler.body()
        document = json.loads(text)
        blobs = [document["config"], *document["layers"]] if "config" in document else []
        manifests = document.get("manifests", [])
        if [blob for blob in blobs if blob["digest"] not in self.blobs] or \
                [entry for entry in manifests if entry["digest"] not in self.tags]:
            handler.send(400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
            return
        self.add_manifest(text, handler.headers["Content-Type"], target)
        subject = document.get("subject", {}).get("digest")
        noted = {"OCI_Subject": subject} if subject and self.lists_subjects else {}
        handler.send(201, Docker_Content_Digest=images.digest_of(text), **noted)

    def delete(self, handler, target):
        if not self.may_delete:
            handler.send(405, b'{"errors":[{"code":"UNSUPPORTED"}]}')
        elif target not in self.tags:
            handler.send(404)
        else:
            text = self.tags[target][0]
            self.tags = {name: value for name, value in self.tags.items() if value[0] != text}
            handler.send(202)

    def serve_tags(self, handler):
        query = urllib.parse.parse_qs(handler.path.partition("?")[2])
        last = query.get("last", [""])[0]
        tags = sorted(tag for tag in self.tags if ":" not in tag and tag > last)
        page, rest = tags[:self.page], tags[self.page:]
        link = {"Link": f'</v2/a/b/tags/list?n={self.page}&last={page[-1]}>; rel="next"'} if rest else {}
        handler.send(200, json.dumps({"name": "a/b", "tags": page}).encode(), **link)

    def serve_blob(self, handler, data):
        if handler.command == "HEAD":
            handler.send(200, data, Docker_Content_Digest=images.digest_of(data))
            return
        wanted = handler.headers.get("Range")
        if not wanted:
            handler.send(200, data)
            return
        first, last = range_of(handler, len(data))
        handler.send(206, data[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}")


def range_of(handler, size):
    """First and last byte that a request wants."""
    first, _, last = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), min(int(last or size - 1), size - 1)


# --- steps ---

def status(code, **headers):
    """What was sent is read first: a connection that is cut with bytes unread may lose the answer."""
    def step(handler):
        handler.body()
        handler.send(code, **headers)
    return step


def body(data, **headers):
    return lambda handler: handler.send(200, data, **headers)


def redirect(to):
    return lambda handler: handler.send(307, Location=to)


def with_headers(**headers):
    """As usual, and with these."""
    def step(handler):
        handler.more = headers
        return NotImplemented
    return step


def half(data):
    """Promises everything, sends half, hangs up."""
    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.cut()
    return step


def only(registry, method, step, part="/blobs/uploads/upload"):
    """The next request of this method is answered by `step`, those of others as usual, also at the same time."""
    def wrapped(handler):
        return step(handler)
    wrapped.method = method
    registry.on(part, wrapped)


def take_part(size):
    """Keeps so much of an upload, and hangs up."""
    def step(handler):
        key = handler.path.partition("?")[0].rpartition("/")[2]
        handler.server.registry.uploads[key] += handler.body(size)
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


class Throttle:
    """Gives a blob, or the range of it that is asked for, at so many bytes a second for each request;
    counts how many were on their way at once, also together with those `beside`, and what went out."""

    def __init__(self, data, rate, ranges=True, beside=None):
        self.data, self.rate, self.ranges = data, rate, ranges
        self.counted = beside or self
        self.lock, self.now, self.most, self.sent = threading.Lock(), 0, 0, 0

    def __call__(self, handler):
        counted = self.counted
        with counted.lock:
            counted.now += 1
            counted.most = max(counted.most, counted.now)
        try:
            self.serve(handler)
        finally:
            with counted.lock:
                counted.now -= 1

    def serve(self, handler):
        first, last = range_of(handler, len(self.data)) if self.ranges else (0, len(self.data) - 1)
        asked = self.ranges and "Range" in handler.headers
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(self.data)}")
        handler.send_header("Content-Length", str(last + 1 - first))
        handler.end_headers()
        begin, at, step = time.monotonic(), first, 128 * 1024
        while at <= last:
            piece = self.data[at:min(at + step, last + 1)]
            handler.wfile.write(piece)
            at += len(piece)
            with self.lock:
                self.sent += len(piece)
            time.sleep(max(0, begin + (at - first) / self.rate - time.monotonic()))
