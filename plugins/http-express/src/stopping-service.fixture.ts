// A service in a process of its own, run by Node from the built package: tells its port, stops when it is told to.
import { HttpServer, Kernel, type Plugin } from '@keelson/core';
import plugin from '@keelson/http-express';

const kernel = await Kernel.start({
  config: { service: 'shop' },
  overrides: { plugins: { http: { port: 0, host: '127.0.0.1' } } },
  variables: {},
  plugins: { http: plugin as Plugin },
});
process.send?.(Number(new URL(kernel.container.get(HttpServer).url ?? '').port));
process.once('message', async () => {
  await kernel.stop();
  process.disconnect();
});
