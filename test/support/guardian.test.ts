import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from './eventually.js';
import { isAlive } from './processes.js';

// Guards a directory and a process, says which process, and waits to be killed.
const owner = `
  const { guard } = await import(${JSON.stringify(new URL('./guardian.ts', import.meta.url).href)});
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['-e', process.argv[2]], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise(resolve => child.stdout.once('data', resolve));
  guard(child.pid);
  guard(process.argv[1]);
  if (process.argv[3] === 'frozen') child.kill('SIGSTOP');
  if (process.argv[3] === 'postmaster') {
    const { mkdirSync, writeFileSync } = await import('node:fs');
    const data = process.argv[1] + '/data';
    mkdirSync(data);
    const server = spawn(process.execPath, ['-e', process.argv[2], data], { detached: true, stdio: 'ignore' });
    writeFileSync(data + '/postmaster.pid', server.pid + '\\n' + data + '\\n');
    console.log(server.pid);
  } else console.log(child.pid);
  setInterval(() => {}, 1e6);
`;

const waits = "console.log('up'); setInterval(() => {}, 1e6)";
const ignoresSignals = `process.on('SIGQUIT', () => {}); ${waits}`;

describe('the guardian', () => {
  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'stops and removes what it guards when its owner is ended by %s',
    async signal => {
      const { guarded, directory } = await endOwnerBy(signal, waits);
      await eventually(() => !isAlive(guarded) && !existsSync(directory), { that: 'both to be gone' });
    },
  );

  test('wakes a frozen process up, so that it can end in order', async () => {
    const { guarded } = await endOwnerBy('SIGKILL', waits, 'frozen');
    await eventually(() => !isAlive(guarded), { timeoutMs: 1_500 });
  });

  test('stops a PostgreSQL that it does not know, but whose data is in a folder that it removes', async () => {
    const { guarded, directory } = await endOwnerBy('SIGKILL', waits, 'postmaster');
    await eventually(() => !isAlive(guarded) && !existsSync(directory), { that: 'both to be gone' });
  });

  test('kills what does not go', async () => {
    const { guarded } = await endOwnerBy('SIGKILL', ignoresSignals);
    await eventually(() => !isAlive(guarded));
  });
});

async function endOwnerBy(signal: NodeJS.Signals, program: string, state = 'running') {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-guarded-'));
  const started = spawn(process.execPath, ['--input-type=module', '-e', owner, directory, program, state], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  const [line] = await once(started.stdout, 'data');
  const guarded = Number(line);
  expect(isAlive(guarded)).toBe(true);
  started.kill(signal);
  return { guarded, directory };
}
