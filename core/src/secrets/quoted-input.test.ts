import { expect, test } from 'vitest';
import { describeError } from './describe-error.js';
import { formatError } from './format-error.js';

/** Not in the code itself: V8 writes names from there into stacks. */
const hush = ['hu', 'sh'].join('');

const attempts: readonly (readonly [what: string, work: () => unknown])[] = [
  ['JSON', () => JSON.parse(hush)],
  ['the beginning of long JSON', () => JSON.parse(`${hush}${'x'.repeat(100)}`)],
  ['the middle of long JSON', () => JSON.parse(`{"a":"${'x'.repeat(100)}","b":${hush},"c":"${'x'.repeat(100)}"}`)],
  ['JSON of several lines', () => JSON.parse(`${hush}\n${hush}`)],
  ['a URL', () => fetch(`//${hush}`)],
  ['a URL with a user', () => fetch(`http://me:x@127.0.0.1/${hush}`)],
  ['a header', () => new Headers({ 'x-key': `${hush}\n${hush}` })],
  ['the name of a header', () => new Headers({ [`${hush}\n`]: 'x' })],
  ['a number', () => BigInt(hush)],
];

test.each(attempts)('an error of Node does not show the text that it refuses: %s', async (_what, work) => {
  const error: unknown = await Promise.resolve()
    .then(work)
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof Error)) throw new Error('nothing was refused');
  expect(JSON.stringify(describeError(error))).not.toContain(hush);
  expect(formatError(error, { verbose: true })).not.toContain(hush);
});

test('a hostile message costs no more than its length', () => {
  const startedAt = performance.now();
  for (const start of ['Unexpected token ', 'Headers.append: ', 'Cannot convert ', '"']) {
    for (const piece of [', "', '"', ' is an invalid header ', ' is not valid JSON']) {
      describeError(new Error(`${start}${piece.repeat(50_000)}.`));
    }
  }
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test.each(['"a" is not valid', 'Unexpected end of JSON input', 'JSON is not valid JSON'])('%s stays', message => {
  expect(describeError(new SyntaxError(message)).message).toBe(message);
});
