import { describe, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { httpOptions } from './options.js';

type Input = Parameters<typeof httpOptions.parse>[0];

async function harnessWith(options: Input & object): Promise<Harness> {
  const harness = new Harness(httpOptions.parse({ ...options, port: 0, host: '127.0.0.1' }));
  harness.http.router('/here', (_request, response) => response.end('here'));
  return harness.ready();
}

describe('every answer', () => {
  test.each(['/here', '/nowhere'])('of %s has the headers that browsers heed', async path => {
    await using harness = await harnessWith({});
    const { headers } = await fetch(`${harness.url}${path}`);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('has the values that the deployment says', async () => {
    const given = {
      'X-Frame-Options': 'SAMEORIGIN',
      'Strict-Transport-Security': false,
      'Permissions-Policy': 'usb=()',
    };
    await using harness = await harnessWith({ securityHeaders: given });
    const { headers } = await fetch(`${harness.url}/here`);
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('permissions-policy')).toBe('usb=()');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('has none that is left out, in whichever case it is written', async () => {
    await using harness = await harnessWith({
      securityHeaders: { 'x-frame-options': false, 'referrer-policy': 'origin' },
    });
    const { headers } = await fetch(`${harness.url}/here`);
    expect([headers.get('x-frame-options'), headers.get('referrer-policy')]).toEqual([null, 'origin']);
  });

  test.each([
    { 'X-Own': 'one\r\nSet-Cookie: a=b' },
    { 'X-Own': 'ä' },
    { 'X-Own': '' },
    { 'Content-Length': '5' },
    { 'transfer-encoding': 'chunked' },
    { 'X Own': 'space' },
  ])('%j is refused', securityHeaders => {
    expect(httpOptions.safeParse({ securityHeaders }).success).toBe(false);
  });

  test('has none of them when the deployment says so', async () => {
    await using harness = await harnessWith({ securityHeaders: false });
    expect((await fetch(`${harness.url}/here`)).headers.get('x-frame-options')).toBeNull();
  });
});

describe('a page of another origin', () => {
  const origin = 'https://app.example.com';
  const preflight = (url: string, from = origin) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: { Origin: from, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-own' },
    });

  test('may read nothing by default', async () => {
    await using harness = await harnessWith({});
    const { headers } = await fetch(`${harness.url}/here`, { headers: { Origin: origin } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('may use the API when its origin is listed', async () => {
    await using harness = await harnessWith({
      cors: { origins: [origin], credentials: true, exposedHeaders: ['X-Request-Id'], maxAgeMs: 60_000 },
    });
    const asked = await preflight(`${harness.url}/here`);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
    expect(asked.headers.get('access-control-allow-headers')).toBe('x-own');
    expect(asked.headers.get('access-control-allow-credentials')).toBe('true');
    expect(asked.headers.get('access-control-max-age')).toBe('60');
    const { headers } = await fetch(`${harness.url}/nowhere`, { headers: { Origin: origin } });
    expect(headers.get('access-control-allow-origin')).toBe(origin);
    expect(headers.get('access-control-expose-headers')).toBe('X-Request-Id');
    expect(headers.get('vary')).toContain('Origin');
    const other = await preflight(`${harness.url}/here`, 'https://evil.example.com');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('leaves an OPTIONS request that asks for no leave to the routes', async () => {
    await using harness = await harnessWith({ cors: { origins: [origin] } });
    harness.http.router('/own', (request, response) => response.end(`own ${request.method}`));
    const plain = await fetch(`${harness.url}/own`, { method: 'OPTIONS' });
    expect(await plain.text()).toBe('own OPTIONS');
    const ofPage = await fetch(`${harness.url}/own`, { method: 'OPTIONS', headers: { Origin: origin } });
    expect([await ofPage.text(), ofPage.headers.get('access-control-allow-origin')]).toEqual(['own OPTIONS', origin]);
    expect((await fetch(`${harness.url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404);
    expect((await preflight(`${harness.url}/nowhere`)).status).toBe(204);
  });

  test.each([
    [{ origins: ['https://app.example.com/'] }, ['cors', 'origins', 0]],
    [{ origins: ['app.example.com'] }, ['cors', 'origins', 0]],
    [{ origins: '*', credentials: true }, ['cors', 'origins']],
  ])('%j is refused', (cors, path) => {
    const issues = httpOptions.safeParse({ cors }).error?.issues ?? [];
    const paths = issues.flatMap(issue =>
      issue.code === 'invalid_union' ? issue.errors.flat().map(each => [...issue.path, ...each.path]) : [issue.path],
    );
    expect(paths).toContainEqual(path);
  });
});
