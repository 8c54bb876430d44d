// SPDX-License-Identifier: MIT
// events.js: events.c on Node's tls. The arguments, the commands and the lines are described there.
'use strict';

const { constants } = require('crypto');
const fs = require('fs');
const readline = require('readline');
const tls = require('tls');

const say = (line) => fs.writeSync(1, line + '\n');
const plan = { names: [], tell: [], flags: new Set() };
for (const word of process.argv.slice(2)) {
  const at = word.indexOf('=');
  const key = at < 0 ? word : word.slice(0, at);
  const value = word.slice(at + 1);
  if (at < 0) plan.flags.add(key);
  else if (key === 'name') plan.names.push(value);
  else if (key === 'tell') plan.tell.push(value);
  else plan[key] = value;
}
const file = (key) => (plan[key] === undefined ? undefined : fs.readFileSync(plan[key]));

function pairOf(text) {
  const [cert, key] = text.split(':');
  return { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
}

const waiting = [];
function answer(late, fn) {
  if (late) waiting.push(fn);
  else fn();
}

function reply(how, value, callback) {
  if (how === 'null') callback(null, null);
  else if (how === 'error') callback(Object.assign(new Error('told to'), { code: 'PROGRAM' }));
  else callback(null, value());
}

let opened = 0;
function host(address) {
  if (address === undefined) return 'none';
  return address.includes(':') ? `[${address}]` : address;
}

function tellOne(socket, what) {
  switch (what) {
    case 'alpn':
      return ` alpn=${socket.alpnProtocol || ''}`;
    case 'name':
      return ` name=${socket.servername || ''}`;
    case 'cipher':
      return ` version=${socket.getProtocol()} cipher=${socket.getCipher().standardName}`;
    case 'authorized':
      return ` authorized=${socket.authorized} why=${socket.authorizationError || ''}`;
    case 'peer': {
      const peer = socket.getPeerCertificate();
      return ` peer=${peer && peer.raw ? peer.raw.toString('hex') : ''}`;
    }
    case 'chain': {
      const chain = [];
      let at = socket.getPeerCertificate(true);
      while (at && at.raw && !chain.includes(at.raw.toString('hex'))) {
        chain.push(at.raw.toString('hex'));
        at = at.issuerCertificate;
      }
      return ` chain=${chain.join(',')}`;
    }
    case 'details': {
      const peer = socket.getPeerCertificate();
      return ` subject=${peer.subject.CN}|${peer.subject.O}|${peer.subject.C}` +
        ` issuer=${peer.issuer.CN} serial=${peer.serialNumber} from=${peer.valid_from}` +
        ` to=${peer.valid_to} sha1=${peer.fingerprint} sha256=${peer.fingerprint256}` +
        ` usage=${(peer.ext_key_usage || []).join(',')}`;
    }
    case 'resumed':
      return ` resumed=${socket.isSessionReused()}`;
    case 'address':
      return ` remote=${host(socket.remoteAddress)} local=${host(socket.localAddress)}`;
    default:
      throw new Error(what);
  }
}

const options = {
  cert: file('cert'), key: file('key'), ca: file('ca'), crl: file('crl'), dhparam: file('dhparam'),
  ciphers: plan.ciphers, ecdhCurve: plan.groups,
  honorCipherOrder: plan.flags.has('client_order') ? false : undefined,
  minVersion: plan.versions && `TLSv${plan.versions}`,
  maxVersion: plan.versions && `TLSv${plan.versions}`,
  ALPNProtocols: plan.alpn && plan.alpn.split(','),
  requestCert: plan.flags.has('request_cert') || undefined,
  pfx: file('pfx'), passphrase: plan.passphrase,
  rejectUnauthorized: plan.flags.has('let_in') ? false : plan.flags.has('reject') || undefined,
  sessionTimeout: plan.lifetime && Number(plan.lifetime),
  ticketKeys: plan.keys && Buffer.from(plan.keys, 'hex'),
  secureOptions: plan.flags.has('no_tickets') ? constants.SSL_OP_NO_TICKET : undefined,
  handshakeTimeout: plan.handshake_timeout && Number(plan.handshake_timeout),
};
if (plan.cert2) {
  options.cert = [options.cert, file('cert2')];
  options.key = [options.key, file('key2')];
}
if (plan.sni !== undefined) {
  options.SNICallback = (name, callback) => {
    say(`${opened} sni ${name}`);
    answer(plan.flags.has('late_sni'), () =>
      reply(plan.sni, () => tls.createSecureContext(pairOf(plan.sni)), callback));
  };
}
for (const key of Object.keys(options)) if (options[key] === undefined) delete options[key];

let server;
try {
  server = tls.createServer(options);
} catch (error) {
  process.stderr.write(`${error}\n`);
  say('failed');
  process.exit(0);
}
if (plan.connections) server.maxConnections = Number(plan.connections);

function addName(triple) {
  const at = triple.indexOf(':');
  server.addContext(triple.slice(0, at), pairOf(triple.slice(at + 1)));
  say(`added ${triple.slice(0, at)}`);
}
plan.names.forEach(addName);

// The TLS socket of a connection is known only when it is secure or has failed; the socket below it
// is closed with it. Its number is that of the TLS socket too.
const numbers = new WeakMap();
const reasons = new Map();
server.on('connection', (raw) => {
  const number = ++opened;
  numbers.set(raw, number);
  say(`${number} open`);
  present.add(number);
  const tellClose = () => {
    say(`${number} close ${reasons.get(number) || 'clean'}`);
    present.delete(number);
    if (last) whenNobodyIsThere(last);
  };
  raw.on('close', () => setImmediate(tellClose));
});
const present = new Set();
let last = null;
function whenNobodyIsThere(fn) {
  if (present.size === 0) fn();
  else last = fn;
}
const numberOf = (socket) => numbers.get(socket._parent);

// Node leaves a connection whose handshake took too long open; its program has to destroy it.
// lockring closes what has failed.
server.on('tlsClientError', (error, socket) => {
  reasons.set(numberOf(socket), error.code);
  const address = plan.tell.includes('address') ? tellOne(socket, 'address') : '';
  say(`${numberOf(socket)} error ${error.code}${address}`);
  socket.destroy();
});
if (plan.ocsp !== undefined) {
  server.on('OCSPRequest', (certificate, issuer, callback) => {
    const hex = issuer ? issuer.toString('hex') : '';
    say(`${opened} ocsp certificate=${certificate.toString('hex')} issuer=${hex}`);
    answer(plan.flags.has('late_ocsp'), () => reply(plan.ocsp, () => file('ocsp'), callback));
  });
}
const sessions = new Map();
if (plan.flags.has('new')) {
  server.on('newSession', (id, data, callback) => {
    say(`${opened} new-session ${id.length}`);
    sessions.set(id.toString('hex'), data);
    answer(plan.flags.has('late_new'), callback);
  });
}
if (plan.resume !== undefined) {
  server.on('resumeSession', (id, callback) => {
    say(`${opened} resume ${id.length}`);
    answer(plan.flags.has('late_resume'), () => reply(plan.resume === 'keep' ? 'value' : plan.resume,
      () => sessions.get(id.toString('hex')) || null, callback));
  });
}
function setKeys(hex) {
  try {
    server.setTicketKeys(Buffer.from(hex, 'hex'));
    say('keys set');
  } catch {
    say('keys refused');
  }
}
server.on('secureConnection', (socket) => {
  const number = numberOf(socket);
  let received = 0;
  let line = `${number} secure`;
  for (const what of plan.tell) line += tellOne(socket, what);
  if (plan.fragment !== undefined)
    line += ` fragment=${socket.setMaxSendFragment(Number(plan.fragment))}`;
  say(line);
  socket.on('error', (error) => reasons.set(number, error.code));
  socket.on('data', (bytes) => {
    received += bytes.length;
    socket.write(bytes);
  });
  socket.on('end', () => say(`${number} end received=${received}`));
  if (plan.write) socket.write(Buffer.alloc(Number(plan.write)));
  if (plan.flags.has('end')) socket.end();
});
server.on('drop', () => say('refused'));
server.listen(0, plan.host, () => {
  const { address, port, family } = server.address();
  say(`listening ${family === 'IPv6' ? `[${address}]` : address}:${port}`);
});

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'answer') waiting.splice(0).forEach((fn) => fn());
    else if (line.startsWith('add ')) addName(line.slice(4));
    else if (line === 'count') server.getConnections((_, count) => say(`count ${count}`));
    else if (line.startsWith('keys ')) setKeys(line.slice(5));
    else if (line === 'which') say(`keys are ${server.getTicketKeys().toString('hex')}`);
    else if (line === 'close') server.close(() => whenNobodyIsThere(() => say('closed')));
  })
  .on('close', () => process.exit(0));
