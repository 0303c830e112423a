// Every stream of the comparison. A stream is
//   name, note                 what it is
//   body                       of the reply, before HTTP's framing
//   status, headers, interim   of the head; 200 and an event stream by default
//   framing, writes, ends      how it is sent (wire.mjs, byte_server.mjs); `writes`: sizes in turn
//   fails                      both clients must fail
//   also                       what must hold besides: {sdk, agentd}, members of a view (peers.mjs)
//   expect                     instead of being equal: {sdk, agentd}, the recorded difference
//   last                       runs alone, behind all others
//   control                    {in: text of which a byte is changed, body: another body, who: gets it}
import blocks from './blocks.mjs';
import differing from './differing.mjs';
import failing from './failing.mjs';
import framing from './framing.mjs';
import text from './text.mjs';

export const streams = [...text, ...framing, ...blocks, ...failing, ...differing];
