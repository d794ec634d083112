import type { IncomingMessage } from 'node:http';
import { refused, tokenRequired } from './errors.js';
import type { Logins } from './logins.js';

/** Header that the page sends with what changes something: a form or an image of another site cannot send it. */
export const pageHeader = 'x-keelson-console';

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
/** Set by a proxy, and by no browser. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'];

/** Whether only this machine can reach an address: `127.0.0.1`, `::1`. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/i.test(address);
}

/**
 * Lets a request in that comes to the name of the console and, with a token, from someone who has it.
 *
 * @throws KeelsonError CONSOLE_REQUEST_REFUSED, CONSOLE_TOKEN_REQUIRED.
 */
export class Guard {
  readonly #logins: Logins | undefined;
  readonly #now: () => number;

  /** Without logins, only requests of this machine are let in. */
  constructor(logins: Logins | undefined, now: () => number) {
    this.#logins = logins;
    this.#now = now;
  }

  /** For every request: one of another site, under a name that it has pointed at this machine, is refused. */
  checkPlace(request: IncomingMessage): void {
    if (this.#logins !== undefined) return;
    if (!isLoopback(request.socket.remoteAddress)) {
      throw refused('it does not come from this machine', 'Set console.token to use the console from other machines.');
    }
    if (!loopbackHosts.test(request.headers.host ?? '')) {
      throw refused(
        'its Host header is not a name of this machine',
        'Open the console at http://127.0.0.1, or set console.token.',
      );
    }
    for (const header of proxyHeaders) {
      if (request.headers[header] === undefined) continue;
      throw refused('it came through a proxy', 'Set console.token to use the console through a proxy.');
    }
  }

  /** For every request that reads or changes something. */
  checkCaller(request: IncomingMessage): void {
    const logins = this.#logins;
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw refused('another site sent it', 'Open /console in the browser.');
    }
    if (logins === undefined) return;
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const [, given = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
      if (logins.isToken(given)) return;
      throw tokenRequired(true);
    }
    const cookie = cookieOf(request, cookieName(request));
    if (cookie === undefined || !logins.isCookie(cookie, this.#now())) throw tokenRequired(false);
  }

  /** For every request that changes something. */
  checkChange(request: IncomingMessage): void {
    const { origin, host, 'content-type': type = '' } = request.headers;
    if (!/^application\/json(;|$)/i.test(type))
      throw refused('its body is not JSON', 'Send Content-Type: application/json.');
    if (request.headers[pageHeader] !== '1') {
      throw refused(`the header ${pageHeader} is missing`, `Send ${pageHeader}: 1 from a script.`);
    }
    if (origin !== undefined && !isOwnOrigin(origin, host)) {
      throw refused('a page of another origin sent it', 'Open /console in the browser.');
    }
  }
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

/** Cookies of one host are sent to all its ports: the port makes the name. */
export function cookieName({ headers }: IncomingMessage): string {
  const [, port = '80'] = /:(\d{1,5})$/.exec(headers.host ?? '') ?? [];
  return `keelson-console-${port}`;
}

function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  for (const part of (headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name && value !== undefined) return value;
  }
  return undefined;
}
