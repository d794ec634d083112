import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import plugin from './index.js';

async function service(status: number) {
  const server = createServer((_request, response) => void response.writeHead(status).end());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const values = { 'http-client': { targets: { prices: { baseUrl: `http://127.0.0.1:${port}` } } } };
  const kernel = await createTestKernel({ plugins: [plugin], clock: systemClock, values });
  const close = () => new Promise(resolve => server.close(resolve).closeAllConnections());
  onTestFinished(async () => void (await Promise.all([kernel.stop(), close()])));
  const client = kernel.container.get(HttpClient);
  const requests = () => kernel.metrics.series('http.client.request.duration').map(({ labels }) => labels);
  return { client, prices: client.target('prices'), requests, port, close };
}

test('a request is measured by its target, method and status; the path is not among the labels', async () => {
  const { prices, client, requests, port } = await service(200);
  await prices?.fetch('/prices/secret');
  await client.fetch(`http://127.0.0.1:${port}/secret`, { method: 'PROPFIND' });
  expect(requests()).toEqual([
    { target: 'prices', 'http.request.method': 'GET', 'http.response.status_code': '200' },
    { target: `127.0.0.1:${port}`, 'http.request.method': '_OTHER', 'http.response.status_code': '200' },
  ]);
});

test('an answer of 400 and above is an error, and so is none', async () => {
  const { prices, requests, close } = await service(404);
  await prices?.fetch('/a');
  await close();
  await expect(prices?.fetch('/a')).rejects.toThrow();
  expect(requests()).toEqual([
    { target: 'prices', 'http.request.method': 'GET', 'http.response.status_code': '404', 'error.type': '404' },
    { target: 'prices', 'http.request.method': 'GET', 'error.type': expect.stringMatching(/^(ECONN\w+|UND_ERR\w+)$/) },
  ]);
});
