// Streams of which both have to say that there was no reply; what was told before must be equal.
import { block, cutAfter, cutBefore, end, sse, start, text, tool } from '../wire.mjs';

const whole = sse([...start(), ...text(0, 'Hello', ' world'), ...end()]);
const begun = [...start(), ...block(0, { type: 'text', text: '' }, [{ type: 'text_delta', text: 'begun' }], { stop: false })];
const failed = (name, note, event, says) => ({ name, note, fails: true,
  body: Buffer.concat([sse(begun), Buffer.from(event)]), also: { sdk: { error: says }, agentd: { error: says } }, control: { in: says } });
const error = (what) => `event: error\ndata: ${typeof what === 'string' ? what : JSON.stringify(what)}\n\n`;

const status = (code, type) => ({ name: `status_${code}`, note: `cases 51 to 60: status ${code}`, fails: true, status: code,
  headers: { 'content-type': 'application/json' }, framing: { by: 'length' },
  body: Buffer.from(JSON.stringify({ type: 'error', error: { type, message: 'so it says' } })),
  also: { sdk: { error: 'so it says' }, agentd: { error: 'so it says' } }, control: { in: 'so it says' } });

export default [
  { name: 'no_message_stop', note: 'case 11: the end is missing', fails: true, body: cutBefore(whole, 'event: message_stop') },
  { name: 'eof_mid_block', note: 'case 12: ends after a delta', fails: true, body: cutBefore(whole, 'event: content_block_stop') },
  { name: 'eof_mid_event', note: 'ends inside of an event', fails: true, body: cutAfter(whole, '"text":" wor') },
  { name: 'eof_without_blank', note: 'case 13: the last blank line is missing', fails: true, body: whole.subarray(0, -1) },
  { name: 'eof_close_delimited', note: 'the same without a length', fails: true, framing: { by: 'close' }, ends: 'close',
    body: cutBefore(whole, 'event: message_delta') },
  { name: 'chunks_unended', note: 'closed inside of the chunked body', fails: true, framing: { by: 'chunks', unended: true }, ends: 'close',
    body: cutBefore(whole, 'event: message_delta') },
  { name: 'length_not_reached', note: 'closed before the promised length', fails: true, framing: { by: 'length', more: 100 }, ends: 'close',
    body: cutBefore(whole, 'event: message_delta') },
  { name: 'reset_mid_stream', note: 'case 15: reset after the first text', fails: true, framing: { by: 'chunks', unended: true }, ends: 'reset',
    body: sse(begun) },
  { name: 'tool_cut_off', note: 'ends inside of a call: nothing runs', fails: true,
    body: cutBefore(sse([...start(), ...text(0, 'go'), ...tool(1, 'toolu_01', 'bash', '{"command":"touch x"}'), ...end('tool_use')]), 'event: message_delta') },
  { name: 'empty_200', note: 'case 14: no byte of a body', fails: true, body: Buffer.alloc(0), control: { body: whole } },
  { name: 'only_pings', note: 'nothing but pings', fails: true, body: Buffer.from('event: ping\ndata: {"type":"ping"}\n\n'.repeat(3)), control: { body: whole } },
  { name: 'only_start', note: 'a message without anything', fails: true, body: sse(start()), control: { body: whole } },
  failed('error_event', 'case 16: overloaded in the middle',
    error({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }), 'Overloaded'),
  failed('error_event_api', 'an api_error with a request id',
    error({ type: 'error', error: { type: 'api_error', message: 'Internal server error' }, request_id: 'req_9' }), 'Internal server error'),
  failed('error_event_text', 'case 17: an error that is no JSON', error('upstream died'), 'upstream died'),
  failed('error_event_flat', 'case 18: llama.cpp\'s flat error',
    error({ code: 500, message: 'out of slots', type: 'server_error' }), 'out of slots'),
  { name: 'never_began', note: 'blocks and an end without message_start', fails: true, control: { body: whole },
    body: sse(end()) },
  { name: 'broken_json', note: 'an event whose data is no JSON', fails: true,
    body: Buffer.from(`${sse(begun)}event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n`) },
  // A credential that was refused is not tried again: agentd gets nothing behind this one.
  { ...status(401, 'authentication_error'), last: true, control: { in: 'so it says', who: 'sdk' } },
  ...[[400, 'invalid_request_error'], [413, 'request_too_large'], [429, 'rate_limit_error'],
    [500, 'api_error'], [529, 'overloaded_error']].map((one) => status(...one)),
];
