import { describe, expect, test } from 'vitest';
import {
  isConnectionLoss,
  isDefiniteRefusal,
  serverDetailsOf,
  severityOf,
  sqlStateOf,
  systemCodeOf,
} from './sql-state.js';

const failure = (facts: object, message = 'any message') => Object.assign(new Error(message), facts);

describe('the SQLSTATE of an error', () => {
  test('is its code, of an error thrown raw or wrapped', () => {
    expect(sqlStateOf(failure({ code: '23505' }))).toBe('23505');
    expect(sqlStateOf({ code: 'XX001' })).toBe('XX001');
  });

  test('is not a code of the operating system that has five letters too', () => {
    for (const code of ['EPIPE', 'EBUSY', 'EPERM', 'EROFS', 'EXDEV', 'EBADF', 'ENXIO']) {
      expect(sqlStateOf(failure({ code }))).toBeUndefined();
      expect(systemCodeOf(failure({ code }))).toBe(code);
    }
  });

  test('is not anything else', () => {
    for (const code of ['ECONNREFUSED', '2350', '235050', 'abcde', '', 23_505, undefined]) {
      expect(sqlStateOf(failure({ code }))).toBeUndefined();
    }
    for (const thrown of [undefined, null, 'text', 7]) expect(sqlStateOf(thrown)).toBeUndefined();
  });
});

describe('the system code of an error', () => {
  test('is found in an error of several attempts', () => {
    const both = new AggregateError([new Error('first'), failure({ code: 'ECONNREFUSED' })]);
    expect(systemCodeOf(both)).toBe('ECONNREFUSED');
    expect(systemCodeOf(new AggregateError([]))).toBeUndefined();
  });

  test('is not a SQLSTATE, nor a code of ours', () => {
    for (const code of ['23505', 'DATABASE_CLOSED', undefined]) expect(systemCodeOf({ code })).toBeUndefined();
  });
});

test('includes severity and names when the server sends them', () => {
  expect(severityOf({ severity: 'FATAL' })).toBe('FATAL');
  expect(severityOf(new Error('none'))).toBeUndefined();
  expect(serverDetailsOf({ schema: 's', table: 't', column: 'c', constraint: 'k', detail: 'a value' })).toEqual({
    schema: 's',
    table: 't',
    column: 'c',
    constraint: 'k',
  });
  expect(serverDetailsOf({ table: '', column: 7 })).toEqual({});
});

describe('a connection is lost', () => {
  const lost = [
    { severity: 'FATAL', code: '57P01' },
    { severity: 'PANIC' },
    { code: '08006' },
    failure({ code: 'ECONNRESET' }),
    failure({ code: 'EPIPE' }),
    new AggregateError([failure({ code: 'ECONNREFUSED' })]),
    new Error('Connection terminated unexpectedly'),
    new Error('Connection terminated due to connection timeout'),
    new Error('Client was closed and is not queryable'),
  ];
  for (const error of lost) {
    test(`when the error is ${JSON.stringify(error)} ${error instanceof Error ? error.message : ''}`.trim(), () => {
      expect(isConnectionLoss(error)).toBe(true);
    });
  }

  test('never when the server answered with an ERROR, whatever its text says', () => {
    expect(isConnectionLoss(failure({ code: 'P0001', severity: 'ERROR' }, 'Connection terminated'))).toBe(false);
    for (const code of ['57014', '08P01', '08006', '57P01']) {
      expect(isConnectionLoss(failure({ code, severity: 'ERROR' }))).toBe(false);
    }
  });

  test('never by an error of somebody else', () => {
    for (const error of [new Error('mine'), failure({ code: 'ENOENT' }), undefined, 'Connection terminated']) {
      expect(isConnectionLoss(error)).toBe(false);
    }
  });
});

test('an answer to COMMIT says that it was not done, but for the two that leave it open', () => {
  expect(isDefiniteRefusal(failure({ code: '23505', severity: 'ERROR' }))).toBe(true);
  expect(isDefiniteRefusal(failure({ code: '08P01', severity: 'ERROR' }))).toBe(true);
  for (const code of ['08007', '40003']) expect(isDefiniteRefusal(failure({ code, severity: 'ERROR' }))).toBe(false);
  expect(isDefiniteRefusal(failure({ code: '57P01', severity: 'FATAL' }))).toBe(false);
  expect(isDefiniteRefusal(new Error('Connection terminated'))).toBe(false);
});
