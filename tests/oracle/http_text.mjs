// What was said over HTTP, read from bytes that have all been seen: requests as they come in, and
// replies afterwards. Pure. Only what the two servers of these tests send: no trailers, no gzip.

/** The first request in `bytes`, when all of it is there: {size, target: "POST /v1/messages", body}. */
export function firstRequest(bytes) {
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return undefined;
  const length = Number(/^content-length: *(\d+)/im.exec(bytes.subarray(0, head).toString())?.[1] ?? 0);
  const size = head + 4 + length;
  if (bytes.length < size) return undefined;
  const target = bytes.subarray(0, head).toString().split(' ', 2).join(' ');
  return { size, target, body: bytes.subarray(head + 4, size).toString() };
}

function unchunked(bytes) {
  const out = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? NaN : Number.parseInt(bytes.subarray(at, line).toString(), 16);
    if (Number.isNaN(size) || size === 0) return Buffer.concat(out); // the end, or a cut
    out.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

/** The blocks of an event stream as the rules of the scripted model want to see them. */
class Blocks {
  content = [];
  stop_reason = '';
  isWhole = false;

  on(event) {
    if (event.type === 'content_block_start') {
      this.content[event.index] = { ...event.content_block };
      if (event.content_block.type === 'tool_use') this.content[event.index].input_raw = '';
    }
    if (event.type === 'content_block_delta') this.#add(this.content[event.index], event.delta);
    if (event.type === 'message_delta') this.stop_reason = event.delta.stop_reason;
    if (event.type === 'message_stop') this.isWhole = true;
  }

  #add(block, delta) {
    if (delta.type === 'text_delta') block.text += delta.text;
    if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
    if (delta.type === 'signature_delta') block.signature = delta.signature;
    if (delta.type === 'input_json_delta') block.input_raw += delta.partial_json;
  }
}

/** {content, stop_reason} of a reply that came to its end, else null. */
export function messageOf(bytes) {
  const head = bytes.indexOf('\r\n\r\n');
  const fields = bytes.subarray(0, Math.max(head, 0)).toString();
  if (!/^HTTP\/1\.1 200 /.test(fields) || !/^content-type: text\/event-stream/im.test(fields)) return null;
  const body = /^transfer-encoding: chunked/im.test(fields) ? unchunked(bytes.subarray(head + 4)) : bytes.subarray(head + 4);
  const blocks = new Blocks();
  for (const event of body.toString().split('\n\n').slice(0, -1)) {
    const data = /^data: (.*)$/m.exec(event);
    if (data) blocks.on(JSON.parse(data[1]));
  }
  const { content, stop_reason } = blocks;
  return blocks.isWhole ? { content, stop_reason } : null;
}
