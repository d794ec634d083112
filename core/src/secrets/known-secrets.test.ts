import { expect, test } from 'vitest';
import { describeError } from './describe-error.js';
import { formatError } from './format-error.js';
import { keepSecret, withoutKnownSecrets } from './known-secrets.js';
import { createSafeCopy } from './safe-copy.js';

test('a known secret is taken out wherever it turns up: text, facts, errors, stacks, causes', () => {
  keepSecret('kEpt-by-the-kernel');
  const error = new Error('cannot log in with kEpt-by-the-kernel', { cause: new Error('kEpt-by-the-kernel is wrong') });
  for (const shown of [
    withoutKnownSecrets('a kEpt-by-the-kernel b'),
    formatError(error, { verbose: true }),
    JSON.stringify(describeError(error)),
    JSON.stringify(createSafeCopy()({ deep: ['kEpt-by-the-kernel'] })),
  ]) {
    expect(shown).toContain('[redacted]');
    expect(shown).not.toContain('kEpt-by-the-kernel');
  }
});

test('of a URL its password is a secret of its own, as written and decoded', () => {
  keepSecret('postgresql://me:p%40ss-W0rd@db/orders');
  expect(withoutKnownSecrets('p%40ss-W0rd and p@ss-W0rd')).toBe('[redacted] and [redacted]');
});

test('one that JSON writes otherwise is known in that form too', () => {
  keepSecret('two\nlines "quoted"');
  expect(withoutKnownSecrets(JSON.stringify({ text: 'two\nlines "quoted"' }))).toBe('{"text":"[redacted]"}');
});

test('one that stands in a URL as such is known there too, whatever it is made of', () => {
  keepSecret('s3cret/with spaces');
  keepSecret('half-a-pair-\ud800');
  expect(withoutKnownSecrets('GET /?key=s3cret%2Fwith%20spaces&x=half-a-pair-\ud800')).toBe(
    'GET /?key=[redacted]&x=[redacted]',
  );
});

test('what is short or a plain word is left alone: it stands in too many places', () => {
  for (const word of ['abc-123', 'postgres', '']) keepSecret(word);
  expect(withoutKnownSecrets('postgres abc-123')).toBe('postgres abc-123');
});

test('one that another begins with, or that has spaces around it, leaves nothing of either', () => {
  keepSecret('begins-With');
  keepSecret('begins-With-more');
  keepSecret('  (spaces).Around*  ');
  expect(withoutKnownSecrets('begins-With-more begins-With (spaces).Around* (spaces)xAround')).toBe(
    '[redacted] [redacted] [redacted] (spaces)xAround',
  );
});
