// The two clients that get the same bytes, behind one shape: `ask(key, seen)` makes the client
// ask for the stream `key` and gives its view of the reply:
//   fails        whether there was no reply in the end
//   error        its text, then
//   blocks       content blocks as JSON values; blank texts are left out (agentd keeps none)
//   raw          agentd: the bytes of the blocks as they are stored
//   stop_reason  of the reply; a missing or unknown one is ""
//   usage        [input, output, cache_read, cache_write]
//   texts        what was told while it came: block index -> text
import { createInterface } from 'node:readline';

import { plainEnvironment, start, within } from './processes.mjs';

const known = ['end_turn', 'tool_use', 'max_tokens', 'stop_sequence', 'pause_turn', 'refusal',
  'model_context_window_exceeded'];

const isBlank = (block) => block.type === 'text' && block.text.trim() === '';

/** The official SDK, a process of its own. */
export class Sdk {
  #waiting = new Map();
  #process;
  #url;

  constructor(modules, folder, url) {
    this.#url = url;
    this.#process = start([process.execPath, `${import.meta.dirname}/sdk_peer.mjs`, modules],
      { env: plainEnvironment(folder), log: `${folder}/sdk.log`, stdin: 'pipe' });
    this.#process.lines().on('line', (line) => {
      const answer = JSON.parse(line);
      const { done, seen } = this.#waiting.get(answer.id);
      if (answer.seen) seen();
      else done(answer);
    });
  }

  async ask(key, seen) {
    const answer = new Promise((done) => { this.#waiting.set(key, { done, seen }); });
    const line = JSON.stringify({ id: key, url: this.#url, prompt: `stream ${key}` });
    this.#process.child.stdin.write(`${line}\n`);
    return Sdk.view(await within(answer, `the SDK's answer to ${key}\n${this.#process.log()}`));
  }

  static view({ message, error, texts }) {
    if (error) return { fails: true, error: `${error.type ?? error.name}: ${error.message}`, texts };
    const { usage } = message;
    return { fails: false, texts,
      blocks: message.content.filter((block) => !isBlank(block)).map(({ parsed_output: _, ...block }) => block),
      stop_reason: known.includes(message.stop_reason) ? message.stop_reason : '',
      usage: [usage?.input_tokens, usage?.output_tokens, usage?.cache_read_input_tokens,
        usage?.cache_creation_input_tokens].map((count) => count ?? 0) };
  }

  stop() {
    return this.#process.stop();
  }
}

/**
 * The built agentd; each question is a task in a session of its own. Live text is told to who
 * follows a task, from the moment on at which agentd has written the task's history to him. So
 * the reply has to wait for that: the first attempt is refused as soon as the history has come
 * (`listening`), and the `model.retry` that this causes comes to a follower who is told the live
 * text as well (`live`). Only then the stream is sent. One retry is what the daemon may do. Each
 * task has a model of its own, because what is held back after a failure is held back by model.
 */
export class Agentd {
  #api;

  constructor(api) {
    this.#api = api;
  }

  async ask(key, { seen, listening, live }) {
    const { id, session_id } = await this.#api.json(202, 'POST', '/v1/tasks', { prompt: `stream ${key}`, model: key.replace(' ', '-') });
    const events = await this.#api.follow(id, (event) => {
      listening();
      if (event.type === 'model.retry') live();
      if (event.type === 'model.delta') seen();
    });
    const task = await this.#api.json(200, 'GET', `/v1/tasks/${id}`);
    const raw = await this.#api.text(200, 'GET', `/v1/sessions/${session_id}/messages`);
    return Agentd.view(task, events, raw);
  }

  static view(task, events, raw) {
    const texts = {};
    for (const one of events)
      if (one.type === 'model.delta' && one.turn === 1) texts[one.block] = (texts[one.block] ?? '') + one.text;
    const reply = JSON.parse(raw).items.find((message) => message.role === 'assistant');
    const turn = events.find((event) => event.type === 'turn.finished' && event.turn === 1);
    const { input, output, cache_read, cache_write } = turn?.usage ?? {};
    return { fails: turn === undefined || task.error !== null, texts, raw, task,
      error: task.error === null ? '' : `${task.error.type}: ${task.error.message}`,
      blocks: reply?.content ?? [],
      stop_reason: turn?.stop_reason,
      usage: [input, output, cache_read, cache_write] };
  }
}
