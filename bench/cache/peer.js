// The peer of bench/cache: GitHub's own package, against the same service on this machine. Says how long the call took,
// without the start of node.
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

async function load(name) {
  const folder = path.join(process.env.MODULES, 'node_modules/@actions', name);
  const { main } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json')));
  return (await import(pathToFileURL(path.join(folder, main)))).default;
}

async function main() {
  const [core, cache] = [await load('core'), await load('cache')];
  const key = core.getInput('key');
  const began = process.hrtime.bigint();
  if (core.getInput('do') === 'save') {
    if ((await cache.saveCache(['tree'], key)) < 0) throw new Error('not saved');
  } else if ((await cache.restoreCache(['tree'], key)) !== key) {
    throw new Error('not found');
  }
  core.setOutput('ms', Number(process.hrtime.bigint() - began) / 1e6);
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
