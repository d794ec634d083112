import { eventually } from '@keelson/test-support/eventually';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gate, Harness } from './harness.fixture.js';

let harness: Harness;

beforeEach(async () => {
  harness = await new Harness().ready();
});
afterEach(() => harness.stop());

const slow = 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n';
const tunnel = 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n';
const isNotRunning = () => eventually(() => expect(harness.server.active).toBe(0), { that: 'no request to run' });

test('a tunnel that is asked for behind other requests ends the connection, and each of them', async () => {
  const { pass, open } = gate();
  let closed = 0;
  harness.http.router('/slow', async (_request, response) => {
    response.once('close', () => {
      closed += 1;
    });
    await pass();
    response.end('slow');
  });
  const connection = await harness.connect();
  connection.send(`${slow}${slow}${slow}${tunnel}\r\n`);
  await connection.until(({ closed }) => closed);
  await isNotRunning();
  expect(closed).toBe(3);
  expect(connection.received, 'no answer takes the place of another').toBe('');
  open();
});

test('requests that wait behind another end with their connection', async () => {
  const { arrived, open } = harness.slowRoute('slow');
  const connection = await harness.connect();
  connection.send(`${slow}${slow}${slow}`);
  await arrived;
  connection.socket.destroy();
  await isNotRunning();
  open();
});

test('an answer that is cut behind another one ends the connection when its turn has come', async () => {
  const slowly = harness.slowRoute('slow');
  harness.http.router('/cut', async (_request, response) => {
    response.write('half');
    throw new RangeError('half-way');
  });
  const connection = await harness.connect();
  connection.send(`${slow}GET /cut HTTP/1.1\r\nHost: a\r\n\r\n`);
  await eventually(() => expect(harness.telemetry.errors()).toHaveLength(1), { that: 'the second one to be cut' });
  slowly.open();
  const received = await connection.until(({ closed }) => closed);
  expect(received).toContain('\r\n\r\nslow');
  expect(received).not.toMatch(/0\r\n\r\n$/);
});
