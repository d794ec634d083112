import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { describeError } from './describe-error.js';
import { formatError } from './format-error.js';
import { addSecret } from './known-secrets.js';
import { maskSecretsIn } from './mask-values.js';
import { summarizeError } from './summarize-error.js';
import { withholdValues } from './withheld-values.js';

const given = ['ada@example.org', 'Ada "the first"', 'Ada', '4711'];

test('an error is shown without the values that its request has sent, its causes too', () => {
  const error = new Error('no customer ada@example.org', {
    cause: new AggregateError([new Error(`asked ${encodeURIComponent('ada@example.org')}`)], 'of order 4711'),
  });
  expect(withholdValues(error, () => given)).toBe(error);
  const shown = [describeError(error), summarizeError(error), formatError(error, { verbose: true })];
  expect(inspect(shown, { depth: 20 })).not.toMatch(/ada@|ada%40|4711/);
  expect(describeError(error).message).toBe('no customer [masked]');
  expect(error.message).toBe('no customer ada@example.org');
});

test('a value is found as JSON has it, the longest first, and a short one is not looked for', () => {
  const error = new Error(`for ${JSON.stringify({ name: 'Ada "the first"' })} and Ada`);
  withholdValues(error, () => given);
  expect(describeError(error).message).toBe('for {"name":"[masked]"} and Ada');
});

test('a cause that is a text, and a thrown text', () => {
  const error = new Error('no', { cause: 'of 4711' });
  withholdValues(error, () => given);
  expect(describeError(error).cause).toBe('of [masked]');
  expect(withholdValues('no order 4711', () => given)).toBe('no order [masked]');
});

test('a copy without the secrets of the configuration withholds the same', () => {
  addSecret('kEpt-out-of-copies');
  const error = new Error('4711 with kEpt-out-of-copies');
  withholdValues(error, () => given);
  expect(describeError(maskSecretsIn(error)).message).toBe('[masked] with [masked]');
});

test('one error of two requests withholds the values of both', () => {
  const error = new Error('of first and second');
  for (const value of ['first', 'second']) withholdValues(error, () => [value]);
  expect(describeError(error).message).toBe('of [masked] and [masked]');
});

test('a message that looks like a pattern of a replacement stays masked in the stack', () => {
  const error = new Error("4711 costs $& and $'");
  withholdValues(error, () => given);
  const shown = describeError(error);
  expect(shown.message).toBe("[masked] costs $& and $'");
  expect(shown.stack).not.toContain('4711');
  expect(formatError(error, { verbose: true })).not.toContain('4711');
});

test('a large request costs little: of thousands of values the message is left out', () => {
  const values = Array.from({ length: 200_000 }, (_, index) => `value-${index}`);
  const before = process.cpuUsage();
  const few = new Error(values.join(' '));
  withholdValues(few, () => values.slice(0, 2_000));
  expect(describeError(few).message).not.toMatch(/value-1\d* /);
  const many = new Error('of value-7');
  withholdValues(many, () => values);
  expect(describeError(many).message).toBe('[masked]');
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(2_000);
});

test('values are read when the error is shown, once; what fails then withholds nothing', () => {
  let reads = 0;
  const error = new Error('of 4711');
  withholdValues(error, () => {
    reads++;
    return given;
  });
  expect(reads).toBe(0);
  for (let time = 0; time < 2; time++) expect(describeError(error).message).toBe('of [masked]');
  expect(reads).toBe(1);
  const unlucky = new Error('plain');
  withholdValues(unlucky, () => {
    throw new Error('unreadable');
  });
  expect(describeError(unlucky).message).toBe('plain');
});
