import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { keelson, type Run } from './keelson.fixture.js';
import { runKeelson } from './run-keelson.js';

const orders = `import { existsSync } from 'node:fs'; import { z } from 'zod';
  export default { name: 'orders',
    config: z.object({ rate: z.int().max(9).default(1).meta({ reloadable: true }), port: z.int().default(1) }),
    start: () => ({
    reconfigure({ config }) { if (config.rate === 7) throw new Error('not seven'); },
    inspect: ({ config }) => ({ facts: { rate: config.rate }, findings: [{ name: 'rate', status: 'warn', output: 'It is low.', hint: 'Raise it.' }] }),
    operations: { greet: { description: 'Greets.', arguments: z.object({ whom: z.string(), how: z.enum(['loud', 'low']).default('low') }),
      run({ whom, how }) { if (whom === 'ghost') throw new Error('no such guest'); return 'Greeted ' + whom + ', ' + how + '.'; } } },
    async stop({ clock }) { while (!existsSync('may-stop')) await clock.sleep(5); } }) };`;
const config = (values: object = {}, settings: object = {}) => ({
  service: 'shop',
  ...settings,
  plugins: { orders: { use: './orders.js', ...values } },
});

/** Started, and open to operators. */
async function started(settings: object = {}): Promise<Run> {
  const run = keelson({ 'keelson.yaml': config({}, settings), 'orders.js': orders }, ['start']);
  await listening(run);
  return run;
}

/** Runs a command for the service of `run`, in this process. */
async function ask({ folder }: Run, [command = '', ...words]: string[], variables: Record<string, string> = {}) {
  vi.stubEnv('TMPDIR', variables.TMPDIR ?? folder.directory);
  const said = { out: '', err: '' };
  const tell = (where: 'out' | 'err') => (text: string) => {
    said[where] += `${text}\n`;
  };
  const terminal = { variables, out: tell('out'), err: tell('err') };
  const code = await runKeelson([command, '--config', folder.config, ...words], terminal);
  vi.unstubAllEnvs();
  return { code, ...said };
}

async function listening(run: Run, count = 1, directory = run.folder.directory): Promise<void> {
  await run.until('shop ready in');
  await vi.waitFor(() => expect(socketsOf(directory).length).toBeGreaterThanOrEqual(count), { timeout: 10_000 });
}

function socketsOf(directory: string): string[] {
  const at = join(directory, `keelson-${process.getuid?.()}`);
  return existsSync(at) ? readdirSync(at).filter(name => name.endsWith('.sock')) : [];
}

test('keelson status shows the state of the service until it has stopped', async () => {
  const run = await started();
  const { code, out } = await ask(run, ['status']);
  expect(out).toMatch(
    new RegExp(
      `^shop {2}pid ${run.child.pid} {2}ready, readiness pass, up for .*\n {2}orders {2}\\./orders\\.js\n {4}rate: 1\n`,
    ),
  );
  expect(code).toBe(0);

  run.child.kill('SIGTERM');
  let phase = 'ready';
  while (phase === 'ready') {
    const { code, out } = await ask(run, ['status', '--json']);
    const [instance] = JSON.parse(out);
    expect(instance).toMatchObject({ pid: run.child.pid, service: 'shop', plugins: [{ key: 'orders' }] });
    phase = instance.phase;
    expect(code).toBe(phase === 'ready' ? 0 : 1);
  }
  expect(phase).toBe('stopping');
  run.folder.write('may-stop', '');
  expect((await run.ended).code).toBe(0);
  expect(socketsOf(run.folder.directory)).toEqual([]);
  const gone = await ask(run, ['status']);
  expect(gone).toMatchObject({ code: 1, out: '', err: expect.stringContaining('CLI_INSTANCE_MISSING') });
});

test('a service that is still starting says what it waits for, does nothing yet, and is gone when the start is', async () => {
  const files = {
    'keelson.yaml': {
      service: 'shop',
      plugins: { quick: { use: './quick.js' }, slow: { use: './slow.js' }, last: { use: './last.js' } },
    },
    'quick.js': `export default { name: 'quick', provides: ['Q'], register({ bind }) { bind('Q').toConstantValue(1); } };`,
    'slow.js': `export default { name: 'slow', requires: ['Q'], provides: ['S'], register({ bind }) { bind('S').toConstantValue(1); },
      async start({ clock, signal, waitingFor }) { waitingFor('a connection to db:5432'); await clock.sleep(60_000, signal); } };`,
    'last.js': `export default { name: 'last', requires: ['S'] };`,
  };
  const run = keelson(files, ['start']);
  await vi.waitFor(() => expect(socketsOf(run.folder.directory)).not.toEqual([]), { timeout: 10_000 });
  let told = await ask(run, ['status']);
  while (!told.out.includes('slow.js  starting')) told = await ask(run, ['status']);
  expect(told.code).toBe(1);
  expect(told.out).toMatch(/^shop {2}pid \d+ {2}starting, readiness fail, up for /);
  expect(told.out).toMatch(/quick {2}\.\/quick\.js {2}started in \d+ ms\n/);
  expect(told.out).toMatch(/slow {2}\.\/slow\.js {2}starting for .+: waits for a connection to db:5432\n/);
  expect(told.out).toContain('last  ./last.js  not tried');
  for (const words of [['do', 'slow', 'down'], ['reload']]) {
    expect(await ask(run, words)).toMatchObject({ code: 1, err: expect.stringContaining('CONTROL_STILL_STARTING') });
  }
  expect((await ask(run, ['doctor'])).out).toContain('-> slow waits for a connection to db:5432.');
  run.child.kill('SIGTERM');
  await run.ended;
  expect(socketsOf(run.folder.directory)).toEqual([]);
});

test('from the wrong folder it says which configuration it looked for, and what else runs', async () => {
  const run = await started();
  for (const words of [['status'], ['reload'], ['do', 'orders', 'greet', 'you']]) {
    const { code, err } = await run.also([...words, '--config', 'no/keelson.yaml']).ended;
    expect(code).toBe(1);
    expect(err).toContain('No instance of the service of no/keelson.yaml (file not found) runs here.');
    expect(err).toContain(`Choose one with --config:\n     shop, pid ${run.child.pid}, --config keelson.yaml\n`);
  }
  run.folder.write('other.yaml', config());
  const other = await run.also(['status', '--config', 'other.yaml']).ended;
  expect(other.err).toContain('No instance of the service of other.yaml runs here.');
});

test('keelson do lists what can be done, and all instances on the machine do it, or one', async () => {
  const run = await started();
  const other = run.also(['start']);
  await listening(other, 2);
  expect((await ask(run, ['do'])).out).toBe('keelson do orders greet <whom> [<loud|low>]\n    Greets.\n');
  const all = await ask(run, ['do', 'orders', 'greet', 'you', 'loud']);
  expect(all.code).toBe(0);
  const said = [run, other].map(({ child }) => `pid ${child.pid}: Greeted you, loud.\n`);
  expect(all.out).toHaveLength(said.join('').length);
  for (const line of said) expect(all.out).toContain(line);

  const one = await ask(run, ['do', 'orders', 'greet', 'you', '--json', '--pid', String(other.child.pid)]);
  expect(JSON.parse(one.out)).toEqual([{ pid: other.child.pid, done: 'Greeted you, low.' }]);
  const refused = await ask(run, ['do', 'orders', 'greet', 'ghost', '--pid', String(run.child.pid)]);
  expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('no such guest') });
  const nobody = await ask(run, ['do', 'orders', 'greet', 'you', '--pid', '1']);
  expect(nobody.code).toBe(1);
  expect(nobody.err).toContain(`-> Running instances: pid `);
});

test('keelson reload says what has changed, what needs a restart, and what is refused', async () => {
  const run = await started();
  run.folder.write('keelson.yaml', config({ rate: 3, port: 2 }));
  const applied = await ask(run, ['reload']);
  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(applied.out).toContain('orders.rate: 1 -> 3  applied\n  orders.port: 1 -> 2  needs a restart');
  await run.until('orders.rate: 1 -> 3  applied');

  expect((await ask(run, ['status'])).out).toContain('  waits for a restart: orders.port 1 -> 2\n');
  expect((await ask(run, ['doctor'])).out).toContain('orders.port 1 -> 2');

  run.folder.write('keelson.yaml', config({ rate: 7 }));
  const refused = await ask(run, ['reload', '--json']);
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.out)).toMatchObject([
    { pid: run.child.pid, changes: [{ path: 'orders.rate', outcome: 'failed', error: { message: 'not seven' } }] },
  ]);

  run.folder.write('keelson.yaml', config({ rate: 99 }));
  const broken = await ask(run, ['reload']);
  expect(broken.code).toBe(1);
  expect(broken.err).toContain('plugins.orders.rate cannot be 99.');
  expect(broken.err).toContain('-> Nothing has changed. Fix the configuration, and reload again.');
  const problems = JSON.parse((await ask(run, ['reload', '--json'])).out)[0].error.problems;
  expect(problems).toMatchObject([{ code: 'CONFIG_VALUE_INVALID', path: 'plugins.orders.rate', value: '99' }]);
  expect((await ask(run, ['status'])).out).toContain('rate: 3');
});

test('keelson doctor prints what a running service found first, and names a service of another environment', async () => {
  const run = await started();
  const { out } = await ask(run, ['doctor']);
  expect(out).toContain(`ok    kernel (pid ${run.child.pid}): running instance  It is ready, and up for `);
  expect(out).toContain(`warn  orders (pid ${run.child.pid}): rate  It is low.\n      -> Raise it.`);

  run.folder.write('keelson.production.yaml', {});
  const inProduction = await ask(run, ['doctor'], { KEELSON_ENV: 'production' });
  expect(inProduction.out).toContain('ok    kernel: running instance  No instance of this service runs here.');
  expect(inProduction.out).toContain('The same configuration runs in no environment');
});

test('a service that cannot make its socket, or may not, runs all the same', async () => {
  const files = { 'keelson.yaml': config(), 'orders.js': orders };
  const unreachable = keelson(files, ['start'], { KEELSON_CONTROL__DIRECTORY: '/dev/null' });
  await unreachable.until('warning: CONTROL_UNAVAILABLE');
  unreachable.folder.write('may-stop', '');
  unreachable.child.kill('SIGTERM');
  expect((await unreachable.ended).code).toBe(0);

  const off = keelson(files, ['start'], { KEELSON_CONTROL__ENABLED: 'false' });
  await off.until('shop ready in');
  expect((await ask(off, ['status'])).err).toContain('CLI_INSTANCE_MISSING');
  off.folder.write('may-stop', '');
  off.child.kill('SIGTERM');
  expect((await off.ended).code).toBe(0);
  expect(readdirSync(off.folder.directory).filter(name => name.startsWith('keelson-'))).toEqual([]);
});

test('control.directory is where the socket is kept, beside the configuration when it is relative', async () => {
  const files = {
    'etc/keelson.yaml': config({}, { control: { directory: '../run' } }),
    'etc/orders.js': orders,
    'run/x': '',
  };
  const run = keelson(files, ['start', '--config', 'etc/keelson.yaml']);
  await listening(run, 1, run.folder.path('run'));
  const elsewhere = { TMPDIR: run.folder.path('nothing') };
  const { code, out } = await ask(run, ['status', '--config', run.folder.path('etc/keelson.yaml')], elsewhere);
  expect([code, out]).toEqual([0, expect.stringContaining(`pid ${run.child.pid}`)]);
});
