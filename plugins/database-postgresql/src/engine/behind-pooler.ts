import type { WeakerPromise } from '@keelson/database';

/** What is weaker behind every pooler, since it names a process of its own instead of that of the server. */
export const weakerBehindPooler: readonly WeakerPromise[] = [
  {
    promise:
      'A statement that got lost on an open connection ends by the deadline of its session, not by silentAfterMs.',
    why: 'the pooler hides which process of the server works for a connection',
  },
  {
    promise: 'An instance may migrate while a statement of a killed instance still runs outside of a transaction.',
    why: 'the mark of such a statement would stay on a connection that the pooler lends to others',
  },
];
