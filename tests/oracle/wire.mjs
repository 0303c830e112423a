// The bytes of a reply, from a readable description: server-sent events, HTTP framing, and the
// pieces in which they are written to the socket. Pure; nothing here knows who will read them.

// --- events: [name, data], data an object or the JSON text itself -------------------------------

/** The beginning of a message; `usage` and other members replace the usual ones. */
export function start(usage = { input_tokens: 25, output_tokens: 1 }, more = {}) {
  const message = { id: 'msg_01', type: 'message', role: 'assistant', model: 'claude-opus-5-5',
    content: [], stop_reason: null, stop_sequence: null, usage, ...more };
  return [['message_start', { type: 'message_start', message }]];
}

/** A block of any kind with its deltas (objects); `stop: false` leaves it open. */
export function block(index, content_block, deltas = [], { stop = true } = {}) {
  return [
    ['content_block_start', { type: 'content_block_start', index, content_block }],
    ...deltas.map((one) => delta(index, one)),
    ...(stop ? [['content_block_stop', { type: 'content_block_stop', index }]] : []),
  ];
}

export function delta(index, what) {
  return ['content_block_delta', { type: 'content_block_delta', index, delta: what }];
}

/** A delta whose text stands in the stream as it is given: with these escapes and no others. */
export function spelt(index, text, type = 'text_delta', field = 'text') {
  return ['content_block_delta',
    `{"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${field}":"${text}"}}`];
}

export const text = (index, ...pieces) =>
  block(index, { type: 'text', text: '' }, pieces.map((piece) => ({ type: 'text_delta', text: piece })));

export const thinking = (index, pieces, signature) =>
  block(index, { type: 'thinking', thinking: '', signature: '' }, [
    ...pieces.map((piece) => ({ type: 'thinking_delta', thinking: piece })),
    { type: 'signature_delta', signature }]);

/** A call; `pieces` are pieces of its input's JSON text. */
export const tool = (index, id, name, ...pieces) =>
  block(index, { type: 'tool_use', id, name, input: {} },
    pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece })));

export const ping = [['ping', { type: 'ping' }]];

export function messageDelta(stop_reason, usage = { output_tokens: 15 }, more = {}) {
  const what = { type: 'message_delta', delta: { stop_reason, stop_sequence: null, ...more } };
  if (usage !== null) what.usage = usage;
  return [['message_delta', what]];
}

export const messageStop = [['message_stop', { type: 'message_stop' }]];

export const end = (stop_reason = 'end_turn', usage, more) =>
  [...messageDelta(stop_reason, usage, more), ...messageStop];

/** Events as the body of a reply. `named: false` leaves the `event:` lines out. */
export function sse(events, { eol = '\n', space = ' ', named = true, before = '' } = {}) {
  const lines = events.map(([name, data]) => {
    const json = typeof data === 'string' ? data : JSON.stringify(data);
    return (named ? `event:${space}${name}${eol}` : '') + `data:${space}${json}${eol}${eol}`;
  });
  return Buffer.from(before + lines.join(''));
}

/** A body cut behind the first, or before it. */
export function cutAfter(body, marker) {
  const at = body.indexOf(marker);
  if (at < 0) throw new Error(`no ${marker} in the body`);
  return body.subarray(0, at + Buffer.byteLength(marker));
}
export function cutBefore(body, marker) {
  const at = body.indexOf(marker);
  if (at < 0) throw new Error(`no ${marker} in the body`);
  return body.subarray(0, at);
}

/** Sizes that repeat: parts of `bytes` of those lengths. */
export function parts(bytes, sizes) {
  const out = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length];
    out.push(bytes.subarray(at, at + size));
    at += size;
  }
  return out;
}

// --- HTTP ---------------------------------------------------------------------------------------

function chunked(body, { sizes = [4096], extension = '', trailers = [], unended = false }) {
  const chunks = parts(body, sizes).flatMap((chunk) =>
    [Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n')]);
  const last = `0\r\n${trailers.map((field) => `${field}\r\n`).join('')}\r\n`;
  return Buffer.concat(unended ? chunks : [...chunks, Buffer.from(last)]);
}

/**
 * A whole reply; `interim` replies go before it. `framing`: {by: 'chunks', sizes, extension, trailers, unended}, {by: 'length',
 * more: bytes promised and not sent} or {by: 'close'}.
 */
export function reply(stream, body = stream.body) {
  const framing = { by: 'chunks', ...stream.framing };
  const status = stream.status ?? 200;
  const fields = { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req_01', ...stream.headers };
  if (framing.by === 'chunks') fields['transfer-encoding'] = 'chunked';
  if (framing.by === 'length') fields['content-length'] = body.length + (framing.more ?? 0);
  if (framing.by === 'close') fields.connection = 'close';
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${stream.interim ?? ''}HTTP/1.1 ${status} Whatever\r\n${head}\r\n`),
    framing.by === 'chunks' ? chunked(body, framing) : body]);
}
