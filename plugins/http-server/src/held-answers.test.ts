import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { Answering, aFewTurns, committed, type Handler } from './answering.fixture.js';
import { gate } from './harness.fixture.js';

const service = new Answering();

describe('the commit comes before the first byte', () => {
  const answers: [string, Handler, string][] = [
    ['json', (_request, response) => response.status(201).json({ id: 1 }), '{"id":1}'],
    ['send', (_request, response) => response.send('text'), 'text'],
    ['end', (_request, response) => response.end('text'), 'text'],
    ['sendStatus', (_request, response) => response.sendStatus(202), 'Accepted'],
    ['204', (_request, response) => response.status(204).end(), ''],
    ['redirect', (_request, response) => response.redirect(303, '/orders/1'), 'See Other. Redirecting to /orders/1'],
    ['writeHead and end', (_request, response) => response.writeHead(200, { 'X-A': '1' }).end('text'), 'text'],
    [
      'writeHead with a list',
      (_request, response) => response.writeHead(200, 'Fine', ['X-A', '1']).end('text'),
      'text',
    ],
    [
      'write and end',
      (_request, response) => {
        response.write('first ');
        response.write('second ');
        response.end('third');
      },
      'first second third',
    ],
    [
      'flushHeaders',
      (_request, response) => {
        response.flushHeaders();
        response.end('text');
      },
      'text',
    ],
    [
      'pipe',
      (_request, response) => Readable.from(['first ', 'second ', 'third']).pipe(response),
      'first second third',
    ],
    ['pipeline', (_request, response) => pipeline(Readable.from(['first ', 'second']), response), 'first second'],
  ];

  test.each(answers)('of %s', async (_name, handler, body) => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    let socket: Socket | undefined;
    const url = service.route((request, response) => {
      ({ socket } = request);
      return handler(request, response);
    });
    const answer = fetch(url, { method: 'POST', redirect: 'manual' });
    await commit.arrived;
    await aFewTurns();
    expect(socket?.bytesWritten).toBe(0);
    commit.open();
    const response = await answer;
    expect(await response.text()).toBe(body);
    expect(service.sessions.events).toEqual(committed);
  });

  test('keeps status, message and headers as the handler set them', async () => {
    const url = service.route((_request, response) =>
      response
        .writeHead(201, 'Made', { 'X-A': '1', 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': 'text/plain' })
        .end('x'),
    );
    const response = await fetch(url, { method: 'POST' });
    expect([response.status, response.statusText]).toEqual([201, 'Made']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([response.headers.get('x-a'), response.headers.get('content-type')]).toEqual(['1', 'text/plain']);
  });

  test('of a HEAD request, whose answer has no body', async () => {
    const response = await fetch(
      service.route((_request, response) => response.json({ id: 1 })),
      { method: 'HEAD' },
    );
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '8']);
    expect(await response.text()).toBe('');
    expect(service.sessions.events).toEqual(committed);
  });

  test('of a 304', async () => {
    const url = service.route((_request, response) => response.json({ id: 1 }));
    const etag = (await fetch(url)).headers.get('etag');
    const connection = await service.harness.connect();
    connection.send(`GET /route HTTP/1.1\r\nHost: test\r\nConnection: close\r\nIf-None-Match: ${etag}\r\n\r\n`);
    expect(await connection.until(({ closed }) => closed)).toMatch(/^HTTP\/1\.1 304 Not Modified\r\n/);
    expect(service.sessions.events).toEqual([...committed, ...committed]);
  });

  test('of a file, whole and in order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keelson-'));
    const content = Buffer.alloc(1_000_000, 'keelson');
    await writeFile(join(folder, 'large.txt'), content);
    const response = await fetch(
      service.route((_request, response) => response.sendFile('large.txt', { root: folder })),
    );
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
    expect(response.headers.get('content-length')).toBe('1000000');
    expect(service.sessions.events).toEqual(committed);
    await rm(folder, { recursive: true });
  });

  test('of a stream larger than every buffer, which waits for drain and misses nothing', async () => {
    const chunks = Array.from({ length: 200 }, (_, index) => String(index % 10).repeat(10_000));
    const commit = gate();
    service.sessions.commit = commit.pass;
    let produced = 0;
    const source = Readable.from(
      (async function* () {
        for (const chunk of chunks) {
          produced++;
          yield chunk;
        }
      })(),
    );
    const answer = fetch(service.route((_request, response) => source.pipe(response)));
    await commit.arrived;
    await aFewTurns();
    expect(produced, 'a stream waits while the commit runs').toBeLessThan(50);
    commit.open();
    expect(await (await answer).text()).toBe(chunks.join(''));
  });

  test('once, however many writes follow', async () => {
    const url = service.route(async (_request, response) => {
      for (let part = 0; part < 5; part++) {
        response.write(String(part));
        await new Promise(setImmediate);
      }
      response.end();
    });
    expect(await (await fetch(url)).text()).toBe('01234');
    expect(service.sessions.events).toEqual(committed);
  });

  test('calls the callbacks of write and end when they have left', async () => {
    const called: string[] = [];
    const url = service.route((_request, response) => {
      response.write('a', () => called.push('write'));
      response.end('b', () => called.push('end'));
      expect(called).toEqual([]);
    });
    expect(await (await fetch(url)).text()).toBe('ab');
    await expect.poll(() => called).toEqual(['write', 'end']);
  });
});

describe('middleware', () => {
  test('that changes headers or bodies as they leave works on what was held back', async () => {
    service.harness.http.router('/', (_request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const { writeHead, end } = response;
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        response.setHeader('X-Late', 'set as it leaves');
        return Reflect.apply(writeHead, response, args);
      }) as typeof writeHead;
      response.end = ((...args: Parameters<typeof end>) => {
        response.write('wrapped ');
        return Reflect.apply(end, response, args);
      }) as typeof end;
      next();
    });
    const response = await fetch(service.route((_request, response) => response.end('body')));
    expect([response.headers.get('x-late'), await response.text()]).toEqual(['set as it leaves', 'wrapped body']);
    expect(service.sessions.events).toEqual(committed);
  });

  test('that fails as headers leave is a 500, logged and captured; what was committed stays', async () => {
    const error = new Error('on headers');
    service.harness.http.router('/', (_request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const { writeHead } = response;
      let failed = false;
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        if (failed) return Reflect.apply(writeHead, response, args);
        failed = true;
        throw error;
      }) as typeof writeHead;
      next();
    });
    const response = await fetch(service.route((_request, response) => response.end('body')));
    expect(response.status).toBe(500);
    expect(service.sessions.events).toEqual(committed);
    expect(service.harness.telemetry.errors()).toMatchObject([{ error }]);
  });
});

describe('while the commit runs', () => {
  test('an answer that was given cannot be changed any more', async () => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    const seen: unknown[] = [];
    const url = service.route((_request, response) => {
      response.status(201).json({ id: 1 });
      seen.push(response.headersSent, response.writableEnded);
      response.statusCode = 500;
      response.statusMessage = 'Changed';
      for (const change of [
        () => response.setHeader('X-Late', '1'),
        () => response.json({ id: 2 }),
        () => response.writeHead(500),
      ]) {
        try {
          change();
        } catch (error) {
          seen.push((error as { code?: string }).code);
        }
      }
      response.end('again');
    });
    const answer = fetch(url, { method: 'POST' });
    await commit.arrived;
    commit.open();
    const response = await answer;
    expect([response.status, response.statusText, await response.json()]).toEqual([201, 'Created', { id: 1 }]);
    expect(response.headers.has('x-late')).toBe(false);
    expect(seen).toEqual([true, true, 'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT']);
    expect(service.sessions.events).toEqual(committed);
  });

  test('a handler that fails after its answer changes nothing: it is logged and captured', async () => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    const error = new Error('after the answer');
    const url = service.route(async (_request, response) => {
      response.json({ id: 1 });
      throw error;
    });
    const answer = fetch(url, { method: 'POST' });
    await commit.arrived;
    await expect.poll(() => service.harness.telemetry.errors()).toMatchObject([{ error }]);
    commit.open();
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([200, { id: 1 }]);
    expect(service.sessions.events).toEqual(committed);
    expect(service.harness.logger.find('after its answer started')).toMatchObject({ facts: { error } });
  });

  test('a handler that fails in the middle of its answer cuts the connection', async () => {
    const url = service.route(async (_request, response) => {
      response.write('part');
      throw new Error('in the middle');
    });
    await expect(fetch(url, { method: 'POST' }).then(response => response.text())).rejects.toThrow();
    await service.sessions.until('committed');
  });

  test('a handler that fails in the middle of its answer gets no 500, which would deny what is stored', async () => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    const url = service.route(async (_request, response) => {
      response.write('part');
      await commit.arrived;
      throw new Error('in the middle');
    });
    await expect(fetch(url, { method: 'POST' })).rejects.toThrow();
    commit.open();
    await service.sessions.until('committed');
    // Aborting a session does not end a COMMIT that was sent.
    expect(service.sessions.events).toEqual(['open', 'commit', 'abort', 'committed']);
  });

  test('the notice of a stop makes it the last of its connection', async () => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    const url = service.route((_request, response) => response.writeHead(201, { 'X-A': '1' }).end('text'));
    const answer = fetch(url, { method: 'POST' });
    await commit.arrived;
    service.harness.lifecycle.move('stopping');
    commit.open();
    const { status, headers } = await answer;
    expect([status, headers.get('x-a'), headers.get('connection')]).toEqual([201, '1', 'close']);
  });

  test('a client that goes away does not disturb it', async () => {
    const commit = gate();
    service.sessions.commit = commit.pass;
    const closed = Promise.withResolvers<void>();
    const url = service.route((_request, response) => {
      void once(response, 'close').then(() => closed.resolve());
      response.json({ id: 1 });
    });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await commit.arrived;
    client.abort();
    await expect(answer).rejects.toThrow();
    await closed.promise;
    commit.open();
    await service.sessions.until('committed');
    expect(service.sessions.events).toEqual(['open', 'commit', 'abort', 'committed']);
    expect(service.harness.logger.find(/^POST /)).toMatchObject({ message: 'POST /route 499', facts: { cut: true } });
  });
});
