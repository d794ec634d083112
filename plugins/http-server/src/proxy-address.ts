import { isIP } from 'node:net';

const names: readonly string[] = ['loopback', 'linklocal', 'uniquelocal'];

/** Whether `text` names proxies as Express takes it: an address, a network, or one of the names for private networks. */
export function isProxy(text: string): boolean {
  if (names.includes(text)) return true;
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(prefix ?? 0) <= (version === 4 ? 32 : 128);
}
