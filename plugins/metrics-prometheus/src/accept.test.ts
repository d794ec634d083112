import { expect, test } from 'vitest';
import { preferredFormat } from './accept.js';

const prometheus2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const prometheus3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

test.each([
  ['Prometheus 2', prometheus2, 'openmetrics'],
  ['Prometheus 3', prometheus3, 'openmetrics'],
  ['curl', '*/*', 'text'],
  ['a browser', 'text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
  ['one that says nothing', undefined, 'text'],
  ['one that prefers text', 'text/plain, application/openmetrics-text; version=1.0.0; q=0.5', 'text'],
  ['one of another version', 'application/openmetrics-text; version=0.0.1', 'text'],
  ['one that refuses it', 'application/openmetrics-text; q=0, */*', 'text'],
  ['one with a broken quality', 'application/openmetrics-text; q=much', 'text'],
] as const)('%s gets %s', (_client, accept, format) => {
  expect(preferredFormat(accept)).toBe(format);
});
