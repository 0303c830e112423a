// The programs under test as processes that end with us: a child dies by the kernel's hand when
// this process does (setpriv --pdeathsig), and is killed and awaited when its use is over.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** How long anything may take, in ms: longer where the build is slower. */
export const patience = 60_000 * Math.max(1, Number(process.env.AGENTD_TEST_PATIENCE) || 1);

/** The promise, or an error that names what did not happen in time. */
export function within(promise, what, ms = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not in ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Runs `main(folder)`; the folder goes when it ends, and this process with all that it started. */
export async function inScratchFolder(main) {
  const folder = mkdtempSync(join(tmpdir(), 'agentd-oracle-'));
  const leave = (code) => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    process.exit(code); // whatever else is still open
  };
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    process.on(name, () => { console.log(`stopped by ${name}`); leave(1); });
  try {
    await main(folder);
  } catch (error) {
    console.log(`${error.stack}\n0 passed, 1 failed`);
    leave(1);
  }
  leave(process.exitCode);
}

const running = new Set();

/** Starts a program with nothing but `env`; stderr goes to `log`. Never a shell. */
export function start(argv, { env, log, stdin = 'ignore' }) {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv],
    { env, stdio: [stdin, 'pipe', openSync(log, 'a')] });
  running.add(child);
  const ended = new Promise((done) => {
    child.on('exit', (code, signal) => done(signal ?? code));
    child.on('error', (error) => done(String(error)));
  });
  ended.then(() => running.delete(child));
  return {
    child,
    ended,
    log: () => readFileSync(log, 'utf8'),
    lines: () => createInterface({ input: child.stdout }),
    /** SIGTERM, and SIGKILL for who does not go in time. How it ended. */
    async stop(ms = 20_000) {
      child.kill('SIGTERM');
      try {
        return await within(ended, 'end of a program', ms);
      } catch {
        child.kill('SIGKILL');
        return `${await ended}, after a SIGTERM that did nothing`;
      }
    },
  };
}

/** The local API of an agentd, over its socket. */
export class Api {
  constructor(socketPath) {
    this.socketPath = socketPath;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  }

  async send(method, path, body) {
    const request = http.request({ socketPath: this.socketPath, agent: this.agent, method, path,
      headers: body === undefined ? {} : { 'content-type': 'application/json' } });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const [reply] = await within(once(request, 'response'), `${method} ${path}`);
    return reply;
  }

  /** The text of a reply with this status. */
  async text(status, method, path, body) {
    const reply = await this.send(method, path, body);
    const pieces = await within(reply.toArray(), `${method} ${path}`);
    const all = Buffer.concat(pieces).toString();
    if (reply.statusCode !== status) throw new Error(`${method} ${path}: ${reply.statusCode} ${all}`);
    return all;
  }

  async json(status, method, path, body) {
    return JSON.parse(await this.text(status, method, path, body));
  }

  /** Every event and delta of a task to its end, each handed to `each` as it comes. */
  async follow(task, each = () => {}) {
    const reply = await this.send('GET', `/v1/events?after=0&follow=1&task_id=${task}`);
    if (reply.statusCode !== 200) throw new Error(`events of ${task}: ${reply.statusCode}`);
    const all = [];
    const read = async () => {
      for await (const line of createInterface({ input: reply })) {
        all.push(JSON.parse(line));
        each(all.at(-1));
      }
    };
    await within(read(), `end of task ${task}`, 2 * patience);
    return all;
  }

  close() {
    this.agent.destroy();
  }
}

/** What a program under test sees of our environment; what a sanitizer is to do goes through. */
export function plainEnvironment(home) {
  const kept = ['PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS', 'ASAN_SYMBOLIZER_PATH'];
  const set = kept.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]);
  return { ...Object.fromEntries(set), HOME: home, LC_ALL: 'C.UTF-8' };
}

/** An agentd of its own in `folder`, with a model at `url`. Ready when this returns. */
export async function startAgentd(program, folder, url, config) {
  const socket = join(folder, 'agentd.sock');
  const file = join(folder, 'agentd.toml');
  const threads = Number(process.env.AGENTD_TEST_THREADS) || 1;
  writeFileSync(file, `threads = ${threads}\n${config}`);
  const daemon = start([program, '--config', file, '--socket', socket, '--state-dir', join(folder, 'state')], {
    log: join(folder, 'agentd.log'),
    env: { ...plainEnvironment(folder), ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'sk-test' },
  });
  daemon.child.stdout.resume();
  const api = new Api(socket);
  await within(readiness(daemon, api), 'a ready agentd');
  return { daemon, api };
}

async function readiness(daemon, api) {
  let gone;
  daemon.ended.then((how) => { gone = how; });
  for (;;) {
    if (gone !== undefined) throw new Error(`agentd ended at its start: ${gone}\n${daemon.log()}`);
    try {
      return await api.text(200, 'GET', '/v1/health');
    } catch { // not yet: the socket is not there
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
