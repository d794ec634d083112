import type { WeakerPromise } from '@keelson/database';

/** What is weaker behind every pooler, since it names a process of its own instead of that of the server. */
export const weakerBehindPooler: readonly WeakerPromise[] = [
  {
    promise:
      'A statement that got lost on an open connection ends by the deadline of its session, not by silentAfterMs.',
    why: 'the pooler hides which process of the server works for a connection',
  },
  {
    promise:
      'When an instance is killed during a migration without a transaction, its statement may still run while another instance migrates.',
    why: 'the advisory lock that shows such a statement would stay on a connection that the pooler lends to others',
  },
];
