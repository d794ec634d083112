// Preloaded into a process and all its children: appends each address that it connects to, or asks a name server for, to a file.
import dgram from 'node:dgram';
import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const file = process.env.RECORDED_CONNECTIONS;
const note = target => appendFileSync(file, `${target}\n`);

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...words) {
  // What net.connect passes on is already a list of the options and the callback.
  const [first, second] = Array.isArray(words[0]) ? words[0] : words;
  const { path, host } = typeof first === 'object' && first !== null ? first : { host: second };
  if (path === undefined) note(typeof host === 'string' ? host : 'localhost');
  return connect.apply(this, words);
};

for (const object of [dns, dns.promises]) {
  for (const name of Object.keys(object).filter(each => /^(lookup|resolve|reverse)/.test(each))) {
    const original = object[name];
    if (typeof original !== 'function') continue;
    object[name] = (target, ...words) => {
      note(target);
      return original.call(object, target, ...words);
    };
  }
}

const { send } = dgram.Socket.prototype;
dgram.Socket.prototype.send = function (...words) {
  note(words.findLast(word => typeof word === 'string') ?? 'localhost');
  return send.apply(this, words);
};
syncBuiltinESMExports();
