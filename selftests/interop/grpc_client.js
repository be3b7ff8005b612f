// SPDX-License-Identifier: MIT
// grpc_client.js DIR PORT CASE: calls our server with @grpc/grpc-js; prints what came of it as JSON.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [dir, port, what] = process.argv.slice(2);
const raw = (b) => b;
const credentials = grpc.credentials.createSsl(fs.readFileSync(`${dir}/crt`));
const options = {'grpc.enable_retries': 0};
if (what === 'pings')
  Object.assign(options, {'grpc.keepalive_time_ms': 700, 'grpc.keepalive_timeout_ms': 500});
if (what === 'too_many_pings')
  Object.assign(options, {'grpc.keepalive_time_ms': 20, 'grpc.keepalive_timeout_ms': 500});
if (what === 'too_large')
  options['grpc.max_send_message_length'] = -1;
if (what === 'deflate')
  options['grpc.default_compression_algorithm'] = 2; // gzip
const client = new grpc.Client(`localhost:${port}`, credentials, options);

// One bidirectional call; send(call) writes what it wants.
function bidi(path, send, metadata = new grpc.Metadata(), callOptions = {}) {
  return new Promise((resolve) => {
    const r = {messages: 0, bytes: 0};
    const call = client.makeBidiStreamRequest(path, raw, raw, metadata, callOptions);
    call.on('data', (m) => { r.messages++; r.bytes += m.length; r.onData && r.onData(call); });
    call.on('error', () => {});
    call.on('status', (s) => resolve({messages: r.messages, bytes: r.bytes, status: s.code,
                                      text: s.details}));
    send(call, r);
  });
}

const bearer = (value) => {
  const m = new grpc.Metadata();
  if (value)
    m.set('authorization', value);
  return m;
};
const end = (call) => call.end();
const messages = (n, size) => (call) => {
  for (let i = 0; i < n; i++)
    call.write(Buffer.alloc(size));
  call.end();
};
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const cases = {
  unary: () => new Promise((resolve) =>
      client.makeUnaryRequest('/t.T/Echo', raw, raw, Buffer.from('hello'), bearer(), (err, value) =>
          resolve({status: err ? err.code : 0, text: value && value.toString()}))),
  bidi: () => bidi('/t.T/Echo', (call, r) => {
    let n = 0;
    r.onData = () => ++n < 50 ? call.write(Buffer.from('x')) : call.end();
    call.write(Buffer.from('x'));
  }),
  status: () => bidi('/t.T/Status', () => {}),
  unknown: () => bidi('/t.T/Nothing', () => {}),
  auth: async () => [await bidi('/t.T/Auth', () => {}, bearer()),
                     await bidi('/t.T/Auth', end, bearer('Bearer x')),
                     await bidi('/t.T/Auth', end, bearer('Bearer t'))],
  // More refused calls than the server allows at once: each has to give its place back.
  refusals: async () => {
    const codes = {};
    for (let i = 0; i < 3; i++)
      for (const r of await Promise.all(Array.from({length: 100}, () => bidi('/t.T/Auth', () => {}))))
        codes[r.status] = (codes[r.status] || 0) + 1;
    return codes;
  },
  concurrent: async () => {
    const all = await Promise.all(Array.from({length: 100}, () => bidi('/t.T/Echo', messages(10, 1000))));
    return {ok: all.filter((r) => r.status === 0 && r.messages === 10).length};
  },
  large: () => bidi('/t.T/Echo', messages(1, 4 << 20)),
  too_large: () => bidi('/t.T/Echo', messages(1, (4 << 20) + 1)),
  source: () => bidi('/t.T/Source', end),
  deflate: () => bidi('/t.T/Echo', messages(1, 1000)),
  cancel: () => bidi('/t.T/Hang', async (call) => { await later(100); call.cancel(); }),
  deadline: () => bidi('/t.T/Hang', () => {}, bearer(), {deadline: Date.now() + 300}),
  pings: () => bidi('/t.T/Echo', async (call) => { await later(2500); messages(1, 1)(call); }),
  too_many_pings: () => bidi('/t.T/Hang', () => {}, bearer(), {deadline: Date.now() + 5000}),
  hang: () => bidi('/t.T/Hang', () => console.log('open')),
};

cases[what]().then((r) => { console.log(JSON.stringify(r)); client.close(); });
