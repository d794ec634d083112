import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeelsonError } from '@keelson/core';
import type { HttpOptions } from './options.js';

type Place = Pick<HttpOptions, 'port' | 'host'>;

export interface Listening {
  /** The URL without a path. For a wildcard address, it has the loopback address. */
  readonly url: string;
  /** The bound address: `::` or `0.0.0.0` for every address. */
  readonly address: string;
  readonly port: number;
}

/**
 * Binds the port and returns its address.
 *
 * @throws KeelsonError HTTP_PORT_TAKEN, HTTP_PORT_FORBIDDEN or HTTP_LISTEN_FAILED.
 */
export async function listen(server: Server, place: Place): Promise<Listening> {
  server.listen({ port: place.port, ...(place.host === undefined ? {} : { host: place.host }) });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw listenFailure(error, place);
  }
  const bound = server.address() as AddressInfo;
  return { url: urlOf(bound), address: bound.address, port: bound.port };
}

/** The address for a log line. */
export function describeListening({ url, address, port }: Listening): string {
  return isWildcard(address) ? `every address of this machine, port ${port}: here ${url}` : url;
}

function isWildcard(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}

/** A wildcard is an address to listen on, not one to call. */
function urlOf({ address, family, port }: AddressInfo): string {
  const host = isWildcard(address) ? '127.0.0.1' : address;
  return `http://${family === 'IPv6' && host === address ? `[${host}]` : host}:${port}`;
}

function listenFailure(cause: unknown, { port, host }: Place): KeelsonError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  const facts = { port, host: host ?? 'every address', errno };
  switch (errno) {
    case 'EADDRINUSE':
      return new KeelsonError({
        code: 'HTTP_PORT_TAKEN',
        message: `Port ${port} is in use by another process.`,
        hint: `Stop that process (lsof -i :${port} shows it) or set another port in the http plugin; 0 takes any free one.`,
        facts,
        cause,
      });
    case 'EACCES':
      return new KeelsonError({
        code: 'HTTP_PORT_FORBIDDEN',
        message: `This user may not listen on port ${port}.`,
        hint: 'Ports below 1024 are for privileged users: set a higher one in the http plugin and map it outside.',
        facts,
        cause,
      });
    default:
      return new KeelsonError({
        code: 'HTTP_LISTEN_FAILED',
        message: `The server cannot listen on port ${port} of ${host ?? 'this machine'} (${errno}).`,
        hint: 'Check host in the http plugin: it must be an address of this machine, such as 127.0.0.1 or 0.0.0.0.',
        facts,
        cause,
      });
  }
}
