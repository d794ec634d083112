import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Facts } from '../contract/keelson-error.js';
import type { Plugin } from '../contract/plugin.js';
import type { RunContext } from '../contract/plugin-context.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { testServiceFolder } from '../life/service.fixture.js';
import { startKernel } from '../life/start.fixture.js';
import { maskingLogger } from './masking-logger.js';

/** A logger that writes whatever it is given. */
class Naive implements Logger {
  readonly #lines: string[];
  readonly #facts: Facts;
  quiet = false;

  constructor(lines: string[], facts: Facts = {}) {
    this.#lines = lines;
    this.#facts = facts;
  }

  readonly trace = (message: string, facts?: Facts) => this.#write(message, facts);
  readonly debug = this.trace;
  readonly info = this.trace;
  readonly warn = this.trace;
  readonly error = this.trace;
  readonly fatal = this.trace;

  isEnabled(): boolean {
    return !this.quiet;
  }

  child(facts: Facts): Logger {
    return new Naive(this.#lines, { ...this.#facts, ...facts });
  }

  async flush(): Promise<void> {}

  #write(message: string, facts?: Facts): void {
    this.#lines.push(
      JSON.stringify({ ...this.#facts, ...facts, message, stack: (facts?.error as Error | undefined)?.stack }),
    );
  }
}

const hidden = z.string().meta({ secret: true });
const schema = z.object({ pin: hidden, short: hidden, key: z.string(), deep: z.array(z.object({ pin: hidden })) });
type Config = z.infer<typeof schema>;

function mail(start: (context: RunContext<Config>) => void): Plugin<Config> {
  return { name: 'mail', config: schema, start };
}

test('no logger is given a secret of the configuration, in whatever it stands', async () => {
  const folder = testServiceFolder({ 'key.txt': 'Key-From-A-File\n' });
  folder.write('keelson.yaml', {
    service: 'test',
    plugins: { mail: { pin: 'Hidden-Pin-1', short: 'abc', key: `\${file:key.txt}`, deep: [{ pin: 'xyz' }] } },
  });
  const lines: string[] = [];
  const logger: Plugin = {
    name: 'naive',
    slot: 'logger',
    provides: [Logger],
    register: ({ bind }) => void bind(Logger).toConstantValue(new Naive(lines)),
  };
  const plugin = mail(({ logger: own, config, container }) => {
    for (const each of [own, container.get(Logger), container.get(Logger).child({ config })]) {
      each.info(`with ${config.pin} and ${config.key}`, { config, list: [config.key], error: new Error(config.pin) });
    }
  });
  await using _kernel = await startKernel({ config: folder.config, plugins: { logger, mail: plugin as Plugin } });
  const told = lines.filter(line => line.includes('with '));
  expect(told).toHaveLength(3);
  for (const line of told) {
    expect(line).toContain('with [masked] and [masked]');
    expect(line).toContain(
      '"config":{"pin":"[masked]","short":"[masked]","key":"[masked]","deep":[{"pin":"[masked]"}]}',
    );
    expect(line).not.toMatch(/Hidden-Pin-1|Key-From-A-File/);
  }
});

test('everything else of a logger can be reached and set as before, also of a frozen one', () => {
  const lines: string[] = [];
  const logger = new Naive(lines);
  const guarded = maskingLogger(logger) as Naive;
  guarded.quiet = true;
  expect(logger.quiet).toBe(true);
  expect(guarded.isEnabled()).toBe(false);
  expect(guarded).toBeInstanceOf(Naive);
  expect('flush' in guarded).toBe(true);
  expect(maskingLogger(Object.freeze({ ...silentLogger })).isEnabled('info')).toBe(false);
});
