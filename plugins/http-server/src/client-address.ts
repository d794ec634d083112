import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';
import type { HttpOptions } from './options.js';

/** The address of the client of a request, behind the proxies that are trusted. */
export function clientAddresses(trusted: HttpOptions['trustProxy']): (request: IncomingMessage) => string | undefined {
  if (trusted === false || trusted === 0) return ({ socket }) => socket.remoteAddress;
  const trusts = trustedProxies(trusted);
  return request => proxyAddress(request, trusts);
}

/** Returns a function that reports whether a sender is a trusted proxy. The first sender that is not one is the client. */
export function trustedProxies(trusted: HttpOptions['trustProxy']): (address: string, hop: number) => boolean {
  if (typeof trusted === 'boolean') return () => trusted;
  if (typeof trusted === 'number') return (_address, hop) => hop < trusted;
  const names = [trusted].flat().flatMap(text => text.split(','));
  return proxyAddress.compile(names.map(name => name.trim()));
}
