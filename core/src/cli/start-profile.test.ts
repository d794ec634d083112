import { describe, expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const files = {
  'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.js' }, b: { use: './b.plugin.js' } } },
  'a.js': `import './one.js'; import './two.js';
    export default { name: 'a', start: async ({ clock }) => { await clock.sleep(50); } };`,
  'one.js': `import './two.js';`,
  'two.js': '',
  'b.manifest.js': `export default { name: 'b' };`,
  'b.plugin.js': `import './two.js'; import './three.js';
    export default { name: 'b', start: () => ({ ready: ({ clock }) => clock.sleep(20) }) };`,
  'three.js': '',
};

describe('keelson start --profile', () => {
  test('prints where the time until ready went: every step in its order, and a column that adds up', async () => {
    const run = keelson(files, ['start', '--profile']);
    await run.until('The event loop was blocked for at most');
    run.child.kill('SIGTERM');
    const { code, err } = await run.ended;
    expect(code).toBe(0);
    const printed = err.slice(err.indexOf('The time of each step'), err.indexOf('shop stopped')).trimEnd().split('\n');
    expect(printed.filter(line => line.length > 80)).toEqual([]);

    const rows = printed.filter(line => /^[\d ]{29} {2}\S/.test(line) && !line.includes('adds')).map(parseRow);
    const total = rows.pop();
    expect(total?.name).toBe(`ready after ${total?.adds} ms in this process`);
    expect(rows.reduce((sum, { adds }) => sum + adds, 0)).toBe(total?.adds);
    const names = rows.map(({ name }) => name).filter(name => !name.includes('of less than'));
    expect(names.slice(0, 3)).toEqual(['Node.js', 'Keelson: its own modules', 'configuration']);
    const slow = ['Node.js', 'configuration', 'import a', 'start a', 'ready b'];
    expect(names.filter(name => slow.includes(name))).toEqual(slow);
    expect(rows.find(({ name }) => name === 'start a')?.took).toBeGreaterThanOrEqual(49);
  });

  test('with --json puts it into the line of the start report, with the modules that each import has loaded first', async () => {
    const run = keelson(files, ['start', '--profile', '--json']);
    await run.until('"outcome":"ready"');
    run.child.kill('SIGTERM');
    const { profile } = JSON.parse((await run.ended).out.split('\n')[0] ?? '');
    const modulesOf = (name: string) => profile.lines.find((line: { name: string }) => line.name === name)?.modules;
    expect(modulesOf('import a')).toBe(3);
    expect(modulesOf('import b')).toBe(2);
    expect(profile.longestBlock.ms).toBeGreaterThanOrEqual(0);
  });

  test('is not measured without the option', async () => {
    const run = keelson(files, ['start']);
    await run.until('ready in');
    run.child.kill('SIGTERM');
    expect((await run.ended).err).not.toContain('The time of each step');
  });

  test('of a start that fails has no profile, and the process ends', async () => {
    const broken = { ...files, 'a.js': `export default { name: 'a', start() { throw new Error('no luck'); } };` };
    const { code, err } = await keelson(broken, ['start', '--profile']).ended;
    expect(code).toBe(1);
    expect(err).not.toContain('The time of each step');
  });
});

function parseRow(line: string) {
  const [took, adds, name] = [line.slice(6, 13), line.slice(13, 20), line.slice(31)];
  return { took: Number(took), adds: Number(adds), name };
}
