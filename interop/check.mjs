// SPDX-License-Identifier: Apache-2.0
// Checks a file of evidence with nothing of ours: JOSE by `jose`, notes and digests by Node's crypto.
//
//     node check.mjs EVIDENCE.json TRUST.json
//
// It prints what it has checked, one line each, and ends with status 1 at the first thing that is
// wrong. Proofs of the tree are checked elsewhere, by another library (tests/interop).

import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint, compactVerify, importJWK } from "jose";

const [evidence, trust] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));

const sha256 = (...parts) => {
  const hash = createHash("sha256");
  parts.forEach((part) => hash.update(part));
  return hash.digest();
};
const digest = (text) => sha256(text).toString("hex");

function must(holds, otherwise) {
  if (!holds) {
    console.error(`wrong: ${otherwise}`);
    process.exit(1);
  }
}

// Keys are written "Ed25519:<base64url of 32 bytes>" or "ES256:<base64url of the point>".
function jwkOf(text) {
  const [algorithm, encoded] = text.split(":");
  const raw = Buffer.from(encoded, "base64url");
  if (algorithm === "Ed25519") return { kty: "OKP", crv: "Ed25519", x: encoded, alg: "Ed25519" };
  must(algorithm === "ES256" && raw.length === 65 && raw[0] === 4, `key ${text}`);
  const [x, y] = [raw.subarray(1, 33), raw.subarray(33)].map((half) => half.toString("base64url"));
  return { kty: "EC", crv: "P-256", x, y, alg: "ES256" };
}

async function verifiedPayload(token, jwk) {
  const { payload, protectedHeader } = await compactVerify(token, await importJWK(jwk));
  must(protectedHeader.typ === "a6hub", `typ ${protectedHeader.typ}`);
  must(protectedHeader.kid === (await calculateJwkThumbprint(jwk)), "the key id is no thumbprint");
  return JSON.parse(new TextDecoder().decode(payload));
}

// --- the directory: every key that ever was, by its thumbprint -----------------------------------

must(digest(evidence.directory[0].line) === trust.root, "the first entry is not the trust root");
const keys = new Map();
const remember = async (text) => {
  const jwk = jwkOf(text);
  keys.set(await calculateJwkThumbprint(jwk), jwk);
};
const witnesses = new Map();
let genesis;
let acts = 0;
for (const { line } of evidence.directory) {
  for (const effect of JSON.parse(line).body.effects.filter((one) => one.effect === "directory")) {
    const act = JSON.parse(effect.act);
    if (act.act === "genesis") {
      genesis = act;
      await remember(act.hub_key);
      for (const { key } of act.administrators) await remember(key);
    }
    for (const { key } of act.act === "admission" ? act.actors : []) await remember(key);
    if (act.act === "admission") witnesses.set(act.participant, act.witness_key);
    if (act.new) await remember(act.new);
    for (const token of effect.signatures) {
      const { kid } = JSON.parse(Buffer.from(token.split(".")[0], "base64url"));
      must(keys.has(kid), `an act is signed by ${kid}, whom nobody knows`);
      const signed = await verifiedPayload(token, keys.get(kid));
      must(signed.act === digest(effect.act), "a signature is over another act");
    }
    acts += 1;
  }
}
must(genesis.log === trust.log, "another log");
console.log(`${acts} acts and their signatures`);

// --- messages: manifests, and the lines that they name -------------------------------------------

for (const { manifest, line } of [
  ...evidence.messages,
  ...evidence.receipts.map((receipt) => receipt.statement),
]) {
  const { kid } = JSON.parse(Buffer.from(manifest.split(".")[0], "base64url"));
  must(keys.has(kid), `a manifest is signed by ${kid}, whom nobody knows`);
  const payload = await verifiedPayload(manifest, keys.get(kid));
  must(payload.messages.includes(digest(line)), `a line is not in the manifest of ${payload.from}`);
  must(payload.to === "HUB" && payload.sequence > 0, "a message that was not said to the hub");
  console.log(`${JSON.parse(line).type} of ${payload.from}, sequence ${payload.sequence}`);
}

// --- entries rest on them ------------------------------------------------------------------------

const said = new Map(evidence.messages.map(({ manifest, line }) => [digest(line), digest(manifest)]));
for (const { line } of evidence.entries) {
  const { answers, body, conversation } = JSON.parse(line);
  must(conversation === evidence.transaction, "an entry of another transaction");
  if (answers !== null) must(said.get(answers) === body.manifest, `entry ${body.position}`);
  for (const { message } of body.consents) must(said.has(message), `consent to ${body.position}`);
  console.log(`entry ${body.position} rests on what is here`);
}

// --- heads: C2SP notes ---------------------------------------------------------------------------

function edwards(text) {
  return createPublicKey({ key: jwkOf(text), format: "jwk" });
}

// The id of a key under a name: four bytes of a hash over name, newline, type and key.
function noteKeyId(name, type, text) {
  const raw = Buffer.from(text.split(":")[1], "base64url");
  return sha256(`${name}\n`, Buffer.from([type]), raw).subarray(0, 4);
}

for (const { note } of evidence.heads) {
  const end = note.lastIndexOf("\n\n") + 1;
  const text = note.slice(0, end);
  const lines = note.slice(end + 1, -1).split("\n");
  lines.forEach((line, number) => {
    const [dash, name, encoded] = line.split(" ");
    must(dash === "\u2014", "a signature line begins with an em dash");
    const raw = Buffer.from(encoded, "base64");
    if (number === 0) {
      must(name === genesis.log, "the first signature is not the hub's");
      must(raw.subarray(0, 4).equals(noteKeyId(name, 1, genesis.checkpoint_key)), "key id");
      const right = verify(null, text, edwards(genesis.checkpoint_key), raw.subarray(4));
      must(right, "the hub's signature does not fit");
      return;
    }
    const key = witnesses.get(name);
    must(key !== undefined, `a cosignature by ${name}, whom nobody knows`);
    must(raw.subarray(0, 4).equals(noteKeyId(name, 4, key)), "key id");
    const time = raw.readBigUInt64BE(4);
    const signed = `cosignature/v1\ntime ${time}\n${text}`;
    must(verify(null, signed, edwards(key), raw.subarray(12)), `${name}'s cosignature`);
  });
  console.log(`head of ${text.split("\n")[1]} entries: the hub and ${lines.length - 1} witnesses`);
}
