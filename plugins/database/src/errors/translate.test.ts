import { expect, test } from 'vitest';
import { markFault, originOf, withOriginOf } from './fault-origin.js';
import { translate } from './translate.js';

const failure = (facts: object) => Object.assign(new Error('any message'), facts);
const driver = {};

test('an error that came out of a driver becomes one of ours, with the same origin', () => {
  for (const [facts, code] of [
    [{ code: '23505', severity: 'ERROR' }, 'DATABASE_QUERY_FAILED'],
    [{ code: '57P01', severity: 'FATAL' }, 'DATABASE_CONNECTION_LOST'],
    [{ code: 'ECONNRESET' }, 'DATABASE_CONNECTION_LOST'],
  ] as const) {
    const error = failure(facts);
    markFault(error, driver);
    const translated = translate(error);
    expect(translated).toMatchObject({ code });
    expect(originOf(translated)).toBe(driver);
  }
});

test('any other error is handed on as it is, whatever it looks like', () => {
  for (const facts of [{ code: '23505', severity: 'ERROR' }, { code: 'ECONNRESET', syscall: 'read' }, {}]) {
    const error = failure(facts);
    expect(translate(error)).toBe(error);
  }
  for (const thrown of [undefined, null, 'text', 7]) expect(translate(thrown)).toBe(thrown);
});

test('an error keeps the origin that it had first, and what stands for it has the same', () => {
  const error = failure({});
  markFault(error, driver);
  markFault(error, {});
  expect(originOf(error)).toBe(driver);
  expect(originOf(withOriginOf(failure({}), error))).toBe(driver);
  expect(originOf(withOriginOf(failure({}), failure({})))).toBeUndefined();
});
