import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { send, startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

const lineCount = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../examples/hello/${file}`, import.meta.url)), 'utf8')
    .trimEnd()
    .split('\n').length;

test('the smallest service answers, and stops in order', async () => {
  await using service = await startService({ npmStart: ['--silent', '--workspace', 'examples/hello'] });

  expect(await send(service.url, 'GET')).toMatchObject({ status: 200, body: 'Hello, world!\n' });
  expect(await service.stop()).toEqual({ code: 0, signal: null });
}, 60_000);

test('the smallest service is 20 lines', () => {
  expect(lineCount('keelson.yaml') + lineCount('src/hello.plugin.ts')).toBeLessThanOrEqual(20);
});
