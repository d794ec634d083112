// A service in its own process, run by Node from the built package: sends its port to the test and stops on its message.
import { HttpServer, Kernel, type Plugin } from '@keelson/core';

const { default: plugin } = await import(`@keelson/http-${process.env.KEELSON_TEST_SERVER ?? 'express'}`);
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
