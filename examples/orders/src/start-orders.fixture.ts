import { HttpServer, type Plugin, systemClock } from '@keelson/core';
import { createTestKernel, type TestKernel } from '@keelson/core/testing';
import database from '@keelson/database-pglite';
import httpClient from '@keelson/http-client';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import orders from './orders.plugin.js';

export interface OrdersOptions {
  /** Beside those of the service. */
  readonly plugins?: readonly Plugin[];
  /** The configuration, by plugin. */
  readonly values?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The service on an embedded database in memory, with a free port of 127.0.0.1, and with its logs in the hands of the test. */
export function startOrders({ plugins = [], values = {} }: OrdersOptions = {}): Promise<TestKernel> {
  return createTestKernel({
    plugins: [database, retry, http, httpClient, orders, ...plugins],
    values: {
      ...values,
      database: { migrations: { atStart: true }, ...values.database },
      http: { port: 0, host: '127.0.0.1', ...values.http },
    },
    clock: systemClock,
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
  readonly body: any;
}

/** Sends a request to the service; `body` as JSON. */
export async function send(service: TestKernel, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${service.container.get(HttpServer).url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
