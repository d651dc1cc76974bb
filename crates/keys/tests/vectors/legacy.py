"""Writes the legacy key files of this directory: what wallets of the field wrote before `$NACL`.

    pip install ansible-vault==4.1.0 cryptography && python legacy.py

All hold the key of `abandon ... about` under the password `bittensor-test`.
"""

import base64
import hashlib
import json
import pathlib

from ansible_vault import Vault
from cryptography.fernet import Fernet

PASSWORD = "bittensor-test"
SALT = b"Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins"
PUBLIC = "0x66933bd1f37070ef87bd1198af3dacceb095237f803f3d32b173e6b425ed7972"
KEY = json.dumps(
    {
        "accountId": PUBLIC,
        "publicKey": PUBLIC,
        "secretPhrase": "abandon " * 11 + "about",
        "secretSeed": "0x4ed8d4b17698ddeaa1f1559f152f87b5d472f725ca86d341bd0276f1b61197e2",
        "ss58Address": "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH",
    }
).encode()

here = pathlib.Path(__file__).parent
vault = Vault(PASSWORD)
# Versions 2 to 5 of the wallet: the JSON itself.
(here / "ansible").write_bytes(vault.vault.encrypt(KEY))
# Version 1: the JSON as a binary scalar of YAML.
with open(here / "ansible-yaml", "w") as file:
    vault.dump(KEY, file)
# Before version 1.
key = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 10_000_000)
(here / "fernet").write_bytes(Fernet(base64.urlsafe_b64encode(key)).encrypt(KEY))
