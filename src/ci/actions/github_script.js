// Runs the script of actions/github-script with what that action hands it, as far as no package is needed: github,
// context, core, exec, glob, io, require. CommonJS, for Node.js 16 and later; started by github_script.cpp.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const { spawn } = require('child_process');
const { createRequire } = require('module');

const env = process.env;
const workspace = env.GITHUB_WORKSPACE || process.cwd();
const text = (value) =>
  value === null || value === undefined ? '' : typeof value === 'string' || value instanceof String ? String(value) : JSON.stringify(value);
const escaped = (value) => text(value).replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
const property = (value) => escaped(value).replace(/:/g, '%3A').replace(/,/g, '%2C');

function command(name, properties, message) {
  const list = Object.entries(properties || {}).filter(([, v]) => v !== undefined && v !== null && v !== '');
  process.stdout.write(`::${name}${list.length ? ' ' + list.map(([k, v]) => `${k}=${property(v)}`).join(',') : ''}::${escaped(message)}${os.EOL}`);
}
function append(variable, line) {
  if (!env[variable]) throw new Error(`Unable to find environment variable for file command ${variable}`);
  fs.appendFileSync(env[variable], line + os.EOL);
}
function keyValue(name, value) {
  const mark = `ghadelimiter_${crypto.randomUUID()}`;
  return `${name}<<${mark}${os.EOL}${text(value)}${os.EOL}${mark}`;
}

class Summary {
  constructor() { this.buffer = ''; }
  addRaw(value, newline) { this.buffer += value; return newline ? this.addEOL() : this; }
  addEOL() { return this.addRaw(os.EOL); }
  element(tag, content, attributes = {}) {
    const list = Object.entries(attributes).filter(([, v]) => v !== undefined).map(([k, v]) => ` ${k}="${v}"`).join('');
    return content === null ? `<${tag}${list}>` : `<${tag}${list}>${content}</${tag}>`;
  }
  put(tag, content, attributes) { return this.addRaw(this.element(tag, content, attributes)).addEOL(); }
  addCodeBlock(code, lang) { return this.put('pre', this.element('code', code), { lang }); }
  addList(items, ordered = false) { return this.put(ordered ? 'ol' : 'ul', items.map((i) => this.element('li', i)).join('')); }
  addTable(rows) {
    const cell = (c) => (typeof c === 'string' ? this.element('td', c) : this.element(c.header ? 'th' : 'td', c.data, { colspan: c.colspan, rowspan: c.rowspan }));
    return this.put('table', rows.map((row) => this.element('tr', row.map(cell).join(''))).join(''));
  }
  addDetails(label, content) { return this.put('details', this.element('summary', label) + content); }
  addImage(src, alt, options = {}) { return this.put('img', null, { src, alt, ...options }); }
  addHeading(value, level = 1) { return this.put(`h${[1, 2, 3, 4, 5, 6].includes(+level) ? level : 1}`, value); }
  addSeparator() { return this.put('hr', null); }
  addBreak() { return this.put('br', null); }
  addQuote(value, cite) { return this.put('blockquote', value, { cite }); }
  addLink(value, href) { return this.put('a', value, { href }); }
  stringify() { return this.buffer; }
  isEmptyBuffer() { return this.buffer.length === 0; }
  emptyBuffer() { this.buffer = ''; return this; }
  async write(options = {}) {
    (options.overwrite ? fs.writeFileSync : fs.appendFileSync)(env.GITHUB_STEP_SUMMARY, this.buffer);
    return this.emptyBuffer();
  }
  async clear() { return this.emptyBuffer().write({ overwrite: true }); }
}
const summary = new Summary();

const place = (p = {}) => ({ title: p.title, file: p.file, line: p.startLine, endLine: p.endLine, col: p.startColumn, endColumn: p.endColumn });
const message = (value) => (value instanceof Error ? value.toString() : value);
const core = {
  ExitCode: { Success: 0, Failure: 1 },
  getInput(name, options = {}) {
    const value = env[`INPUT_${name.replace(/ /g, '_').toUpperCase()}`] || '';
    if (options.required && !value) throw new Error(`Input required and not supplied: ${name}`);
    return options.trimWhitespace === false ? value : value.trim();
  },
  getMultilineInput: (name, options) => core.getInput(name, options).split('\n').filter((x) => x !== ''),
  getBooleanInput(name, options) {
    const value = core.getInput(name, options);
    if (['true', 'True', 'TRUE'].includes(value)) return true;
    if (['false', 'False', 'FALSE'].includes(value)) return false;
    throw new TypeError(`Input does not meet YAML 1.2 "Core Schema" specification: ${name}\nSupport boolean input list: \`true | True | TRUE | false | False | FALSE\``);
  },
  setOutput: (name, value) => append('GITHUB_OUTPUT', keyValue(name, value)),
  exportVariable(name, value) { env[name] = text(value); append('GITHUB_ENV', keyValue(name, value)); },
  addPath(folder) { append('GITHUB_PATH', folder); env.PATH = `${folder}${path.delimiter}${env.PATH}`; },
  setSecret: (secret) => command('add-mask', {}, secret),
  setCommandEcho: (on) => command('echo', {}, on ? 'on' : 'off'),
  setFailed(value) { process.exitCode = 1; core.error(value); },
  isDebug: () => env.RUNNER_DEBUG === '1',
  debug: (value) => command('debug', {}, value),
  info: (value) => { process.stdout.write(value + os.EOL); },
  notice: (value, p) => command('notice', place(p), message(value)),
  warning: (value, p) => command('warning', place(p), message(value)),
  error: (value, p) => command('error', place(p), message(value)),
  startGroup: (name) => command('group', {}, name),
  endGroup: () => command('endgroup', {}, ''),
  async group(name, work) { core.startGroup(name); try { return await work(); } finally { core.endGroup(); } },
  saveState: (name, value) => append('GITHUB_STATE', keyValue(name, value)),
  getState: (name) => env[`STATE_${name}`] || '',
  getIDToken: async () => { throw new Error('core.getIDToken: this runner gives no OIDC tokens'); },
  toPosixPath: (p) => p.replace(/\\/g, '/'), toWin32Path: (p) => p.replace(/\//g, '\\'), toPlatformPath: (p) => p,
  summary, markdownSummary: summary,
  platform: { platform: os.platform(), arch: os.arch(), isWindows: false, isMacOS: false, isLinux: true,
    getDetails: async () => ({ name: os.type(), version: os.release(), platform: os.platform(), arch: os.arch(), isWindows: false, isMacOS: false, isLinux: true }) },
};

function words(line) {
  const out = [];
  let word = '', quoted = false, any = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (c === '\\' && quoted && line[i + 1] === '"') { word += '"'; i++; }
    else if (c === '"') { quoted = !quoted; any = true; }
    else if (c === ' ' && !quoted) { if (word || any) out.push(word); word = ''; any = false; }
    else word += c;
  }
  if (word || any) out.push(word);
  return out;
}
const exec = {
  exec(line, args = [], options = {}) {
    const argv = words(line).concat(args || []);
    if (!argv.length) return Promise.reject(new Error("Parameter 'commandLine' cannot be null or empty."));
    const listeners = options.listeners || {};
    const out = options.outStream || process.stdout, err = options.errStream || process.stderr;
    if (!options.silent) out.write(`[command]${argv.join(' ')}${os.EOL}`);
    return new Promise((resolve, reject) => {
      const child = spawn(argv[0], argv.slice(1), { cwd: options.cwd || process.cwd(), env: options.env || env });
      let said = false;
      const watch = (stream, sink, whole, perLine) => {
        let rest = '';
        stream.on('data', (data) => {
          if (whole) whole(data);
          if (!options.silent) sink.write(data);
          const parts = (rest + data.toString()).split('\n');
          rest = parts.pop();
          if (perLine) parts.forEach((l) => perLine(l.replace(/\r$/, '')));
        });
        stream.on('end', () => { if (rest && perLine) perLine(rest); });
      };
      watch(child.stdout, out, listeners.stdout, listeners.stdline);
      watch(child.stderr, options.failOnStdErr ? err : out, (data) => { said = true; if (listeners.stderr) listeners.stderr(data); }, listeners.errline);
      if (options.input) child.stdin.end(options.input); else child.stdin.end();
      child.stdin.on('error', () => {});
      child.on('error', (e) => reject(new Error(`There was an error when attempting to execute the process '${argv[0]}'. This may indicate the process failed to start. Error: ${e.message}`)));
      child.on('close', (code, signal) => {
        const status = code === null ? 128 + (os.constants.signals[signal] || 0) : code;
        if (status !== 0 && !options.ignoreReturnCode) reject(new Error(`The process '${argv[0]}' failed with exit code ${status}`));
        else if (said && options.failOnStdErr) reject(new Error(`The process '${argv[0]}' failed because one or more lines were written to the STDERR stream`));
        else resolve(status);
      });
    });
  },
  async getExecOutput(line, args, options = {}) {
    let stdout = '', stderr = '';
    const given = options.listeners || {};
    const listeners = { ...given,
      stdout: (d) => { stdout += d.toString(); if (given.stdout) given.stdout(d); },
      stderr: (d) => { stderr += d.toString(); if (given.stderr) given.stderr(d); } };
    const exitCode = await exec.exec(line, args, { ...options, listeners });
    return { exitCode, stdout, stderr };
  },
};

const io = {
  mkdirP: async (folder) => { fs.mkdirSync(folder, { recursive: true }); },
  rmRF: async (file) => { fs.rmSync(file, { recursive: true, force: true }); },
  async cp(source, target, options = {}) {
    const folder = fs.statSync(source).isDirectory();
    if (folder && !options.recursive) throw new Error(`Failed to copy. ${source} is a directory, but tried to copy without recursive flag.`);
    const inside = fs.existsSync(target) && fs.statSync(target).isDirectory() && options.copySourceDirectory !== false;
    const to = inside ? path.join(target, path.basename(source)) : target;
    if (options.force === false && fs.existsSync(to)) return;
    fs.mkdirSync(path.dirname(path.resolve(to)), { recursive: true });
    fs.cpSync(source, to, { recursive: true, force: options.force !== false });
  },
  async mv(source, target, options = {}) {
    const to = fs.existsSync(target) && fs.statSync(target).isDirectory() ? path.join(target, path.basename(source)) : target;
    if (fs.existsSync(to)) {
      if (options.force === false) throw new Error('Destination already exists');
      fs.rmSync(to, { recursive: true, force: true });
    }
    fs.mkdirSync(path.dirname(path.resolve(to)), { recursive: true });
    try { fs.renameSync(source, to); } catch (e) {
      if (e.code !== 'EXDEV') throw e;
      fs.cpSync(source, to, { recursive: true });
      fs.rmSync(source, { recursive: true });
    }
  },
  async findInPath(tool) {
    const places = tool.includes('/') ? [path.resolve(tool)] : (env.PATH || '').split(path.delimiter).filter(Boolean).map((p) => path.join(p, tool));
    return places.filter((p) => { try { fs.accessSync(p, fs.constants.X_OK); return fs.statSync(p).isFile(); } catch { return false; } });
  },
  async which(tool, check) {
    const found = (await io.findInPath(tool))[0] || '';
    if (!found && check) throw new Error(`Unable to locate executable file: ${tool}. Please verify either the file path exists or the file can be found within a directory specified by the PATH environment variable.`);
    return found;
  },
};

// A pattern as a regular expression over an absolute path.
function matcher(pattern) {
  let out = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (pattern.startsWith('/**/', i)) { out += '/(?:.*/)?'; i += 3; }
    else if (pattern.startsWith('**', i)) { out += '.*'; i++; }
    else if (c === '*') out += '[^/]*';
    else if (c === '?') out += '[^/]';
    else if (c === '[' && pattern.indexOf(']', i) > i) { out += pattern.slice(i, pattern.indexOf(']', i) + 1).replace('[!', '[^'); i = pattern.indexOf(']', i); }
    else out += c.replace(/[.+^${}()|\\/[\]]/g, '\\$&');
  }
  return out;
}
const glob = {
  async create(patterns, options = {}) {
    const rules = patterns.split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#')).map((line) => {
      let not = false;
      while (line.startsWith('!')) { not = !not; line = line.slice(1); }
      if (line === '~' || line.startsWith('~/')) line = os.homedir() + line.slice(1);
      const full = path.resolve(process.cwd(), line);
      const folder = line.endsWith('/');
      const below = options.implicitDescendants === false ? '' : '(?:/.*)?';
      let start = full;
      while (/[*?[]/.test(start)) start = path.dirname(start);
      return { not, folder, start, exact: new RegExp(`^${matcher(full)}$`), whole: new RegExp(`^${matcher(full)}${below}$`) };
    });
    const search = [...new Set(rules.filter((r) => !r.not).map((r) => r.start))];
    const find = function* (file, seen) {
      let info;
      try { info = options.followSymbolicLinks === false ? fs.lstatSync(file) : fs.statSync(file); } catch { if (options.omitBrokenSymbolicLinks === false) throw new Error(`No information found for the path '${file}'`); return; }
      if (options.excludeHiddenFiles && path.basename(file).startsWith('.')) return;
      let inside = false;
      for (const r of rules) if (r.not === inside && r.whole.test(file) && !(r.folder && r.exact.test(file) && !info.isDirectory())) inside = !r.not;
      if (inside && (!info.isDirectory() || options.matchDirectories !== false)) yield file;
      if (!info.isDirectory()) return;
      const real = fs.realpathSync(file);
      if (seen.includes(real)) return;
      for (const name of fs.readdirSync(file).sort()) yield* find(path.join(file, name), seen.concat(real));
    };
    const all = () => { const out = new Set(); for (const s of search) for (const f of find(s, [])) out.add(f); return [...out]; };
    return { getSearchPaths: () => search.slice(), glob: async () => all(), async *globGenerator() { yield* all(); } };
  },
  async hashFiles(patterns, root = '', options = {}) {
    const base = root || workspace;
    const hash = crypto.createHash('sha256');
    let any = false;
    const found = await (await glob.create(patterns, { ...options, matchDirectories: false })).glob();
    for (const file of found) {
      if (!file.startsWith(base + path.sep) || fs.statSync(file).isDirectory()) continue;
      hash.update(crypto.createHash('sha256').update(fs.readFileSync(file)).digest());
      any = true;
    }
    return any ? hash.digest('hex') : '';
  },
};

const payload = env.GITHUB_EVENT_PATH && fs.existsSync(env.GITHUB_EVENT_PATH) ? JSON.parse(fs.readFileSync(env.GITHUB_EVENT_PATH, 'utf8')) : {};
const numeric = (value) => (/^\d+$/.test(value || '') ? parseInt(value, 10) : value);
const context = {
  payload, eventName: env.GITHUB_EVENT_NAME, sha: env.GITHUB_SHA, ref: env.GITHUB_REF, workflow: env.GITHUB_WORKFLOW,
  action: env.GITHUB_ACTION, actor: env.GITHUB_ACTOR, job: env.GITHUB_JOB, runAttempt: numeric(env.GITHUB_RUN_ATTEMPT),
  runNumber: numeric(env.GITHUB_RUN_NUMBER), runId: numeric(env.GITHUB_RUN_ID), apiUrl: env.GITHUB_API_URL,
  serverUrl: env.GITHUB_SERVER_URL, graphqlUrl: env.GITHUB_GRAPHQL_URL,
  get repo() { const [owner, repo] = (env.GITHUB_REPOSITORY || '').split('/'); return { owner, repo }; },
  get issue() { return { ...context.repo, number: (payload.issue || payload.pull_request || payload).number }; },
};

// Where what is asked for lives; others can be asked by github.request('GET /...').
const routes = {
  'issues.createComment': 'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'issues.updateComment': 'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'issues.deleteComment': 'DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'issues.listComments': 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'issues.create': 'POST /repos/{owner}/{repo}/issues',
  'issues.get': 'GET /repos/{owner}/{repo}/issues/{issue_number}',
  'issues.update': 'PATCH /repos/{owner}/{repo}/issues/{issue_number}',
  'issues.listForRepo': 'GET /repos/{owner}/{repo}/issues',
  'issues.addLabels': 'POST /repos/{owner}/{repo}/issues/{issue_number}/labels',
  'issues.removeLabel': 'DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}',
  'pulls.get': 'GET /repos/{owner}/{repo}/pulls/{pull_number}',
  'pulls.list': 'GET /repos/{owner}/{repo}/pulls',
  'pulls.listFiles': 'GET /repos/{owner}/{repo}/pulls/{pull_number}/files',
  'pulls.create': 'POST /repos/{owner}/{repo}/pulls',
  'repos.get': 'GET /repos/{owner}/{repo}',
  'repos.createCommitStatus': 'POST /repos/{owner}/{repo}/statuses/{sha}',
  'repos.getCombinedStatusForRef': 'GET /repos/{owner}/{repo}/commits/{ref}/status',
  'repos.getCommit': 'GET /repos/{owner}/{repo}/commits/{ref}',
  'repos.getContent': 'GET /repos/{owner}/{repo}/contents/{path}',
  'repos.getBranch': 'GET /repos/{owner}/{repo}/branches/{branch}',
  'repos.listPullRequestsAssociatedWithCommit': 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
  'git.getRef': 'GET /repos/{owner}/{repo}/git/ref/{ref}',
  'actions.listWorkflowRunArtifacts': 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts',
  'checks.create': 'POST /repos/{owner}/{repo}/check-runs',
};
const ownRepository = (p) => `${p.owner}/${p.repo}`.toLowerCase() === (env.GITHUB_REPOSITORY || '').toLowerCase();
// What the event itself says needs no server.
const known = {
  'pulls.get': (p) => (ownRepository(p) && payload.pull_request && +p.pull_number === payload.pull_request.number ? payload.pull_request : undefined),
  'issues.get': (p) => (ownRepository(p) && payload.issue && +p.issue_number === payload.issue.number ? payload.issue : undefined),
  'repos.get': (p) => (ownRepository(p) ? payload.repository : undefined),
};

function octokit(token) {
  const base = (env.SLIPWAY_SCRIPT_BASE_URL || env.GITHUB_API_URL || '').replace(/\/$/, '');
  const refuse = (name, why) => {
    const error = new Error(`${name}: ${why}. This runner's house answers what it has an API for, and ${base || 'no address'} is not GitHub; ` +
      'give base-url and github-token to ask another server, or tell people by core.summary and core.notice');
    error.name = 'HttpError';
    return error;
  };
  async function request(route, parameters = {}, name = route) {
    if (typeof route === 'object') { parameters = route; route = `${route.method || 'GET'} ${route.url}`; }
    const [, method, template] = /^([A-Z]+) (.*)$/.exec(route) || [null, 'GET', route];
    const rest = { ...parameters };
    for (const key of ['headers', 'mediaType', 'method', 'url', 'baseUrl', 'request']) delete rest[key];
    const url = template.replace(/\{\+?(\w+)\}/g, (all, key) => {
      const value = rest[key];
      if (value === undefined) throw new Error(`${name}: parameter ${key} is missing`);
      delete rest[key];
      return key === 'path' || key === 'ref' ? String(value).split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
    });
    if (typeof fetch !== 'function') throw refuse(name, `Node.js ${process.versions.node} has no fetch, want 18 or later`);
    const reads = method === 'GET' || method === 'HEAD';
    const query = reads && Object.keys(rest).length ? '?' + new URLSearchParams(Object.entries(rest).map(([k, v]) => [k, text(v)])) : '';
    const where = /^https?:/.test(url) ? url + query : base + url + query;
    let response;
    try {
      response = await fetch(where, { method, body: reads ? undefined : JSON.stringify(rest), headers: {
        accept: 'application/vnd.github+json', 'content-type': 'application/json', 'user-agent': 'slipway',
        ...(token ? { authorization: `token ${token}` } : {}), ...(parameters.headers || {}) } });
    } catch (e) {
      throw refuse(name, `${where} cannot be reached (${(e.cause && (e.cause.code || e.cause.message)) || e.message})`);
    }
    const body = await response.text();
    let data = body;
    try { data = body ? JSON.parse(body) : undefined; } catch { /* as it is */ }
    if (!response.ok) {
      const error = refuse(name, `${where} answers ${response.status}${data && data.message ? ` (${data.message})` : ''}`);
      error.status = response.status;
      error.response = { status: response.status, data, url: where };
      throw error;
    }
    return { status: response.status, url: where, headers: Object.fromEntries(response.headers), data };
  }
  const method = (name) => {
    const call = async (parameters = {}) => {
      const data = known[name] && known[name](parameters);
      if (data !== undefined) return { status: 200, url: '', headers: {}, data };
      if (!routes[name]) throw refuse(`github.rest.${name}`, 'is not known here');
      return request(routes[name], parameters, `github.rest.${name}`);
    };
    call.endpoint = Object.assign((p) => ({ ...p, url: routes[name] }), { merge: (p) => ({ ...p, url: routes[name] }) });
    return call;
  };
  const group = (name) => new Proxy({}, { get: (all, key) => (typeof key === 'string' ? all[key] || (all[key] = method(`${name}.${key}`)) : undefined) });
  const rest = new Proxy({}, { get: (all, key) => (typeof key === 'string' ? all[key] || (all[key] = group(key)) : undefined) });
  async function* pages(what, parameters = {}) {
    for (let page = 1; ; page++) {
      const full = { per_page: 30, ...parameters, page };
      const response = await (typeof what === 'function' ? what(full) : request(what, full));
      const list = Array.isArray(response.data) ? response.data : Object.values(response.data || {}).find(Array.isArray) || [];
      yield { ...response, data: list };
      if (list.length < full.per_page) return;
    }
  }
  const paginate = Object.assign(async (what, parameters, map) => {
    const out = [];
    for await (const page of pages(what, parameters)) out.push(...(map ? map(page, () => {}) : page.data));
    return out;
  }, { iterator: pages });
  const graphql = async () => { throw refuse('github.graphql', 'is not answered here'); };
  const own = { rest, request, paginate, graphql, hook: { before() {}, after() {}, error() {}, wrap() {} }, log: { debug() {}, info: core.info, warn: core.warning, error: core.error } };
  // github.issues.createComment, as older scripts write it.
  return new Proxy(own, { get: (all, key) => (key in all || typeof key !== 'string' || key === 'then' ? all[key] : rest[key]) });
}

async function main() {
  const own = createRequire(path.join(workspace, 'script.js'));
  const needed = new Proxy(own, { apply: (target, self, [id]) => {
    if (id === '@actions/core') return core;
    if (id === '@actions/exec') return exec;
    if (id === '@actions/io') return io;
    if (id === '@actions/glob') return glob;
    if (id === '@actions/github') return { context, getOctokit: octokit };
    return target(id.startsWith('.') ? path.join(workspace, id) : id);
  } });
  const github = octokit(env.SLIPWAY_SCRIPT_TOKEN);
  const names = { require: needed, __original_require__: require, github, octokit: github, getOctokit: octokit, context, core, exec, glob, io };
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
  const encoding = env.SLIPWAY_SCRIPT_ENCODING || 'json';
  const script = env.SLIPWAY_SCRIPT;
  for (const key of ['SLIPWAY_SCRIPT_TOKEN', 'SLIPWAY_SCRIPT', 'SLIPWAY_SCRIPT_ENCODING', 'SLIPWAY_SCRIPT_BASE_URL']) delete env[key];
  const result = await new AsyncFunction(...Object.keys(names), script)(...Object.values(names));
  core.setOutput('result', encoding === 'string' ? String(result) : JSON.stringify(result));
}

process.on('unhandledRejection', (error) => { core.setFailed(`Unhandled error: ${error}`); });
main().catch((error) => {
  if (error && error.stack) process.stderr.write(error.stack + os.EOL);
  core.setFailed(`Unhandled error: ${error}`);
});
