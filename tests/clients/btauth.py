"""`btauth/1` between SDK 11 and Agon: each signs for the other and verifies what the other has signed."""

import http.server
import json
import threading
import time
import unittest
import urllib.error
import urllib.request

from bittensor import http_auth
from bittensor.sp_core import Keypair
from bittensor.wallets import parse_crypto_type
from echo import query, serving


def key(name, scheme="sr25519"):
    return Keypair.create_from_uri(f"//{name}", crypto_type=parse_crypto_type(scheme))


def post(address, path, body, headers):
    """The status and the JSON document of one request."""
    host, port = address
    request = urllib.request.Request(f"http://{host}:{port}{path}", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class TheirSignature(unittest.TestCase):
    def test_ours_verifies_it(self):
        alice = key("Alice").ss58_address
        body = b'{"dummy_input": 7}'
        with serving("Alice", "--btauth-only") as address:
            for scheme in ("sr25519", "ed25519"):
                signer = key("Bob", scheme)
                path = "/Dummy?stream=false"
                headers = http_auth.sign(signer, method="POST", path=path, body=body, receiver_ss58=alice)
                status, told = post(address, path, body, headers)
                self.assertEqual((status, told["dummy_output"]), (200, 14), told)
                self.assertEqual(told["from"], signer.ss58_address)
                # Once.
                status, told = post(address, path, body, headers)
                self.assertEqual((status, told["error"]), (401, "replayed"))

                def signed(**change):
                    asked = dict(method="POST", path=path, body=body, receiver_ss58=alice)
                    return http_auth.sign(signer, **{**asked, **change})

                for headers, expected in (
                    (signed(body=b"{}"), (401, "signature")),
                    (signed(path="/Dummy"), (401, "signature")),
                    (signed(method="PUT"), (401, "signature")),
                    (signed(receiver_ss58=None), (403, "receiver")),
                    (signed(receiver_ss58=signer.ss58_address), (403, "receiver")),
                    (signed(nonce_ns=time.time_ns() - 11 * 10**9), (401, "stale")),
                    (signed(nonce_ns=time.time_ns() + 4 * 10**9), (401, "stale")),
                    ({**signed(), "X-Bittensor-Crypto": "rsa"}, (401, "malformed")),
                ):
                    status, told = post(address, path, body, headers)
                    self.assertEqual((status, told["error"]), expected, told)


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that verifies with SDK 11 and says what it found."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            caller = http_auth.verify(
                dict(self.headers), body, method="POST", path=self.path, self_hotkey_ss58=key("Alice").ss58_address
            )
            status, told = 200, {"from": caller.hotkey_ss58, "heard": json.loads(body)}
        except http_auth.AuthError as error:
            status, told = 401, {"message": type(error).__name__}
        said = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


class OurSignature(unittest.TestCase):
    def test_theirs_verifies_it(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address
        data = {"prompt": "héllo", "n": [1, 2.5, None]}
        told = query("Bob", key("Alice").ss58_address, host, port, "generate", data, "--protocol", "btauth")
        self.assertEqual(told["outcome"], "answer", told)
        self.assertEqual(told["answer"], {"from": key("Bob").ss58_address, "heard": data})
        charlie = key("Charlie").ss58_address
        told = query("Bob", charlie, host, port, "generate", data, "--protocol", "btauth", status=2)
        self.assertEqual(told["outcome"], "refused")
        self.assertIn("WrongReceiver", told["reason"])
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    unittest.main()
