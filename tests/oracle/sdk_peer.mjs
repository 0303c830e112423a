// npm's official SDK as a process of its own. Reads one JSON object a line, {id, url, prompt},
// asks, and writes {id, message, texts} or {id, error, texts}: what was told while the reply
// came (the text of each block), and what it came to; {id, seen: true} when the first text was
// told. argv: the folder with node_modules.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { default: Anthropic } = createRequire(`${process.argv[2]}/package.json`)('@anthropic-ai/sdk');

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function listen(stream, id) {
  const texts = {};
  const add = (index, piece) => {
    if (piece && Object.keys(texts).length === 0) write({ id, seen: true });
    if (piece) texts[index] = (texts[index] ?? '') + piece;
  };
  stream.on('streamEvent', (event) => {
    if (event.type === 'content_block_start' && event.content_block.type === 'text')
      add(event.index, event.content_block.text);
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
      add(event.index, event.delta.text);
  });
  return texts;
}

async function ask({ id, url, prompt }) {
  const client = new Anthropic({ apiKey: 'sk-test', authToken: null, baseURL: url, maxRetries: 0, logLevel: 'off' });
  const stream = client.messages.stream({ model: 'claude-opus-5-5', max_tokens: 1000,
    messages: [{ role: 'user', content: prompt }] });
  const texts = listen(stream, id);
  try {
    return { id, message: await stream.finalMessage(), texts };
  } catch (error) {
    return { id, error: { name: error.constructor.name, type: error.type ?? null, message: error.message }, texts };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  ask(JSON.parse(line)).then(write);
