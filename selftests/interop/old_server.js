// SPDX-License-Identifier: MIT
// old_server.js DIR PROTO PORT: the control channel as existing servers speak it, by @grpc/grpc-js. It has
// only the fields and messages below 1000, answers nothing before the edge's Hello, and never says that
// a replay is done. Commands are lines of JSON on stdin:
//   {"do":"push","request_id":S,"rule":{…}}   {"do":"remove","request_id":S,"rule_id":N}
//   {"do":"owner","owner":S,"limit":{…}}     without limit: REMOVE
//   {"do":"failback","rule_id":N}   {"do":"noise"}   {"do":"end","status":N,"text":S}   {"do":"refuse","text":S}
'use strict';
const fs = require('fs');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');
const schema = require('./old_schema.js');

const [dir, proto, port] = process.argv.slice(2);
const say = (event, fields) => console.log(JSON.stringify({event, ...fields}));

const api = schema.load(dir, proto, {defaults: true});

let call = null;
let refusal = null;

const channel = (c) => {
  if (refusal || c.metadata.get('authorization')[0] !== 'Bearer test-token') {
    say('refused', {});
    c.emit('error', {code: grpc.status.UNAUTHENTICATED, details: refusal || 'token_not_found'});
    return;
  }
  c.on('data', (m) => {
    if (m.hello) {
      call = c;
      say('hello', {hello: m.hello});
      c.write({welcome: {serverVersion: '3.1.0', udpFlowIdleSecs: 60}});
    } else if (m.ruleStatus) {
      say('status', {request_id: m.ruleStatus.requestId, rule_id: m.ruleStatus.ruleId,
        outcome: m.ruleStatus.outcome, reason: m.ruleStatus.reason});
    } else if (m.statsReport) {
      say('report', {rules: m.statsReport.stats, ports: m.statsReport.sniListenerStats, owners: m.statsReport.ownerRateLimitStats});
    }
  });
  c.on('error', () => {});
  c.on('end', () => c.end());
};

const commands = {
  push: (o) => call.write({ruleUpdate: {requestId: o.request_id, action: 'PUSH', rule: o.rule}}),
  remove: (o) => call.write({ruleUpdate: {requestId: o.request_id, action: 'REMOVE',
    rule: {ruleId: o.rule_id, listenPort: 1, targetHost: 'x', targetPort: 1, protocol: 'TCP'}}}),
  owner: (o) => call.write({ownerRateLimitUpdate: {clientName: 'edge-01', ownerId: o.owner,
    action: o.limit ? 'OWNER_RATE_LIMIT_ACTION_SET' : 'OWNER_RATE_LIMIT_ACTION_REMOVE', rateLimit: o.limit}}),
  noise: () => {
    call.write({ownerRateLimitUpdate: {clientName: 'edge-01', ownerId: 'o', action: 1,
      rateLimit: {bandwidthInBps: 5}}});
    call.write({trafficQuotaUpdate: {requestId: 'quota-replay-1', userId: 'u', action: 1,
      state: {monthlyBytes: 5, budgetRemainingBytes: -1}}});
    call.write({ruleUpdate: {requestId: 'nothing', action: 'PUSH'}});
    call.write({ruleUpdate: {requestId: 'nothing', rule: {ruleId: 4}}});
    call.write({ofTheFuture: {ruleId: 4, listenPort: 1, targetHost: 'x', targetPort: 1}});
    call.write({welcome: {serverVersion: '3.1.0'}});
    call.write({});
  },
  failback: (o) => call.write({failback: {ruleId: o.rule_id}}),
  end: (o) => call.emit('error', {code: o.status, details: o.text}),
  refuse: (o) => { refusal = o.text; },
};

const server = new grpc.Server();
server.addService(api.Control.service, {Channel: channel});
const credentials = grpc.ServerCredentials.createSsl(
    null, [{cert_chain: fs.readFileSync(`${dir}/crt`), private_key: fs.readFileSync(`${dir}/key`)}]);
server.bindAsync(`127.0.0.1:${port}`, credentials, (err, bound) => {
  if (err)
    throw err;
  say('listening', {port: bound});
});
readline.createInterface({input: process.stdin}).on('line', (line) => {
  const o = JSON.parse(line);
  commands[o.do](o);
}).on('close', () => process.exit(0));
