import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@keelson/core';
import { freePort } from '@keelson/test-support/free-port';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { temporaryFolder } from '@keelson/test-support/temporary-folder';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ConsoleService extends AsyncDisposable {
  readonly service: ServiceProcess;
  /** `http://127.0.0.1:9000`: of the admin port. */
  readonly adminUrl: string;
}

export interface ConsoleServiceOptions {
  readonly databaseUrl: string;
  /** Of the console. Default: none, for the loopback address. */
  readonly console?: Readonly<Record<string, unknown>>;
  readonly host?: string;
  readonly plugins?: Readonly<Record<string, unknown>>;
}

/** Between two requests of one caller. */
const paceMs = 60;

let folders = 0;

/** Starts the orders service on PostgreSQL with a console. */
export async function startConsoleService(options: ConsoleServiceOptions): Promise<ConsoleService> {
  const { databaseUrl, console = {}, host = '127.0.0.1', plugins = {} } = options;
  folders += 1;
  const directory = join(temporaryFolder().TMPDIR, `orders-${folders}`);
  mkdirSync(directory);
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  symlinkSync(join(root, 'examples/orders'), join(directory, 'orders'));
  const adminPort = await freePort();
  const config = {
    service: 'orders',
    plugins: {
      logger: { use: '@keelson/logger-bunyan' },
      database: {
        use: '@keelson/database-postgresql',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the configuration
        url: '${DATABASE_URL}',
        migrations: { atStart: true },
        pool: { max: 5 },
        session: { timeoutMs: 2_500 },
      },
      retry: { use: '@keelson/retry-opossum' },
      health: { use: '@keelson/health', checks: { database: { intervalMs: 500 } } },
      http: { use: '@keelson/http-express', port: 0, host: '127.0.0.1', admin: { port: adminPort, host } },
      console: { use: '@keelson/console', ...console },
      orders: { use: './orders/dist/orders.plugin.js', welcome: true },
      ...plugins,
    },
    shutdown: { noticeMs: 0 },
  };
  writeFileSync(join(directory, 'keelson.yaml'), JSON.stringify(config, undefined, 2));
  const service = await startService({ directory, variables: { DATABASE_URL: databaseUrl } });
  return {
    service,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

/** Places and reads orders, some at a time, until it is disposed of. */
export class Load implements AsyncDisposable {
  readonly statuses = new Map<number, number>();
  readonly #url: string;
  readonly #sku: string;
  readonly #stopped = new AbortController();
  readonly #callers: readonly Promise<void>[];

  private constructor(url: string, sku: string, callers: number) {
    this.#url = url;
    this.#sku = sku;
    this.#callers = Array.from({ length: callers }, () => this.#call());
  }

  static async start(url: string, callers = 6): Promise<Load> {
    const sku = 'console-load';
    await post(`${url}/products`, { sku, stock: 1_000_000 });
    return new Load(url, sku, callers);
  }

  get answered(): number {
    return [...this.statuses.values()].reduce((sum, count) => sum + count, 0);
  }

  async #call(): Promise<void> {
    for (let turn = 0; !this.#stopped.signal.aborted; turn++) {
      try {
        const response =
          turn % 3 === 0
            ? await post(`${this.#url}/orders`, { sku: this.#sku, quantity: 1 })
            : await fetch(`${this.#url}/products/${turn % 30 === 1 ? 'missing' : this.#sku}`);
        await response.text();
        this.statuses.set(response.status, (this.statuses.get(response.status) ?? 0) + 1);
      } catch {
        // Cut when the service stops.
      }
      await systemClock.sleep(paceMs, this.#stopped.signal).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#callers);
  }
}

function post(url: string, body: object): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}
