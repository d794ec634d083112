import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const plugin = (scope: string) => `
  import { definePlugin, serviceToken } from '@keelson/core';
  const Session = serviceToken('test/Session');
  const Book = serviceToken('test/Book');
  export default definePlugin({
    name: 'books',
    provides: [Book],
    perSession: [Session],
    register({ bind }) {
      bind(Session).toDynamicValue(() => ({}));
      bind(Book).toResolvedValue(session => session, [Session]).${scope}();
    },
    start() {
      console.log('started');
      return { stop() { console.log('stopped'); } };
    },
  });`;
const config = 'plugins: { books: { use: ./books.js } }';

test('keelson check --bindings refuses a singleton that would keep a session, with the path, and starts nothing', async () => {
  const files = { 'keelson.yaml': config, 'books.js': plugin('inSingletonScope') };
  const run = keelson(files, ['check', '--bindings']);
  const { code, out, err } = await run.ended;
  expect(code).toBe(1);
  expect(err).toMatch(/^keelson.yaml:1:26 {2}KERNEL_LIFETIME_CAPTIVE$/m);
  expect(err).toContain('test/Book -> test/Session');
  expect(out).toBe('');
  expect((await run.also(['check']).ended).code).toBe(0);
});

test('keelson check --bindings prints its result as JSON', async () => {
  const files = { 'keelson.yaml': config, 'books.js': plugin('inSingletonScope') };
  const { code, out } = await keelson(files, ['check', '--bindings', '--json']).ended;
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    valid: false,
    problems: [{ code: 'KERNEL_LIFETIME_CAPTIVE', path: 'plugins.books' }],
  });
});

test('keelson check --bindings shows the plan where all bindings hold, and starts nothing', async () => {
  const files = { 'keelson.yaml': config, 'books.js': plugin('inTransientScope') };
  const { code, out } = await keelson(files, ['check', '--bindings']).ended;
  expect(code).toBe(0);
  expect(out).toContain('the plan is valid');
  expect(out).not.toContain('started');
});
