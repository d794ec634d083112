import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { testServiceFolder } from '../life/service.fixture.js';
import { keelson } from './keelson.fixture.js';
import { drained } from './output/drained.js';

const bin = fileURLToPath(new URL('../../bin/keelson.js', import.meta.url));
const mebibyte = 1_048_576;

/** A plugin whose schema is longer than any pipe. */
const wordy = {
  'keelson.yaml': { plugins: { wordy: { use: './wordy.js' } } },
  'wordy.js': `import { z } from 'zod';
    const config = z.object({ tale: z.string().optional().describe('word '.repeat(200_000)) });
    export default { name: 'wordy', config };`,
};

/** \`keelson <words> | <reader>\`, with a pipe of the shell in between. */
async function piped(words: string, reader: string) {
  const folder = testServiceFolder(wordy);
  const line = `{ '${process.execPath}' '${bin}' ${words}; echo "exit $?" >&2; } | ${reader}`;
  const child = spawn('sh', ['-c', line], { cwd: folder.directory, env: { PATH: process.env.PATH } });
  const said = { out: '', err: '' };
  child.stdout.on('data', chunk => (said.out += chunk));
  child.stderr.on('data', chunk => (said.err += chunk));
  await once(child, 'close');
  return said;
}

describe('the output of a command', () => {
  test('reaches the end of a pipe, however long it is and however slowly it is read', async () => {
    const slow = `'${process.execPath}' -e "let n = 0; process.stdin.on('data', c => { n += c.length; process.stdin.pause(); setTimeout(() => process.stdin.resume(), 2); }).on('end', () => console.log(n))"`;
    const { out, err } = await piped('schema', slow);
    expect(Number(out)).toBeGreaterThan(0.9 * mebibyte);
    expect(err).toBe('exit 0\n');
  });

  test('is read to its end by a program', async () => {
    const { out } = await keelson(wordy, ['schema']).ended;
    expect(JSON.parse(out)).toHaveProperty('properties.plugins');
  });

  test('may be left unread: nothing is said of it, and the exit code is that of the command', async () => {
    expect((await piped('schema', 'head -c 1')).err).toBe('exit 0\n');
    expect((await piped('schema', 'true')).err).toBe('exit 0\n');
  });
});

test('a signal that comes while the last lines of a service are written does not change how it ends', async () => {
  const talkative = `export default { name: 'talkative', start: () => ({ stop() { process.stdout.write('word '.repeat(2_000_000)); } }) };`;
  const folder = testServiceFolder({
    'keelson.yaml': { plugins: { talkative: { use: './talkative.js' } } },
    'talkative.js': talkative,
  });
  const env = { PATH: process.env.PATH, TMPDIR: folder.directory };
  // The test does not read its standard output, so the process waits for a reader before it ends.
  const child = spawn(process.execPath, [bin, 'start'], {
    cwd: folder.directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const until = async (text: string) => {
    while (!said.includes(text)) said += (await once(child.stderr, 'data')).toString();
  };
  await until('ready in');
  child.kill('SIGTERM');
  await until('stopped in');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

describe('a drain', () => {
  test('is over when everything is taken', async () => {
    const stream = new PassThrough();
    stream.write('words');
    stream.resume();
    await drained(stream);
    expect(stream.writableLength).toBe(0);
  });

  test('gives up a reader that takes nothing, when there is not all the time', async () => {
    const stuck = new Writable({ write: () => {} });
    stuck.write('words');
    await drained(stuck, 1);
    expect(stuck.writableLength).toBeGreaterThan(0);
  });
});
