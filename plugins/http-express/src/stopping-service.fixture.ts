// A service in a process of its own, run by Node from the built package: tells its port, stops when it is told to.
import {
  HttpServer,
  type Lifecycle,
  Logger,
  silentLogger,
  silentTelemetry,
  systemClock,
  Telemetry,
} from '@keelson/core';
import plugin, { httpOptions } from '@keelson/http-express';
import { Container } from 'inversify';

const container = new Container();
container.bind(Logger).toConstantValue(silentLogger);
container.bind(Telemetry).toConstantValue(silentTelemetry);
const lifecycle: Lifecycle = {
  phase: 'ready',
  stopping: new AbortController().signal,
  onPhase: () => ({ [Symbol.dispose]() {} }),
};
const context = {
  config: httpOptions.parse({ port: 0, host: '127.0.0.1' }),
  service: 'shop',
  environment: undefined,
  key: 'http',
  instance: undefined,
  directory: '.',
  clock: systemClock,
  lifecycle,
  serving: true,
  container,
  logger: silentLogger,
  signal: new AbortController().signal,
  waitingFor() {},
};
await plugin.register?.({ ...context, bind: container.bind.bind(container), decorate() {} });
await plugin.start?.(context);
await plugin.ready?.(context);
process.send?.(Number(new URL(container.get(HttpServer).url ?? '').port));
process.once('message', async () => {
  await plugin.drain?.(context);
  await plugin.stop?.(context);
  process.disconnect();
});
