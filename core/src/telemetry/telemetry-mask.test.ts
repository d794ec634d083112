import { expect, test } from 'vitest';
import { createTelemetryMask } from './telemetry-mask.js';

test('facts leave with their SQLSTATE, and without statements, parameters and secrets', () => {
  const mask = createTelemetryMask(['iban']);
  const cause = { sqlState: '42P01', sql: 'select hush', rawSql: 'select hush' };
  const facts = {
    sqlState: '57P01',
    statement: 'select hush',
    params: ['hush'],
    iban: 'hush',
    password: 'hush',
    cause,
  };
  expect(mask.facts(facts, { attempts: 2 })).toEqual({
    sqlState: '57P01',
    statement: '[masked]',
    params: '[masked]',
    iban: '[masked]',
    password: '[masked]',
    cause: { sqlState: '42P01', sql: '[masked]', rawSql: '[masked]' },
    attempts: 2,
  });
});
