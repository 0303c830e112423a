// Whole tasks of the built agentd against the mock server aimock with its chaos on: requests are
// dropped, refused, cut, answered with garbage. Each task has to end in a defined state in
// bounded time, and each request that agentd sent has to be valid by the scripted model's rules.
//
//   node aimock_tasks.mjs MODULES AGENTD MODEL [TASKS]     40; 200 with AGENTD_TEST_FULL=1
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { messageOf } from './http_text.mjs';
import { findings } from './judge.mjs';
import { inScratchFolder, patience, plainEnvironment, start, startAgentd, within } from './processes.mjs';
import { Recorder } from './recorder.mjs';
import { makeTasks } from './task_kinds.mjs';

// What goes wrong: `first` surely befalls the first task of its group, the rest by chance: so
// seldom that a request does not fail until `retry_for_s` is spent.
const mixes = [
  { first: 'drop', rates: { dropRate: 0.15 } },
  { first: 'ratelimit', rates: { rateLimitRate: 0.08 } },
  { first: 'disconnect', rates: { disconnectRate: 0.15 } },
  { first: 'malformed', rates: { malformedRate: 0.05 } },
  { first: undefined, rates: { dropRate: 0.06, rateLimitRate: 0.03, disconnectRate: 0.06, malformedRate: 0.02, latencyMs: 10 } },
];
const rate_of = { drop: 'dropRate', ratelimit: 'rateLimitRate', disconnect: 'disconnectRate', malformed: 'malformedRate' };
const at_once = 16;
const most_failing = 0.1; // of the tasks: all is retried, malformed replies until the third in a row

const count = { passed: 0, failed: 0 };
function check(title, wrong) {
  if (wrong.length === 0) { count.passed++; return; }
  count.failed++;
  console.log(`${title}:\n  ${wrong.join('\n  ')}`);
}

async function startAimock(modules, folder, fixtures) {
  const file = join(folder, 'fixtures.json');
  writeFileSync(file, JSON.stringify({ fixtures }));
  const cli = join(modules, 'node_modules/@copilotkit/aimock/dist/cli.js');
  const mock = start([process.execPath, cli, '-p', '0', '-h', '127.0.0.1', '-f', file, '--validate-on-load',
    '--latency', '1', '--chunk-size', '10', '--log-level', 'info'],
  { env: plainEnvironment(folder), log: join(folder, 'aimock.log') });
  const listening = new Promise((done) => {
    mock.lines().on('line', (line) => { const port = /listening on http:\/\/[\d.]+:(\d+)/.exec(line)?.[1]; if (port) done(Number(port)); });
    mock.ended.then((how) => done(new Error(`aimock ended: ${how}\n${mock.log()}`)));
  });
  const port = await within(listening, 'a listening aimock');
  if (port instanceof Error) throw port;
  const chaos = async (rates) => {
    const reply = await fetch(`http://127.0.0.1:${port}/__aimock/chaos`, { method: 'POST', body: JSON.stringify(rates) });
    if (!reply.ok) throw new Error(`chaos ${JSON.stringify(rates)}: ${reply.status} ${await reply.text()}`);
  };
  return { mock, port, chaos };
}

// When a task was tried again, and why.
function story(task, events) {
  const since = (time) => ((Date.parse(time) - Date.parse(task.created_at)) / 1000).toFixed(1);
  const retries = events.filter((event) => event.type === 'model.retry').map(({ time, reason, delay_ms }) =>
    `${since(time)} s ${reason}, again in ${(delay_ms / 1000).toFixed(1)} s`);
  return [...retries, `${since(task.ended_at)} s ${task.state}: ${task.error?.message ?? 'as it should'}`].join('; ');
}

class Run {
  failures = []; // of tasks that failed: their story
  slowest = { ms: 0, story: 'none' };
  jobs = new Map(); // conversation -> ids of its jobs, where all of them must have been told

  constructor(api, folder) {
    Object.assign(this, { api, folder });
  }

  // Hands a prompt in and waits for the task's end.
  async ended(submit) {
    const { id } = await this.api.json(202, 'POST', '/v1/tasks', submit);
    const events = await this.api.follow(id);
    const task = await this.api.json(200, 'GET', `/v1/tasks/${id}`);
    const told = `${submit.prompt} ${story(task, events)}`;
    const ms = Date.parse(task.ended_at) - Date.parse(task.created_at);
    if (ms > this.slowest.ms) this.slowest = { ms, story: told };
    if (task.state === 'failed') this.failures.push(told);
    return task;
  }

  // What is wrong with how a task has ended.
  judged(task, results) {
    if (task.state === 'succeeded')
      return results.includes(task.result) ? [] : [`succeeded with ${JSON.stringify(task.result)}`];
    const { type, message } = task.error ?? {};
    return task.state === 'failed' && type === 'model_error' && message ? [] : [`ended as ${JSON.stringify(task)}`];
  }

  // One task; what failed, and every other one, is followed by another task in its session.
  async work(one, index) {
    const workdir = join(this.folder, one.token);
    mkdirSync(workdir);
    const task = await this.ended({ prompt: one.prompt, workdir });
    const results = [`done ${one.token}`, ...(one.background ? [`Waiting for ${one.token}.`] : [])];
    const wrong = this.judged(task, results);
    if (task.state === 'succeeded') wrong.push(...one.check(workdir));
    const jobs = await this.api.json(200, 'GET', `/v1/jobs?task_id=${task.id}`);
    wrong.push(...jobs.items.filter((job) => job.ended_at === null).map((job) => `a job is left: ${JSON.stringify(job)}`));
    if (task.state === 'succeeded') this.jobs.set(one.token, jobs.items.map((job) => job.id));
    if (task.state === 'failed' || index % 2 === 0) {
      const again = await this.ended({ prompt: one.again, session_id: task.session_id });
      wrong.push(...this.judged(again, [`done again ${one.token}`]).map((what) => `the task after it: ${what}`));
    }
    check(`${one.token} ${one.kind}`, wrong);
  }
}

async function inTurn(tasks, work) {
  const waiting = [...tasks.entries()];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: Math.min(at_once, tasks.length) }, worker));
}

// A group of tasks under one mix. Its first task meets the mix's own kind of fault for sure.
async function runGroup(run, tasks, { first, rates }, aimock, recorder) {
  const careful = (one, index) => run.work(one, index).catch((error) => check(one.token, [error.stack]));
  if (first === undefined) {
    await aimock.chaos(rates);
    return inTurn(tasks, careful);
  }
  const seen = new Promise((done) => { recorder.on('chaos', (kind) => { if (kind === first) done(); }); });
  await aimock.chaos({ [rate_of[first]]: 1 });
  const begun = careful(tasks[0], 0);
  await within(seen, `a fault of kind ${first}`);
  await aimock.chaos(rates);
  await Promise.all([begun, inTurn(tasks.slice(1), careful)]);
  return undefined;
}

// --- what was recorded ---------------------------------------------------------------------------

function asLines(records) {
  return records.map(({ body, reply }) => {
    const conversation = /(?:task|again) (t\d+)/.exec(JSON.stringify(JSON.parse(body).messages[0]))?.[1] ?? '';
    return JSON.stringify({ conversation, body, reply: messageOf(reply) });
  });
}

// The same recording with one body broken has to be found.
async function control(model, file, lines, title, from, to) {
  const at = lines.findLastIndex((line) => from.test(JSON.parse(line).body));
  if (at < 0) return check(title, ['there is nothing to break']);
  const broken = JSON.parse(lines[at]);
  broken.body = broken.body.replace(from, to);
  const found = await findings(model, file, lines.with(at, JSON.stringify(broken)));
  return check(title, found.some((what) => what.startsWith(`${broken.conversation} request`)) ? [] : ['was not found']);
}

// Each end of a job is told exactly once in a conversation; `jobs`: those that must be.
function toldWrongly(lines, jobs) {
  const last = new Map(lines.map((line) => [JSON.parse(line).conversation, JSON.parse(line).body]));
  return [...last].flatMap(([name, body]) => {
    const told = [...body.matchAll(/\[bg:([0-9a-f]{8})\] /g)].map((match) => match[1]);
    const untold = (jobs.get(name) ?? []).filter((id) => !told.includes(id));
    return [...(untold.length > 0 ? [`${name}: ${untold} not told`] : []),
      ...(told.length === new Set(told).size ? [] : [`${name}: told ${told}`])];
  });
}

async function judge(recorder, run, model, folder) {
  const file = join(folder, 'recorded.jsonl');
  const lines = asLines(recorder.records);
  check('requests by the rules of the scripted model', await findings(model, file, lines));
  check('ends of jobs', toldWrongly(lines, run.jobs));
  await control(model, file, lines, 'control: a result without its call', /"tool_use_id":"/, '"tool_use_id":"x');
  await control(model, file, lines, 'control: a changed first message', /"task t/, '"task  t');
  await control(model, file, lines, 'control: a changed reply', /I write a file\./, 'I write a file!');
  const kinds = { whole: 0, drop: 0, ratelimit: 0, disconnect: 0, malformed: 0, cut: 0 };
  for (const { chaos } of recorder.records) kinds[chaos ?? 'whole']++;
  for (const [kind, times] of Object.entries(kinds)) check(`replies: ${kind}`, times > 0 ? [] : ['there was none']);
  check('nothing but garbage is final, three times in a row', 3 * run.failures.length <= kinds.malformed ? [] : [`${kinds.malformed} replies were`, ...run.failures]);
  return Object.entries(kinds).map(([kind, times]) => `${kind} ${times}`).join(', ');
}

async function main(folder, [modules, program, model, wanted]) {
  const amount = Number(wanted) || (process.env.AGENTD_TEST_FULL ? 200 : 40);
  const tasks = makeTasks(amount);
  const aimock = await startAimock(modules, folder, tasks.flatMap((task) => task.fixtures));
  const recorder = new Recorder(aimock.port);
  const url = await recorder.listen();
  const { daemon, api } = await startAgentd(program, folder, url, '[model]\nretry_for_s = 110\n');
  const run = new Run(api, folder);
  const began = Date.now();
  for (const [index, mix] of mixes.entries())
    await runGroup(run, tasks.filter((_, i) => Math.floor(i * mixes.length / amount) === index), mix, aimock, recorder);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const kinds = await judge(recorder, run, model, folder);
  check('most tasks succeed', run.failures.length <= amount * most_failing ? [] : run.failures);
  api.close();
  const end = await daemon.stop();
  check('the end of agentd', end === 0 ? [] : [`${end}`, daemon.log()]);
  await aimock.mock.stop();
  recorder.close();
  console.log(`the slowest: ${run.slowest.story}`);
  console.log(`${amount} tasks in ${seconds} s, ${run.failures.length} ended with a model_error; replies: ${kinds}`);
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exitCode = count.failed > 0 ? 1 : 0;
}

await inScratchFolder((folder) => main(folder, process.argv.slice(2)));
