import { createHash, randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Identity } from '../life/identity.js';

export type { Identity };

/** The parts of a socket's name. The environment is one of them, to find a service started in another environment. */
export interface SocketName {
  readonly name: string;
  readonly config: string;
  readonly environment: string;
  readonly pid: number;
}

/** The name of a new socket. Short, for the path of a socket has room for some hundred bytes; never used twice. */
export function newSocketName(identity: Identity, pid: number): string {
  return `${configDigest(identity)}-${environmentDigest(identity)}-${pid}-${randomBytes(2).toString('hex')}.sock`;
}

/** Returns undefined for a file that is not a socket of a service. */
export function parseSocketName(name: string): SocketName | undefined {
  const [, config, environment, pid] = /^([0-9a-f]{8})-([0-9a-f]{8})-(\d+)-[0-9a-f]{4}\.sock$/.exec(name) ?? [];
  if (config === undefined || environment === undefined) return undefined;
  return { name, config, environment, pid: Number(pid) };
}

/** However the file is reached, by whichever link, it is the same. */
export function configDigest({ config }: Identity): string {
  return digest(realPath(resolve(config)));
}

export function environmentDigest({ environment = '' }: Identity): string {
  return digest(environment);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
