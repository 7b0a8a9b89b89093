"""A server on this machine that answers as the Hugging Face hub does, as far
as networks are written to it and read from it."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = 'a' * 40


class FakeHub(ThreadingHTTPServer):
    """Keeps the files of each repository, by their names."""

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        #: The number of bytes that the server says a file has.
        self.sizes: dict[str, int] = {}
        #: The files that were fetched.
        self.fetched: list[str] = []

    @property
    def address(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: FakeHub

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        length = int(self.headers.get('Content-Length', 0))
        body = self.rfile.read(length)
        parts = urlsplit(self.path).path.strip('/').split('/')
        if parts == ['api', 'repos', 'create']:
            given = json.loads(body)
            name = '/'.join(
                filter(
                    None, [given.get('organization') or 'me', given['name']]
                )
            )
            self.server.repositories.setdefault(name, {})
            return self._json({'url': f'{self.server.address}/{name}'})
        if parts == ['api', 'validate-yaml']:
            return self._json({'errors': [], 'warnings': []})
        name, action = '/'.join(parts[2:4]), parts[4]
        if action == 'preupload':
            files = [
                {
                    'path': f['path'],
                    'uploadMode': 'regular',
                    'shouldIgnore': False,
                }
                for f in json.loads(body)['files']
            ]
            return self._json({'files': files})
        assert action == 'commit', self.path
        for line in body.splitlines():
            entry = json.loads(line)
            if entry['key'] == 'file':
                content = base64.b64decode(entry['value']['content'])
                self.server.repositories[name][entry['value']['path']] = (
                    content
                )
        self._json(
            {
                'commitUrl': f'{self.server.address}/{name}/commit/{COMMIT}',
                'commitOid': COMMIT,
                'success': True,
            }
        )

    def do_GET(self) -> None:
        self._give()

    def do_HEAD(self) -> None:
        self._give()

    def _give(self) -> None:
        parts = urlsplit(self.path).path.strip('/').split('/')
        if parts[:2] == ['api', 'models']:
            return self._info(parts)
        files = self.server.repositories.get('/'.join(parts[:2]), {})
        file = '/'.join(parts[4:])
        if file not in files:
            return self._json(
                {'error': 'Entry not found'}, 404, 'EntryNotFound'
            )
        if self.command == 'GET':
            self.server.fetched.append(file)
        self._send(files[file], 'application/octet-stream', 200, None)

    def _info(self, parts: list[str]) -> None:
        name = '/'.join(parts[2:4])
        if name not in self.server.repositories:
            return self._json(
                {'error': 'Repository not found'}, 404, 'RepoNotFound'
            )
        files = [
            {
                'rfilename': path,
                'path': path,
                'type': 'file',
                'oid': hashlib.sha1(content).hexdigest(),
                'size': self.server.sizes.get(path, len(content)),
            }
            for path, content in self.server.repositories[name].items()
        ]
        if 'tree' in parts:
            return self._json(files)
        self._json({'id': name, 'sha': COMMIT, 'siblings': files})

    def _json(
        self, value: object, code: int = 200, error: str | None = None
    ) -> None:
        self._send(json.dumps(value).encode(), 'application/json', code, error)

    def _send(
        self, content: bytes, kind: str, code: int, error: str | None
    ) -> None:
        self.send_response(code)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.send_header('ETag', f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header('X-Repo-Commit', COMMIT)
        if error is not None:
            self.send_header('X-Error-Code', error)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)


@contextmanager
def fake_hub(monkeypatch) -> Iterator[FakeHub]:
    """Starts it, and leads ``huggingface_hub`` of this process to it."""
    from huggingface_hub import constants

    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
        monkeypatch.setattr(constants, 'ENDPOINT', hub.address)
        monkeypatch.setattr(
            constants,
            'HUGGINGFACE_CO_URL_TEMPLATE',
            hub.address + '/{repo_id}/resolve/{revision}/{filename}',
        )
        from huggingface_hub import hf_api

        monkeypatch.setattr(hf_api.api, 'endpoint', hub.address)
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
