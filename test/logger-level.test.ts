import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@keelson/test-support/eventually';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { startService } from '@keelson/test-support/service-process';
import { describe, expect, onTestFinished, test } from 'vitest';

const config = (use: string, level: string) => `service: shop
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

/** A service that writes a line of `debug` and one of `info` all the time. */
async function talking(use: string) {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-level-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const write = (level: string) => writeFileSync(join(directory, 'keelson.yaml'), config(use, level));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'talker.js'), talker);
  write('info');
  const service = await startService({ directory });
  let from = 0;
  return {
    service,
    write,
    keelson: (...words: string[]) => runKeelson(words, { directory }),
    /** Forgets the lines so far. */
    fromNow: () => {
      from = service.stdout.length;
    },
    said: (word: string) => service.stdout.slice(from).includes(`"msg":"${word}"`),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
    },
  };
}

describe.each(['@keelson/logger-bunyan', '@keelson/logger-pino'])('%s', logger => {
  const use = fileURLToPath(import.meta.resolve(logger));

  test('keelson reload changes the level of the log of a running service, up and down, for loggers made before', async () => {
    await using talk = await talking(use);
    await eventually(() => talk.said('news'));
    expect(talk.said('details')).toBe(false);

    talk.write('debug');
    expect(await talk.keelson('reload')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/logger\.level: "info" -> "debug" +applied/),
    });
    await eventually(() => talk.said('details'));

    talk.write('warn');
    await talk.keelson('reload');
    const isSilent = () => {
      const silent = !talk.said('news');
      talk.fromNow();
      return silent;
    };
    await eventually(isSilent, { intervalMs: 50, that: 'a moment without a line' });
  });

  test('keelson do logger level changes it for a time, of one plugin or of all, and it returns by itself', async () => {
    await using talk = await talking(use);
    const misspelled = await talk.keelson('do', 'logger', 'level', 'debug', 'talkr');
    expect(misspelled).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean talker?') });

    const done = await talk.keelson('do', 'logger', 'level', 'debug', 'talker', '--for', '2s');
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/level of talker is debug until .*, then info again\./),
    });
    await eventually(() => talk.said('details'));
    await eventually(
      () => {
        const returned = talk.said('news') && !talk.said('details');
        talk.fromNow();
        return returned;
      },
      { intervalMs: 50 },
    );

    await talk.keelson('do', 'logger', 'level', 'trace', '--for', '1h');
    talk.fromNow();
    await eventually(() => talk.said('details'));

    talk.write('warn');
    expect((await talk.keelson('reload')).stdout).toMatch(/logger\.level: "info" -> "warn" +applied/);
    talk.fromNow();
    await eventually(() => talk.said('details'), { that: 'a line of the temporary level after a reload' });
    expect((await talk.keelson('status')).stdout).toMatch(/temporary:\s+- level: trace\s+until: /);
    expect((await talk.keelson('do', 'logger', 'reset-level')).stdout).toContain(
      'The level of all plugins is warn again.',
    );
  });
});
