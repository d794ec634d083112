import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

test('a slow doctor does not name plugins that it does not start', async () => {
  const files = {
    'keelson.yaml': {
      startup: { slowMs: 20 },
      plugins: { a: { use: './a.js' }, b: { use: './b.js' }, other: { use: './other.js' } },
    },
    'a.js': `export default { name: 'a', provides: ['A'], diagnoses: true,
      register({ bind }) { bind('A').toConstantValue(1); }, start: ({ clock, signal }) => clock.sleep(200, signal) };`,
    'b.js': `export default { name: 'b', requires: ['A'], diagnoses: true };`,
    'other.js': `export default { name: 'other', requires: ['A'] };`,
  };
  const { code, err } = await keelson(files, ['doctor']).ended;
  expect(code).toBe(0);
  expect(err).toContain('Then: b (needs a).');
  expect(err.match(/Then: .*/g)?.filter(then => then.includes('other'))).toEqual([]);
});

test('a plugin that does not start is a finding of its own, with what to do', async () => {
  const files = {
    'keelson.yaml': { plugins: { a: { use: './a.js' }, b: { use: './b.js' } } },
    'a.js': `import { KeelsonError } from '@keelson/core';
      export default { name: 'a', diagnoses: true, start() {
        throw new KeelsonError({ code: 'A_FAILED', message: 'No answer.', hint: 'Ask again.' }); } };`,
    'b.js': `export default { name: 'b', diagnoses: true, start() { throw new Error('no luck'); } };`,
  };
  const { code, out } = await keelson(files, ['doctor']).ended;
  expect(code).toBe(1);
  expect(out).toContain('FAIL  a: start  A_FAILED: No answer.\n      -> Ask again.');
  expect(out).toContain('FAIL  b: start  failed: no luck');
});

test('doctor examines the other plugins when one does not start, and gives the reason for each that it leaves out, once', async () => {
  const start = `start: () => ({ diagnose: () => [{ name: 'look', status: 'pass', output: 'It is well.' }] })`;
  const files = {
    'keelson.yaml': {
      plugins: { a: { use: './a.js' }, b: { use: './b.js' }, c: { use: './c.js' }, d: { use: './d.js' } },
    },
    'a.js': `export default { name: 'a', diagnoses: true, ${start} };`,
    'b.js': `export default { name: 'b', provides: ['B'], diagnoses: true, register({ bind }) { bind('B').toConstantValue(1); },
      start() { throw new Error('no luck'); } };`,
    'c.js': `export default { name: 'c', requires: ['B'], diagnoses: true, ${start} };`,
    'd.js': `export default { name: 'd', diagnoses: true, ${start} };`,
  };
  const { code, out, err } = await keelson(files, ['doctor']).ended;
  expect(code).toBe(1);
  expect(out).toContain('ok    a: look  It is well.');
  expect(out).toContain('ok    d: look  It is well.');
  expect(out).toContain('warn  c: start  Not examined: it needs b, which did not start.');
  expect(`${out}${err}`.match(/no luck/g)).toHaveLength(1);
});

test('doctor waits a few seconds for a connection, or as long as the option says, and reports the wait', async () => {
  const files = {
    'keelson.yaml': { startup: { slowMs: 50 }, plugins: { a: { use: './a.js' } } },
    'a.js': `import { z } from 'zod';
      export default { name: 'a', config: z.object({ connect: z.object({ timeoutMs: z.int().default(30_000) }).prefault({}) }), diagnoses: true,
      async start({ clock, config, waitingFor }) { waitingFor('db:1'); await clock.sleep(config.connect.timeoutMs > 10_000 ? 0 : config.connect.timeoutMs / 10); throw new Error('waited ' + config.connect.timeoutMs); } };`,
  };
  const { out, err } = await keelson(files, ['doctor']).ended;
  expect(out).toContain('waited 5000');
  expect(err).toMatch(/^Still starting after .*: a \(waits for db:1\)\./);
  expect((await keelson(files, ['doctor', '--connect-timeout-ms', '300']).ended).out).toContain('waited 300');
  expect((await keelson(files, ['doctor', '--connect-timeout-ms', 'soon']).ended).code).toBe(2);
});

test('a resource that a running instance of the service itself holds is not a fault', async () => {
  const files = {
    'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.js' }, b: { use: './b.js' } } },
    'a.js': `import { KeelsonError } from '@keelson/core'; import { existsSync, readFileSync, writeFileSync } from 'node:fs';
      export default { name: 'a', provides: ['A'], register({ bind }) { bind('A').toConstantValue(1); }, diagnoses: true,
        start({ serving }) {
          if (serving) return writeFileSync('lock', String(process.pid));
          const pid = Number(readFileSync('lock'));
          const own = new KeelsonError({ code: 'A_IN_USE', message: 'In use by process ' + pid + '.', hint: 'Stop it.', facts: { pid } });
          throw new Error('not started', { cause: own }); } };`,
    'b.js': `export default { name: 'b', requires: ['A'], diagnoses: true };`,
  };
  const run = keelson(files, ['start']);
  await run.until('shop ready in');
  const beside = await run.also(['doctor']).ended;
  expect(beside.out).toContain(
    `ok    a: start  Not examined: the running instance of this service with pid ${run.child.pid} uses it`,
  );
  expect(beside.out).toContain('ok    b: start  Not examined: it needs a');
  expect(beside.out).not.toContain('Stop it.');
  expect(beside.code).toBe(0);
  run.folder.write('lock', '1');
  const stranger = await run.also(['doctor']).ended;
  expect(stranger.code).toBe(1);
});

test('a resource that another process holds for a running instance is not a fault while the instance is well', async () => {
  const files = {
    'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.js' } } },
    'a.js': `import { KeelsonError } from '@keelson/core'; import { existsSync } from 'node:fs';
      export default { name: 'a', diagnoses: true,
        start({ serving }) {
          if (!serving) throw new KeelsonError({ code: 'A_IN_USE', message: 'In use.', hint: 'Stop it.', facts: { pid: 1 } });
          return { inspect: () => ({ facts: {}, findings: [
            { name: 'state', status: existsSync('ill') ? 'fail' : 'pass', output: 'It is open.', hint: 'Mend it.' }] }) }; } };`,
  };
  const run = keelson(files, ['start']);
  await run.until('shop ready in');
  const beside = await run.also(['doctor']).ended;
  expect(beside.out).toContain(
    `ok    a: start  Not examined: the running instance of this service with pid ${run.child.pid} uses it`,
  );
  expect(beside.code).toBe(0);
  run.folder.write('ill', '');
  expect((await run.also(['doctor']).ended).out).toContain('FAIL  a: start  A_IN_USE: In use.');
});

test('a configuration that does not hold is a finding for each problem', async () => {
  const files = { 'keelson.yaml': { plugins: { a: { use: './gone.js' }, 'b/c': { use: './gone-too.js' } } } };
  const { code, out, err } = await keelson(files, ['doctor', '--json']).ended;
  expect(code).toBe(1);
  const problems = JSON.parse(out).filter(({ name }: { name: string }) => name === 'configuration');
  expect(problems).toMatchObject([
    { plugin: 'a', status: 'fail', output: expect.stringMatching(/keelson\.yaml:\d+:\d+ {2}PLUGIN_FILE_MISSING: /) },
    { plugin: 'b/c', status: 'fail', output: expect.stringContaining('PLUGIN_FILE_MISSING') },
  ]);
  expect(err).toBe('');
});

test('a breaker that its plugin reports is not reported again as a health check', async () => {
  const health = `import { HealthService } from '@keelson/core'; const service = { register: () => ({ [Symbol.dispose]() {} }),
      report: () => ({ status: 'warn', checks: [{ name: 'retry-mail', status: 'warn', critical: false, output: 'Not closed.' }, { name: 'disk', status: 'warn', critical: false, output: 'Full.' }] }) };
    export default { name: 'h', slot: 'health', provides: [HealthService], register({ bind }) { bind(HealthService).toConstantValue(service); } };`;
  const files = {
    'keelson.yaml': {
      service: 'shop',
      plugins: { health: { use: './health.js' }, 'x/y': { use: './x.js' }, retry: { use: 'none' } },
    },
    'health.js': health.replace('retry-mail', 'x-y'),
    'x.js': `export default { name: 'x', start: () => ({ inspect: () => ({ facts: {}, findings: [{ name: 'breaker of mail', status: 'warn', output: 'It is open.', hint: 'Look.' }] }) }) };`,
  };
  const run = keelson(files, ['start']);
  await run.until('shop ready in');
  const { out } = await run.also(['doctor']).ended;
  expect(out).toContain('breaker of mail  It is open.');
  expect(out).toContain('disk  Full.');
  expect(out).not.toContain('Not closed.');
});
