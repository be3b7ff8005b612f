// SPDX-License-Identifier: MIT
// grpc_server.js DIR: the services of grpc_peer, by @grpc/grpc-js; prints its port. SIGTERM ends it at once,
// SIGUSR1 in order.
'use strict';
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const raw = (b) => b;
const method = (name) => ({
  path: `/t.T/${name}`, requestStream: true, responseStream: true,
  requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw,
});
const service = Object.fromEntries(
    ['Echo', 'Auth', 'Status', 'Source', 'Hang'].map((name) => [name, method(name)]));

const fail = (call, code, details) => call.emit('error', {code, details});

const handlers = {
  Echo(call) {
    // The answer's headers come with the first message, as from servers that wait for it.
    call.on('data', (m) => call.write(m));
    call.on('end', () => call.end());
  },
  Auth(call) {
    const auth = call.metadata.get('authorization')[0];
    if (auth === 'Bearer t')
      fail(call, grpc.status.ALREADY_EXISTS, 'you');
    else
      fail(call, grpc.status.UNAUTHENTICATED, auth ? 'token_not_found' : 'missing_token');
  },
  Status(call) {
    call.write(Buffer.from('x'));
    fail(call, grpc.status.FAILED_PRECONDITION, 'grüße 100%');
  },
  Source(call) {
    let left = 100;
    const more = () => {
      while (left-- > 0)
        if (!call.write(Buffer.alloc(100000))) {
          call.once('drain', more);
          return;
        }
      call.end();
    };
    more();
  },
  Hang(call) {
    call.on('data', () => {});
    call.sendMetadata(new grpc.Metadata());
  },
};

const dir = process.argv[2];
const server = new grpc.Server();
server.addService(service, handlers);
const credentials = grpc.ServerCredentials.createSsl(
    null, [{cert_chain: fs.readFileSync(`${dir}/crt`), private_key: fs.readFileSync(`${dir}/key`)}]);
server.bindAsync('127.0.0.1:0', credentials, (err, port) => {
  if (err)
    throw err;
  console.log(port);
});
process.on('SIGTERM', () => { server.forceShutdown(); process.exit(0); });
process.on('SIGUSR1', () => server.tryShutdown(() => process.exit(0)));
