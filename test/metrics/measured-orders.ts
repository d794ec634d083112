import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { type ServiceProcess, startService, type Variables } from '@keelson/test-support/service-process';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';

export const openMetrics = 'application/openmetrics-text;version=1.0.0';

/** The orders service under Prometheus metrics, on a database that can be taken away. */
export interface MeasuredOrders extends AsyncDisposable {
  readonly service: ServiceProcess;
  /** Between the service and its database. */
  readonly proxy: TcpProxy;
  readonly adminPort: number;
  scrape(accept?: string): Promise<string>;
  /** One request of each kind: good ones, a refusal, an unknown route, a call to another service. */
  use(): Promise<void>;
  /** Takes the database away until the breaker opens, gives it back, and waits until the service has healed. */
  rehearseOutage(): Promise<void>;
}

export async function startMeasuredOrders(variables: Variables = {}): Promise<MeasuredOrders> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await createTestDatabase());
  const proxy = started.use(await startTcpProxy({ to: database.url }));
  const prices = createServer((_request, response) => void response.end('{"amount":1990,"currency":"EUR"}'));
  started.defer(() => void prices.close().closeAllConnections());
  await once(prices.listen(0, '127.0.0.1'), 'listening');
  const adminPort = await freePort();
  const service = started.use(
    await startService({
      variables: {
        KEELSON_ENV: 'postgres',
        DATABASE_URL: proxy.url(),
        KEELSON_METRICS__USE: '@keelson/metrics-prometheus',
        KEELSON_HTTP__ADMIN__PORT: String(adminPort),
        KEELSON_HTTP_CLIENT__TARGETS__PRICES__BASE_URL: `http://127.0.0.1:${(prices.address() as AddressInfo).port}`,
        LOG_LEVEL: 'error',
        ...variables,
      },
    }),
  );
  const resources = started.move();
  let used = 0;

  const scrape = async (accept = 'text/plain') => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { headers: { accept } });
    if (response.status !== 200) throw new Error(`a scrape was answered with ${response.status}`);
    return response.text();
  };
  const use = async () => {
    const sku = `sku-${++used}`;
    await service.request('POST', '/products', { sku, stock: 5 });
    await service.request('POST', '/orders', { sku, quantity: 2 });
    await service.request('POST', '/orders', { sku, quantity: 4 });
    await service.request('GET', `/products/${sku}`);
    await service.request('GET', '/orders?limit=2');
    await service.request('GET', '/no/such/route');
  };
  const rehearseOutage = async () => {
    await proxy.setMode('refuse');
    proxy.cut();
    const asked = Array.from({ length: 8 }, () => service.request('GET', '/orders'));
    await eventually(
      async () => {
        const opened = /^resilience_circuit_breaker_state\{target="database",state="open"\} 1$/m.test(await scrape());
        if (!opened) throw new Error('the breaker is not open');
      },
      { timeoutMs: 15_000 },
    );
    await proxy.setMode('pass');
    await Promise.all(asked);
  };
  return {
    service,
    proxy,
    adminPort,
    scrape,
    use,
    rehearseOutage,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
