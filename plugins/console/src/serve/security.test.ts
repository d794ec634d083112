import { describe, expect, test } from 'vitest';
import { ConsoleHarness, fromPage } from '../harness.fixture.js';

const token = 'a token of this console';
const goodToken = token.replaceAll(' ', '-');
const operation = {
  method: 'POST',
  body: JSON.stringify({ plugin: 'retry', operation: 'hold', named: { target: 'database' } }),
};
const codeOf = ({ status, body }: { status: number; body: string }) => `${status} ${JSON.parse(body).code}`;

describe('a console without a token', () => {
  test('answers at the names of this machine, and under no other name that leads to it', async () => {
    await using console = await ConsoleHarness.open();
    const { port } = console;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'localhost', `127.0.0.2:${port}`]) {
      expect((await console.ask('/api/live', { headers: { host } })).status, host).toBe(200);
    }
    for (const host of [`rebound.example:${port}`, `127.0.0.1.example:${port}`, 'example.com', '10.0.0.7']) {
      expect(codeOf(await console.ask('/api/live', { headers: { host } })), host).toBe('403 CONSOLE_REQUEST_REFUSED');
      expect((await console.ask('/', { headers: { host } })).status, host).toBe(403);
    }
  });

  test('refuses what came through a proxy, which may serve anybody', async () => {
    await using console = await ConsoleHarness.open();
    for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip', 'via']) {
      const answer = await console.ask('/api/live', { headers: { [name]: '203.0.113.9' } });
      expect(codeOf(answer), name).toBe('403 CONSOLE_REQUEST_REFUSED');
    }
  });

  test('answers no other site, though its browser is on this machine', async () => {
    await using console = await ConsoleHarness.open();
    for (const site of ['cross-site', 'same-site']) {
      const answer = await console.ask('/api/plan', { headers: { 'sec-fetch-site': site } });
      expect(codeOf(answer)).toBe('403 CONSOLE_REQUEST_REFUSED');
    }
    expect((await console.ask('/api/plan', { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(200);
  });
});

describe('a change', () => {
  test('runs when the page sends it', async () => {
    await using console = await ConsoleHarness.open();
    const headers = { ...fromPage, origin: `http://127.0.0.1:${console.port}` };
    const answer = await console.ask('/api/operations', { ...operation, headers });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { done: 'It is done.' }]);
    expect(console.operated).toEqual([['retry', 'hold', [], { target: 'database' }]]);
  });

  test.each([
    ['a form of another site', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text of another site', { 'content-type': 'text/plain' }],
    ['JSON without the header of the page', { 'content-type': 'application/json' }],
    ['a page of another origin', { ...fromPage, origin: 'http://evil.example' }],
    ['a page of another port', { ...fromPage, origin: 'http://127.0.0.1:1' }],
    ['a page without an origin of its own', { ...fromPage, origin: 'null' }],
    ['another site', { ...fromPage, 'sec-fetch-site': 'cross-site' }],
  ])('does not run when it comes from %s', async (_what, headers) => {
    await using console = await ConsoleHarness.open();
    expect(codeOf(await console.ask('/api/operations', { ...operation, headers }))).toBe('403 CONSOLE_REQUEST_REFUSED');
    expect(console.operated).toEqual([]);
  });

  test('is never a GET, and its body is bounded and a known object', async () => {
    await using console = await ConsoleHarness.open();
    expect((await console.ask('/api/operations')).status).toBe(404);
    expect((await console.ask('/api/operations', { ...operation, method: 'PUT', headers: fromPage })).status).toBe(405);
    const send = (body: string) => console.ask('/api/operations', { method: 'POST', headers: fromPage, body });
    expect((await send('x'.repeat(20_000))).status).toBe(403);
    expect((await send('no json')).status).toBe(403);
    expect((await send('{"plugin":"retry"}')).status).toBe(422);
    expect(console.operated).toEqual([]);
  });
});

describe('a console with a token', () => {
  const open = () => ConsoleHarness.open({ token: goodToken });
  const bearer = { authorization: `Bearer ${goodToken}` };

  test('shows nothing without it: neither reads nor changes; the page itself is the login', async () => {
    await using console = await open();
    for (const path of ['/api/live', '/api/plan', '/api/history', '/api/requests', '/api/instances']) {
      expect(codeOf(await console.ask(path)), path).toBe('401 CONSOLE_TOKEN_REQUIRED');
    }
    expect(codeOf(await console.ask('/api/operations', { ...operation, headers: fromPage }))).toBe(
      '401 CONSOLE_TOKEN_REQUIRED',
    );
    expect(console.operated).toEqual([]);
    expect((await console.ask('/')).status).toBe(200);
  });

  test('lets a script in by the Authorization header, under any name', async () => {
    await using console = await open();
    expect((await console.ask('/api/live', { headers: { ...bearer, host: 'orders.internal:9000' } })).status).toBe(200);
    for (const authorization of [`Bearer ${goodToken}x`, 'Bearer ', `Basic ${goodToken}`, 'Bearer wrong']) {
      expect((await console.ask('/api/live', { headers: { authorization } })).status, authorization).toBe(401);
    }
    // The token in a URL is in logs and histories: it opens nothing.
    expect((await console.ask(`/api/live?token=${goodToken}`)).status).toBe(401);
  });

  const logIn = (console: ConsoleHarness, given: string, headers: Record<string, string> = fromPage) =>
    console.ask('/api/login', { method: 'POST', headers, body: JSON.stringify({ token: given }) });

  test('logs a browser in with a cookie that scripts cannot read, and that does not contain the token', async () => {
    await using console = await open();
    const answer = await logIn(console, goodToken);
    expect(answer.status).toBe(200);
    const [cookie = ''] = answer.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/; Path=\/console; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    expect(cookie).toContain(`keelson-console-${console.port}=`);
    expect(cookie).not.toContain(goodToken);
    const [pair = ''] = cookie.split(';');
    expect((await console.ask('/api/live', { headers: { cookie: `theme=dark; ${pair}` } })).status).toBe(200);
    const changed = await console.ask('/api/operations', { ...operation, headers: { ...fromPage, cookie: pair } });
    expect(changed.status).toBe(200);
    // The cookie alone is no proof that the page has sent it.
    const forged = await console.ask('/api/operations', {
      ...operation,
      headers: { cookie: pair, 'content-type': 'text/plain' },
    });
    expect(forged.status).toBe(403);
    const out = await console.ask('/api/logout', {
      method: 'POST',
      headers: { ...fromPage, cookie: pair },
      body: '{}',
    });
    expect(out.headers['set-cookie']?.[0]).toContain('Max-Age=0');
  });

  test('refuses a wrong token, a cookie that was changed, one of another token, and one that is too old', async () => {
    await using console = await open();
    expect(codeOf(await logIn(console, 'wrong'))).toBe('401 CONSOLE_TOKEN_REQUIRED');
    expect((await logIn(console, goodToken, { 'content-type': 'text/plain' })).status).toBe(403);
    const [cookie = ''] = (await logIn(console, goodToken)).headers['set-cookie'] ?? [];
    const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=');
    const [until = '', signature = ''] = value.split('.');
    const later = `${Number(until) + 1}.${signature}`;
    await using other = await ConsoleHarness.open({ token: `${goodToken}-2` });
    const [foreign = ''] = (await logIn(other, `${goodToken}-2`)).headers['set-cookie'] ?? [];
    const [, foreignValue = ''] = (foreign.split(';')[0] ?? '').split('=');
    const old = '1000.AAAA';
    for (const given of [later, `${until}.`, `${value}.x`, foreignValue, old, '']) {
      expect((await console.ask('/api/live', { headers: { cookie: `${name}=${given}` } })).status, given).toBe(401);
    }
  });

  test('logs neither the token nor a wrong one', async () => {
    await using console = await open();
    await logIn(console, goodToken);
    await logIn(console, 'a-wrong-token-of-somebody');
    const lines = JSON.stringify(console.logger.lines());
    expect(lines).toContain('console login failed');
    expect(lines).not.toContain(goodToken);
    expect(lines).not.toContain('a-wrong-token-of-somebody');
  });

  test('needs a token that is long enough', async () => {
    await expect(ConsoleHarness.open({ token: 'short' })).rejects.toThrow('16 characters');
    await expect(ConsoleHarness.open({ token })).rejects.toThrow('without spaces');
  });
});

describe('every answer', () => {
  test('has a strict content security policy, and is kept by no cache but for files with a hash in their name', async () => {
    await using console = await ConsoleHarness.open();
    const [page, file, api, missing] = await Promise.all(
      ['/', '/assets/index-abc.js', '/api/live', '/nowhere'].map(path => console.ask(path)),
    );
    for (const answer of [page, file, api, missing]) {
      const policy = String(answer?.headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(answer?.headers['x-content-type-options']).toBe('nosniff');
      expect(answer?.headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(page?.headers['cache-control']).toBe('no-cache');
    expect(file?.headers['cache-control']).toContain('immutable');
    expect(api?.headers['cache-control']).toBe('no-store');
    expect(missing?.status).toBe(404);
    const again = await console.ask('/', { headers: { 'if-none-match': String(page?.headers.etag) } });
    expect(again.status).toBe(304);
  });

  test('has nothing at a path that is no path of it, and logs no error', async () => {
    await using console = await ConsoleHarness.open();
    for (const path of ['//', '///', '//[', '//name:999999/', '//name/api/live', '/assets/../api/live']) {
      expect((await console.ask(path)).status, path).toBe(404);
    }
    expect(console.logger.lines('error')).toEqual([]);
  });

  test('serves no file but those of the page', async () => {
    await using console = await ConsoleHarness.open();
    for (const path of ['/../package.json', '/assets/../../package.json', '/assets/%2e%2e/index.html', '/.built']) {
      expect((await console.ask(path)).status, path).toBe(404);
    }
  });
});
