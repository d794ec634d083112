import { isIPv4, isIPv6 } from 'node:net';

/**
 * Returns who sits behind an address: an IPv4 address, or the /64 network of an IPv6 address, of which one customer has at
 * least one. What is no address, as a proxy may have put it into `X-Forwarded-For`, is returned as it is.
 */
export function networkOf(address: string): string {
  const text = bare(address);
  if (!isIPv6(text)) return text;
  const groups = groupsOf(text);
  const mapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  return mapped ? asIPv4(groups.slice(6)) : `${groups.slice(0, 4).join(':')}::/64`;
}

/** Without a zone, a port and brackets. */
function bare(address: string): string {
  const [, bracketed, v4] = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(address) ?? [];
  return (bracketed ?? v4 ?? address).replace(/%.*$/, '');
}

/** The eight groups, without zeros in front. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = partsOf(head);
  const right = partsOf(tail ?? '');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map(group => Number.parseInt(group, 16).toString(16));
}

function partsOf(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap(part => (isIPv4(part) ? fromIPv4(part) : [part]));
}

function fromIPv4(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
}

function asIPv4(groups: readonly string[]): string {
  return groups
    .map(group => Number.parseInt(group, 16))
    .flatMap(group => [group >> 8, group & 255])
    .join('.');
}
