// SPDX-License-Identifier: MIT
// The edge's side of the protocol as existing edges speak it, by @grpc/grpc-js; events are lines of JSON.
//   old_edge.js enroll DIR PROTO CERT PORT CODE
//   old_edge.js run DIR PROTO CERT PORT AUTHORIZATION [VERSION]     without VERSION: says no Hello
// Commands of a run are lines of JSON on stdin:
//   {"do":"ack","how":"active"|"none"|REASON,"anonymous":BOOL}      how pushes are answered from now on
//   {"do":"status","status":{…}}   {"do":"report","stats":[…],"owners":[…]}   {"do":"end"}
// and each is answered by the event "did".
'use strict';
const fs = require('fs');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
const schema = require('./old_schema.js');

const [what, dir, proto, cert, port, secret, version] = process.argv.slice(2);
const say = (event, fields) => console.log(JSON.stringify({event, ...fields}));
const api = schema.load(dir, proto, {enums: String});
const credentials = grpc.credentials.createSsl(fs.readFileSync(cert));
const address = `localhost:${port}`;

function enroll() {
  new api.ClientEnrollment(address, credentials).enroll({code: secret}, (err, bundle) =>
      say('enrolled', err ? {status: err.code, text: err.details} : {status: 0, bundle}));
}

function run() {
  const channel = api.Control.service.Channel;
  // What comes back shorter when written again held something that the old schema does not know.
  const decode = (bytes) => {
    const m = channel.responseDeserialize(bytes);
    m.more = bytes.length - channel.responseSerialize(m).length;
    return m;
  };
  const metadata = new grpc.Metadata();
  if (secret)
    metadata.set('authorization', secret);
  const call = new grpc.Client(address, credentials)
      .makeBidiStreamRequest(channel.path, channel.requestSerialize, decode, metadata);
  let ack = {how: 'active'};

  const answer = (u) => {
    if (u.action === 'PUSH' && ack.how !== 'none')
      call.write({ruleStatus: {requestId: ack.anonymous ? '' : u.requestId, ruleId: u.rule.ruleId,
        outcome: ack.how === 'active' ? 'ACTIVATED' : 'FAILED', reason: ack.how === 'active' ? '' : ack.how}});
    if (u.action === 'REMOVE') // as existing edges do: at once, and once more when drained
      for (const requestId of [u.requestId, ''])
        call.write({ruleStatus: {requestId, ruleId: u.rule.ruleId, outcome: 'REMOVED'}});
  };
  call.on('data', (m) => {
    if (m.welcome)
      say('welcome', {welcome: m.welcome});
    else if (m.ruleUpdate)
      say(m.ruleUpdate.action === 'PUSH' ? 'push' : 'remove',
          {request_id: m.ruleUpdate.requestId, rule: m.ruleUpdate.rule, more: m.more});
    else if (m.failback)
      say('failback', {rule_id: m.failback.ruleId});
    else if (m.ownerRateLimitUpdate)
      say('owner', {update: m.ownerRateLimitUpdate, more: m.more});
    else
      say('unknown', {more: m.more});
    if (m.ruleUpdate)
      answer(m.ruleUpdate);
  });
  call.on('error', () => {});
  call.on('status', (s) => {
    say('closed', {status: s.code, text: s.details});
    process.exit(0);
  });
  const commands = {
    ack: (o) => { ack = o; },
    status: (o) => call.write({ruleStatus: o.status}),
    report: (o) => call.write({statsReport: {sentAtUnixMs: Date.now(), stats: o.stats,
      sniListenerStats: o.ports, ownerRateLimitStats: o.owners}}),
    end: () => call.end(),
  };
  readline.createInterface({input: process.stdin}).on('line', (line) => {
    const o = JSON.parse(line);
    commands[o.do](o);
    say('did', {what: o.do});
  }).on('close', () => call.cancel());
  if (version !== undefined)
    call.write({hello: {protocolVersion: '1.0.0', clientVersion: version, supportedProtocols: ['TCP', 'UDP'],
      ...(process.env.CAPABILITIES ? {capabilities: process.env.CAPABILITIES.split(' ')} : {})}});
}

({enroll, run})[what]();
