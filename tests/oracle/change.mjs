// One byte of a stream's text made another, for the runs that have to fail: a comparison that
// cannot tell the two apart proves nothing. The body stays a valid stream of the same length.

// Where values that a reader sees begin, in the order in which they are preferred.
const values = [
  /"type":"text_delta","text":"(?=[^"])/g,
  /"type":"thinking_delta","thinking":"(?=[^"])/g,
  /"type":"input_json_delta","partial_json":"(?=[^"])/g,
  /"type":"signature_delta","signature":"(?=[^"])/g,
  /"message":"(?=[^"])/g,
  /"data":"(?=[^"])/g,
  /"text":"(?=[^"])/g,
  /"(?:cited_text|explanation)":"(?=[^"])/g,
];

const isLetter = (byte) => /[A-Za-z0-9]/.test(String.fromCharCode(byte));
const isTail = (byte) => (byte & 0xc0) === 0x80;

// The place of a byte of the string that begins at `at`, and what becomes of it.
function inString(body, at) {
  for (let i = at; body[i] !== 0x22; i++) {
    if (body[i] === 0x5c) { // an escape: a digit of \uXXXX, else it is left alone
      if (body[i + 1] === 0x75) return [i + 5, body[i + 5] === 0x38 ? 0x39 : 0x38];
      i++;
    } else if (isLetter(body[i])) {
      return [i, body[i] === 0x78 ? 0x79 : 0x78]; // x, or y
    } else if (isTail(body[i]) && !isTail(body[i + 1])) {
      return [i, body[i] ^ 1];
    }
  }
  return undefined;
}

/** The body with one byte changed; `marker` names the text in which, where the usual is not right. */
export function changed(body, marker) {
  const out = Buffer.from(body);
  const place = marker === undefined ? found(body) : marked(body, marker);
  if (place === undefined) throw new Error('no byte of text to change');
  [out[place[0]]] = [place[1]];
  return out;
}

function marked(body, marker) {
  const at = body.indexOf(marker);
  if (at < 0) return undefined;
  return inString(Buffer.concat([body, Buffer.from('"')]), at);
}

function found(body) {
  const text = body.toString('latin1');
  for (const value of values)
    for (const match of text.matchAll(value)) {
      const place = inString(body, match.index + match[0].length);
      if (place !== undefined) return place;
    }
  return undefined;
}

/** How many bytes differ; the lengths must be the same. */
export function differing(one, other) {
  if (one.length !== other.length) return Infinity;
  return one.reduce((sum, byte, i) => sum + (byte === other[i] ? 0 : 1), 0);
}
