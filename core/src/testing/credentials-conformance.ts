import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import type { Credential, Credentials } from '../contract/slots/credentials.js';
import { formatError } from '../secrets/format-error.js';

/** Credentials of a service that is ready, for one case. */
export interface CredentialsHarness {
  readonly credentials: Credentials;
  /** How often the source has been asked; without it, the promises about that are not tried. */
  asked?(): number;
  /** Gives the source another credential; returns it. */
  rotate?(): Promise<Credential>;
  /** The source fails from now on. */
  fail?(): Promise<void>;
  close?(): void | Promise<void>;
}

/** What every plugin of the slot `credentials` must do, ours or another's. */
export function credentialsConformance(
  createHarness: () => CredentialsHarness | Promise<CredentialsHarness>,
): ConformanceCase[] {
  const always = casesOf(createHarness);
  const counting = casesOf(createHarness, 'a source that counts', ({ asked }) => asked !== undefined);
  const rotating = casesOf(createHarness, 'a source that can be rotated', ({ rotate }) => rotate !== undefined);
  const failing = casesOf(createHarness, 'a source that can fail', ({ fail }) => fail !== undefined);

  return [
    always('gives a credential that is valid now', async ({ credentials }) => {
      const { user, password, expiresAt } = await credentials.current();
      ok(typeof password === 'string' && password !== '', 'it has a password');
      ok(user === undefined || (typeof user === 'string' && user !== ''), 'its user is a text, or left out');
      ok(expiresAt === undefined || expiresAt > new Date(), 'it has not expired');
    }),
    always('gives all callers the same one', async ({ credentials }) => {
      const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => credentials.current()));
      for (const other of others) deepEqual(other, first);
    }),
    always('masks its password from then on', async ({ credentials }) => {
      const { password } = await credentials.current();
      ok(!formatError(new Error(`refused ${password}`)).includes(password), 'an error shows it');
    }),
    always('returns the current credential when an earlier credential was refused', async ({ credentials }) => {
      const now = await credentials.current();
      deepEqual(await credentials.renewed({ password: `${now.password} of last year` }), now);
    }),
    counting('asks its source once for callers at the same time, and not again', async ({ credentials, asked }) => {
      await Promise.all(Array.from({ length: 20 }, () => credentials.current()));
      await credentials.current();
      equal(asked?.(), 1);
    }),
    counting('asks its source once about a credential that many have seen refused', async ({ credentials, asked }) => {
      const refused = await credentials.current();
      await Promise.all(Array.from({ length: 20 }, () => credentials.renewed(refused)));
      await credentials.renewed(refused);
      ok((asked?.() ?? 0) <= 2, `it was asked ${asked?.()} times`);
    }),
    rotating('gives the new one when the old one was refused, and from then on', async ({ credentials, rotate }) => {
      const old = await credentials.current();
      const next = await rotate?.();
      notEqual(next?.password, old.password);
      deepEqual(await credentials.renewed(old), next);
      deepEqual(await credentials.current(), next);
    }),
    failing('keeps a credential that is valid while its source fails', async ({ credentials, fail }) => {
      const held = await credentials.current();
      await fail?.();
      deepEqual(await credentials.renewed(held), held);
      deepEqual(await credentials.current(), held);
    }),
  ];
}
