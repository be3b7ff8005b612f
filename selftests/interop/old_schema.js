// SPDX-License-Identifier: MIT
// With SCHEMA=whole in the environment, all of it. Else the protocol as existing servers and edges have it: without our fields and messages from 1000 up, and,
// for what a later one of theirs may send, with one kind of server message that nobody knows yet.
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

exports.load = (dir, proto, options) => {
  if (process.env.SCHEMA === 'whole')
    return grpc.loadPackageDefinition(loader.loadSync(proto, {longs: Number, ...options})).portunus.v1;
  const old = path.join(dir, 'old.proto');
  fs.writeFileSync(old, fs.readFileSync(proto, 'utf8')
      .replace(/oneof \w+ \{\s*\w+ \w+ = \d{4,};[^}]*\}/g, '')
      .replace(/^.*= \d{4,};.*$/gm, '')
      .replace('TrafficQuotaUpdate traffic_quota_update = 4;', '$& Rule of_the_future = 99;'));
  return grpc.loadPackageDefinition(loader.loadSync(old, {longs: Number, ...options})).portunus.v1;
};
