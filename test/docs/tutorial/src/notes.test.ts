import { HttpServer, systemClock } from '@keelson/core';
import { createTestKernel, type TestKernel } from '@keelson/core/testing';
import { embeddedDatabase } from '@keelson/database-pglite/testing';
import http from '@keelson/http-express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import notes from './notes.plugin.ts';

let service: TestKernel;

beforeAll(async () => {
  service = await createTestKernel({
    plugins: [embeddedDatabase(), http, notes],
    values: {
      database: { migrations: { atStart: true } },
      http: { port: 0, host: '127.0.0.1' },
      notes: { maxLength: 10 },
    },
    clock: systemClock,
  });
}, 120_000);

afterAll(() => service?.stop());

async function write(text: string): Promise<number> {
  const response = await fetch(`${service.container.get(HttpServer).url}/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  return response.status;
}

test('a note is stored', async () => {
  expect(await write('Milk')).toBe(201);
});

test('a note that is too long is refused', async () => {
  expect(await write('Milk and bread')).toBe(422);
});
