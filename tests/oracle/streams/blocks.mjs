// Blocks that are no text: thinking, calls, what servers run themselves, what nobody knows yet.
import { block, delta, end, messageDelta, messageStop, ping, spelt, sse, start, text, thinking, tool } from '../wire.mjs';

const calls = (...events) => sse([...start(), ...events.flat(), ...end('tool_use')]);
const input = (...pieces) => tool(0, 'toolu_01', 'look_up', ...pieces);
const raw = (json) => ({ agentd: { raw: json } });
const toolStart = (index, more) => ({ type: 'tool_use', id: `toolu_0${index + 1}`, name: 'look_up', ...more });
const stopped = (index) => ['content_block_stop', { type: 'content_block_stop', index }];
const piece = (index, json) => delta(index, { type: 'input_json_delta', partial_json: json });
const citation = (n) => ({ type: 'char_location', cited_text: `cited ${n}`, document_index: n, document_title: null,
  file_id: null, start_char_index: 0, end_char_index: 7 });

const thoughts = [
  { name: 'thinking_text', note: 'thinking with a signature, then text',
    body: sse([...start(), ...thinking(0, ['Look ', 'first.'], 'EqQBabc+/='), ...text(1, 'Yes.'), ...end()]) },
  { name: 'thinking_tool', note: 'case 40: thinking, then a call',
    body: calls(thinking(0, ['Look.'], 'EqQB'), tool(1, 'toolu_01', 'look_up', '{"q":"a"}')) },
  { name: 'thinking_unicode', note: 'thinking in another script, bytewise', writes: [1],
    body: sse([...start(), ...thinking(0, ['考える', '…é', '😀'], 'c2ln'), ...text(1, 'a'), ...end()]), control: { in: '考える' } },
  { name: 'thinking_omitted', note: 'case 42: no thinking shown, only its signature',
    body: sse([...start(), ...thinking(0, [''], 'EqQBomitted'), ...text(1, 'Yes.'), ...end()]) },
  { name: 'thinking_two', note: 'two of them around a text',
    body: sse([...start(), ...thinking(0, ['a'], 's1'), ...text(1, 'b'), ...thinking(2, ['c'], 's2'), ...text(3, 'd'), ...end()]) },
  { name: 'signature_twice', note: 'a later signature replaces the one before',
    body: sse([...start(), ...block(0, { type: 'thinking', thinking: '', signature: 'zero' }, [
      { type: 'thinking_delta', thinking: 'a' }, { type: 'signature_delta', signature: 'one' },
      { type: 'signature_delta', signature: 'two' }]), ...text(1, 'b'), ...end()]) },
  { name: 'redacted', note: 'case 41: redacted_thinking comes whole',
    body: calls(block(0, { type: 'redacted_thinking', data: 'EmwKAhgBEgy+/==' }), tool(1, 'toolu_01', 'look_up', '{}')) },
  { name: 'redacted_among', note: 'redacted among other thinking',
    body: sse([...start(), ...thinking(0, ['a'], 's'), ...block(1, { type: 'redacted_thinking', data: 'xyz' }), ...text(2, 'b'), ...end()]) },
];

const tools = [
  { name: 'tool_no_delta', note: 'case 19: no input at all', body: calls(text(0, 'go'), tool(1, 'toolu_01', 'look_up')) },
  { name: 'tool_empty_delta', note: 'case 20: one empty piece of input', body: calls(text(0, 'go'), tool(1, 'toolu_01', 'look_up', '')) },
  { name: 'tool_one_piece', note: 'the input at once', body: calls(input('{"q":"all"}')) },
  { name: 'tool_each_byte', note: 'the input a character at a time', body: calls(input(...'{"q":"a b","n":[1,2],"o":{"p":null}}')) },
  { name: 'tool_split_escape', note: 'case 21: cut inside of an escape and of a number',
    body: calls(input('{"q":"caf\\u00', 'e9 \\', '"x\\', '\\","n":12', '34.5', 'e', '2}')) },
  { name: 'tool_split_surrogates', note: 'cut between the halves of an emoji', body: calls(input('{"q":"a\\ud83d', '\\ude00b"}')) },
  { name: 'tool_unicode', note: 'other scripts in keys and values', body: calls(input('{"ключ":"', '值","😀":["é"]}')), writes: [1] },
  { name: 'tool_input_in_start', note: 'case 27: the input stands in the start',
    body: calls(text(0, 'go'), block(1, toolStart(0, { input: { q: 'there', deep: { a: [1] } } }))) },
  { name: 'tool_numbers', note: 'case 83: numbers keep their spelling', also: raw('{"n":1.0,"big":12345678901234567890,"e":1E+2,"z":-0.50}'),
    body: calls(input('{"n":1.0,"big":1234567890', '1234567890,"e":1E+2,"z":-0.50}')) },
  { name: 'tool_numbers_in_start', note: 'the same without deltas', also: raw('{"n":1.0,"q":"a","big":12345678901234567890}'),
    body: calls([['content_block_start', '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use",'
      + '"id":"toolu_01","name":"look_up","input":{"n":1.0,"q":"a","big":12345678901234567890}}}'], stopped(0)]),
    control: { in: 'a","big"' } },
  { name: 'tool_key_order', note: 'keys stay in their order, blanks where they were', also: raw('{ "z" : 1,\\n "a":2 , "m": {"b":1,"a":2} }'.replaceAll('\\n', '\n')),
    body: calls(input('{ "z" : 1,\n "a"', ':2 , "m": {"b":1,"a":2} }')) },
  { name: 'tool_deep', note: 'twenty levels', body: calls(input(`${'{"a":['.repeat(20)}"x"${']}'.repeat(20)}`)) },
  { name: 'tool_large', note: '200 kB of input', body: calls(input('{"text":"', ...Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(1000, 'x')), '"}')) },
  { name: 'tool_newline_at_end', note: 'strings keep their last line feed', body: calls(input('{"text":"line\\n\\t\\n"}')) },
  { name: 'tool_empty_key', note: 'empty keys and values', body: calls(input('{"":"","a":[],"b":{}}')) },
  { name: 'tool_caller', note: 'members beside the usual ones',
    body: calls(block(0, toolStart(0, { input: {}, caller: { type: 'direct' }, toolset_name: 'x' }), [
      { type: 'input_json_delta', partial_json: '{"q":"a"}' }])) },
  { name: 'parallel_tools', note: 'case 28: two calls', body: calls(text(0, 'Both.'), tool(1, 'toolu_A', 'look_up', '{"q":', '"a"}'),
    tool(2, 'toolu_B', 'look_up', '{"q":"b"}')) },
  { name: 'parallel_interleaved', note: 'their pieces alternate',
    body: calls(block(0, toolStart(0, { input: {} }), [], { stop: false }), block(1, toolStart(1, { input: {} }), [], { stop: false }),
      [piece(0, '{"a"'), piece(1, '{"b"'), piece(0, ':1,"q":"x"}'), piece(1, ':2}'), stopped(1), stopped(0)]) },
  { name: 'eight_tools', note: 'eight calls', body: calls(...Array.from({ length: 8 }, (_, i) => tool(i, `toolu_${i}`, 'look_up', `{"q":"${i}"`, '}'))) },
  { name: 'end_turn_with_tool', note: 'case 46: end_turn with a whole call', body: sse([...start(), ...tool(0, 'toolu_01', 'look_up', '{"q":"a"}'), ...end()]) },
  { name: 'tool_then_text', note: 'text behind a call', body: calls(input('{"q":"a"}'), text(1, 'Looking.')) },
  { name: 'tool_ping', note: 'a ping between the pieces',
    body: calls(block(0, toolStart(0, { input: {} }), [], { stop: false }), [piece(0, '{"q"'), ...ping, piece(0, ':"a"}'), stopped(0)]) },
];

const others = [
  { name: 'thinking_no_signature', note: 'llama.cpp: thinking without a signature',
    body: sse([...start(), ...block(0, { type: 'thinking', thinking: '' }, [{ type: 'thinking_delta', thinking: 'hm' }]), ...text(1, 'a'), ...end()]) },
  { name: 'unknown_block', note: 'case 9: a block of the future is kept as it is',
    body: sse([...start(), ...block(0, { type: 'future_block', x: { y: [1, 'two'] } }), ...text(1, 'after'), ...end()]) },
  { name: 'citations', note: 'citations of a text', control: { in: 'cited 2' },
    body: sse([...start(), ...block(0, { type: 'text', text: '', citations: null }, [
      { type: 'text_delta', text: 'So it ' }, { type: 'citations_delta', citation: citation(1) },
      { type: 'text_delta', text: 'says.' }, { type: 'citations_delta', citation: citation(2) }]), ...end()]) },
  { name: 'citations_in_start', note: 'more citations than the start has',
    body: sse([...start(), ...block(0, { type: 'text', text: '', citations: [citation(1)] }, [
      { type: 'text_delta', text: 'a' }, { type: 'citations_delta', citation: citation(2) }]), ...end()]) },
  { name: 'server_tool', note: 'a call that the server runs itself, and its result',
    body: sse([...start(), ...block(0, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }, [
      { type: 'input_json_delta', partial_json: '{"query":' }, { type: 'input_json_delta', partial_json: '"weather"}' }]),
    ...block(1, { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [
      { type: 'web_search_result', url: 'https://example.com', title: 'Ex', encrypted_content: 'e30=', page_age: null }] }),
    ...text(2, 'Sunny.'), ...end('end_turn', { output_tokens: 9, server_tool_use: { web_search_requests: 1 } })]) },
  { name: 'mixed_blocks', note: 'one of everything',
    body: calls(thinking(0, ['hm'], 's'), text(1, 'a'), block(2, { type: 'redacted_thinking', data: 'r' }), text(3, 'b'),
      tool(4, 'toolu_01', 'look_up', '{"q":1}')) },
  { name: 'text_spelling', note: 'escapes in a text that is echoed', also: raw('caf\\u00e9 \\/ \\ud83d\\ude00'),
    body: calls(block(0, { type: 'text', text: '' }, [], { stop: false }), [spelt(0, 'caf\\u00e9 \\/ '), spelt(0, '\\ud83d\\ude00'), stopped(0)],
      tool(1, 'toolu_01', 'look_up', '{}')), control: { in: 'caf' } },
];

const usage = (name, note, first, last) => ({ name: `usage_${name}`, note,
  body: sse([...start(first), ...text(0, 'counted'), ...messageDelta('end_turn', last), ...messageStop]) });

const counts = [
  usage('cumulative', 'case 43: replaced, not added', { input_tokens: 25, output_tokens: 1 }, { output_tokens: 15 }),
  usage('cache', 'cache counters of the start', { input_tokens: 3, output_tokens: 1, cache_read_input_tokens: 2048,
    cache_creation_input_tokens: 100, cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 0 } }, { output_tokens: 15 }),
  usage('all_at_the_end', 'every counter comes again', { input_tokens: 3, output_tokens: 1, cache_read_input_tokens: 1, cache_creation_input_tokens: 1 },
    { input_tokens: 30, output_tokens: 15, cache_read_input_tokens: 10, cache_creation_input_tokens: 20, server_tool_use: null }),
  usage('nulls', 'null says nothing', { input_tokens: 3, output_tokens: 1, cache_read_input_tokens: 7, cache_creation_input_tokens: null },
    { output_tokens: 15, input_tokens: null, cache_read_input_tokens: null }),
  usage('zeros', 'zero replaces', { input_tokens: 3, output_tokens: 9, cache_read_input_tokens: 7, cache_creation_input_tokens: 5 },
    { output_tokens: 0, input_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }),
  usage('large', 'large counts', { input_tokens: 999_999, output_tokens: 1 }, { output_tokens: 127_999 }),
  { name: 'two_message_delta', note: 'case 35: the later one wins',
    body: sse([...start(), ...tool(0, 'toolu_01', 'look_up', '{"q":"a"}'), ...messageDelta('end_turn', { output_tokens: 5 }),
      ...messageDelta('tool_use', { output_tokens: 8 }), ...messageStop]) },
];

const reasons = [
  { name: 'stop_sequence', note: 'a stop sequence', body: sse([...start(), ...text(0, 'until'), ...end('stop_sequence', { output_tokens: 2 }, { stop_sequence: '<<END>>' })]) },
  { name: 'max_tokens_text', note: 'a text that ran out of tokens', body: sse([...start(), ...text(0, 'cut of'), ...end('max_tokens')]) },
  { name: 'pause_turn', note: 'case 49: a paused turn',
    body: sse([...start(), ...block(0, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }, [
      { type: 'input_json_delta', partial_json: '{"query":"a"}' }]), ...end('pause_turn')]) },
  { name: 'max_tokens_tool', note: 'a whole call that may lack its rest (agentd does not run it)',
    body: sse([...start(), ...text(0, 'go'), ...tool(1, 'toolu_01', 'look_up', '{"q":"a"}'), ...end('max_tokens')]) },
  { name: 'context_window', note: 'the context window is full', body: sse([...start(), ...text(0, 'full'), ...end('model_context_window_exceeded')]) },
  { name: 'stop_null', note: 'no stop reason', body: sse([...start(), ...text(0, 'done'), ...end(null)]) },
  { name: 'stop_absent', note: 'case 45: the key is missing',
    body: sse([...start(), ...text(0, 'done'), ['message_delta', { type: 'message_delta', delta: {}, usage: { output_tokens: 3 } }], ...messageStop]) },
  { name: 'stop_unknown', note: 'a reason of the future', body: sse([...start(), ...text(0, 'done'), ...end('future_reason')]) },
  { name: 'stop_details', note: 'details and a container beside the reason',
    body: sse([...start(), ...text(0, 'done'), ...end('end_turn', { output_tokens: 3 }, { stop_details: null, container: { id: 'c', expires_at: 'x' } })]) },
];

export default [...thoughts, ...tools, ...others, ...counts, ...reasons];
