import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@keelson/test-support/eventually';
import { startService } from '@keelson/test-support/service-process';
import { expect, onTestFinished, test } from 'vitest';

/** The line that differs. */
const lines = {
  bunyan: `  logger: { use: ${JSON.stringify(fileURLToPath(import.meta.resolve('@keelson/logger-bunyan')))} }`,
  pino: `  logger: { use: ${JSON.stringify(fileURLToPath(import.meta.resolve('@keelson/logger-pino')))} }`,
  none: '  logger: { use: none }',
};
const talker = `export default {
  name: 'talker',
  start: ({ logger }) => ({
    ready() {
      logger.info('news', { durationMs: 7, id: 12n });
      logger.warn('trouble', { error: new Error('lost'), password: 'hush' });
      console.log('listens on http://nowhere ');
    },
  }),
};`;

/** What a service prints whose logger is chosen by one line of YAML. */
async function printedWith(line: string): Promise<Record<string, unknown>[]> {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-swap-logger-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'talker.js'), talker);
  writeFileSync(join(directory, 'keelson.yaml'), `service: shop\nplugins:\n${line}\n  talker: { use: ./talker.js }\n`);
  await using service = await startService({ directory });
  await eventually(() => service.stderr.includes('ready') || service.stdout.includes('service started'));
  await service.stop();
  const records = service.stdout.split('\n').filter(each => each.startsWith('{'));
  return records.map((each): Record<string, unknown> => JSON.parse(each));
}

test('bunyan, pino and none are swapped by one line of YAML, and the fields of both are those of docs/logging.md', async () => {
  const [bunyan, pino, none] = await Promise.all([lines.bunyan, lines.pino, lines.none].map(printedWith));
  expect(none).toEqual([]);
  const messages = (records: typeof bunyan) => records?.map(({ msg }) => msg);
  expect(messages(bunyan)).toEqual(['news', 'trouble', 'service started', 'service stop started']);
  expect(messages(pino)).toEqual(messages(bunyan));
  const common = { hostname: expect.any(String), pid: expect.any(Number), name: 'shop', plugin: 'talker' };
  const news = { ...common, level: 30, msg: 'news', durationMs: 7, id: '12' };
  expect(bunyan?.[0]).toEqual({ ...news, time: expect.stringMatching(/^\d{4}-.*Z$/), v: 0 });
  expect(pino?.[0]).toEqual({ ...news, time: expect.any(Number) });
  const trouble = { ...common, level: 40, msg: 'trouble', password: '[masked]' };
  const err = { message: 'lost', stack: expect.any(String) };
  expect(bunyan?.[1]).toMatchObject({ ...trouble, err: { ...err, name: 'Error' } });
  expect(pino?.[1]).toMatchObject({ ...trouble, err: { ...err, type: 'Error' } });
});
