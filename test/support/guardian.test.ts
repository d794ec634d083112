import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from './eventually.js';
import { isAlive } from './processes.js';

// Guards a directory and a frozen process, says which process, and waits to be killed.
const owner = `
  const { guard } = await import(${JSON.stringify(new URL('./guardian.ts', import.meta.url).href)});
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true });
  guard(child.pid);
  guard(process.argv[1]);
  child.kill('SIGSTOP');
  console.log(child.pid);
  setInterval(() => {}, 1e6);
`;

describe('the guardian', () => {
  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'stops and removes what it guards when its owner is ended by %s',
    async signal => {
      const directory = mkdtempSync(join(tmpdir(), 'keelson-guarded-'));
      const started = spawn(process.execPath, ['--input-type=module', '-e', owner, directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { NODE_NO_WARNINGS: '1' },
      });
      const [line] = await once(started.stdout, 'data');
      const guarded = Number(line);
      expect(isAlive(guarded)).toBe(true);
      started.kill(signal);
      await eventually(() => !isAlive(guarded) && !existsSync(directory), { that: 'both to be gone' });
    },
  );
});
