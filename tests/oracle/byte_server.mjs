// A server that answers with given bytes, in given pieces, whoever asks. It speaks raw TCP: what
// a reply looks like is the stream's business. A request names its stream in the first user
// message ("stream NAME VARIANT"); a conversation that asks again (after tools, or because a
// reply was too short) gets one closing reply after the other.
import net from 'node:net';

import { firstRequest } from './http_text.mjs';
import { end, reply, sse, start, text } from './wire.mjs';

const closing = reply({ name: 'closing', framing: { by: 'length' } },
  sse([...start({ input_tokens: 1, output_tokens: 1 }), ...text(0, 'Closed.'), ...end('end_turn')]));

const not_found = reply({ name: 'not found', status: 404, framing: { by: 'length' } }, Buffer.alloc(0));

const named = /stream (\w+) (\w+)/;

export class ByteServer {
  #replies = new Map();
  #sockets = new Set();
  #server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
  /** [{key, body}] of what came, in order. */
  requests = [];

  async listen() {
    await new Promise((done) => { this.#server.listen(0, '127.0.0.1', done); });
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /**
   * What the requests for `key` are answered with, one after the other. `ends`: keep, close or
   * reset. The pieces are written when `gate` resolves; a reset waits for `seen`, because it may
   * overtake bytes.
   */
  offer(key, ...replies) {
    this.#replies.set(key, replies);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket) {
    let waiting = Buffer.alloc(0);
    let busy = Promise.resolve();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {}); // the client left: its own business
    socket.on('data', (piece) => {
      waiting = Buffer.concat([waiting, piece]);
      const request = firstRequest(waiting);
      if (request === undefined) return;
      waiting = waiting.subarray(request.size);
      busy = busy.then(() => this.#answer(socket, request));
    });
  }

  async #answer(socket, { target, body }) {
    if (target !== 'POST /v1/messages') return void socket.write(not_found);
    const first = JSON.parse(body).messages[0];
    const words = named.exec(JSON.stringify(first));
    const key = words === null ? '' : `${words[1]} ${words[2]}`;
    this.requests.push({ key, body });
    const given = this.#replies.get(key)?.shift() ?? { pieces: [closing] };
    await given.gate;
    for (const piece of given.pieces) {
      if (socket.destroyed) return;
      socket.write(piece);
      await new Promise((done) => { setImmediate(done); }); // a write of its own
    }
    if (given.ends === 'close') socket.end();
    if (given.ends === 'reset') {
      await given.seen;
      socket.resetAndDestroy();
    }
  }
}
