// The official SDK and the built agentd are fed the same bytes by the same server, and what they
// make of them is compared. For each stream there is a control run in which one of the two gets
// a byte of text changed: it has to be noticed.
//
//   node sdk_comparison.mjs MODULES AGENTD MODEL [NAME...]      some streams only
//   node sdk_comparison.mjs --write FOLDER                      the streams as files, to look at
import { mkdirSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import { ByteServer } from './byte_server.mjs';
import { changed, differing } from './change.mjs';
import { messageOf } from './http_text.mjs';
import { findings } from './judge.mjs';
import { Agentd, Sdk } from './peers.mjs';
import { inScratchFolder, startAgentd } from './processes.mjs';
import { streams } from './streams/all.mjs';
import { parts, reply } from './wire.mjs';

const at_once = 8;

const compared = ['fails', 'blocks', 'stop_reason', 'usage', 'texts'];
const of_failures = ['fails', 'texts']; // what a client makes of half a reply is its own business

// agentd is refused once before it gets the stream: see `Agentd` in peers.mjs.
const once_more = reply({ name: 'once more', status: 503, headers: { 'retry-after-ms': '1' }, framing: { by: 'length' } }, Buffer.alloc(0));

function signal() {
  const made = {};
  made.given = new Promise((done) => { made.give = done; });
  return made;
}

function shown(value) {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 700 ? `${text.slice(0, 700)}...` : text;
}

/** In what two views differ, a line each. */
function differences(sdk, agentd, keys) {
  return keys.filter((key) => !isDeepStrictEqual(sdk[key], agentd[key]))
    .map((key) => `${key}: the SDK has ${shown(sdk[key])}, agentd ${shown(agentd[key])}`);
}

/** In what a view is not as it should be: `expected` holds some of its members. */
function deviations(who, view, { error, raw, ...expected }) {
  const found = Object.keys(expected).filter((key) => !isDeepStrictEqual(view[key], expected[key]))
    .map((key) => `${who}'s ${key}: should be ${shown(expected[key])}, is ${shown(view[key])}`);
  if (error !== undefined && !view.error?.includes(error))
    found.push(`${who}'s error: should say ${shown(error)}, is ${shown(view.error)}`);
  if (raw !== undefined && !view.raw.includes(raw))
    found.push(`${who}'s bytes: should hold ${raw}, are ${shown(view.raw)}`);
  return found;
}

/**
 * What is wrong with two views of one stream. `expect` tells a recorded difference (both sides
 * of it), `also` what is to hold besides being equal.
 */
function verdict(stream, sdk, agentd) {
  const found = stream.expect
    ? [...deviations('the SDK', sdk, stream.expect.sdk), ...deviations('agentd', agentd, stream.expect.agentd)]
    : differences(sdk, agentd, stream.fails ? of_failures : compared);
  if (!stream.expect && sdk.fails !== Boolean(stream.fails))
    found.push(`the SDK ${sdk.fails ? `fails: ${sdk.error}` : 'does not fail'}`);
  if (stream.also)
    found.push(...deviations('the SDK', sdk, stream.also.sdk ?? {}), ...deviations('agentd', agentd, stream.also.agentd ?? {}));
  if (agentd.fails && agentd.blocks.length > 0)
    found.push(`agentd keeps a reply that failed: ${shown(agentd.blocks)}`);
  return found;
}

class Comparison {
  constructor(server, sdk, agentd) {
    Object.assign(this, { server, sdk, agentd });
  }

  // One client's view of one variant of a stream.
  view(who, stream, variant, body) {
    const key = `${stream.name} ${who}${variant}`;
    const seen = signal(), listening = signal(), live = signal();
    const bytes = reply(stream, body);
    const given = { pieces: parts(bytes, stream.writes ?? [bytes.length]), ends: stream.ends, seen: seen.given };
    if (who === 'sdk') {
      this.server.offer(key, given);
      return this.sdk.ask(key, seen.give);
    }
    this.server.offer(key, { pieces: [once_more], gate: listening.given }, { ...given, gate: live.given });
    return this.agentd.ask(key, { seen: seen.give, listening: listening.give, live: live.give });
  }

  /** [what is wrong with the stream, what is wrong with its control run]. */
  async run(stream) {
    const [sdk, agentd] = await Promise.all([
      this.view('sdk', stream, 'given', stream.body), this.view('agentd', stream, 'given', stream.body)]);
    const wrong = verdict(stream, sdk, agentd);
    const body = stream.control?.body ?? changed(stream.body, stream.control?.in);
    if (!stream.control?.body && differing(reply(stream), reply(stream, body)) !== 1)
      return [wrong, ['the control run does not change one byte']];
    const usual = stream.expect || streams.indexOf(stream) % 2 === 0 ? 'agentd' : 'sdk';
    const who = stream.control?.who ?? usual;
    const other = await this.view(who, stream, 'changed', body);
    const noticed = who === 'sdk' ? verdict(stream, other, agentd) : verdict(stream, sdk, other);
    return [wrong, noticed.length > 0 ? [] : [`${who} got one byte changed, and nothing was noticed`]];
  }
}

const count = { passed: 0, failed: 0 };
function check(title, wrong) {
  if (wrong.length === 0) { count.passed++; return; }
  count.failed++;
  console.log(`${title}:\n  ${wrong.join('\n  ')}`);
}

async function compareAll(comparison, chosen) {
  const waiting = chosen.filter((stream) => !stream.last);
  const one = async (stream) => {
    const found = await comparison.run(stream).catch((error) => [[error.stack], ['did not run']]);
    check(stream.name, found[0]);
    check(`${stream.name}, control`, found[1]);
  };
  const work = async () => {
    for (let stream = waiting.shift(); stream !== undefined; stream = waiting.shift()) await one(stream);
  };
  await Promise.all(Array.from({ length: at_once }, work));
  for (const stream of chosen.filter((each) => each.last)) await one(stream);
}

// What agentd asked after the replies (with results, with echoes of every kind) is valid, too.
// What it was answered is known to the rules where it decides what may follow.
function asLines(requests) {
  const paused = streams.find((stream) => stream.name === 'pause_turn');
  const asked = requests.filter(({ key }) => / agentd/.test(key));
  return asked.map(({ key, body }, i) => {
    const isSecond = asked.slice(0, i).filter((one) => one.key === key).length === 1; // the first one was refused
    const known = isSecond && key === 'pause_turn agentdgiven';
    // A full window ends the history and begins another: those requests stand for themselves.
    const conversation = key.startsWith('context_window ') ? `${key} ${i}` : key;
    return JSON.stringify({ conversation, body, reply: known ? messageOf(reply(paused)) : 'unknown' });
  });
}

function writeStreams(folder) {
  mkdirSync(folder, { recursive: true });
  for (const stream of streams) writeFileSync(`${folder}/${stream.name}.http`, reply(stream));
}

async function main(folder, [modules, program, model, ...names]) {
  const chosen = streams.filter((stream) => names.length === 0 || names.includes(stream.name));
  const server = new ByteServer();
  const url = await server.listen();
  const sdk = new Sdk(modules, folder, url);
  const { daemon, api } = await startAgentd(program, folder, url, '[model]\nretry_attempts = 1\n');
  await compareAll(new Comparison(server, sdk, new Agentd(api)), chosen);
  api.close();
  const [, end] = await Promise.all([sdk.stop(), daemon.stop()]);
  server.close();
  check('the end of agentd', end === 0 ? [] : [`${end}`, daemon.log()]);
  check('requests by the rules of the scripted model', await findings(model, `${folder}/requests.jsonl`, asLines(server.requests)));
  console.log(`${chosen.length} streams, each with a control run`);
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exitCode = count.failed > 0 ? 1 : 0;
}

const words = process.argv.slice(2);
if (words[0] === '--write') writeStreams(words[1]);
else await inScratchFolder((folder) => main(folder, words));
