import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Daemon, daemonFolder, findProgram, own } from './daemon.js';
import { freePort } from './free-port.js';
import { urlThrough } from './url-through.js';

const program = findProgram('haproxy');

/** False where the machine has no haproxy: `describe.skipIf(!hasHaproxy)`. */
export const hasHaproxy = program !== undefined;

export interface HaproxyOptions<Name extends string> {
  /**
   * The servers behind the one address, by name; of a url only host and port matter. Without `checks`, the first one is used
   * until `pointTo` chooses another.
   */
  readonly servers: Readonly<Record<Name, string>>;
  /** Asks each server over HTTP whether it is to be used. Default: no server is asked. */
  readonly checks?: HealthChecks<Name>;
}

/** A server is used while it answers 200. It is out, and its connections end, at the first other answer. */
export interface HealthChecks<Name extends string> {
  /** `/primary` */
  readonly path: string;
  /** Where each server answers, on its own host. */
  readonly ports: Readonly<Record<Name, number>>;
  readonly everyMs: number;
}

export interface Haproxy<Name extends string> extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** The same database url, through it. */
  url(databaseUrl: string): string;
  /**
   * New connections go to this server from now on. Those that are open end with `cut`, as when a health check fails with
   * `on-marked-down shutdown-sessions`; otherwise they stay where they are.
   */
  pointTo(name: Name, how?: { readonly cut: boolean }): Promise<void>;
  /** A command of its admin socket, such as `show stat`. */
  command(command: string): Promise<string>;
  log(): string;
  dispose(): Promise<void>;
}

/** Starts the haproxy of this machine in front of several servers. It ends with this process at the latest. */
export async function startHaproxy<Name extends string>(options: HaproxyOptions<Name>): Promise<Haproxy<Name>> {
  const balancer = new LocalHaproxy<Name>(await freePort(), options);
  try {
    await balancer.start();
  } catch (error) {
    await balancer.dispose();
    throw error;
  }
  return balancer;
}

class LocalHaproxy<Name extends string> implements Haproxy<Name> {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #names: readonly string[];
  readonly #adminSocket: string;
  readonly #daemon: Daemon;

  constructor(port: number, { servers, checks }: HaproxyOptions<Name>) {
    if (program === undefined) throw new Error('There is no haproxy on this machine');
    const directory = daemonFolder('haproxy');
    this.port = port;
    this.#names = Object.keys(servers);
    this.#adminSocket = join(directory, 'admin');
    const config = join(directory, 'haproxy.cfg');
    writeFileSync(config, this.#config(Object.entries<string>(servers), checks), { mode: 0o600 });
    own(config);
    this.#daemon = new Daemon({ program, args: ['-db', '-f', config], directory, port });
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  url(databaseUrl: string): string {
    return urlThrough(this, databaseUrl);
  }

  async pointTo(name: Name, { cut } = { cut: false }): Promise<void> {
    const others = this.#names.filter(each => each !== name);
    await this.command(`set server db/${name} state ready`);
    for (const other of others) {
      await this.command(`set server db/${other} state maint`);
      if (cut) await this.command(`shutdown sessions server db/${other}`);
    }
  }

  async command(command: string): Promise<string> {
    const socket = connect(this.#adminSocket);
    socket.end(`${command}\n`);
    const answer = (await text(socket)).trim();
    if (/^(?:No such|Unknown|Permission|Invalid|Require)/.test(answer)) throw new Error(`haproxy: ${answer}`);
    return answer;
  }

  log(): string {
    return this.#daemon.log();
  }

  dispose(): Promise<void> {
    return this.#daemon.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #config(servers: readonly (readonly [name: string, url: string])[], checks?: HealthChecks<string>): string {
    const serverLines = servers.map(([name, url], index) => {
      const { hostname, port } = new URL(url);
      const use = checks ? ` check port ${checks.ports[name]}` : index === 0 ? '' : ' disabled';
      return `  server ${name} ${hostname}:${port || 5_432}${use}`;
    });
    return [
      'global',
      `  stats socket ${this.#adminSocket} mode 600 level admin`,
      'defaults',
      '  mode tcp',
      '  timeout connect 2s',
      '  timeout client 1h',
      '  timeout server 1h',
      'listen db',
      `  bind ${this.host}:${this.port}`,
      ...(checks ? checkLines(checks) : []),
      ...serverLines,
      '',
    ].join('\n');
  }
}

function checkLines({ path, everyMs }: HealthChecks<string>): string[] {
  return [
    `  option httpchk GET ${path}`,
    '  http-check expect status 200',
    '  timeout check 1s',
    `  default-server inter ${everyMs}ms fall 1 rise 1 on-marked-down shutdown-sessions`,
  ];
}
