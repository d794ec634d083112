import { expect, test } from 'vitest';
import { createMask } from './create-mask.js';
import { describeError } from './describe-error.js';
import { formatError } from './format-error.js';
import { addSecret, maskKnownSecrets } from './known-secrets.js';

test('a known secret is masked wherever it turns up: text, facts, errors, stacks, causes', () => {
  addSecret('kEpt-by-the-kernel');
  const error = new Error('cannot log in with kEpt-by-the-kernel', { cause: new Error('kEpt-by-the-kernel is wrong') });
  for (const shown of [
    maskKnownSecrets('a kEpt-by-the-kernel b'),
    formatError(error, { verbose: true }),
    JSON.stringify(describeError(error)),
    JSON.stringify(createMask()({ deep: ['kEpt-by-the-kernel'] })),
  ]) {
    expect(shown).toContain('[masked]');
    expect(shown).not.toContain('kEpt-by-the-kernel');
  }
});

test('of a URL its password is a secret of its own, as written and decoded', () => {
  addSecret('postgresql://me:p%40ss-W0rd@db/orders');
  expect(maskKnownSecrets('p%40ss-W0rd and p@ss-W0rd')).toBe('[masked] and [masked]');
});

test('one that JSON writes otherwise is known in that form too', () => {
  addSecret('two\nlines "quoted"');
  expect(maskKnownSecrets(JSON.stringify({ text: 'two\nlines "quoted"' }))).toBe('{"text":"[masked]"}');
});

test('a secret is masked in a URL too, whatever characters it has', () => {
  addSecret('s3cret/with spaces');
  addSecret('half-a-pair-\ud800');
  expect(maskKnownSecrets('GET /?key=s3cret%2Fwith%20spaces&x=half-a-pair-\ud800')).toBe(
    'GET /?key=[masked]&x=[masked]',
  );
});

test('a short text and a plain word are left alone: they stand in too many places', () => {
  for (const word of ['abc-123', 'postgres', '']) addSecret(word);
  expect(maskKnownSecrets('postgres abc-123')).toBe('postgres abc-123');
});

test('one that another begins with, or that has spaces around it, leaves nothing of either', () => {
  addSecret('begins-With');
  addSecret('begins-With-more');
  addSecret('  (spaces).Around*  ');
  expect(maskKnownSecrets('begins-With-more begins-With (spaces).Around* (spaces)xAround')).toBe(
    '[masked] [masked] [masked] (spaces)xAround',
  );
});
