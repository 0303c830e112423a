// The tasks that agentd is given against aimock, and the fixtures by which aimock answers them.
// aimock matches a substring of the last user text, or the id of the last tool result; each task
// has its own token, so that any number of them run side by side. A request that is sent again
// gets the same answer again.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const prompted = (words, response, more) => ({ match: { userMessage: words }, response, ...more });
const answered = (id, response, more) => ({ match: { toolCallId: id }, response, ...more });
const call = (id, name, args) => ({ id, name, arguments: args });
const calls = (content, ...toolCalls) => (content === '' ? { toolCalls } : { content, toolCalls });

const has = (file, content) => (folder) => {
  const found = readFileSync(join(folder, file), 'utf8');
  return found === content ? [] : [`${file} holds ${JSON.stringify(found)}`];
};

// Each kind: token -> {fixtures, check(folder) -> what is wrong, background}.
const kinds = {
  files(t) {
    return {
      check: has(`${t}.txt`, `two ${t}\nend`),
      fixtures: [
        answered(`w_${t}`, calls('', call(`e_${t}`, 'edit_file', { path: `${t}.txt`, old_text: `one ${t}`, new_text: `two ${t}` }))),
        answered(`e_${t}`, calls('Now I read it.', call(`r_${t}`, 'read_file', { path: `${t}.txt` }))),
        answered(`r_${t}`, { content: `done ${t}` }),
        prompted(`task ${t}:`, calls('I write a file.', call(`w_${t}`, 'write_file', { path: `${t}.txt`, content: `one ${t}\nend` }))),
      ],
    };
  },

  parallel(t) {
    return {
      check: has(`${t}.out`, `both ${t}`),
      fixtures: [
        answered(`c_${t}`, { content: `done ${t}`, reasoning: 'Three results have come, one of them an exit 3.' }),
        prompted(`task ${t}:`, calls('All at once.', call(`a_${t}`, 'bash', { command: `printf 'both ${t}' > ${t}.out` }),
          call(`b_${t}`, 'bash', { command: 'echo "é 你好 \\"quoted\\""; exit 3' }), call(`c_${t}`, 'bash', { command: 'true' }))),
      ],
    };
  },

  background(t) {
    return {
      background: true,
      fixtures: [
        answered(`j_${t}`, { content: `Waiting for ${t}.` }),
        prompted(`job ${t}`, { content: `done ${t}` }),
        prompted(`task ${t}:`, calls('This takes a while.', call(`j_${t}`, 'background_run', { command: `sleep 0.3; echo job ${t}` }))),
      ],
    };
  },

  waiting(t) {
    return {
      background: true,
      fixtures: [
        answered(`q_${t}`, calls('', call(`x_${t}`, 'wait_background', { mode: 'all' }))),
        answered(`x_${t}`, { content: `done ${t}` }),
        prompted(`job ${t}`, { content: `done ${t}` }),
        prompted(`task ${t}:`, calls('Two of them.', call(`p_${t}`, 'background_run', { command: `echo job ${t} first` }),
          call(`q_${t}`, 'background_run', { command: `sleep 0.2; echo job ${t} second` }))),
      ],
    };
  },

  mistakes(t) {
    return {
      fixtures: [
        answered(`n_${t}`, calls('That was wrong.', call(`m_${t}`, 'bash', { command: 'exit 7' }))),
        answered(`m_${t}`, { content: `done ${t}` }),
        prompted(`task ${t}:`, calls('', call(`o_${t}`, 'no_such_tool', { a: [1, 2.5, null] }), call(`n_${t}`, 'bash', {}))),
      ],
    };
  },

  // The first reply to the prompt, and the first to the result, are cut in their middle.
  cut(t) {
    const begin = calls('I begin with something that takes more than one chunk.', call(`k_${t}`, 'bash', { command: `echo cut ${t}` }));
    const first = { match: { toolCallId: `k_${t}`, sequenceIndex: 0 }, latency: 15, disconnectAfterMs: 40,
      response: { content: `This will not be heard to its end, ${t}: ${'and on '.repeat(30)}` } };
    return {
      fixtures: [
        first,
        answered(`k_${t}`, { content: `done ${t}` }),
        { match: { userMessage: `task ${t}:`, sequenceIndex: 0 }, latency: 15, truncateAfterChunks: 3, response: begin },
        prompted(`task ${t}:`, begin),
      ],
    };
  },
};

const names = Object.keys(kinds);

/** `count` tasks, all kinds in turn: {token, kind, prompt, again, fixtures, check, background}. */
export function makeTasks(count) {
  return Array.from({ length: count }, (_, i) => {
    const token = `t${String(i).padStart(3, '0')}`;
    const kind = names[i % names.length];
    const made = kinds[kind](token);
    // The task after it in its session; its words are looked for first, they may stand together.
    const again = prompted(`again ${token}.`, { content: `done again ${token}` });
    return { token, kind, prompt: `task ${token}: ${kind}`, again: `again ${token}.`, check: () => [], ...made,
      fixtures: [again, ...made.fixtures] };
  });
}
