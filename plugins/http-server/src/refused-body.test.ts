import { expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';

test.each([
  ['a charset that is not read', '; charset=latin1', ''],
  ['an encoding that is not read', '', 'Content-Encoding: magic\r\n'],
])('a body in %s that is also too large is refused once, and reported never', async (_what, charset, encoding) => {
  await using harness = await new Harness({ bodyLimitBytes: 1_000 }).ready();
  const slow = harness.slowRoute('slow');
  harness.http.router('/next', (_request, response) => void response.end('the next one'));
  const connection = await harness.connect();
  // Its answer waits behind another one, so that all of the body arrives before it is sent.
  connection.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  connection.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json${charset}\r\n${encoding}`);
  connection.send(`Transfer-Encoding: chunked\r\n\r\n1388\r\n${' '.repeat(5_000)}\r\n0\r\n\r\n`);
  connection.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  await slow.arrived;
  await new Promise(setImmediate);
  slow.open();
  const received = await connection.until(({ closed, received }) => closed || received.includes('the next one'));
  expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 415', 'HTTP/1.1 200']);
  expect(harness.telemetry.errors()).toEqual([]);
  expect(harness.logger.lines('error')).toEqual([]);
});
