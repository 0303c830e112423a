// Stands between agentd and a mock of the model and keeps every request and its reply. It passes
// bytes and ends of connections on as they are: what the mock breaks stays broken.
import { EventEmitter } from 'node:events';
import net from 'node:net';

import { firstRequest, messageOf } from './http_text.mjs';

/** What a reply shows of the mock's chaos, or undefined. */
function chaosIn(bytes, closed) {
  if (bytes.includes('chaos_drop')) return 'drop';
  if (bytes.includes('chaos_ratelimit')) return 'ratelimit';
  if (bytes.includes('{malformed json')) return 'malformed';
  if (closed && bytes.length === 0) return 'disconnect';
  return closed && !messageOf(bytes) ? 'cut' : undefined;
}

/** Emits `chaos` with the kind of each fault that went through. */
export class Recorder extends EventEmitter {
  #port;
  #server = net.createServer((socket) => this.#serve(socket));
  #sockets = new Set();
  /** [{body, reply: Buffer, chaos}] in the order in which the requests came. */
  records = [];

  constructor(port) {
    super();
    this.#port = port;
  }

  async listen() {
    await new Promise((done) => { this.#server.listen(0, '127.0.0.1', done); });
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(client) {
    const model = net.connect(this.#port, '127.0.0.1');
    let waiting = Buffer.alloc(0);
    let record;
    for (const socket of [client, model]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on('close', () => this.#sockets.delete(socket));
    }
    client.on('data', (piece) => {
      waiting = Buffer.concat([waiting, piece]);
      const request = firstRequest(waiting);
      if (request) {
        waiting = waiting.subarray(request.size);
        record = { body: request.body, reply: Buffer.alloc(0) };
        if (request.target === 'POST /v1/messages') this.records.push(record);
      }
      model.write(piece);
    });
    model.on('data', (piece) => {
      record.reply = Buffer.concat([record.reply, piece]);
      this.#look(record, false);
      client.write(piece);
    });
    model.on('end', () => client.end());
    model.on('error', () => client.resetAndDestroy());
    model.on('close', () => {
      if (record) this.#look(record, true);
      client.destroySoon();
    });
    client.on('error', () => {}); // agentd left: `close` follows
    client.on('close', () => model.destroy());
  }

  #look(record, closed) {
    if (record.chaos || messageOf(record.reply)) return;
    record.chaos = chaosIn(record.reply, closed);
    if (record.chaos) this.emit('chaos', record.chaos);
  }
}
