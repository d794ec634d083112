import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { ControlFolder } from './control-folder.js';
import { ControlServer } from './control-server.js';
import { newSocketName } from './endpoint.js';
import { findInstances } from './instances.js';
import type { ControlRoutes } from './protocol.js';

const shop = { config: '/srv/shop/keelson.yaml', environment: 'production' };
let directory: string;

beforeEach(() => {
  const made = mkdtempSync(join(tmpdir(), 'kl-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  directory = made;
});

const folder = () => new ControlFolder(directory).path;

async function open(routes: ControlRoutes = {}, identity = shop): Promise<ControlServer> {
  const server = await ControlServer.open({ identity, directory, routes });
  onTestFinished(() => server.close());
  return server;
}

/** Leaves a socket behind as a process does that is killed. */
async function crash(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listens'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
}

describe('a service that runs', () => {
  test('answers its user, and its errors arrive with code and hint', async () => {
    const refused = new KeelsonError({ code: 'ORDERS_BUSY', message: 'Not now.', hint: 'Later.' });
    await open({
      'GET /status': async () => ({ phase: 'ready' }),
      'POST /reload': () => Promise.reject(refused),
      'POST /operations': async body => ({ done: JSON.stringify(body) }),
    });
    const [instance] = (await findInstances(shop, directory)).found;
    expect(instance?.pid).toBe(process.pid);
    expect(await instance?.status()).toEqual({ phase: 'ready' });
    expect(await instance?.operate('retry', 'hold', ['database'])).toEqual({
      done: '{"plugin":"retry","operation":"hold","words":["database"]}',
    });
    await expect(instance?.reload()).rejects.toMatchObject({
      code: 'ORDERS_BUSY',
      message: 'Not now.',
      hint: 'Later.',
    });
  });

  test('masks foreign errors, and refuses endless requests', async () => {
    await open({
      'GET /status': () => Promise.reject(new Error('no postgresql://me:hunter2@db/x')),
      'POST /operations': async () => ({ done: 1n }),
    });
    const [instance] = (await findInstances(shop, directory)).found;
    await expect(instance?.status()).rejects.toThrow('no postgresql://[masked]@db/x');
    await expect(instance?.reload()).rejects.toThrow('There is no /reload.');
    await expect(instance?.operate('retry', 'hold', [])).rejects.toThrow('BigInt');
    await expect(instance?.operate('retry', 'hold', ['x'.repeat(70_000)])).rejects.toThrow('The request is too large.');
  });

  test('is found beside others of its kind, and neither by another configuration nor environment', async () => {
    await open();
    await open();
    await open({}, { ...shop, environment: 'staging' });
    await open({}, { ...shop, config: '/srv/mail/keelson.yaml' });
    const { found, inOtherEnvironments } = await findInstances(shop, directory);
    expect([found.length, inOtherEnvironments.length]).toEqual([2, 1]);
  });

  test('is found by whichever link leads to its configuration', async () => {
    mkdirSync(join(directory, 'release-1'));
    symlinkSync(join(directory, 'release-1'), join(directory, 'current'));
    const at = (name: string) => ({ ...shop, config: join(directory, name) });
    await open({}, at('release-1'));
    expect((await findInstances(at('current'), directory)).found).toHaveLength(1);
  });

  test('that listens and does not answer is reported', async () => {
    new ControlFolder(directory).make();
    const mute = createServer(socket => socket.destroy());
    await new Promise<void>(resolve => mute.listen(join(folder(), newSocketName(shop, 4_711)), resolve));
    onTestFinished(() => void mute.close());
    const [instance] = (await findInstances(shop, directory)).found;
    await expect(instance?.status()).rejects.toMatchObject({
      code: 'CONTROL_NO_ANSWER',
      message: expect.stringContaining('pid 4711'),
    });
  });
});

describe('the socket of a service', () => {
  test('is in a folder that no other user can enter, and is gone with the service', async () => {
    const server = await open();
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    expect(statSync(server.path).isSocket()).toBe(true);
    await server.close();
    expect(readdirSync(folder())).toEqual([]);
    expect((await findInstances(shop, directory)).found).toEqual([]);
  });

  test('that a crash has left is passed over, and removed by the next start of any service; others stay', async () => {
    new ControlFolder(directory).make();
    const other = await open({}, { ...shop, config: '/srv/mail/keelson.yaml' });
    const left = join(folder(), newSocketName(shop, 4_711));
    await crash(left);
    expect(readdirSync(folder())).toHaveLength(2);
    expect((await findInstances(shop, directory)).found).toEqual([]);
    const server = await open();
    while (readdirSync(folder()).length > 2) await new Promise(resolve => setImmediate(resolve));
    expect(
      readdirSync(folder())
        .map(name => join(folder(), name))
        .sort(),
    ).toEqual([other.path, server.path].sort());
  });

  test('is not made where its path would be too long', async () => {
    directory = join(directory, 'd'.repeat(90));
    mkdirSync(directory);
    await expect(open()).rejects.toMatchObject({
      code: 'CONTROL_PATH_TOO_LONG',
      hint: expect.stringContaining('control.directory'),
    });
  });

  test('is not made where no folder can be', async () => {
    directory = join(directory, 'none');
    await expect(open()).rejects.toMatchObject({ code: 'CONTROL_UNAVAILABLE', cause: { code: 'ENOENT' } });
  });
});

describe('a folder of sockets that others could have laid a trap in is refused by service and operator alike', () => {
  const traps: Record<string, () => void> = {
    'a link': () => {
      mkdirSync(join(directory, 'elsewhere'), { mode: 0o700 });
      symlinkSync(join(directory, 'elsewhere'), folder());
    },
    'a file': () => writeFileSync(folder(), '', { mode: 0o600 }),
    'open to others': () => {
      mkdirSync(folder());
      chmodSync(folder(), 0o711);
    },
  };
  // Only root can change the owner of a folder.
  if (process.getuid?.() === 0) {
    traps['owned by another user'] = () => {
      mkdirSync(folder(), { mode: 0o700 });
      chownSync(folder(), 65_534, 65_534);
    };
  }

  test.each(Object.keys(traps))('%s', async trap => {
    traps[trap]?.();
    await expect(open()).rejects.toMatchObject({ code: 'CONTROL_FOLDER_UNSAFE' });
    await expect(findInstances(shop, directory)).rejects.toMatchObject({ code: 'CONTROL_FOLDER_UNSAFE' });
  });
});
