"""Key files, signatures and passwords of the environment between the Python wallet and `agon wallet`, both ways."""

import ctypes
import json
import os
import pathlib
import subprocess
import unittest

from bittensor_wallet import CRYPTO_ED25519, CRYPTO_SR25519, Keyfile, Keypair, Wallet
from bittensor_wallet.keyfile import legacy_encrypt_keyfile_data
from common import BTCLI, btcli

ROOT = pathlib.Path.home() / "wallets"
PASSWORD = "a pässword of the tests"
WORDS = "abandon " * 11 + "about"
MESSAGE = "hello"


def agon(*arguments, environment=None, status=0):
    """Runs `agon wallet` in the tests' directory of wallets and gives the JSON document it prints."""
    ran = subprocess.run(
        [os.environ["AGON"], "wallet", *arguments, "--json"],
        env={**os.environ, "BT_WALLET_PATH": str(ROOT), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == status, f"agon wallet {arguments}: {ran.stdout}\n{ran.stderr}"
    return json.loads(ran.stdout) if ran.stdout else None


def named(wallet):
    """The flags that name a wallet."""
    return "--wallet.name", wallet.name, "--wallet.hotkey", wallet.hotkey_str


def saved_password(file, password):
    """The variable in which the Python wallet saves a key file's password, and its value."""
    name = file.env_var_name()
    file.save_password_to_env(password)
    # It is set past Python's own copy of the environment.
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return name, getenv(name.encode()).decode()


class Wallets(unittest.TestCase):
    def wallet(self, name):
        return Wallet(name=name, hotkey="one", path=str(ROOT))

    def both_agree(self, ours, theirs):
        """Expects a signature of Agon's to be good for the Python wallet's key and the other way round."""
        self.assertEqual(ours["address"], theirs.ss58_address)
        self.assertTrue(theirs.verify(MESSAGE, ours["signature"]))
        signature = "0x" + bytes(theirs.sign(MESSAGE)).hex()
        check = ("verify", "--ss58", theirs.ss58_address, "--signature", signature)
        self.assertTrue(agon(*check, "--message", MESSAGE)["valid"])
        self.assertFalse(agon(*check, "--message", "hallo", status=2)["valid"])

    def test_plain_files_open_both_ways(self):
        for scheme, number in (("sr25519", CRYPTO_SR25519), ("ed25519", CRYPTO_ED25519)):
            theirs = self.wallet(f"python-{scheme}")
            theirs.create_coldkey_from_uri("//Bob", use_password=False, crypto_type=number)
            theirs.create_new_hotkey(use_password=False, suppress=True, crypto_type=number)
            ours = self.wallet(f"agon-{scheme}")
            flags = (*named(ours), "--crypto-type", scheme)
            agon("new-coldkey", *flags, "--no-password")
            agon("regen-hotkey", *flags, "--uri", "//Alice//hot")
            for wallet in (theirs, ours):
                signed = agon("sign", *named(wallet), "--message", MESSAGE)
                self.both_agree(signed, wallet.get_coldkey())
                signed = agon("sign", *named(wallet), "--message", MESSAGE, "--use-hotkey")
                self.both_agree(signed, wallet.get_hotkey())
                found = agon("inspect", *named(wallet))
                self.assertEqual(found["coldkey"]["crypto_type"], scheme)
                self.assertEqual(found["coldkey"]["address"], wallet.get_coldkeypub().ss58_address)
                self.assertEqual(wallet.get_coldkeypub().crypto_type, number)

    def test_encrypted_files_open_both_ways(self):
        theirs = self.wallet("python-sealed")
        theirs.create_new_coldkey(suppress=True, coldkey_password=PASSWORD)
        ours = self.wallet("agon-sealed")
        told = agon(
            "new-hotkey", *named(ours), "--use-password", environment={"BT_WALLET_PASSWORD": PASSWORD}
        )
        # The variables of both are made by the Python wallet.
        environment = dict(
            saved_password(file, PASSWORD) for file in (theirs.coldkey_file, ours.hotkey_file)
        )
        sign = ("sign", "--message", MESSAGE)
        signed = agon(*sign, *named(theirs), environment=environment)
        self.both_agree(signed, theirs.get_coldkey(PASSWORD))
        signed = agon(*sign, *named(ours), "--use-hotkey", environment=environment)
        self.assertEqual(signed["address"], told["address"])
        # With no password given the Python wallet takes that of the environment.
        self.both_agree(signed, ours.get_hotkey())
        wrong = dict([saved_password(theirs.coldkey_file, "another password")])
        self.assertIsNone(agon(*sign, *named(theirs), environment=wrong, status=2))

    def test_a_legacy_file_is_updated(self):
        wallet = self.wallet("legacy")
        key = Keypair.create_from_mnemonic(WORDS)
        wallet.set_coldkey(key, encrypt=False)
        path = pathlib.Path(wallet.coldkey_file.path)
        path.write_bytes(bytes(legacy_encrypt_keyfile_data(path.read_bytes(), PASSWORD)))
        environment = {"BT_WALLET_PASSWORD": PASSWORD}
        signed = agon("sign", *named(wallet), "--message", MESSAGE, environment=environment)
        self.both_agree(signed, key)
        told = agon("update", *named(wallet), environment=environment)
        self.assertEqual((told["before"], told["now"]), ("Ansible Vault", "$NACL"))
        opened = Keyfile(str(path)).get_keypair(PASSWORD)
        self.assertEqual(opened.ss58_address, key.ss58_address)

    def test_public_files_are_written_alike(self):
        theirs, ours = self.wallet("python-public"), self.wallet("agon-public")
        address = Keypair.create_from_uri("//Alice").ss58_address
        theirs.regenerate_coldkeypub(ss58_address=address)
        agon("regen-coldkeypub", *named(ours), "--ss58", address)
        for wallet in (theirs, ours):
            self.assertEqual(wallet.get_coldkeypub().ss58_address, address)
            self.assertEqual(agon("inspect", *named(wallet))["coldkey"]["address"], address)

    @unittest.skipUnless(BTCLI.exists(), "btcli wants another version of the wallet than this one")
    def test_btcli_verifies_what_agon_signed(self):
        wallet = self.wallet("signer")
        agon("regen-hotkey", *named(wallet), "--uri", "//Alice")
        signed = agon("sign", *named(wallet), "--use-hotkey", "--message", MESSAGE)
        told = btcli(
            "wallet", "verify", "--message", MESSAGE,
            "--address", signed["address"], "--signature", signed["signature"],
        )  # fmt: skip
        self.assertTrue(told["verified"], told)


if __name__ == "__main__":
    unittest.main()
