// Where the two differ on purpose, and what each is known to make of the stream. agentd follows
// the wire reference (the numbers are its conformance cases) and its own contract; that the SDK
// differs is asserted, too, so that a stream moves to the others when the SDK comes round.
import { gzipSync } from 'node:zlib';

import { block, delta, end, messageDelta, messageStop, spelt, sse, start, text, tool } from '../wire.mjs';

const says = (...texts) => texts.map((one) => ({ type: 'text', text: one }));
const used = [25, 15, 0, 0];
const ok = (blocks, stop_reason = 'end_turn', usage = used) => ({ fails: false, blocks, stop_reason, usage });
const fails = (error) => ({ fails: true, error });

const one = sse([...start(), ...text(0, 'only'), ...end()]);
const json = { headers: { 'content-type': 'application/json' }, framing: { by: 'length' } };
const message = (content) => Buffer.from(JSON.stringify({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content,
  stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 25, output_tokens: 15 } }));

const streams = [
  { name: 'index_gap', note: 'case 30: blocks 0 and 2; the SDK loses the second', body: sse([...start(), ...text(0, 'first'), ...text(2, 'second'), ...end()]),
    expect: { sdk: ok(says('first')), agentd: { ...ok(says('first', 'second')), texts: { 0: 'first', 2: 'second' } } } },
  { name: 'index_negative', note: 'case 31: index -1 is a protocol error', control: { who: 'sdk' }, body: sse([...start(), ...text(-1, 'only'), ...end()]),
    expect: { sdk: { ...ok([]), texts: { '-1': 'only' } }, agentd: fails('"index"') } },
  { name: 'index_huge', note: 'case 31: index 4294967295', control: { who: 'sdk' }, body: sse([...start(), ...text(4294967295, 'only'), ...end()]),
    expect: { sdk: { ...ok([]), texts: { 4294967295: 'only' } }, agentd: fails('"index"') } },
  { name: 'double_message_start', note: 'case 32: an identical second one is ignored; the SDK throws', body: sse([...start(), ...start(), ...text(0, 'only'), ...end()]),
    expect: { sdk: fails('Unexpected event order'), agentd: ok(says('only')) } },
  { name: 'block_twice', note: 'a block begins twice: which text is whose?', control: { who: 'sdk' }, body: sse([...start(), ...text(0, 'a'), ...text(0, 'b'), ...end()]),
    expect: { sdk: ok(says('ab')), agentd: fails('begins block 0 twice') } },
  { name: 'late_delta', note: 'deltas behind a block\'s stop, and for a block that never began', body: sse([...start(), ...text(0, 'only'),
    delta(0, { type: 'text_delta', text: 'late' }), delta(7, { type: 'text_delta', text: 'stray' }), ...end()]),
  expect: { sdk: ok(says('onlylate')), agentd: { ...ok(says('only')), texts: { 0: 'only' } } } },
  { name: 'data_only', note: 'case 36: no event lines; the SDK sees nothing', body: sse([...start(), ...text(0, 'only'), ...end()], { named: false }),
    expect: { sdk: fails('without sending any chunks'), agentd: { ...ok(says('only')), texts: { 0: 'only' } } } },
  { name: 'unknown_event_no_json', note: 'an event of the future whose data is no JSON', body: sse([...start(), ...text(0, 'only'), ['future_event', 'no json'], ...end()]),
    expect: { sdk: fails('not valid JSON'), agentd: ok(says('only')) } },
  { name: 'json_for_stream', note: 'case 38: a gateway ignored `stream`', ...json, body: message(says('plain')), control: { in: 'plain' },
    expect: { sdk: fails('without sending any chunks'), agentd: ok(says('plain')) } },
  { name: 'json_content_null', note: 'case 47: null is an empty answer; agentd asks once more', ...json, body: message(null), control: { body: message(says('x')) },
    expect: { sdk: fails('without sending any chunks'), agentd: ok(says('Closed.')) } },
  { name: 'gzip', note: 'case 73: compressed although identity was asked for; a named error', headers: { 'content-encoding': 'gzip' },
    body: gzipSync(one), control: { who: 'sdk', body: gzipSync(sse([...start(), ...text(0, 'onlx'), ...end()])) },
    expect: { sdk: ok(says('only')), agentd: fails('gzip') } },
  { name: 'html_200', note: 'case 39: the error names the content type', headers: { 'content-type': 'text/html' }, framing: { by: 'length' },
    body: Buffer.from('<html><body>Sign in</body></html>'), control: { in: 'Sign in' },
    expect: { sdk: fails('without sending any chunks'), agentd: fails('"text/html" with status 200: <html><body>Sign in') } },
];

const calling = (input) => [{ type: 'tool_use', id: 'toolu_01', name: 'look_up', input }];
const call = (...pieces) => [...start(), ...tool(0, 'toolu_01', 'look_up', ...pieces)];
const cut = '{"a":"x","b":"rm -rf /tm';
// A call whose input is no JSON object: nothing runs, and what came is echoed wrapped.
const wrapped = (name, note, input, sdk, stop = 'tool_use', control = undefined) => ({ name, note, control,
  body: sse([...call(input), ...end(stop)]),
  expect: { sdk: sdk.fails ? sdk : ok(calling(sdk.input), stop), agentd: ok(calling({ INVALID_JSON: input }), stop) } });

const tools = [
  wrapped('tool_truncated_max_tokens', 'case 22: cut off by max_tokens; the SDK drops a key', cut, { input: { a: 'x' } }, 'max_tokens'),
  wrapped('tool_truncated_tool_use', 'case 23: cut off, and called complete', cut, { input: { a: 'x' } }),
  wrapped('tool_invalid_json', 'case 24: the SDK throws', '{"a": foo}', fails('not valid JSON')),
  wrapped('tool_array', 'case 25', '["x"]', { input: ['x'] }),
  wrapped('tool_string', 'case 25', '"x"', { input: 'x' }),
  wrapped('tool_null', 'case 25', 'null', { input: null }, 'tool_use', { body: sse([...call('"x"'), ...end('tool_use')]) }),
  wrapped('tool_duplicate_key', 'which of the two?', '{"a":1,"a":2}', { input: { a: 2 } }),
  wrapped('tool_trailing_garbage', 'more than an object', '{"a":1} x', fails('after JSON')),
  { name: 'tool_start_without_input', note: 'case 26: llama.cpp; the SDK has no input at all', control: { in: 'go' },
    body: sse([...start(), ...text(0, 'go'), ...block(1, { type: 'tool_use', id: 'toolu_01', name: 'look_up' }), ...end('tool_use')]),
    expect: { sdk: ok([...says('go'), { type: 'tool_use', id: 'toolu_01', name: 'look_up' }], 'tool_use'), agentd: ok([...says('go'), ...calling({})], 'tool_use') } },
  { name: 'mcp_input', note: 'the SDK leaves the input of mcp_tool_use empty',
    body: sse([...start(), ...block(0, { type: 'mcp_tool_use', id: 'm1', name: 'n', server_name: 's', input: {} }, [
      { type: 'input_json_delta', partial_json: '{"a":"b"}' }]), ...text(1, 'only'), ...end()]),
    expect: { sdk: ok([{ type: 'mcp_tool_use', id: 'm1', name: 'n', server_name: 's', input: {} }, ...says('only')]),
      agentd: ok([{ type: 'mcp_tool_use', id: 'm1', name: 'n', server_name: 's', input: { a: 'b' } }, ...says('only')]) } },
  { name: 'compaction', note: 'compaction_delta assigns; the SDK\'s stable part skips it',
    body: sse([...start(), ...block(0, { type: 'compaction', content: null }, [{ type: 'compaction_delta', content: 'sum', encrypted_content: 'e' }]),
      ...text(1, 'only'), ...end()]),
    expect: { sdk: ok([{ type: 'compaction', content: null }, ...says('only')]),
      agentd: ok([{ type: 'compaction', content: 'sum', encrypted_content: 'e' }, ...says('only')]) } },
];

const half = (...pieces) => sse([...start(), ...block(0, { type: 'text', text: '' }, [], { stop: false }),
  ...pieces.map((piece) => spelt(0, piece)), ['content_block_stop', { type: 'content_block_stop', index: 0 }], ...end()]);
const counted = (first, last) => sse([...start(undefined, first), ...text(0, 'only'), ...messageDelta('end_turn', last), ...messageStop]);
const none = { usage: undefined };

const contents = [
  { name: 'lone_surrogate', note: 'half of a pair cannot be sent back: replaced', body: half('a\\ud83d', 'b'), control: { in: 'a\\ud83d' },
    expect: { sdk: ok(says('a\ud83db')), agentd: { ...ok(says('a\ufffdb')), texts: { 0: 'a\ufffdb' } } } },
  { name: 'surrogates_over_deltas', note: 'a pair over two deltas: whole in the reply, not in the live text', body: half('a\\ud83d', '\\ude00b'), control: { in: 'a\\ud83d' },
    expect: { sdk: ok(says('a😀b')), agentd: { ...ok(says('a😀b')), texts: { 0: 'a\ufffd\ufffdb' } } } },
  { name: 'empty_content', note: 'case 50: an empty reply; agentd asks once more', body: sse([...start(), ...end()]), control: { body: one },
    expect: { sdk: ok([]), agentd: ok(says('Closed.')) } },
  { name: 'blank_only', note: 'case 79: nothing but a line feed; agentd asks once more', body: sse([...start(), ...text(0, '\n'), ...end()]), control: { body: one },
    expect: { sdk: ok([]), agentd: ok(says('Closed.')) } },
  { name: 'refusal', note: 'case 48: not stored, not asked again', control: { in: 'not this' },
    body: sse([...start(), ...text(0, 'I can'), ...end('refusal', { output_tokens: 15 }, { stop_details: { type: 'refusal', category: 'x', explanation: 'not this' } })]),
    expect: { sdk: ok(says('I can'), 'refusal'), agentd: { ...fails('refusal: not this'), texts: { 0: 'I can' }, stop_reason: 'refusal', usage: used } } },
  { name: 'usage_missing_at_end', note: 'case 44: the SDK throws', body: counted({}, null),
    expect: { sdk: fails('output_tokens'), agentd: ok(says('only'), 'end_turn', [25, 1, 0, 0]) } },
  { name: 'usage_missing_at_start', note: 'case 44', body: counted(none, { output_tokens: 15 }),
    expect: { sdk: fails('output_tokens'), agentd: ok(says('only'), 'end_turn', [0, 15, 0, 0]) } },
  { name: 'usage_missing', note: 'case 44', body: counted(none, null),
    expect: { sdk: fails('output_tokens'), agentd: ok(says('only'), 'end_turn', [0, 0, 0, 0]) } },
  { name: 'usage_empty', note: 'a usage that says nothing replaces nothing', body: counted({}, {}),
    expect: { sdk: ok(says('only'), 'end_turn', [25, 0, 0, 0]), agentd: ok(says('only'), 'end_turn', [25, 1, 0, 0]) } },
];

export default [...streams, ...tools, ...contents];
