import { expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { summarizeError } from './summarize-error.js';

test('an error is its code and its first line', () => {
  const error = new KeelsonError({ code: 'DATABASE_DOWN', message: 'No answer.\nNor later.', hint: 'Wait.' });
  expect(summarizeError(error)).toEqual({ code: 'DATABASE_DOWN', message: 'No answer.' });
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
  expect(summarizeError(refused)).toEqual({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:5432' });
});

test('secrets and statements are left out, and any thrown value is accepted', () => {
  expect(summarizeError(new Error('no postgresql://me:hunter2@db/x')).message).not.toContain('hunter');
  const quoting = Object.assign(new Error("select 'mine' from t - terminating connection"), { code: '57P01' });
  expect(summarizeError(quoting)).toEqual({ code: '57P01', message: 'Error' });
  expect(summarizeError(undefined)).toEqual({ message: 'undefined' });
});
