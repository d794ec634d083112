import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@keelson/test-support/eventually';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { startService } from '@keelson/test-support/service-process';
import { expect, onTestFinished, test } from 'vitest';

const use = fileURLToPath(import.meta.resolve('@keelson/logger-bunyan'));
const config = (level: string) => `service: shop
plugins:
  logger: { use: ${JSON.stringify(use)}, level: ${level} }
  talker: { use: ./talker.js }
`;
const talker = `export default {
  name: 'talker',
  start({ logger, defer }) {
    const timer = setInterval(() => { logger.debug('details'); logger.info('news'); }, 5);
    defer(() => clearInterval(timer));
    return { ready() { console.log('listens on http://nowhere '); } };
  },
};`;

test('keelson reload changes the level of the log of a running service, up and down, for loggers made before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-level-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const write = (level: string) => writeFileSync(join(directory, 'keelson.yaml'), config(level));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'talker.js'), talker);
  write('info');
  await using service = await startService({ directory });
  const said = (word: string, from: number) => service.stdout.slice(from).includes(`"msg":"${word}"`);
  await eventually(() => said('news', 0));
  expect(said('details', 0)).toBe(false);

  write('debug');
  const reloaded = await runKeelson(['reload'], { directory });
  expect(reloaded).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/logger\.level: "info" -> "debug" +applied/),
  });
  await eventually(() => said('details', 0));

  write('warn');
  await runKeelson(['reload'], { directory });
  let before = -1;
  const isSilent = () => {
    const wasAt = before;
    before = service.stdout.length;
    return wasAt === before;
  };
  await eventually(isSilent, { intervalMs: 50, that: 'a moment without a line' });
});
