import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { loggerBunyanOptions } from '@keelson/logger-bunyan';
import { loggerPinoOptions } from '@keelson/logger-pino';
import { describe, expect, test } from 'vitest';

/** What every logger that writes to a standard stream must do at the end of its process: pipes, crashes, exits. */
describe.each([
  ['@keelson/logger-bunyan', 'loggerBunyanOptions', loggerBunyanOptions],
  ['@keelson/logger-pino', 'loggerPinoOptions', loggerPinoOptions],
])('%s', (use, optionsName, schema) => {
  /** Runs `script` with the built package; `read` decides when and how its standard output is read. */
  async function run(script: string, read: (child: ReturnType<typeof start>) => Promise<string>) {
    const child = start(script);
    const exit = once(child, 'exit');
    const output = await read(child);
    return { output, code: (await exit)[0] };
  }

  function start(script: string) {
    const prelude = `
    import { createLogger, ${optionsName} } from '${use}';
    const open = options => createLogger(${optionsName}.parse(options), 'orders', process.stdout);
  `;
    return spawn(process.execPath, ['--input-type=module', '-e', prelude + script], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
  }

  function messagesOf(output: string): unknown[] {
    return output
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line).msg);
  }

  async function all(child: ReturnType<typeof start>): Promise<string> {
    let output = '';
    for await (const chunk of child.stdout ?? []) output += String(chunk);
    return output;
  }

  test('flush on exit: every line has left before process.exit, though the pipe is full and its reader late', async () => {
    const script = `
    const { closeSync } = await import('node:fs');
    const log = open({});
    for (let line = 0; line < 5_000; line++) log.info('line ' + line, { filler: 'x'.repeat(300) });
    closeSync(3); // written: let the reader begin
    await log.flush();
    process.exit(0);
  `;
    const { output, code } = await run(script, async child => {
      const written = child.stdio[3];
      if (written instanceof Readable) await once(written.resume(), 'close');
      return all(child);
    });
    const lines = output.trimEnd().split('\n');
    expect(code).toBe(0);
    expect(lines).toHaveLength(5_000);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ msg: 'line 4999', name: 'orders' });
  });

  test('a stop of the kernel flushes, its last lines included', async () => {
    const script = `
    const { definePlugin, Kernel, Logger } = await import('@keelson/core');
    const { closeSync } = await import('node:fs');
    const talker = definePlugin({
      name: 'talker',
      start: ({ logger }) => ({
        stop: () => {
          for (let line = 0; line < 3_000; line++) logger.info('line ' + line, { filler: 'x'.repeat(300) });
          closeSync(3);
        },
      }),
    });
    const kernel = await Kernel.start({
      config: { service: 'orders', plugins: { logger: { use: '${use}' }, talker: { use: './none.js' } } },
      plugins: { talker },
    });
    await kernel.stop();
    process.exit(0);
  `;
    const { output, code } = await run(script, async child => {
      const written = child.stdio[3];
      if (written instanceof Readable) await once(written.resume(), 'close');
      return all(child);
    });
    const records = output
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    const lines = records.filter(record => record.plugin === 'talker' && record.msg.startsWith('line '));
    expect(code).toBe(0);
    expect(lines).toHaveLength(3_000);
    expect(lines.at(-1)).toMatchObject({ name: 'orders', msg: 'line 2999' });
  });

  test.each([
    ['process.exit', 'process.exit(3);', 3],
    ['an error that nothing catches', "throw new Error('crash');", 1],
    ['a rejection that nothing handles', "Promise.reject(new Error('crash'));", 1],
    ['its natural end', '', 0],
  ])('a process that ends by %s: the lines before are there', async (_end, end, exitCode) => {
    const { output, code } = await run(`const log = open({}); log.info('first'); log.info('last'); ${end}`, all);
    expect(messagesOf(output)).toEqual(['first', 'last']);
    expect(code).toBe(exitCode);
  });

  test('lines of the end of the process are there, whichever listener writes them', async () => {
    const script = `
    process.on('exit', () => log.info('early'));
    const log = open({});
    process.on('exit', () => log.info('late'));
  `;
    const { output } = await run(script, all);
    expect(messagesOf(output)).toEqual(['early', 'late']);
  });

  test('a reader that goes away: the process neither dies of EPIPE nor hangs in flush', async () => {
    const script = `
    const log = open({});
    for (let line = 0; line < 5_000; line++) log.info('line ' + line, { filler: 'x'.repeat(300) });
    await log.flush();
    log.info('into the void');
    await log.flush();
    process.exit(7);
  `;
    const { code } = await run(script, async child => {
      child.stdout?.destroy();
      return '';
    });
    expect(code).toBe(7);
  });

  test('a stream that is not a terminal gets json, unless configured otherwise', async () => {
    const { output } = await run(`open({}).info('a'); open({ format: 'pretty' }).info('b');`, all);
    const [json, pretty] = output.split('\n');
    expect(JSON.parse(json ?? '')).toMatchObject({ msg: 'a' });
    expect(pretty).toMatch(/INFO {2}b$/);
  });

  test.each([
    ['process.exit', 'process.exit(0);'],
    ['flush', 'await log.flush();'],
  ])('a failure that repeats, before %s: its number is there', async (_end, end) => {
    const fail =
      "for (let n = 0; n < 1_000; n++) log.error('lost', { error: Object.assign(new Error('lost'), { code: 'E' }) });";
    const { output } = await run(`const log = open({}); ${fail} ${end}`, all);
    const records = output
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(records).toHaveLength(11);
    expect(records.at(-1)).toMatchObject({ msg: 'lost', err: { code: 'E' }, repeated: 990 });
  });

  test('a reader that takes nothing: the process goes on, and needs no more memory than allowed', async () => {
    const script = `
    const log = open({ maxBufferedBytes: 65_536 });
    for (let line = 0; line < 5_000; line++) log.info('line ' + line, { filler: 'x'.repeat(300) });
    process.stderr.write('goes on');
    await new Promise(resolve => process.once('SIGTERM', resolve));
    process.exit(0);
  `;
    const child = start(script);
    const [text] = await once(child.stderr ?? child, 'data');
    expect(String(text)).toBe('goes on');
    child.kill('SIGTERM');
    await once(child, 'exit');
  });

  test('nothing but lines is printed, though optional parts of the library are not compiled', async () => {
    const child = start("open({}).info('line');");
    let errors = '';
    child.stderr?.on('data', chunk => {
      errors += String(chunk);
    });
    const output = await all(child);
    expect(messagesOf(output)).toEqual(['line']);
    expect(errors).toBe('');
  });

  test('options refuse unknown keys and levels, all at once', () => {
    const result = schema.safeParse({ level: 'loud', colour: true, stream: 'file' });
    expect(result.error?.issues.map(issue => issue.path.join('.') || issue.code)).toEqual([
      'level',
      'stream',
      'unrecognized_keys',
    ]);
  });

  test('no line has a secret of the configuration', async () => {
    const script = `
    const { definePlugin, Kernel } = await import('@keelson/core');
    const { default: logger } = await import('${use}');
    const { createRequire } = await import('node:module');
    const { z } = createRequire(import.meta.resolve('@keelson/core'))('zod');
    const pin = z.string().meta({ secret: true });
    const talker = definePlugin({
      name: 'talker',
      config: z.object({ pin, short: pin, url: z.string() }),
      start: ({ config, logger }) => logger.info('with ' + config.pin, { config, error: new Error(config.pin) }),
    });
    const kernel = await Kernel.start({
      config: { service: 'test', plugins: { logger: { format: 'json' }, talker: { pin: 'Hidden-4711', short: 'abc', url: 'a' } } },
      variables: {},
      plugins: { logger, talker },
    });
    await kernel.stop();
  `;
    const { output } = await run(script, all);
    expect(output).toContain('"msg":"with [masked]"');
    expect(output).toContain('"config":{"pin":"[masked]","short":"[masked]","url":"a"}');
    expect(output).not.toContain('Hidden-4711');
  });
});
