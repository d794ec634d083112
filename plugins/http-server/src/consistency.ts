import type { IncomingMessage, ServerResponse } from 'node:http';

/** How the token of what a client has stored comes back with its later requests. */
export interface Consistency {
  tokenIn(request: IncomingMessage): string | undefined;
  /** To be called before the headers of the answer are sent. */
  put(response: ServerResponse, token: string): void;
}

/** Of the header and of the cookie. */
const name = 'Keelson-Consistency';
const key = name.toLowerCase();

const byHeader: Consistency = {
  tokenIn: ({ headers }) => {
    const value = headers[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  },
  put: (response, token) => void response.setHeader(name, token),
};

const cookie = /(?:^|;\s*)keelson-consistency=([^;]*)/i;
/** Longer than a replica that takes reads is behind. It is no secret, and no script needs it. */
const attributes = 'Path=/; Max-Age=300; HttpOnly; SameSite=Lax';

const byCookie: Consistency = {
  tokenIn: ({ headers }) => (headers.cookie === undefined ? undefined : cookie.exec(headers.cookie)?.[1]),
  put: (response, token) => void response.appendHeader('Set-Cookie', `${name}=${token}; ${attributes}`),
};

export const consistencies = { off: undefined, header: byHeader, cookie: byCookie } as const;
