// An action as others write them, with GitHub's own packages. MODULES is where they are, SUFFIX which of their versions.
const { pathToFileURL } = require('url');
const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
let core;

async function need(name) {
  const folder = path.join(process.env.MODULES, 'node_modules', process.env.SUFFIX ? name + process.env.SUFFIX : `@actions/${name}`);
  const { main } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json')));
  const found = await import(pathToFileURL(path.join(folder, main)));
  return process.env.SUFFIX ? found : found.default;
}

function check(good, what) {
  if (!good) throw new Error(`probe: ${what}`);
}

async function caches() {
  const cache = await need('cache');
  check(cache.isFeatureAvailable(), 'there is a cache service');
  const key = core.getInput('key');
  const files = ['kept/deep', 'kept.txt'];
  fs.mkdirSync('kept/deep', { recursive: true });
  fs.writeFileSync('kept/deep/big', crypto.randomBytes(9 << 20));
  fs.writeFileSync('kept.txt', 'of the cache');
  fs.chmodSync('kept.txt', 0o755);
  const before = crypto.createHash('sha256').update(fs.readFileSync('kept/deep/big')).digest('hex');
  check((await cache.restoreCache(files.slice(), key)) === undefined, 'nothing is there at first');
  check((await cache.saveCache(files.slice(), key)) >= 0, 'saved');
  check((await cache.saveCache(files.slice(), key)) === -1, 'the same key is not saved again');
  fs.rmSync('kept', { recursive: true });
  fs.rmSync('kept.txt');
  check((await cache.restoreCache(files.slice(), `${key}-of-tomorrow`, [key.slice(0, 6)])) === key, 'found by its beginning');
  const after = crypto.createHash('sha256').update(fs.readFileSync('kept/deep/big')).digest('hex');
  check(before === after, 'the bytes are the same');
  check((fs.statSync('kept.txt').mode & 0o777) === 0o755, 'and their modes');
  check((await cache.restoreCache(['others'], key)) === undefined, 'other paths are another entry');
}

// The same by the first protocol, which packages speak that know no Results services.
async function old() {
  delete process.env.ACTIONS_CACHE_SERVICE_V2;
  const cache = await need('cache');
  const key = `${core.getInput('key')}-old`;
  fs.mkdirSync('elder/deep', { recursive: true });
  fs.writeFileSync('elder/deep/big', crypto.randomBytes(40 << 20)); // more than one chunk
  const before = fs.readFileSync('elder/deep/big');
  check((await cache.restoreCache(['elder'], key)) === undefined, 'nothing is there at first');
  check((await cache.saveCache(['elder'], key)) > 0, 'saved');
  check((await cache.saveCache(['elder'], key)) === -1, 'the same key is not saved again');
  fs.rmSync('elder', { recursive: true });
  check((await cache.restoreCache(['elder'], 'absent', [key])) === key, 'found by its beginning');
  check(fs.readFileSync('elder/deep/big').equals(before), 'the bytes are the same');
  process.env.ACTIONS_CACHE_SERVICE_V2 = 'True';
  fs.rmSync('elder', { recursive: true });
  check((await cache.restoreCache(['elder'], key)) === key, 'the other protocol has the same entries');
}

async function artifacts() {
  const { DefaultArtifactClient } = await need('artifact');
  const client = new DefaultArtifactClient();
  fs.mkdirSync('out/below', { recursive: true });
  fs.writeFileSync('out/small.txt', 'of the action');
  fs.writeFileSync('out/below/big', crypto.randomBytes(20 << 20));
  const up = await client.uploadArtifact('from-js', ['out/small.txt', 'out/below/big'], 'out', { compressionLevel: 0 });
  check(up.size > 20 << 20 && up.id > 0, JSON.stringify(up));
  let twice;
  try {
    await client.uploadArtifact('from-js', ['out/small.txt'], 'out');
  } catch (error) {
    twice = error;
  }
  check(twice && /already exists/.test(twice.message), `a name is taken once: ${twice}`);
  const { artifacts: all } = await client.listArtifacts();
  check(all.map(a => a.name).sort().join() === 'from-here,from-js', JSON.stringify(all));
  const down = await client.downloadArtifact(up.id, { path: 'down', expectedHash: `sha256:${up.digest}` });
  check(!down.digestMismatch, 'the digest is that of the bytes');
  check(fs.readFileSync('down/below/big').equals(fs.readFileSync('out/below/big')), 'the bytes are the same');
  const other = await client.getArtifact('from-here');
  await client.downloadArtifact(other.artifact.id, { path: 'other' });
  check(fs.readFileSync('other/here.txt', 'utf8') === 'of the built-in action\n', 'artifacts of built-in actions');
  await client.uploadArtifact('gone', ['out/small.txt'], 'out');
  await client.deleteArtifact('gone');
  check((await client.listArtifacts()).artifacts.length === 2, 'deleted');
}

async function identity() {
  const token = await core.getIDToken('https://vault.example.com');
  const [head, body, signature] = token.split('.');
  const read = part => JSON.parse(Buffer.from(part, 'base64url'));
  const claims = read(body);
  const found = await (await fetch(`${claims.iss}/.well-known/openid-configuration`)).json();
  check(found.issuer === claims.iss, JSON.stringify(found));
  const { keys } = await (await fetch(found.jwks_uri)).json();
  const jwk = keys.find(k => k.kid === read(head).kid);
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  check(read(head).alg === 'RS256' && keys.map(k => k.alg).join() === 'RS256,ES256', JSON.stringify([read(head), keys]));
  const good = crypto.verify('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  check(good, 'the signature is of the published key');
  check(claims.aud === 'https://vault.example.com', JSON.stringify(claims));
  check(claims.sub === `repo:${process.env.GITHUB_REPOSITORY}:ref:refs/heads/main`, JSON.stringify(claims));
  check(claims.sha === process.env.GITHUB_SHA && claims.run_id === process.env.GITHUB_RUN_ID, JSON.stringify(claims));
  check(claims.exp > Date.now() / 1000 && claims.exp < Date.now() / 1000 + 3600, JSON.stringify(claims));
}

async function strangers() {
  const url = process.env.ACTIONS_RESULTS_URL;
  const ask = token =>
    fetch(`${url}twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
      body: '{"workflow_run_backend_id":"0"}',
    });
  check((await ask()).status === 401, 'nobody is refused');
  check((await ask(process.env.OLD_TOKEN)).status === 401, 'a job that has ended is refused');
  check((await ask(process.env.ACTIONS_RUNTIME_TOKEN)).status === 403, 'another run is refused');
  check(process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN === undefined, 'no identity without the permission');
}

// One file as it is, without an archive around it.
async function raw() {
  const { DefaultArtifactClient } = await need('artifact');
  const client = new DefaultArtifactClient();
  fs.writeFileSync('page.html', '<p>as it is');
  const up = await client.uploadArtifact('ignored', ['page.html'], '.', { skipArchive: true });
  const found = await client.getArtifact('page.html');
  check(found.artifact.id === up.id && found.artifact.digest === `sha256:${up.digest}`, JSON.stringify(found));
  const down = await client.downloadArtifact(up.id, { path: 'rawly', expectedHash: found.artifact.digest });
  check(!down.digestMismatch, 'the digest is that of the bytes');
  check(fs.readFileSync('rawly/page.html', 'utf8') === '<p>as it is', fs.readdirSync('rawly').join());
}

async function main() {
  core = await need('core');
  const part = path.basename(process.argv[1], '.js');
  console.log(`probe ${part} state=${core.getState('mark')} input=${core.getInput('key')}`);
  if (part === 'pre') return core.saveState('mark', 'pre');
  if (part === 'post') return;
  core.saveState('mark', `${core.getState('mark')}+main`);
  for (const what of core.getInput('parts').split(' ').filter(Boolean)) {
    await { caches, old, artifacts, identity, strangers, raw }[what]();
    console.log(`probe ${what} good`);
  }
  core.setOutput('said', 'well');
}

main().catch(error => core.setFailed(error.stack));
