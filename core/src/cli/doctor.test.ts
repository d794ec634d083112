import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

test('a slow doctor does not speak of plugins that it does not start', async () => {
  const files = {
    'keelson.yaml': {
      startup: { slowMs: 20 },
      plugins: { a: { use: './a.js' }, b: { use: './b.js' }, other: { use: './other.js' } },
    },
    'a.js': `export default { name: 'a', provides: ['A'], async diagnose() { return []; },
      register({ bind }) { bind('A').toConstantValue(1); }, start: ({ clock, signal }) => clock.sleep(200, signal) };`,
    'b.js': `export default { name: 'b', requires: ['A'], async diagnose() { return []; } };`,
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
      export default { name: 'a', async diagnose() { return []; }, start() {
        throw new KeelsonError({ code: 'A_FAILED', message: 'No answer.', hint: 'Ask again.' }); } };`,
    'b.js': `export default { name: 'b', async diagnose() { return []; }, start() { throw new Error('no luck'); } };`,
  };
  const { code, out } = await keelson(files, ['doctor']).ended;
  expect(code).toBe(1);
  expect(out).toContain('FAIL  a: start  A_FAILED: No answer.\n      -> Ask again.');
  expect(out).toContain('FAIL  b: start  failed: no luck');
});
