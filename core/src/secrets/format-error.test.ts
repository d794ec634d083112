import { expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { formatError } from './format-error.js';

const socket = new Error('connect ECONNREFUSED 127.0.0.1:5432');

test('an error is a sentence, the causes that say more, and what to do; no stack', () => {
  const error = new KeelsonError({ code: 'DATABASE_DOWN', message: 'No answer.', hint: 'Start it.', cause: socket });
  expect(formatError(error)).toBe(
    ['DATABASE_DOWN  No answer.', '  because: connect ECONNREFUSED 127.0.0.1:5432', '  -> Start it.'].join('\n'),
  );
});

test('a cause that the message already quotes is not repeated, but its hint is shown', () => {
  const cause = new KeelsonError({ code: 'A', message: 'The port is taken.', hint: 'Choose another.' });
  const error = new KeelsonError({ code: 'B', message: 'http: The port is taken.', cause });
  expect(formatError(error)).toBe('B  http: The port is taken.\n  -> Choose another.');
});

test('every error of an AggregateError is shown, and a cycle of causes ends', () => {
  const error = new AggregateError([new Error('one'), new Error('two')], 'both');
  error.cause = error;
  expect(formatError(error)).toBe('both\n  because: one\n  because: two');
});

test('stacks are there only when asked for', () => {
  expect(formatError(socket)).not.toMatch(/^\s+at /m);
  expect(formatError(socket, { verbose: true })).toMatch(/^\s+at /m);
});

test('an error of another library is shown without the credentials in it', () => {
  const error = new Error('cannot reach postgresql://me:hunter2@db/x?password=hunter3');
  expect(formatError(error, { verbose: true })).not.toContain('hunter');
  expect(formatError('token=hunter2')).not.toContain('hunter');
});
