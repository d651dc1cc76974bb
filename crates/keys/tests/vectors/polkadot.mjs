// Writes the polkadot-js accounts of this directory with the library itself:
//
//     npm install @polkadot/keyring @polkadot/util-crypto && node polkadot.mjs
//
// All but `polkadot-plain.json` have the password `bittensor-test`.

import { Keyring } from "@polkadot/keyring";
import { jsonEncryptFormat, naclEncrypt, cryptoWaitReady } from "@polkadot/util-crypto";
import { stringToU8a, u8aConcat, u8aFixLength } from "@polkadot/util";
import { writeFileSync } from "fs";

await cryptoWaitReady();
const words = "abandon ".repeat(11) + "about";
const password = "bittensor-test";
const write = (name, json) =>
  writeFileSync(new URL(`polkadot-${name}.json`, import.meta.url), JSON.stringify(json) + "\n");

for (const type of ["sr25519", "ed25519"]) {
  const pair = new Keyring({ type }).addFromUri(words, { name: "test" });
  write(type, pair.toJson(password));
}
const pair = new Keyring({ type: "sr25519" }).addFromUri(words);
// Without a password nothing is encrypted.
write("plain", pair.toJson());
write("ecdsa", new Keyring({ type: "ecdsa" }).addFromUri(words).toJson(password));
// The form without scrypt, which older versions wrote: the padded password is the key.
const { encrypted, nonce } = naclEncrypt(
  pair.encodePkcs8(),
  u8aFixLength(stringToU8a(password), 256, true),
);
const json = jsonEncryptFormat(u8aConcat(nonce, encrypted), ["pkcs8", "sr25519"], true);
json.encoding.type = ["xsalsa20-poly1305"];
write("without-scrypt", { ...json, address: pair.address, meta: {} });
