import { HealthService, type HttpHandler, type HttpServer, systemClock, Telemetry } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import plugin from './plugin.js';

/** A server that listens nowhere. */
class Server implements HttpServer {
  readonly url = 'http://127.0.0.1:1';
  readonly routes: { path: string; admin: boolean | undefined }[] = [];
  readonly hasAdminPort: boolean;
  readonly adminAddress: string;
  readonly adminUrl = 'http://127.0.0.1:2';

  constructor(adminAddress: string | undefined) {
    this.hasAdminPort = adminAddress !== undefined;
    this.adminAddress = adminAddress ?? '';
  }

  router(path: string, _handler: HttpHandler, options?: { readonly admin?: boolean }): void {
    this.routes.push({ path, admin: options?.admin });
  }

  use(): void {}

  session(): void {}
}

const start = (http: HttpServer, values: Record<string, unknown> = {}) =>
  createTestKernel({ plugins: [plugin], slots: { http }, values: { console: values }, clock: systemClock });

test('is on the admin port alone, and says where', async () => {
  const http = new Server('127.0.0.1');
  await using kernel = await start(http);
  expect(http.routes).toEqual([{ path: '/console', admin: true }]);
  const { plugins } = await kernel.kernel.status();
  expect(plugins.find(({ key }) => key === 'console')?.facts).toEqual({
    console: { url: 'http://127.0.0.1:2/console' },
  });
});

test('does not start where others can reach it without a token, nor on the port of the users', async () => {
  const causeOf = async (started: Promise<AsyncDisposable>) => {
    const error = await started.then(
      kernel => kernel[Symbol.asyncDispose](),
      (failure: unknown) => failure,
    );
    return String(error instanceof Error ? error.message : error);
  };
  for (const address of ['::', '0.0.0.0', '10.0.0.7', 'fe80::1']) {
    expect(await causeOf(start(new Server(address))), address).toContain('CONSOLE_TOKEN_MISSING');
  }
  expect(await causeOf(start(new Server(undefined)))).toContain('CONSOLE_ADMIN_PORT_MISSING');
  for (const address of ['127.0.0.1', '::1', '127.0.0.2']) await using(await start(new Server(address)));
  await using(await start(new Server('::'), { token: 'a-token-that-is-long' }));
});

async function using(kernel: AsyncDisposable): Promise<void> {
  await kernel[Symbol.asyncDispose]();
}

test('wraps telemetry and health of the service, and no telemetry without requests', async () => {
  const wrapped = async (values: Record<string, unknown>) => {
    await using kernel = await start(new Server('127.0.0.1'), values);
    const isWrapped = kernel.container.get(Telemetry) !== kernel.telemetry;
    return [isWrapped, typeof kernel.container.get(HealthService).register];
  };
  expect(await wrapped({})).toEqual([true, 'function']);
  expect(await wrapped({ requests: false })).toEqual([false, 'function']);
});
