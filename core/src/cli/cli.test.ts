import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../contract/clock.js';
import { keelson } from './keelson.fixture.js';

const service = (plugin: string, settings: object = {}) => ({
  'keelson.yaml': { service: 'test', ...settings, plugins: { orders: { use: './orders.js' } } },
  'orders.js': plugin,
});

describe('keelson start', () => {
  const sound = `export default { name: 'orders', start() { console.log('working'); return { stop() { console.log('done'); } }; } };`;

  test.each(['SIGTERM', 'SIGINT'] as const)('runs until %s, stops in order and exits with 0', async signal => {
    const run = keelson(service(sound), ['start']);
    await run.until('test ready in');
    run.child.kill(signal);
    expect(await run.ended).toMatchObject({ code: 0, out: 'working\ndone\n' });
    expect((await run.ended).err).toContain(`test stopped in`);
  });

  test('exits with 1 when a plugin does not start: a sentence and what to do, no stack', async () => {
    const plugin = `
      import { KeelsonError } from '@keelson/core';
      export default { name: 'orders', start() {
        throw new KeelsonError({ code: 'HTTP_PORT_TAKEN', message: 'Port 3000 is taken.', hint: 'Set PORT to a free one.' });
      } };`;
    const { code, err } = await keelson(service(plugin), ['start']).ended;
    expect(code).toBe(1);
    expect(err).toContain('Port 3000 is taken.');
    expect(err).toContain('-> Set PORT to a free one.');
    expect(err).not.toMatch(/^\s+at /m);
    const verbose = await keelson(service(plugin), ['start', '--verbose']).ended;
    expect(verbose.err).toMatch(/^\s+at /m);
  });

  test('exits with 1 when the configuration does not hold, with every problem and nothing started', async () => {
    const files = {
      'keelson.yaml': { service: 'test', plugins: { orders: { use: './orders.js', url: `\${DATABASE_URL}`, prt: 1 } } },
      'orders.js': `import { z } from 'zod'; console.log('imported');
        export default { name: 'orders', config: z.object({ url: z.string(), port: z.int().optional() }), start() { console.log('started'); } };`,
    };
    const { code, err, out } = await keelson(files, ['start']).ended;
    expect(code).toBe(1);
    expect(err).toContain('The variable DATABASE_URL is not set. plugins.orders.url needs it.');
    expect(err).toContain('Did you mean port?');
    expect(err).not.toMatch(/^\s+at /m);
    expect(out).not.toContain('started');
  });

  test('a second signal ends it at once with 3', async () => {
    const plugin = `export default { name: 'orders', start: () => ({ stop() { console.log('stopping'); return new Promise(() => {}); } }) };`;
    const run = keelson(service(plugin), ['start']);
    await run.until('test ready in');
    run.child.kill('SIGTERM');
    await run.until('stopping');
    const again = setInterval(() => run.child.kill('SIGTERM'), 50);
    onTestFinished(() => clearInterval(again));
    expect((await run.ended).code).toBe(3);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'a second %s 200 ms later ends it with 3, before its budget is over',
    async signal => {
      const plugin = `export default { name: 'orders', start: () => ({ stop() { console.log('stopping'); return new Promise(() => {}); } }) };`;
      const run = keelson(service(plugin, { shutdown: { budgetMs: 20_000, flushMs: 50 } }), ['start']);
      await run.until('test ready in');
      run.child.kill(signal);
      await run.until('stopping');
      await systemClock.sleep(200);
      run.child.kill(signal);
      expect((await run.ended).code).toBe(3);
    },
  );

  test('a signal that comes twice at once, from a terminal and through npm, is one', async () => {
    const run = keelson(service(sound), ['start']);
    await run.until('test ready in');
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    expect(await run.ended).toMatchObject({ code: 0, out: 'working\ndone\n' });
  });

  test('a stop beyond its budget exits with 4 and names who was given up', async () => {
    const plugin = `export default { name: 'orders', start: () => ({ stop: () => new Promise(() => {}) }) };`;
    const run = keelson(service(plugin, { shutdown: { budgetMs: 200, flushMs: 50 } }), ['start']);
    await run.until('test ready in');
    run.child.kill('SIGTERM');
    const { code, err } = await run.ended;
    expect(code).toBe(4);
    expect(err).toContain('orders  timed-out');
  });

  test('SIGTERM during the start cancels it, stops what had begun and exits with 0', async () => {
    const plugin = `export default { name: 'orders',
      start({ signal, defer }) {
        defer(() => console.log('stopped'));
        console.log('starting');
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      } };`;
    const run = keelson(service(plugin), ['start']);
    await run.until('starting');
    run.child.kill('SIGTERM');
    const { code, err, out } = await run.ended;
    expect(code).toBe(0);
    expect(err).toContain('The start was cancelled: SIGTERM.');
    expect(out).toContain('stopped');
  });

  test.each([
    ['uncaught exception', `setTimeout(() => { throw new Error('loose'); })`],
    ['unhandled rejection', `void Promise.reject(new Error('loose'))`],
  ])('an %s is reported, stops the service in order and exits with 1', async (_name, crash) => {
    const plugin = `export default { name: 'orders', start: () => ({ ready() { ${crash}; }, stop() { console.log('stopped'); } }) };`;
    const { code, err, out } = await keelson(service(plugin), ['start']).ended;
    expect(code).toBe(1);
    expect(err).toContain('loose');
    expect(out).toContain('stopped');
  });
});

describe('keelson check', () => {
  test('prints the plan and exits with 0 when it holds', async () => {
    const { code, out } = await keelson(service(`export default { name: 'orders' };`), ['check']).ended;
    expect(code).toBe(0);
    expect(out).toContain('test: the plan is valid');
    expect(out).toMatch(/logger +silent logger/);
  });

  test('prints every problem with its place and exits with 1', async () => {
    const { code, err } = await keelson(service(''), ['check']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/keelson\.yaml:\d+:\d+ {2}PLUGIN_INVALID/);
    expect(err).toContain('1 problem. Nothing was started.');
  });

  test('prints JSON when asked to', async () => {
    const { code, out } = await keelson(service(''), ['check', '--json']).ended;
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, problems: [{ code: 'PLUGIN_INVALID' }] });
  });
});

describe('the command line', () => {
  test('that is wrong exits with 2 and says how it is used', async () => {
    const unknown = await keelson({}, ['strat']).ended;
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain('Did you mean start?');
    const option = await keelson({}, ['start', '--cofnig', 'x']).ended;
    expect(option.code).toBe(2);
    expect(option.err).toContain('Usage: keelson start');
  });

  test('explains itself', async () => {
    expect((await keelson({}, ['--help']).ended).out).toContain('check');
    expect((await keelson({}, ['start', '--help']).ended).out).toContain('Exit codes');
  });
});
